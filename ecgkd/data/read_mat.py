"""Reads recordings from MATLAB files (up to version 7) through SciPy."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecgkd.data.raw import RawFile
from ecgkd.data.read_npz import from_variables
from ecgkd.errors import RecordingError


def _flat(variables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in variables.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif not name.startswith("__"):
            yield f"{prefix}{name}", value


def read(path: Path, lead: str | None = None) -> RawFile:
    """Returns the recording in the MATLAB file at `path`; fields of a struct count as variables.

    Raises: RecordingError for version 7.3, damage or a file without samples.
    """
    from scipy.io import loadmat

    try:
        with path.open("rb") as file:
            head = file.read(128)
        if head.startswith(b"MATLAB 7.3") or head.startswith(b"\x89HDF"):
            raise RecordingError(f"{path}: a MATLAB 7.3 (HDF5) file; save it in MATLAB with the option -v7")
        variables = loadmat(path, simplify_cells=True)
    except RecordingError:
        raise
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # the library raises whatever its parsing trips over
        raise RecordingError(f"{path}: truncated, damaged or no MATLAB file ({error}); copy it again") from error
    return from_variables(path, dict(_flat(variables)), lead)
