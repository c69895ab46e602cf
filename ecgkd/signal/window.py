"""Cutting recordings into the 4 s windows that everything works on."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import RecordingError

Scalar = TypeVar("Scalar", bound=np.generic)

WINDOW_SECONDS = 4
SUPPORTED_FS = (100, 125, 128, 200, 250, 256, 300, 360, 500, 512, 1000)
"""Sampling rates that the front end takes, Hz."""


def native_window(fs: float) -> int:
    """Returns the samples of one window at `fs` Hz. Raises: RecordingError for a rate the front end lacks."""
    if fs not in SUPPORTED_FS:
        raise RecordingError(
            f"a sampling rate of {fs:g} Hz is not supported; the front end takes "
            f"{', '.join(str(rate) for rate in SUPPORTED_FS)} Hz: resample the recording to one of them"
        )
    return WINDOW_SECONDS * int(fs)


def tile_starts(n_samples: int, fs: float) -> NDArray[np.int64]:
    """Returns the first samples of the non-overlapping windows of a recording, from its start on."""
    width = native_window(fs)
    return np.arange(n_samples // width, dtype=np.int64) * width


def cut(signal: NDArray[Scalar], starts: NDArray[np.int64], fs: float) -> NDArray[Scalar]:
    """Returns the windows (n, native) of a `signal` (n_samples,) that begin at `starts`.

    Several leads (n_leads, n_samples) give (n, n_leads, native). Raises: RecordingError where a window would leave the
    signal.
    """
    width, length = native_window(fs), signal.shape[-1]
    if len(starts) and (starts.min() < 0 or starts.max() + width > length):
        raise RecordingError(f"a window of {width} samples leaves a signal of {length} samples")
    windows = signal[..., starts[:, None] + np.arange(width)]
    return windows if signal.ndim == 1 else np.ascontiguousarray(windows.swapaxes(0, 1))
