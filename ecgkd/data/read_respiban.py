"""Reads the pickled recordings of PPG-DaLiA and WESAD: a chest belt's ECG at 700 Hz, and what people did.

Source: wesad_readme.pdf II and PPG_FieldStudy_readme.pdf, which come with the sets.
"""

import os
import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.raw import Channel, RawFile
from ecgkd.data.unpickle import load, take
from ecgkd.errors import RecordingError
from ecgkd.files import atomic_path

FS = 700.0
LABEL_RATES = {"activity": 4.0, "label": FS}
"""Hz of PPG-DaLiA's activities and of WESAD's conditions. PPG-DaLiA has a `label` too, which is the heart rate."""
_RANGE = 3.0
_LEVELS = 65536
"""A count of the belt is (count / 2^16 - 0.5) * 3 mV. Source: wesad_readme.pdf II.1."""


@dataclass(frozen=True)
class Content:
    """What is taken of a pickled recording."""

    ecg: NDArray[np.float32]
    """(n_samples,), in `unit`."""
    unit: str
    """mV where the samples lie on the steps of the belt's converter, else unknown."""
    labels: NDArray[np.int64]
    rate: float
    """Hz of the labels."""
    labels_key: str


def _settle_unit(ecg: NDArray[np.float64]) -> tuple[NDArray[np.float32], str]:
    """Returns the samples in mV where they are that or the belt's counts, and the unit."""
    if not len(ecg) or not np.isfinite(ecg).all():
        return ecg.astype(np.float32), ""
    if ecg.min() >= 0 and ecg.max() > 2 * _RANGE and ecg.max() < _LEVELS and np.array_equal(np.rint(ecg), ecg):
        ecg = (ecg / _LEVELS - 0.5) * _RANGE
    counts = ecg * (_LEVELS / _RANGE)
    on_steps = np.abs(ecg).max() <= _RANGE / 2 and np.abs(counts - np.rint(counts)).max() < 0.02
    return ecg.astype(np.float32), "mV" if on_steps else ""


def _look_into(file: IO[bytes], where: str) -> Content:
    content = load(file, where)
    if not isinstance(content, dict):
        raise RecordingError(f"{where}: a pickle, but not of PPG-DaLiA or WESAD")
    ecg = take(content, "signal", "chest", "ECG")
    if ecg is None:
        raise RecordingError(f"{where}: a pickle without signal, chest, ECG: not of PPG-DaLiA or WESAD")
    for key, rate in LABEL_RATES.items():
        labels = take(content, key)
        if labels is not None:
            return Content(*_settle_unit(ecg), np.rint(np.nan_to_num(labels)).astype(np.int64), rate, key)
    raise RecordingError(f"{where}: no activities and no conditions in it: not of PPG-DaLiA or WESAD")


@lru_cache(maxsize=1)
def _load(path: Path, changed: int) -> Content:
    """Returns what is in the file; kept for the next stretch of the same file."""
    try:
        with path.open("rb") as file:
            return _look_into(file, str(path))
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def _content(path: Path) -> Content:
    try:
        return _load(path, os.stat(path).st_mtime_ns)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def read(path: Path) -> RawFile:
    """Returns the ECG of the pickled recording at `path`. Raises: RecordingError."""
    content = _content(path)
    return RawFile(path, (Channel("ECG", content.unit, FS, content.ecg),))


def labels(path: Path) -> tuple[NDArray[np.int64], float]:
    """Returns the number of the activity or condition over time, and its rate in Hz. Raises: RecordingError."""
    content = _content(path)
    return content.labels, content.rate


def slim(source: IO[bytes], path: Path) -> None:
    """Writes ECG and labels of the pickled recording in `source` to `path`, in the same layout.

    The other signals of the belt and the watch make up most of the files' 1 to 2 GB. Raises: RecordingError, DataError.
    """
    content = _look_into(source, path.name)
    small = content.labels.astype(np.int8 if np.abs(content.labels).max(initial=0) < 128 else np.int32)
    layout = {"signal": {"chest": {"ECG": content.ecg[:, None]}}, content.labels_key: small, "subject": path.stem}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        pickle.dump(layout, file, protocol=4)
