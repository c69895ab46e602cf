"""The front end: int32 microvolts in, the network's int8 input out, the same bits everywhere.

Stateless: a window depends on its own 4 s alone, its ends mirrored. All steps are integer arithmetic; where NumPy
computes in float64 every intermediate is an integer below 2^53, so the result is the integer one.

1. centre: subtract the window's mean (rounded half up), clamp to ±32767
2. resample to 250 Hz (`resample`), clamp
3. low-pass 40 Hz, mains included (`filters.low_pass`), clamp
4. remove the baseline (`filters.remove_baseline`)
5. scale: subtract the median, divide by the span between the 20th smallest and the 20th largest sample, so that
   this span becomes 64 steps; round half away from zero, clamp to ±127. A span below 8 µV gives zeros.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import RecordingError
from ecgkd.files import sha256_of
from ecgkd.signal import filters, resample
from ecgkd.signal.resample import MODEL_FS, WINDOW_SAMPLES
from ecgkd.signal.window import SUPPORTED_FS, WINDOW_SECONDS, native_window

__all__ = [
    "INPUT_SCALE",
    "MODEL_FS",
    "SUPPORTED_FS",
    "WINDOW_SAMPLES",
    "WINDOW_SECONDS",
    "definition",
    "definition_sha256",
    "front_end",
    "native_window",
]

VERSION = 1
LIMIT = 32767
TRIM = 20
"""Samples beyond the span at either end: about the tops of the R waves, and more than one spike."""
SPAN_STEPS = 64
MIN_SPAN = 8
"""µV; less than this is no ECG."""
INPUT_SCALE = 1 / 16
"""The network sees float32 = int8 · INPUT_SCALE."""


def centre(windows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns windows (n, native) without their mean (rounded half up), clamped to ±32767 µV."""
    width = windows.shape[1]
    total = windows.sum(axis=1, dtype=np.int64)
    mean = (2 * total + width) // (2 * width)
    return np.clip(windows - mean[:, None], -LIMIT, LIMIT).astype(np.int32)


def scale(windows: NDArray[np.int32]) -> NDArray[np.int8]:
    """Returns int8 windows (n, 1000) whose trimmed span is 64 steps wide; zeros where there is no span."""
    last = windows.shape[1] - 1
    ranked = np.partition(windows, (TRIM - 1, last // 2, last - TRIM + 1), axis=1)
    span = (ranked[:, last - TRIM + 1] - ranked[:, TRIM - 1])[:, None]
    shifted = windows - ranked[:, last // 2][:, None]
    safe = np.maximum(span, MIN_SPAN)
    size = (np.abs(shifted) * SPAN_STEPS + safe // 2) // safe
    steps = np.where(span < MIN_SPAN, 0, np.sign(shifted) * np.minimum(size, 127))
    return steps.astype(np.int8)


def front_end(windows: NDArray[np.int32], fs: float) -> NDArray[np.int8]:
    """Returns the network's input (n, 1000) of windows (n, native) in int32 µV at `fs` Hz.

    Several leads (n, n_leads, native) give (n, n_leads, 1000), each lead by itself. Raises: RecordingError for a
    sampling rate that is not supported or windows of another length.
    """
    if windows.ndim == 3:
        return np.stack([front_end(windows[:, lead], fs) for lead in range(windows.shape[1])], axis=1)
    if windows.ndim != 2 or windows.shape[1] != native_window(fs):
        raise RecordingError(
            f"windows of shape {windows.shape} at {fs:g} Hz; expected (n, {native_window(fs)}), {WINDOW_SECONDS} s each"
        )
    x = np.clip(resample.resample(centre(windows), int(fs)), -LIMIT, LIMIT)
    x = np.clip(filters.low_pass(x), -LIMIT, LIMIT)
    return scale(filters.remove_baseline(x))


def definition() -> dict[str, Any]:
    """Returns the front end's definition as the model contract states it."""
    tables = hashlib.sha256()
    for fs in SUPPORTED_FS:
        tables.update(resample.phase_table(fs).astype("<i2").tobytes())
    return {
        "version": VERSION,
        "input": "int32 microvolt, 4 s of one lead",
        "supported_fs_hz": list(SUPPORTED_FS),
        "model_fs_hz": MODEL_FS,
        "window_samples": WINDOW_SAMPLES,
        "clamp_uv": LIMIT,
        "resample": {"q": resample.Q, "tables_sha256": tables.hexdigest()},
        "low_pass": {"q": filters.LOW_PASS_Q, "taps": list(filters.LOW_PASS_TAPS)},
        "baseline": {"boxcar_log2": filters.BOXCAR_LOG2, "passes": filters.BASELINE_PASSES},
        "scale": {"trim": TRIM, "span_steps": SPAN_STEPS, "min_span_uv": MIN_SPAN},
        "output": "int8",
        "input_scale": INPUT_SCALE,
    }


def definition_sha256() -> str:
    """Returns the hash of the definition, to which weights and templates are bound."""
    return sha256_of(definition())
