"""Reads EDF, EDF+ and BDF files through the `edfio` package."""

import contextlib
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

from ecgkd.data.raw import Channel, RawFile
from ecgkd.errors import MissingToolError, RecordingError


def _library() -> Any:
    try:
        import edfio
    except ModuleNotFoundError as error:
        raise MissingToolError("reading EDF needs the edfio package: pip install 'ecgkd[data]'") from error
    return edfio


def _check_length(path: Path) -> bool:
    """Returns whether it is a BDF file (24 bits).

    Raises: RecordingError where the file is shorter than its header says (EDF specification, header record).
    """
    with path.open("rb") as file:
        head = file.read(256)
        n_signals = int(head[252:256])
        fields = file.read(256 * n_signals)
    if len(head) < 256 or len(fields) < 256 * n_signals:
        raise RecordingError(f"{path}: truncated inside its header; copy it again")
    n_records = int(head[236:244])
    per_signal = [int(fields[216 * n_signals + 8 * i : 216 * n_signals + 8 * (i + 1)]) for i in range(n_signals)]
    bdf = head[:1] == b"\xff"
    width = 3 if bdf else 2
    expected = 256 * (n_signals + 1) + n_records * sum(per_signal) * width
    found = path.stat().st_size
    if n_records >= 0 and found < expected:
        held = max(0, found - 256 * (n_signals + 1)) // (sum(per_signal) * width)
        raise RecordingError(
            f"{path}: truncated: {held} of the {n_records} data records that its header promises "
            f"({found:,} of {expected:,} bytes); copy it again"
        )
    return bdf


def _start(edf: Any) -> datetime | None:
    # An anonymised or impossible date is no date.
    with contextlib.suppress(Exception):
        start = datetime.combine(edf.startdate, edf.starttime)
        return None if start.year in (1900, 1985) and (start.month, start.day) == (1, 1) else start
    return None


def _subject(edf: Any) -> str:
    with contextlib.suppress(Exception):
        code = str(edf.patient.code).strip()
        return "" if code.upper() == "X" else code
    return ""


def _open(path: Path) -> Any:
    edfio = _library()
    return (edfio.read_bdf if _check_length(path) else edfio.read_edf)(path, header_encoding="latin-1")


def peek(path: Path) -> tuple[str, datetime | None]:
    """Returns subject and start that the header at `path` tells, nothing for a file that cannot be read."""
    _library()
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        edf = _open(path)
        return _subject(edf), _start(edf)
    return "", None


def labels(path: Path) -> tuple[str, ...]:
    """Returns what the file at `path` calls its signals. Raises: RecordingError for a file that cannot be read."""
    return tuple(channel.label for channel in read(path).channels)


def annotations(path: Path) -> list[tuple[float, float, str]]:
    """Returns begin (s), duration (s; 0 where none is given) and text of the EDF+ annotations at `path`.

    None lasts beyond the end of the recording.

    Raises: RecordingError for a file that cannot be read.
    """
    _library()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            edf = _open(path)
            return [
                (float(one.onset), min(float(one.duration or 0.0), edf.duration - one.onset), str(one.text).strip())
                for one in edf.annotations
            ]
    except RecordingError:
        raise
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # the library raises whatever its parsing trips over
        raise RecordingError(f"{path}: not an EDF file whose annotations can be read ({error})") from error


def read(path: Path) -> RawFile:
    """Returns the content of the EDF, EDF+ or BDF file at `path`.

    Raises: RecordingError for a foreign, truncated or discontinuous file.
    """
    _library()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            edf = _open(path)
            if not edf.is_continuous:
                raise RecordingError(
                    f"{path}: a discontinuous recording (EDF+D), with gaps in time; cut it into continuous ones"
                )
            channels = tuple(
                Channel(signal.label.strip(), signal.physical_dimension, float(signal.sampling_frequency), signal.data)
                for signal in edf.signals
            )
            return RawFile(path, channels, _start(edf), _subject(edf))
    except RecordingError:
        raise
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # the library raises whatever its parsing trips over
        raise RecordingError(f"{path}: not an EDF or BDF file that can be read ({error})") from error
