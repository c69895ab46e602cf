"""Reads one recording from any file that ecgkd knows, or from a prepared set."""

import os
from datetime import datetime
from pathlib import Path

from ecgkd.data import read_csv, read_edf, read_mat, read_mhealth, read_npz, read_respiban, read_wfdb
from ecgkd.data.prepared import PreparedSet, is_set, open_set
from ecgkd.data.raw import RawFile, lead_name, to_record
from ecgkd.errors import RecordingError, UsageError
from ecgkd.record import Record

FORMATS = (
    "WFDB (.hea with its .dat), EDF, EDF+, BDF, MAT up to version 7, NPZ, NPY, CSV, TSV, PKL (PPG-DaLiA, WESAD), LOG "
    "(MHEALTH), or SET#RECORD"
)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def read_raw(path: Path, lead: str | None = None) -> RawFile:
    """Returns the content of the recording file at `path`, by its first bytes and its ending.

    `lead` helps text tables and named arrays to know what is asked for. Raises: RecordingError.
    """
    header = path.with_name(path.stem + ".hea")
    wfdb_base = not os.path.exists(path) and os.path.isfile(f"{path}.hea")
    if path.suffix in (".hea", ".dat") or wfdb_base or (path.suffix == ".mat" and os.path.isfile(header)):
        return read_wfdb.read(path if wfdb_base else path.with_suffix(""))
    if not os.path.isfile(path):
        raise RecordingError(f"{path}: no such recording; expected {FORMATS}")
    if path.suffix in (".pkl", ".log"):
        return (read_respiban if path.suffix == ".pkl" else read_mhealth).read(path)
    head = _read(path)
    if not head:
        raise RecordingError(f"{path}: an empty file")
    if head.startswith((b"0       ", b"\xffBIOSEMI")) or path.suffix.lower() in (".edf", ".bdf"):
        return read_edf.read(path)
    if head.startswith(b"MATLAB") or path.suffix.lower() == ".mat":
        return read_mat.read(path, lead)
    if head.startswith(b"\x93NUMPY") or path.suffix.lower() in (".npz", ".npy"):
        return read_npz.read(path, lead)
    if head.startswith((b"PK\x03\x04", b"\x89HDF", b"%PDF", b"\x89PNG", b"\x1f\x8b")):
        raise RecordingError(f"{path}: not a recording that ecgkd knows; expected {FORMATS}")
    return read_csv.read(path, lead)


def peek(path: Path) -> tuple[str, datetime | None]:
    """Returns subject and start of a recording as far as its header tells, without reading samples of WFDB and EDF."""
    if path.suffix == ".hea":
        return read_wfdb.peek(path)
    if path.suffix.lower() in (".edf", ".bdf"):
        return read_edf.peek(path)
    return "", None


def signal_labels(path: Path) -> tuple[str, ...]:
    """Returns what a recording file calls its signals. Raises: RecordingError."""
    if path.suffix.lower() in (".edf", ".bdf"):
        return read_edf.labels(path)
    return tuple(channel.label for channel in read_raw(path).channels)


def _split(ref: str) -> tuple[Path, str | None]:
    """Returns path and record name of `SET#RECORD`; a `#` may stand in either."""
    if not os.path.exists(ref):
        for place in (i for i, letter in enumerate(ref) if letter == "#"):
            if os.path.exists(ref[:place]):
                return Path(ref[:place]), ref[place + 1 :]
    return Path(ref), None


def _from_set(found: PreparedSet, name: str | None, fs: float | None, lead: str | None, unit: str | None) -> Record:
    if name is None and len(found) > 1:
        raise UsageError(
            f"{found.path}: a prepared set of {len(found)} recordings; name one, such as {found.path}#{found.record[0]}"
        )
    record = found.load(found.find(name) if name is not None else 0)
    if fs is not None and fs != record.fs:
        raise RecordingError(f"{record.name}: sampled at {record.fs:g} Hz in {found.path}, not at the {fs:g} Hz given")
    if unit is not None:
        raise RecordingError(f"{found.path}: a prepared set is in µV already; leave the unit out")
    if lead is None:
        return record
    spelt = {lead_name(own).lower(): own for own in reversed(record.leads)}
    rows = [record.lead_index(spelt.get(lead_name(one).lower(), one.strip())) for one in lead.split(",")]
    fields = {**vars(record), "signal": record.signal[rows], "leads": tuple(record.leads[row] for row in rows)}
    return Record(**fields)


def read_recording(
    ref: str | Path, *, fs: float | None = None, lead: str | None = None, unit: str | None = None
) -> Record:
    """Returns the recording that `ref` names: a file of any known format, or `SET#RECORD`.

    `fs` (Hz) and `unit` (uV, mV, V) are for files that do not state them and must not contradict those that do.
    `lead` names one lead, or several separated by commas; without it, every ECG lead is taken. Missing samples are NaN.
    Raises: RecordingError for a foreign, truncated or contradictory file, UsageError for a record that is not there.
    """
    path, name = _split(str(ref))
    if name is not None or is_set(path):
        return _from_set(open_set(path), name, fs, lead, unit)
    if os.path.isdir(path):
        raise UsageError(f"{path}: a folder, not a recording; `ecgkd data prepare {path} --out SET` makes a set of it")
    return to_record(read_raw(path, lead), path.with_suffix("").name, fs, lead, unit)
