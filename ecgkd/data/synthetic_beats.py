"""How synthetic people's beats look, how they drift, and how they are drawn over time.

A beat is a sum of Gaussians in milliseconds from its R peak, in closed form: no solver, so it is vectorised and
deterministic. Source: waves after McSharry et al. 2003 (ECGSYN), closed form, spreads and drifts our own, tuned
until mean-beat correlation and LDA find synthetic people as hard to tell apart as Heartprint's.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]

P, Q, R, S, T = range(5)

MEDIAN_MV = np.array([0.10, -0.06, 0.75, -0.16, 0.22])
SPREAD_MV = np.array([0.35, 0.60, 0.30, 0.60, 0.35])
"""Between people, of the logarithm."""
MEAN_MS = np.array([-160.0, -26.0, 0.0, 27.0, 280.0])
SPREAD_MS = np.array([16.0, 3.0, 0.0, 4.0, 20.0])
MEDIAN_WIDTH_MS = np.array([22.0, 8.0, 10.0, 9.5, 44.0])
SPREAD_WIDTH = np.array([0.15, 0.20, 0.13, 0.20, 0.13])
MEDIAN_ASYMMETRY, SPREAD_ASYMMETRY = 1.25, 0.12
SPREAD_ST_MV = 0.02
MEAN_HEART_RATE, SPREAD_HEART_RATE = 72.0, 9.0
MEDIAN_RR_CV, SPREAD_RR_CV = 0.04, 0.35

MEAN_AXIS = np.array([55.0, 45.0, 45.0, 50.0, 45.0])
"""Degrees in the frontal plane, lead I at 0, lead II at 60."""
SPREAD_AXIS = np.array([10.0, 15.0, 15.0, 15.0, 10.0])
AXIS_LIMITS = (-10.0, 65.0)
"""Beyond these lead I, which is drawn first, would show too little of a wave."""
DRIFT_AXIS = 4.0
"""Of one unit of drift."""

DRIFT_MV = np.array([0.18, 0.20, 0.11, 0.20, 0.25])
"""Of one unit of drift, of the logarithm."""
DRIFT_MS = np.array([5.5, 0.8, 0.0, 1.0, 7.0])
DRIFT_WIDTH = 0.03
DRIFT_HEART_RATE = 8.0
DRIFT_ST_MV = 0.010

N_TRAITS = 17
"""Standard normals that make a beat shape: 5 amplitudes, 5 delays, 5 widths, asymmetry, ST level."""
FAMILY_WEIGHT = 0.7
"""A look-alike's traits are this much of its family's and the rest its own."""
ST_ON_MS, ST_ON_SLOPE_MS, ST_OFF_SLOPE_MS = 60.0, 8.0, 25.0
NOTCH_LATER, NOTCH_WIDTH = 1.7, 0.7
"""Where a notch's second Gaussian lies and how wide it is, in widths of the first."""
BREATH_SHARE, BEAT_SHARE = 0.04, 0.02
"""How far amplitudes breathe, and how far each wave of each beat varies."""
BEAT_FROM_MS, BEAT_TO_MS = -400.0, 750.0
"""Beyond these a beat is zero; the widest T wave of a slow heart has ended."""
ECTOPIC_QRS_WIDTH, ECTOPIC_T, ECTOPIC_T_LATER_MS = 2.2, -1.0, 40.0
ECTOPIC_EARLY = (0.58, 0.78)
"""Of the RR interval after which an ectopic beat comes."""
RR_MEMORY = 0.9
HEART_RATE_LIMITS = (40.0, 195.0)


@dataclass(frozen=True)
class Beat:
    """One person's beat shape at one time. Arrays are in the order P, Q, R, S, T."""

    amplitude: Floats
    """(5,) mV"""
    delay: Floats
    """(5,) ms from R to each wave's top at 60 beats a minute"""
    width: Floats
    """(5,) ms, standard deviation of each Gaussian"""
    asymmetry: float
    """T rises this many times slower than it falls."""
    st: float
    """mV, level between QRS and T"""
    notch: Floats
    """(2,) second Gaussian of P and T, as a share of the first; 0 for none, below 0 biphasic"""
    heart_rate: float
    """beats a minute at rest"""
    rr_cv: float
    """standard deviation of RR over its mean"""


def draw_beat(rng: np.random.Generator, family: Floats | None, notched_share: float) -> Beat:
    """Returns a new person's beat; `family` holds the traits (N_TRAITS,) that it partly shares, None for none."""
    z = rng.standard_normal(N_TRAITS)
    if family is not None:
        z = FAMILY_WEIGHT * family + (1 - FAMILY_WEIGHT) * z
    heart_rate, rr_cv = rng.standard_normal(2)
    notch = np.where(rng.random(2) < notched_share / 2, rng.choice([-1, 1], 2) * rng.uniform(0.4, 0.9, 2), 0.0)
    return Beat(
        amplitude=MEDIAN_MV * np.exp(SPREAD_MV * z[0:5]),
        delay=MEAN_MS + SPREAD_MS * z[5:10],
        width=MEDIAN_WIDTH_MS * np.exp(SPREAD_WIDTH * z[10:15]),
        asymmetry=float(MEDIAN_ASYMMETRY * np.exp(SPREAD_ASYMMETRY * z[15])),
        st=float(SPREAD_ST_MV * z[16]),
        notch=notch,
        heart_rate=float(np.clip(MEAN_HEART_RATE + SPREAD_HEART_RATE * heart_rate, 48, 105)),
        rr_cv=float(MEDIAN_RR_CV * np.exp(SPREAD_RR_CV * rr_cv)),
    )


def drift(beat: Beat, k: float, rng: np.random.Generator) -> Beat:
    """Returns `beat` after `k` units of drift, from another day (sessions) or another touch (records)."""
    z = rng.standard_normal((3, 5))
    heart_rate, st = rng.standard_normal(2)
    return replace(
        beat,
        amplitude=beat.amplitude * np.exp(k * DRIFT_MV * z[0]),
        delay=beat.delay + k * DRIFT_MS * z[1],
        width=beat.width * np.exp(k * DRIFT_WIDTH * z[2]),
        st=float(beat.st + k * DRIFT_ST_MV * st),
        heart_rate=float(np.clip(beat.heart_rate + k * DRIFT_HEART_RATE * heart_rate, *HEART_RATE_LIMITS)),
    )


def draw_axes(rng: np.random.Generator) -> Floats:
    """Returns where a new person's waves point (5,), degrees in the frontal plane."""
    return np.clip(MEAN_AXIS + SPREAD_AXIS * rng.standard_normal(5), *AXIS_LIMITS)


def turn(axes: Floats, k: float, rng: np.random.Generator) -> Floats:
    """Returns `axes` after `k` units of drift: the heart lies a little otherwise, the electrodes too."""
    return np.clip(axes + k * DRIFT_AXIS * rng.standard_normal(5), *AXIS_LIMITS)


def in_lead_two(beat: Beat, axes: Floats) -> Beat:
    """Returns what lead II shows of a beat in lead I, by Einthoven's triangle: a · cos(axis − 60°) / cos(axis)."""
    radian = np.deg2rad(axes)
    share = np.cos(radian - np.pi / 3) / np.cos(radian)
    return replace(beat, amplitude=beat.amplitude * share, st=beat.st * float(share[T]))


@dataclass(frozen=True)
class Rhythm:
    """When the beats of one recording fall. All arrays (n_beats,)."""

    time: Floats
    """s, of the R peak; the first lie before 0"""
    qt: Floats
    """RR interval that repolarisation has adapted to, s"""
    breath: Floats
    """phase of breathing as a sine, −1…1"""
    ectopic: NDArray[np.bool_]


def draw_rhythm(
    heart_rate: Floats, rr_cv: float, ectopic_share: float, qt_lag: float, start: float, rng: np.random.Generator
) -> Rhythm:
    """Returns as many beats as `heart_rate` (n_beats,) has entries, from `start` s on.

    Breathing and a slow random walk move RR; an ectopic beat comes early and a pause follows it. `qt_lag` is
    the time constant in s by which repolarisation follows the rate, 0 for at once.
    """
    rr0 = 60 / np.clip(heart_rate, *HEART_RATE_LIMITS)
    n = len(rr0)
    nominal = np.cumsum(rr0)
    breath = np.sin(2 * np.pi * (rng.uniform(0.2, 0.3) * nominal + rng.random()))
    rr = rr0 * np.clip(1 + rr_cv * (0.7 * breath + 0.7 * _wander(n, RR_MEMORY, rng)), 0.6, 1.6)
    qt = rr if qt_lag == 0 else _follow(rr0, qt_lag)
    ectopic = rng.random(n) < ectopic_share
    ectopic[1:] &= ~ectopic[:-1]
    early = np.where(ectopic, rng.uniform(*ECTOPIC_EARLY, n), 1.0)
    step = rr * early  # from the beat before
    step[1:] += rr[:-1] * (1 - early[:-1])  # an early beat's pause makes up for it
    step[0] = -rr[0] * rng.random()
    return Rhythm(start + np.cumsum(step), qt, breath, ectopic)


def _wander(n: int, memory: float, rng: np.random.Generator) -> Floats:
    """Returns a first-order autoregressive series (n,) of unit variance."""
    noise = (1 - memory**2) ** 0.5 * rng.standard_normal(n)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise, zi=[memory * rng.standard_normal()])[0])


def _follow(rr: Floats, lag: float) -> Floats:
    """Returns `rr` (n_beats,) as seen through a first-order lag of `lag` seconds, settled at its first value."""
    share = -math.expm1(-rr.mean() / lag)
    return np.asarray(lfilter([share], [1.0, share - 1], rr, zi=[(1 - share) * rr[0]])[0])


def render(beat: Beat, rhythm: Rhythm, n_samples: int, fs: float, start: float, rng: np.random.Generator) -> Floats:
    """Returns the ECG (n_samples,) in mV of `rhythm`'s beats, its first sample at `start` s.

    Waves breathe and vary from beat to beat; QT follows the square root of RR, QRS does not.
    """
    amplitude, delay, width = _waves(beat, rhythm, rng)
    first = np.ceil((rhythm.time + BEAT_FROM_MS / 1000 - start) * fs).astype(np.int64)
    index = first[:, None] + np.arange(int((BEAT_TO_MS - BEAT_FROM_MS) / 1000 * fs))  # (n_beats, samples of a beat)
    ms = (index / fs + start - rhythm.time[:, None]) * 1000
    shape = beat.st * (_logistic((ms - ST_ON_MS) / ST_ON_SLOPE_MS) - _logistic((ms - delay[:, [T]]) / ST_OFF_SLOPE_MS))
    for wave in (P, Q, R, S, T):
        asymmetry = beat.asymmetry if wave == T else 1.0
        shape += _gaussian(ms, amplitude[:, wave], delay[:, wave], width[:, wave], asymmetry)
    for share, wave in zip(beat.notch, (P, T), strict=True):
        if share:
            later = delay[:, wave] + NOTCH_LATER * width[:, wave]
            shape += _gaussian(ms, share * amplitude[:, wave], later, NOTCH_WIDTH * width[:, wave], 1.0)
    inside = (index >= 0) & (index < n_samples)
    return np.asarray(np.bincount(index[inside], weights=shape[inside], minlength=n_samples), np.float64)


def _waves(beat: Beat, rhythm: Rhythm, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Returns amplitudes in mV, delays and widths in ms, each (n_beats, 5), of `rhythm`'s beats."""
    n = len(rhythm.time)
    size = (1 + BREATH_SHARE * rhythm.breath)[:, None] * (1 + BEAT_SHARE * rng.standard_normal((n, 5)))
    amplitude = beat.amplitude * size
    delay, width = np.tile(beat.delay, (n, 1)), np.tile(beat.width, (n, 1))
    stretch = np.sqrt(rhythm.qt)
    delay[:, P] *= np.sqrt(stretch)
    delay[:, T] *= stretch
    width[:, T] *= stretch
    early = rhythm.ectopic
    amplitude[early, P] = 0
    amplitude[early, T] *= ECTOPIC_T
    delay[early, T] += ECTOPIC_T_LATER_MS
    width[early, Q : S + 1] *= ECTOPIC_QRS_WIDTH
    delay[early, Q : S + 1] *= ECTOPIC_QRS_WIDTH
    return amplitude, delay, width


def _gaussian(ms: Floats, amplitude: Floats, delay: Floats, width: Floats, asymmetry: float) -> Floats:
    """Returns each beat's wave on `ms` (n, samples); its rise is `asymmetry` times as wide as its fall."""
    u = (ms - delay[:, None]) / width[:, None]
    if asymmetry != 1:
        u = np.where(u < 0, u / asymmetry, u)
    return np.asarray(amplitude[:, None] * np.exp(-0.5 * u * u))


def _logistic(u: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(u / 2)))
