"""Reads WFDB records (PhysioNet's format) through the `wfdb` package."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from ecgkd.data.raw import Channel, RawFile
from ecgkd.errors import MissingToolError, RecordingError

_BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12, "310": 32 / 3, "311": 32 / 3}
"""Bits of a sample in each uncompressed signal format."""
_COMMENT = re.compile(r"^\s*([A-Za-z][\w /-]*?)\s*:\s*(.+?)\s*$")
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y")


def _library() -> Any:
    try:
        import wfdb
    except ModuleNotFoundError as error:
        raise MissingToolError("reading WFDB needs the wfdb package: pip install 'ecgkd[data]'") from error
    return wfdb


def _check_signal_files(folder: Path, header: Any, where: Path) -> None:
    """Raises: RecordingError where a signal file is missing or shorter than the header says."""
    names = list(dict.fromkeys(header.file_name or ()))
    for name in names:
        if name == "~":
            continue
        path = folder / name
        if not os.path.isfile(path):
            raise RecordingError(f"{where}: its signal file {name} is missing beside it; copy both")
        signals = [i for i, other in enumerate(header.file_name) if other == name]
        bits = _BITS.get(str(header.fmt[signals[0]]))
        if bits is None or not header.sig_len:
            continue
        frame = sum(header.samps_per_frame[i] for i in signals)
        expected = int(header.sig_len * frame * bits) // 8 + (header.byte_offset[signals[0]] or 0)
        found = path.stat().st_size
        if found < expected:
            held = int(found * 8 / (frame * bits))
            raise RecordingError(
                f"{path}: truncated: {found:,} bytes ({held:,} samples), the header promises {header.sig_len:,} "
                f"samples ({expected:,} bytes); copy or download it again"
            )


def _notes(comments: list[str]) -> dict[str, str]:
    found = {}
    for comment in comments:
        match = _COMMENT.match(comment)
        if match:
            found[match[1].lower()] = match[2]
    return found


def _start(header: Any, notes: dict[str, str]) -> datetime | None:
    if header.base_date is not None:
        return datetime.combine(header.base_date, header.base_time or datetime.min.time())
    for key, value in notes.items():
        if key.endswith("date"):
            for pattern in _DATES:
                try:
                    return datetime.strptime(value, pattern)
                except ValueError:
                    continue
    return None


def _uncalibrated(where: Path) -> set[str]:
    """Returns the descriptions of signals whose header line states no gain, for which the library assumes one."""
    lines = [line.split() for line in where.read_text(errors="replace").splitlines() if line and line[0] != "#"]
    bare = [line for line in lines[1:] if len(line) > 1 and (len(line) < 3 or re.match(r"0(\.0*)?(\D|$)", line[2]))]
    return {" ".join(line[8:]) for line in bare}


def _subject(notes: dict[str, str]) -> str:
    return notes.get("subject", notes.get("subject id", notes.get("patient", "")))


def peek(path: Path) -> tuple[str, datetime | None]:
    """Returns subject and start that the header at `path` (`.hea`) tells. Raises: RecordingError."""
    try:
        header = _library().rdheader(str(path.with_suffix("")))
    except (OSError, ValueError, IndexError, AttributeError, TypeError, KeyError) as error:
        raise RecordingError(f"{path}: not a WFDB header that can be read ({error})") from error
    notes = _notes(header.comments or [])
    return _subject(notes), _start(header, notes)


def read(path: Path) -> RawFile:
    """Returns the content of the WFDB record at `path` (its `.hea`, its `.dat` or without an ending).

    Raises: RecordingError for a header that is missing or broken, or signals that are missing or truncated.
    """
    wfdb = _library()
    base = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    where = base.with_name(base.name + ".hea")
    if not os.path.isfile(where):
        raise RecordingError(f"{path}: its WFDB header {where.name} is missing beside it; copy both")
    try:
        header = wfdb.rdheader(str(base), rd_segments=True)
        for part in getattr(header, "segments", None) or [header]:
            if part is not None and part.n_sig:
                _check_signal_files(base.parent, part, where)
        if not header.n_sig:
            raise RecordingError(f"{where}: a header without signals")
        # Unsmoothed: a signal with several samples a frame keeps its own rate.
        record = wfdb.rdrecord(str(base), smooth_frames=False)
        uncalibrated = _uncalibrated(where)
    except RecordingError:
        raise
    except FileNotFoundError as error:
        raise RecordingError(f"{where}: a part of the record is missing: {error.filename}") from error
    except PermissionError as error:
        raise RecordingError(f"{where}: no permission to read the record") from error
    except Exception as error:  # the library raises whatever its parsing trips over
        raise RecordingError(f"{where}: not a WFDB record that can be read ({error})") from error
    notes = _notes(record.comments or [])
    channels = tuple(
        Channel(
            str(label),
            "" if label in uncalibrated else str(unit or ""),
            float(record.fs) * len(samples) / max(record.sig_len, 1),
            samples,
        )
        for label, unit, samples in zip(record.sig_name, record.units, record.e_p_signal)
    )
    return RawFile(where, channels, _start(record, notes), _subject(notes), notes)
