"""Integer filters of the front end at 250 Hz, mirrored at the window's ends."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

_HALF_TAPS = (
    *(17, -32, -71, -69, 4, 92, 93, -25, -157, -138, 61, 251, 190, -126, -384, -246),
    *(238, 573, 301, -427, -853, -350, 767, 1321, 390, -1494, -2376, -415, 4281, 9268, 11400),
)
LOW_PASS_TAPS = _HALF_TAPS + _HALF_TAPS[-2::-1]
"""Q15, 61 taps, symmetric: equiripple, pass band to 38 Hz (-3 dB at 42), at least 58 dB down at 50 and 60 Hz."""
LOW_PASS_Q = 15
BOXCAR_LOG2 = 8
"""Baseline boxcars are 2^8 samples = 1.024 s long, so that dividing is shifting."""
BASELINE_PASSES = 2
"""-3 dB at 0.65 Hz, -14 dB at 0.4 Hz; electrode drift below 0.2 Hz is down by 35 dB or more."""


def low_pass(windows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns int16-ranged windows (n, samples) without mains and muscle noise above 45 Hz, rounded half up."""
    taps = np.array(LOW_PASS_TAPS, np.float64)  # every partial sum is an integer below 2^53: exact
    exact = correlate1d(windows.astype(np.float64), taps, axis=1, mode="mirror")
    return np.floor((exact + 2 ** (LOW_PASS_Q - 1)) / 2**LOW_PASS_Q).astype(np.int32)


def _boxcar(windows: NDArray[np.int32], before: int) -> NDArray[np.int32]:
    """Returns the rounded mean of 2^BOXCAR_LOG2 samples, `before` of them ahead of each sample."""
    width = 2**BOXCAR_LOG2
    padded = np.pad(windows, ((0, 0), (before, width - 1 - before)), mode="reflect")
    total = np.cumsum(padded, axis=1, dtype=np.int32)
    total[:, width:] -= total[:, :-width].copy()
    return (total[:, width - 1 :] + width // 2) >> BOXCAR_LOG2


def baseline(windows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns the slow part of windows (n, samples): two boxcars, one reaching back, one ahead, so without delay."""
    half = 2 ** (BOXCAR_LOG2 - 1)
    return _boxcar(_boxcar(windows, half), half - 1)


def remove_baseline(windows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns windows (n, samples) without electrode offset, drift and breathing."""
    for _ in range(BASELINE_PASSES):
        windows = windows - baseline(windows)
    return windows
