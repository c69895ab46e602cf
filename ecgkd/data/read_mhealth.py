"""Reads the logs of MHEALTH: 24 columns at 50 Hz, two ECG leads among them, the activity in the last."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.raw import Channel, RawFile
from ecgkd.errors import RecordingError

FS = 50.0
COLUMNS = 24
LEADS = {"ECG 1": 3, "ECG 2": 4}
"""Columns from 0."""


@lru_cache(maxsize=1)
def _table(path: Path, changed: int) -> NDArray[np.float64]:
    try:
        table = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: not a log of MHEALTH ({error})") from error
    if table.shape[1] != COLUMNS:
        raise RecordingError(f"{path}: {table.shape[1]} columns; a log of MHEALTH has {COLUMNS}")
    return table


def _open(path: Path) -> NDArray[np.float64]:
    try:
        return _table(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def read(path: Path) -> RawFile:
    """Returns the two ECG leads of the log at `path`. Raises: RecordingError."""
    table = _open(path)
    return RawFile(path, tuple(Channel(name, "mV", FS, table[:, column]) for name, column in LEADS.items()))


def labels(path: Path) -> tuple[NDArray[np.int64], float]:
    """Returns the number of the activity, sample by sample, and the rate in Hz. Raises: RecordingError."""
    return _open(path)[:, -1].astype(np.int64), FS
