"""Reads recordings from text tables: CSV, TSV and what phones and watches export."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.raw import Channel, RawFile, lead_name, split_unit
from ecgkd.errors import RecordingError

_MISSING = frozenset(("", "nan", "na", "n/a", "null", "none", "-"))
_TIME = re.compile(
    r"^(?:time|t|timestamps?|elapsed|seconds?|millis(?:econds)?|date ?time|epoch)"
    r"(?:[\s_]*(?:stamps?))?(?:[\s_]*[\(\[]?(?P<unit>s|sec|seconds|ms|msec|us|µs|μs|ns)[\)\]]?)?$",
    re.IGNORECASE,
)
_COUNTER = re.compile(r"^(?:|index|sample(?:[\s_#]*(?:no|number|index)?)?|n|#|unnamed: 0)$", re.IGNORECASE)
_TIME_UNITS = {
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ns": 1e-9,
}
_RATES = (20.0, 20_000.0)
"""Hz that a rate worked out from time stamps of unknown unit may have."""
_RATE_KEY = re.compile(
    r"^(?:fs|sampl(?:e|ing)[\s_]*(?:rate|freq(?:uency)?)(?:[\s_]*\(?hz\)?)?|frequency)$", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_PLAIN = re.compile(r"^[-+]?\d+(?:,\d+)?(?:[eE][-+]?\d+)?$")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")


@dataclass(frozen=True)
class _Table:
    """A text table taken apart."""

    header: list[str]
    """Empty where the file has none."""
    rows: list[list[str]]
    lines: list[int]
    """Line of each row in the file, from 1."""
    preamble: dict[str, str]
    """Key and value of the lines before the table, keys in lower case."""


def _number(cell: str) -> float | None:
    """Returns the number in a cell (decimal comma allowed), NaN for an empty one, None for text."""
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan")
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 else text)
    except ValueError:
        return None


def _moment(cell: str) -> float | None:
    """Returns the seconds of an ISO time stamp, None for anything else."""
    try:
        return datetime.fromisoformat(cell.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _delimiter(lines: Sequence[str]) -> str:
    """Returns what separates the cells: semicolon, tab, comma, or a space."""
    sample = [line for line in lines[-200:] if line.strip()]
    if sample and all(_PLAIN.match(word) for line in sample for word in line.split()):
        return " "  # decimal commas, or one column
    for mark in (";", "\t", ","):
        # Quoted decimal commas are no delimiters.
        if sum(mark in re.sub(r'"[^"]*"', "", line) for line in sample) > len(sample) / 2:
            return mark
    return " "


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _CONTROL.search(text):
            break
        return text
    raise RecordingError(
        f"{path}: neither text nor a recording format that ecgkd knows (WFDB, EDF, BDF, MAT, NPZ, CSV)"
    )


def _cells(text: str, mark: str) -> list[str]:
    if mark == " " and ("," not in text or all(_PLAIN.match(word) for word in text.split())):
        return text.split()
    # A table of one column may have lines of `key,value` before it, or quoted decimal commas in it.
    return [cell.strip() for cell in next(csv.reader([text], delimiter="," if mark == " " else mark))]


def _rows(path: Path) -> tuple[list[tuple[int, list[str]]], dict[str, str]]:
    """Returns line number and cells of every line that holds some, and what comment lines say."""
    lines = _text(path).splitlines()
    mark = _delimiter([line for line in lines if not line.startswith("#")])
    rows: list[tuple[int, list[str]]] = []
    notes: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith("#"):
            key, _, value = text.lstrip("# ").partition(":")
            notes[key.strip().lower()] = value.strip()
        elif text:
            rows.append((number, _cells(text, mark)))
    if not rows:
        raise RecordingError(f"{path}: holds no table; expected lines of samples")
    return rows, notes


def _holds_number(row: list[str]) -> bool:
    return any(cell.lower() not in _MISSING and _number(cell) is not None for cell in row)


def _take_apart(path: Path) -> _Table:
    rows, notes = _rows(path)
    width = Counter(len(row) for _, row in rows[-1000:]).most_common(1)[0][0]
    fits = [len(row) == width for _, row in rows]
    numbers = [_holds_number(row) for _, row in rows[:1000]]
    first = next((i for i, held in enumerate(numbers) if held and fits[i]), None)
    if first is None:
        raise RecordingError(f"{path}: holds no numbers; expected a table of samples")
    header = rows[first - 1][1] if first and fits[first - 1] else []
    before = rows[: first - bool(header)]
    notes |= {row[0].rstrip(":").lower(): row[1] for _, row in before if len(row) >= 2}
    for (number, row), right in zip(rows[first:], fits[first:]):
        if not right:
            raise RecordingError(f"{path}: line {number} has {len(row)} cell(s), the others {width}; is the file cut?")
    body = rows[first:]
    return _Table(header, [row for _, row in body], [number for number, _ in body], notes)


def _column(path: Path, table: _Table, index: int, name: str) -> NDArray[np.float64]:
    """Returns a column as numbers. Raises: RecordingError naming the line where it holds text."""
    cells = [row[index] for row in table.rows]
    try:
        return np.array(cells).astype(np.float64)
    except ValueError:
        values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        value = _number(cell)
        if value is None:
            raise RecordingError(
                f"{path}: line {table.lines[i]}, column {name!r}: {cell[:40]!r} is text, expected a number; "
                "take the column out, or name the ECG's column with --lead"
            )
        values[i] = value
    return values


def _seconds(path: Path, table: _Table, index: int, name: str) -> NDArray[np.float64]:
    """Returns the time column in seconds."""
    moments = [_moment(row[index]) if _number(row[index]) is None else None for row in table.rows]
    if None not in moments:
        return np.array(moments, np.float64)
    values = _column(path, table, index, name)
    match = _TIME.match(name)
    unit = match["unit"] if match else None
    if unit:
        return values * _TIME_UNITS[unit.lower()]
    step = float(np.median(np.diff(values))) if len(values) > 1 else 0.0
    for scale in (1.0, 1e-3, 1e-6, 1e-9):
        if step > 0 and _RATES[0] <= 1 / (step * scale) < _RATES[1]:
            return values * scale
    return values


def _rate(path: Path, table: _Table, seconds: NDArray[np.float64]) -> float | None:
    """Returns the rate that time stamps tell, None where they come in batches. Raises: RecordingError for a gap."""
    if len(seconds) < 3:
        raise RecordingError(f"{path}: {len(seconds)} sample(s); too few to be a recording")
    steps = np.diff(seconds)
    if not np.isfinite(steps).all() or (steps < 0).any():
        line = table.lines[int(np.argmax(~(steps >= 0))) + 1]
        raise RecordingError(f"{path}: line {line}: the time is missing or runs backwards")
    usual = float(np.median(steps))
    if usual == 0:
        return None
    if steps.max() > 1.8 * usual:
        at = int(np.argmax(steps))
        raise RecordingError(
            f"{path}: line {table.lines[at + 1]}: {steps[at]:.3g} s after the sample before it, usually "
            f"{usual:.3g} s: samples are missing; cut the recording there"
        )
    rate = (len(seconds) - 1) / float(seconds[-1] - seconds[0])
    whole = round(rate)
    return float(whole) if abs(rate - whole) <= 1e-3 * rate else round(rate, 2)


def _find_time(table: _Table, names: list[str]) -> int | None:
    """Returns the index of the time column: by its name, without a header by rising in equal steps."""
    if table.header:
        return next((i for i, name in enumerate(names) if _TIME.match(name)), None)
    if len(names) < 2:
        return None
    values = [_number(row[0]) for row in table.rows[:200]]
    if None in values or len(values) < 3:
        return None
    steps = np.diff(np.array(values, np.float64))
    return 0 if steps.min() > 0 and steps.max() < 1.8 * np.median(steps) else None


def _is_counter(table: _Table, index: int, name: str) -> bool:
    if table.header and not _COUNTER.match(name):
        return False
    values = [_number(row[index]) for row in table.rows[:200]]
    return None not in values and len(values) > 2 and bool((np.diff(np.array(values, np.float64)) == 1).all())


def _start(notes: dict[str, str]) -> datetime | None:
    for key, value in notes.items():
        if key.startswith("start") or ("date" in key and "birth" not in key):
            for text in (value, value[:19], value[:10]):
                try:
                    return datetime.fromisoformat(text).replace(tzinfo=None)
                except ValueError:
                    continue
    return None


def read(path: Path, lead: str | None = None) -> RawFile:
    """Returns the content of the text table at `path`; with `lead`, only the columns it names need be numbers.

    Lines before the table and comment lines may state `Sample Rate`, `Unit`, `Lead` and a date.
    Raises: RecordingError for text among the samples (naming line and column), uneven lines, gaps in time.
    """
    table = _take_apart(path)
    width = len(table.rows[0])
    names = table.header or (["ecg"] if width == 1 else [str(i + 1) for i in range(width)])
    stated = next((_NUMBER.search(value) for key, value in table.preamble.items() if _RATE_KEY.match(key)), None)
    fs = float(stated[0].replace(",", ".")) if stated else None
    time = _find_time(table, names)
    counters = {i for i, name in enumerate(names) if _is_counter(table, i, name)} if width > 1 else set()
    estimate = False
    if time is not None and time not in counters:
        measured = _rate(path, table, _seconds(path, table, time, names[time]))
        estimate = fs is None and measured is not None
        fs = fs if fs is not None else measured
    unit = table.preamble.get("unit", table.preamble.get("units", ""))
    if width == 1 and not table.header and table.preamble.get("lead"):
        names = [table.preamble["lead"]]
    wanted = {lead_name(part).lower() for part in lead.split(",")} if lead else None
    channels = tuple(
        Channel(name, split_unit(name)[1] or unit, fs, _column(path, table, i, name))
        for i, name in enumerate(names)
        if i != time and i not in counters and (wanted is None or lead_name(name).lower() in wanted)
    )
    if not channels:
        raise RecordingError(f"{path}: no column {lead or 'of samples'!r}; it has {', '.join(names)}")
    return RawFile(path, channels, _start(table.preamble), fs_is_estimate=estimate)
