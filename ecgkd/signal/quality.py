"""The quality gate: which windows hold an ECG worth comparing, in integer arithmetic and in words.

Figures that need the sensor's own samples (flat, clipped, step, missing) are taken from the int32 µV window; the
others from the front end's output. Every comparison is between integers, so that firmware decides alike.

Source: kurtosis and band power after Li et al. 2008 and Zhao & Zhang 2018, periodicity as a detector-free stand-in
for the template correlation of Orphanidou et al. 2015; thresholds as measured on the recordings of `docs/quality.md`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgkd.signal.chain import MODEL_FS, WINDOW_SAMPLES, front_end

FLAT_SECONDS_TENTHS = 4
"""Longest stretch without change, in tenths of a second."""
MIN_RANGE_UV = 50
CLIP_RUN = 3
"""Samples in a row at the rail that count as clipped."""
CLIP_PER_MILLE = 5
STEP_UV = 2000
"""Lasting change of level between the 200 ms before and the 200 ms after a sample."""
MIN_KURTOSIS_TENTHS = 35
"""Gaussian noise has 30, a clean sinus rhythm more than 50."""
BAND_PERCENT = (30, 95)
"""Share of the 5-40 Hz power that lies in 5-15 Hz."""
MIN_PERIODICITY_PERCENT = 25
"""Highest normalised autocorrelation between 0.33 and 1.5 s (182 to 40 beats a minute)."""


class Reason(StrEnum):
    """Why a window is refused; the value is what users read."""

    NON_FINITE = "samples are missing (NaN or infinite)"
    FLAT = "the signal is flat: is the electrode touched?"
    CLIPPED = "the signal is clipped: the sensor is at its rail"
    STEP = "the level jumps: the electrode moved"
    KURTOSIS = "no heartbeats stand out from the noise"
    BAND_POWER = "the power is not where an ECG has it: muscle noise or movement"
    PERIODICITY = "nothing repeats at a heart rate"


@dataclass(frozen=True)
class Quality:
    """What the gate says of one window."""

    reasons: tuple[Reason, ...]
    kurtosis: float
    band_share: float
    """Power in 5-15 Hz over power in 5-40 Hz."""
    periodicity: float

    @property
    def usable(self) -> bool:
        return not self.reasons


def _longest_run(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns the length of the longest run of true values in each row (n, samples)."""
    index = np.arange(1, flags.shape[1] + 1)
    last_false = np.maximum.accumulate(np.where(flags, 0, index), axis=1)
    return np.max(np.where(flags, index - last_false, 0), axis=1)


def _flat(x: NDArray[np.int32], fs: int, gain_known: bool) -> NDArray[np.bool_]:
    step = 1 if gain_known else 0
    still = _longest_run(np.abs(np.diff(x, axis=1)) <= step) * 10 > FLAT_SECONDS_TENTHS * fs
    if gain_known:
        still |= np.ptp(x, axis=1) < MIN_RANGE_UV
    return still


def _clipped(x: NDArray[np.int32]) -> NDArray[np.bool_]:
    clipped = np.zeros(len(x), np.bool_)
    for rail in (x.max(axis=1), x.min(axis=1)):
        at_rail = x == rail[:, None]
        inside = at_rail[:, 1:-1] & at_rail[:, :-2] & at_rail[:, 2:]  # the middle of a run of CLIP_RUN samples
        in_run = np.zeros_like(at_rail)
        in_run[:, 1:-1] |= inside
        in_run[:, :-2] |= inside
        in_run[:, 2:] |= inside
        clipped |= in_run.sum(axis=1) * 1000 > CLIP_PER_MILLE * x.shape[1]
    return clipped & (np.ptp(x, axis=1) > 0)


def _step(x: NDArray[np.int32], fs: int) -> NDArray[np.bool_]:
    width, gap = fs // 5, fs // 25
    total = np.cumsum(np.pad(x.astype(np.int64), ((0, 0), (1, 0))), axis=1)
    sums = total[:, width:] - total[:, :-width]
    change = np.abs(sums[:, width + gap :] - sums[:, : -(width + gap)])
    return change.max(axis=1) > STEP_UV * width


def _kurtosis(q: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns numerator and denominator of the fourth standardised moment of (n, 1000)."""
    n = q.shape[1]
    centred = q - (2 * q.sum(axis=1, keepdims=True) + n) // (2 * n)
    square = centred * centred
    return n * (square * square).sum(axis=1), square.sum(axis=1) ** 2


@lru_cache
def _waves() -> NDArray[np.float64]:
    """Returns cosines and sines (1000, 2 · 140) of 5 to 39.75 Hz in steps of 0.25 Hz, as Q10 integers."""
    hz = np.arange(20, 160) / 4
    angle = 2 * np.pi * np.arange(WINDOW_SAMPLES)[:, None] * hz / MODEL_FS
    return np.concatenate([np.rint(1024 * np.cos(angle)), np.rint(1024 * np.sin(angle))], axis=1)


def _band_power(q: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the power of (n, 1000) in 5-15 Hz and in 5-40 Hz, scaled alike."""
    lines = (q.astype(np.float64) @ _waves()).astype(np.int64) >> 8
    power = lines[:, :140] ** 2 + lines[:, 140:] ** 2
    return power[:, :40].sum(axis=1), power.sum(axis=1)


def _periodicity(q: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the highest signed squared autocorrelation, in ten-thousandths, between 0.33 and 1.5 s lag."""
    spectrum = np.fft.rfft(q, 2 * WINDOW_SAMPLES, axis=1)
    products = np.rint(np.fft.irfft(np.abs(spectrum) ** 2, axis=1)).astype(np.int64)  # integers: exact
    energy = np.cumsum(q * q, axis=1)
    lags = np.arange(83, 376)
    head = energy[:, WINDOW_SAMPLES - 1 - lags]
    tail = energy[:, -1:] - energy[:, lags - 1]
    product = np.maximum(products[:, lags], 0)
    return np.max(product * product // np.maximum(head * tail // 10_000, 1), axis=1)


def assess(windows: NDArray[np.generic], fs: float, gain_known: bool = True) -> list[Quality]:
    """Returns the gate's word on windows (n, native) at `fs` Hz.

    `windows` are int32 µV, or floating point µV in which missing samples are NaN. Amplitude thresholds apply only
    where `gain_known`. Of several leads (n, n_leads, native) every one must be usable; the figures are those of the
    lead that repeats itself least. Raises: RecordingError for a rate that the front end lacks.
    """
    if windows.ndim == 3:
        of_leads = [assess(windows[:, lead], fs, gain_known) for lead in range(windows.shape[1])]
        return [_of_all(leads) for leads in zip(*of_leads, strict=True)]
    rate = int(fs)
    missing = np.zeros(len(windows), np.bool_)
    if np.issubdtype(windows.dtype, np.floating):
        values = windows.astype(np.float64)
        missing = ~np.isfinite(values).all(axis=1)
        windows = np.rint(np.clip(np.nan_to_num(values, posinf=0, neginf=0), -(2**24), 2**24))
    x = windows.astype(np.int32)
    q = front_end(x, fs).astype(np.int64)
    fourth, square = _kurtosis(q)
    low, whole = _band_power(q)
    periodicity = _periodicity(q)
    verdicts = {
        Reason.NON_FINITE: missing,
        Reason.FLAT: _flat(x, rate, gain_known),
        Reason.CLIPPED: _clipped(x),
        Reason.STEP: _step(x, rate) & gain_known,
        Reason.KURTOSIS: 10 * fourth < MIN_KURTOSIS_TENTHS * square,
        Reason.BAND_POWER: (100 * low < BAND_PERCENT[0] * whole) | (100 * low > BAND_PERCENT[1] * whole),
        Reason.PERIODICITY: periodicity < MIN_PERIODICITY_PERCENT**2,
    }
    return [
        Quality(
            reasons=tuple(reason for reason, refused in verdicts.items() if refused[i]),
            kurtosis=float(fourth[i] / max(square[i], 1)),
            band_share=float(low[i] / max(whole[i], 1)),
            periodicity=float(np.sqrt(periodicity[i] / 10_000)),
        )
        for i in range(len(x))
    ]


def _of_all(leads: Sequence[Quality]) -> Quality:
    """Returns what the gate says of a window from what it says of its leads."""
    reasons = dict.fromkeys(reason for one in leads for reason in one.reasons)
    return replace(min(leads, key=lambda one: one.periodicity), reasons=tuple(reasons))


def in_words(qualities: Sequence[Quality]) -> str:
    """Returns one line: how many windows are usable and why the others are not, commonest reason first."""
    usable = sum(quality.usable for quality in qualities)
    counts = Counter(reason for quality in qualities for reason in quality.reasons)
    line = f"{usable} of {len(qualities)} windows usable"
    return line + "".join(f"; {count}× {reason.value}" for reason, count in counts.most_common())
