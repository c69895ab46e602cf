"""What synthetic people do while they are recorded: heart rate, repolarisation, motion and muscle noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FITNESS_SPREAD = 0.25
"""Of the logarithm of how steeply a person's heart rate answers to work; rates of activities overlap."""
STILL_SHARE = 0.2
"""Share of recordings whose contact is so good that motion does not show: cadence is no label."""
EMG_BAND_HZ = (20.0, 100.0)
RECOVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Activity:
    """One row of the table; amplitudes and rates are those of a typical person."""

    heart_rate: tuple[float, float] = (0.0, 0.0)
    """beats a minute over the person's own rest: mean and spread"""
    rr_cv: float = 1.0
    p: float = 1.0
    t: float = 1.0
    """factors on the P and T waves' amplitudes"""
    qt: float = 1.0
    """factor on the delay of T beyond its adaptation to the rate"""
    cadence: tuple[float, float] = (0.0, 0.0)
    """Hz, range of the steps or strokes"""
    motion: float = 0.0
    """mV, amplitude of the motion artefact"""
    impulsive: bool = False
    emg: float = 0.020
    """mV rms"""
    baseline: float = 0.12
    """mV, amplitude of electrode drift"""
    decays: bool = False
    """Whether heart rate falls back to rest during the recording."""


ACTIVITIES = {
    "rest": Activity(),
    "lying": Activity((-8, 4), rr_cv=1.4, t=1.05, emg=0.008, baseline=0.05),
    "sitting": Activity(emg=0.015, baseline=0.10),
    "standing": Activity((8, 5), rr_cv=0.8, t=0.90, emg=0.020, baseline=0.12),
    "walking": Activity((25, 8), t=0.85, qt=0.98, cadence=(1.6, 2.0), motion=0.10, emg=0.040, baseline=0.20, rr_cv=0.8),
    "jogging": Activity(
        (65, 15),
        rr_cv=0.5,
        p=1.2,
        t=0.80,
        cadence=(2.4, 2.9),
        motion=0.25,
        impulsive=True,
        emg=0.080,
        baseline=0.35,
    ),
    "cycling": Activity((45, 12), rr_cv=0.6, t=0.85, cadence=(1.0, 1.5), motion=0.12, emg=0.120, baseline=0.20),
    "recovery": Activity((50, 8), rr_cv=0.8, emg=0.020, baseline=0.15, decays=True),
}
"""Activities by the name that a record carries. `rest` is a seated finger recording and the default."""


def heart_rates(activity: Activity, resting: float, fitness: float, n_beats: int, rng: np.random.Generator) -> Floats:
    """Returns beats a minute (n_beats,) of a person whose rate at rest is `resting`."""
    rise = fitness * (activity.heart_rate[0] + activity.heart_rate[1] * rng.standard_normal())
    if not activity.decays:
        return np.full(n_beats, resting + rise)
    seconds = np.arange(n_beats) * 60 / (resting + rise)
    return resting + rise * np.exp(-seconds / RECOVERY_SECONDS)


def baseline(activity: Activity, seconds: Floats, rng: np.random.Generator) -> Floats:
    """Returns electrode drift (n_samples,) in mV at `seconds`: three slow sines."""
    frequency, phase, weight = rng.uniform(0.05, 0.5, 3), rng.random(3), rng.dirichlet(np.ones(3))
    return np.asarray(activity.baseline * weight @ np.sin(2 * np.pi * (frequency[:, None] * seconds + phase[:, None])))


def motion(activity: Activity, seconds: Floats, rng: np.random.Generator) -> Floats:
    """Returns the artefact of steps or strokes (n_samples,) in mV, its phase jittered and its strength varying."""
    cadence, still = rng.uniform(*activity.cadence), rng.random() < STILL_SHARE
    strength = activity.motion * (0.02 if still else np.exp(0.4 * rng.standard_normal()))
    knots = np.arange(seconds[0] - 1, seconds[-1] + 2, 0.5)
    jitter = np.interp(seconds, knots, np.cumsum(rng.normal(0, 0.04, len(knots))))
    sway = np.interp(seconds, knots, rng.uniform(0.6, 1.4, len(knots)))
    phase = 2 * np.pi * (cadence * seconds + jitter + rng.random())
    harmonic = 2 * np.pi * rng.random()
    wave = np.sin(phase) + 0.5 * np.sin(2 * phase + harmonic)
    if activity.impulsive:
        wave = wave + 1.5 * np.exp(6 * (np.cos(phase) - 1))
    return np.asarray(strength * sway * wave)


def muscle(activity: Activity, n_samples: int, fs: float, rng: np.random.Generator) -> Floats:
    """Returns muscle noise (n_samples,) in mV: white between 20 and 100 Hz (or as far as `fs` reaches)."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequency = np.fft.rfftfreq(n_samples, 1 / fs)
    band = (frequency >= EMG_BAND_HZ[0]) & (frequency <= EMG_BAND_HZ[1])
    spectrum[~band] = 0
    return activity.emg * np.fft.irfft(spectrum, n_samples) / max(band.mean(), 1e-9) ** 0.5
