"""Reads recordings from NumPy files, and settles which of several named arrays is the ECG."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecgkd.data.raw import Channel, RawFile
from ecgkd.errors import RecordingError

_SIGNALS = ("ecg", "val", "signal", "signals", "x", "data", "p_signal")
_RATES = (
    "fs",
    "srate",
    "sampling_rate",
    "samplingrate",
    "sample_rate",
    "samplerate",
    "sampling_frequency",
    "frequency",
)
_LEADS = ("leads", "lead", "lead_names", "sig_name", "channels", "labels")
_UNITS = ("unit", "units")
MIN_SAMPLES = 16
"""Shorter arrays are settings, not signals."""


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _is_signal(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "iuf" and 1 <= array.ndim <= 2 and max(array.shape) >= MIN_SAMPLES


def _first(variables: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    found = [value for name in names for key, value in variables.items() if _last(key) == name]
    return found[0] if found else None


def _words(value: Any) -> list[str]:
    return [str(word).strip() for word in np.atleast_1d(np.asarray(value)).ravel()] if value is not None else []


def from_variables(path: Path, variables: Mapping[str, Any], lead: str | None) -> RawFile:
    """Returns the recording among the named `variables` of a file; the longer side of an array is time.

    Raises: RecordingError where none, or more than one, could be the ECG.
    """
    signals = {name: np.asarray(value) for name, value in variables.items() if _is_signal(value)}
    if not signals:
        raise RecordingError(
            f"{path}: holds no array of samples; it has {', '.join(variables) or 'nothing'}. Expected numbers "
            "(n_samples,) or (n_leads, n_samples)"
        )
    named = [name for name in signals if lead and name == lead]
    usual = [name for usual in _SIGNALS for name in signals if _last(name) == usual]
    if len(signals) > 1 and not named and not usual:
        raise RecordingError(f"{path}: cannot tell which array is the ECG ({', '.join(signals)}); name it with --lead")
    chosen = (named or usual or list(signals))[0]
    array = np.atleast_2d(signals[chosen])
    rows = array if array.shape[0] <= array.shape[1] else array.T
    labels = [] if named else _words(_first(variables, _LEADS))
    if len(labels) != len(rows):
        labels = [chosen] if len(rows) == 1 else [str(i + 1) for i in range(len(rows))]
    units = _words(_first(variables, _UNITS))
    units = units * len(rows) if len(units) == 1 else units if len(units) == len(rows) else [""] * len(rows)
    rate = _first(variables, _RATES)
    fs = float(np.asarray(rate).ravel()[0]) if rate is not None and np.asarray(rate).dtype.kind in "iuf" else None
    channels = tuple(Channel(label, unit, fs, row) for label, unit, row in zip(labels, units, rows))
    return RawFile(path, channels)


def read(path: Path, lead: str | None = None) -> RawFile:
    """Returns the recording in an NPZ or NPY file that is no prepared set.

    Raises: RecordingError for a damaged file or one without samples.
    """
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            variables = {"ecg": loaded} if isinstance(loaded, np.ndarray) else dict(loaded.items())
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError) as error:
        raise RecordingError(f"{path}: truncated, damaged or no NumPy file ({error}); copy it again") from error
    return from_variables(path, variables, lead)
