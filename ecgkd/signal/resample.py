"""Integer polyphase resampling of one window to 250 Hz.

Output sample k lies at input position k · fs / 250. Its value is the sum of the input around that position, mirrored
at the window's ends, weighted by one phase of a Kaiser-windowed sinc in Q14, each phase summing to exactly 2^14.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ecgkd.signal.window import WINDOW_SECONDS, native_window

MODEL_FS = 250
"""Hz; what the network sees."""
WINDOW_SAMPLES = WINDOW_SECONDS * MODEL_FS
Q = 14
ZERO_CROSSINGS = 8
"""Of the sinc, on either side."""
KAISER_BETA = 6.0
"""About 60 dB of stop band."""


@lru_cache
def phase_table(fs: int) -> NDArray[np.int16]:
    """Returns the Q14 taps (phases, taps) for `fs` Hz; phase p serves positions whose fraction is p / phases.

    Tap j of a phase weighs the input sample floor(position) - taps / 2 + 1 + j.
    """
    phases = MODEL_FS // gcd(MODEL_FS, fs)
    band = min(1.0, MODEL_FS / fs)  # cut-off in units of the input's Nyquist frequency
    half = int(np.ceil(ZERO_CROSSINGS / band))
    offset = np.arange(-half + 1, half + 1) - np.arange(phases)[:, None] / phases
    kaiser = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offset / half) ** 2, 0, 1))) / np.i0(KAISER_BETA)
    ideal = band * np.sinc(band * offset) * kaiser
    ideal *= 2**Q / ideal.sum(axis=1, keepdims=True)
    taps = np.rint(ideal).astype(np.int64)
    taps[np.arange(phases), np.argmax(taps, axis=1)] += 2**Q - taps.sum(axis=1)  # unit gain at 0 Hz, exactly
    return taps.astype(np.int16)


@lru_cache
def _matrix(fs: int) -> csr_matrix:
    """Returns the whole operation (1000, native) with the mirrored ends folded in; float64 holds its integers."""
    taps = phase_table(fs).astype(np.float64)
    native, phases = native_window(fs), len(taps)
    position = np.arange(WINDOW_SAMPLES) * fs * phases // MODEL_FS  # in 1 / phases of an input sample
    first = position // phases - taps.shape[1] // 2 + 1
    column = np.abs(first[:, None] + np.arange(taps.shape[1]))
    column = np.where(column >= native, 2 * (native - 1) - column, column)
    row = np.repeat(np.arange(WINDOW_SAMPLES), taps.shape[1])
    values = taps[position % phases].ravel()
    return csr_matrix((values, (row, column.ravel())), shape=(WINDOW_SAMPLES, native))


def resample(windows: NDArray[np.int32], fs: int) -> NDArray[np.int32]:
    """Returns windows (n, 1000) at 250 Hz of int16-ranged windows (n, native) at `fs` Hz, rounded half up."""
    if fs == MODEL_FS:
        return windows
    exact = _matrix(fs) @ np.ascontiguousarray(windows.T, dtype=np.float64)
    return np.floor((exact.T + 2 ** (Q - 1)) / 2**Q).astype(np.int32)
