"""Reads the pickled recordings of PPG-DaLiA and WESAD: a chest belt's ECG at 700 Hz, and what people did.

A pickle can hold any program. Only plain containers and NumPy arrays are let out of these; anything else is refused.
"""

import io
import pickle
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.raw import Channel, RawFile
from ecgkd.errors import RecordingError

FS = 700.0
LABEL_RATES = {"activity": 4.0, "label": FS}
"""Hz of PPG-DaLiA's activities and of WESAD's conditions."""
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")
        return super().find_class(module.replace("numpy._core", "numpy.core"), name)


@lru_cache(maxsize=1)
def _load(path: Path, changed: int) -> Mapping[str, Any]:
    """Returns the dictionary in the file; kept for the next stretch of the same file."""
    try:
        content = _Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a pickle may raise anything
        raise RecordingError(f"{path}: truncated, damaged or no pickled recording ({error})") from error
    if not isinstance(content, dict):
        raise RecordingError(f"{path}: a pickle, but not of PPG-DaLiA or WESAD")
    return content


def _content(path: Path) -> Mapping[str, Any]:
    try:
        return _load(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def read(path: Path) -> RawFile:
    """Returns the ECG of the pickled recording at `path`. Raises: RecordingError."""
    content = _content(path)
    try:
        samples = np.asarray(content["signal"]["chest"]["ECG"], np.float64).ravel()
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{path}: a pickle without signal, chest, ECG: not of PPG-DaLiA or WESAD") from error
    return RawFile(path, (Channel("ECG", "mV", FS, samples),))


def labels(path: Path) -> tuple[NDArray[np.int64], float]:
    """Returns the number of the activity or condition over time, and its rate in Hz. Raises: RecordingError."""
    content = _content(path)
    for name, rate in LABEL_RATES.items():
        # PPG-DaLiA has both: there `label` is the heart rate.
        if name in content:
            values = np.asarray(content[name], np.float64).ravel()
            return np.rint(values).astype(np.int64), rate
    raise RecordingError(f"{path}: no activities and no conditions in it: not of PPG-DaLiA or WESAD")
