"""Whose recording each file is, and of which sitting: by a table, by file names, by folders, by headers."""

import csv
import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ecgkd.errors import DataError, UsageError

FIELDS = ("subject", "session", "date", "day", "activity", "lead")
ENDINGS = (".hea", ".edf", ".bdf", ".csv", ".tsv", ".txt", ".mat", ".npz", ".npy")
_ALIASES = {
    "file": ("file", "filename", "path", "record", "recording", "file_name"),
    "subject": ("subject", "subject_id", "person", "person_id", "patient", "patient_id", "participant", "id"),
    "session": ("session", "session_id", "visit"),
    "date": ("date", "recording_date", "datetime", "timestamp"),
    "day": ("day",),
    "activity": ("activity", "task", "condition"),
    "lead": ("lead",),
}
_LARGEST_SESSION = 1000
"""Greater numbers (dates, say) are ranked instead of taken as they are."""


@dataclass(frozen=True)
class Rule:
    """How the files of a folder tell whose recordings they are."""

    pattern: str = ""
    """Regular expression with named groups (`FIELDS`) for a path below the folder, without its ending."""
    table: str = ""
    """Name of a CSV table in the folder."""
    columns: tuple[tuple[str, str], ...] = ()
    """(field, column of the table) where the usual names do not hold; several for a field: the first with files."""
    subject: str = "{subject}"
    """How a subject's id is written, such as `ecgid{subject}`."""
    activity: str = ""
    """Label of all recordings where nothing else gives one."""
    activities: tuple[tuple[str, str], ...] = ()
    """(as found, as written)."""
    same: tuple[tuple[str, str], ...] = ()
    """(subject, the subject that this really is)."""
    lead: str | None = None
    channels: tuple[tuple[str, str], ...] = ()
    """(lead, what the files call it) where files have no names for leads; all of them are taken."""
    common_leads: bool = False
    """Whether those of `lead` are taken that every recording has, and recordings without any are left out."""
    fs: float | None = None
    unit: str | None = None
    centred: bool = False
    """Whether the constant offset of each lead is taken off, which an amplifier that passes DC leaves in."""
    labels: str = ""
    """Where a recording says what is done when, so that it is cut into stretches of one activity: see `stretches`."""
    endings: tuple[str, ...] = ()
    """Of the recordings' names, where they are not the usual ones."""
    resample: float | None = None
    """Hz, where the front end does not take the rate of the source."""
    strict: bool = True
    """Whether a recording that the pattern does not fit is an error; otherwise it is left alone."""


@dataclass(frozen=True)
class Source:
    """One recording to take in, and what is known of it before it is read."""

    path: Path
    name: str
    """Path below the folder, without its ending."""
    subject: str = ""
    session: str = ""
    day: int | None = None
    date: datetime.date | None = None
    activity: str = ""
    lead: str = ""
    span: tuple[float, float] | None = None
    """The stretch of the file that it is, s; None for all of it."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """Returns the expression of `{subject}/{session}_{activity}` (`*` is anything) or of a regular expression.

    Raises: UsageError for a broken one, an unknown field or one without a subject.
    """
    if "(?P<" in text:
        expression = text
    else:
        parts = re.split(r"(\{\w*\}|\*)", text)
        for part in parts[1::2]:
            if part not in ("*", "{}") and part[1:-1] not in FIELDS:
                raise UsageError(
                    f"pattern {text!r}: no field {part}; there are {', '.join(FIELDS)}, and * for anything"
                )
        named = [f"(?P<{part[1:-1]}>[^/]+?)" if part[1:-1] in FIELDS else "[^/]*?" for part in parts[1::2]]
        pairs = zip([re.escape(part) for part in parts[::2]], [*named, ""])
        expression = "".join(fixed + field for fixed, field in pairs)
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise UsageError(f"pattern {text!r}: not a valid expression ({error})") from error
    unknown = set(compiled.groupindex) - set(FIELDS)
    if "subject" not in compiled.groupindex or unknown:
        raise UsageError(f"pattern {text!r}: needs {{subject}} and knows only {', '.join(FIELDS)}")
    return compiled


def parse_date(text: str, where: str) -> datetime.date:
    """Returns the day of `2024-05-31`, `20240531` or `31.05.2024`, a time behind it allowed. Raises: UsageError."""
    plain = text.strip()
    for pattern, part in (("%Y-%m-%d", plain[:10]), ("%Y%m%d", plain[:8]), ("%d.%m.%Y", plain[:10])):
        try:
            return datetime.datetime.strptime(part, pattern).date()
        except ValueError:
            continue
    raise UsageError(f"{where}: {text!r} is no date; write it as 2024-05-31")


def recording_files(folder: Path, besides: Iterable[Path] = (), endings: tuple[str, ...] = ENDINGS) -> list[Path]:
    """Returns the recordings below `folder`, sorted. What stands beside a WFDB header of its name belongs to that."""
    left_out = {path.resolve() for path in besides}
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.resolve() not in left_out
        and path.name not in ("SHA256SUMS.txt", "LICENSE.txt", "README.txt")
        and path.is_file()
    ]
    headers = {path.with_suffix("") for path in found if path.suffix == ".hea"}
    return sorted(path for path in found if path.suffix == ".hea" or path.with_suffix("") not in headers)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _source(path: Path, name: str, fields: dict[str, str], rule: Rule, where: str) -> Source:
    subject = re.sub(r"^(\d+)\.0$", r"\1", fields.get("subject", "").strip())
    if subject:
        numeric = ":0" in rule.subject and subject.isdigit()
        subject = rule.subject.format(subject=int(subject) if numeric else subject)
        subject = dict(rule.same).get(subject, subject)
    day = fields.get("day", "").strip()
    if day and not re.fullmatch(r"\d+", day):
        raise UsageError(f"{where}: {day!r} is no number of days")
    activity = fields.get("activity", "").strip()
    stamp = fields.get("date", "").strip()
    return Source(
        path=path,
        name=name,
        subject=subject,
        session=fields.get("session", "").strip(),
        day=int(day) if day else None,
        date=parse_date(stamp, where) if stamp else None,
        activity=dict(rule.activities).get(activity, activity) or rule.activity,
        lead=fields.get("lead", "").strip(),
    )


def by_pattern(folder: Path, files: Sequence[Path], rule: Rule) -> list[Source]:
    """Returns the recordings whose path fits the rule's pattern. Raises: UsageError."""
    expression = compile_pattern(rule.pattern)
    sources, astray = [], []
    for path in files:
        match = expression.fullmatch(_name(path, folder))
        if match is None:
            astray.append(path)
            continue
        fields = {field: value for field, value in match.groupdict().items() if value}
        sources.append(_source(path, _name(path, folder), fields, rule, str(path)))
    if astray and (rule.strict or not sources):
        raise UsageError(
            f"{folder}: {len(astray)} of {len(files)} recording(s) do not fit the pattern {rule.pattern!r}, the first "
            f"is {_name(astray[0], folder)}; change the pattern, or move them elsewhere"
        )
    return sources


def by_folder(folder: Path, files: Sequence[Path]) -> list[Source]:
    """Returns the recordings of `SUBJECT/…` or `SUBJECT/SESSION/…`; those that lie flat have no subject yet."""
    sources = []
    for path in files:
        parts = path.relative_to(folder).parts[:-1]
        subject, session = (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")
        sources.append(Source(path, _name(path, folder), subject=subject, session=session))
    return sources


def _read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text table (UTF-8 expected)") from error
    lines = text.splitlines()
    mark = max((";", "\t", ","), key=lambda m: lines[0].count(m)) if lines else ","
    reader = csv.DictReader(lines, delimiter=mark)
    rows = [{(key or "").strip(): value or "" for key, value in row.items() if key is not None} for row in reader]
    return [(name or "").strip() for name in reader.fieldnames or ()], rows


def _locate(folder: Path, table: Path, text: str) -> Path | None:
    """Returns the recording that a table's cell names, with or without its ending."""
    for base in (folder, table.parent):
        path = base / text.strip()
        if path.is_file():
            return path.with_suffix(".hea") if path.suffix == ".dat" else path
        for ending in ENDINGS:
            longer = path.with_name(path.name + ending)
            if longer.is_file():
                return longer
    return None


def by_table(folder: Path, table: Path, rule: Rule) -> list[Source]:
    """Returns the recordings that a CSV table lists. Raises: DataError, UsageError naming the line at fault."""
    names, rows = _read_table(table)
    if not rows:
        raise DataError(f"{table}: no rows; expected a table with the columns file and subject")
    lower = {name.lower(): name for name in names}
    columns = {
        field: lower[alias] for field, aliases in reversed(_ALIASES.items()) for alias in reversed(aliases)
        if alias in lower
    }  # fmt: skip
    for _, column in rule.columns:
        if column not in names:
            raise UsageError(f"{table}: no column {column!r}; it has {', '.join(names)}")
    files = [column for field, column in rule.columns if field == "file"]
    columns |= {field: column for field, column in rule.columns if field != "file"}
    columns |= {"file": next((f for f in files if _locate(folder, table, rows[0][f])), files[0])} if files else {}
    for needed in ("file", "subject"):
        if needed not in columns:
            raise UsageError(
                f"{table}: no column {needed!r} (it has {', '.join(names)}); name it with --columns {needed}=COLUMN"
            )
    sources, missing = [], []
    seen: dict[Path, int] = {}
    for number, row in enumerate(rows, 2):
        where = f"{table}: line {number}"
        path = _locate(folder, table, row[columns["file"]])
        if path is None:
            missing.append((number, row[columns["file"]]))
            continue
        fields = {field: row[column] for field, column in columns.items() if field != "file"}
        if path in seen:
            raise UsageError(f"{where}: {row[columns['file']]} stands in line {seen[path]} already")
        seen[path] = number
        name = _name(path, folder) if path.is_relative_to(folder) else path.stem
        sources.append(_source(path, name, fields, rule, where))
        if not sources[-1].subject:
            raise UsageError(f"{where}: no subject for {row[columns['file']]}")
    if missing and (rule.strict or not sources):
        raise UsageError(
            f"{table}: {len(missing)} of {len(rows)} recording(s) are not in {folder}; the first is "
            f"{missing[0][1]!r} in line {missing[0][0]}"
        )
    return sources


def number_sessions(sources: Sequence[Source]) -> list[tuple[int, int]]:
    """Returns session (1, 2, …) and day (since the subject's first, -1 unknown) of each recording.

    Sessions are those given, else one for each day. A subject with an undated recording has one session: nothing tells
    which recordings lie days apart. Raises: UsageError where only some recordings of a subject have a session.
    """
    people: dict[str, list[int]] = {}
    for i, source in enumerate(sources):
        people.setdefault(source.subject, []).append(i)
    result = [(1, -1)] * len(sources)
    for subject, members in people.items():
        own = [sources[i] for i in members]
        days = _days(own)
        labels = [source.session for source in own]
        if any(labels) and not all(labels):
            lacking = own[labels.index("")].name
            raise UsageError(f"{lacking}: no session, though other recordings of {subject} have one; give all or none")
        if all(labels):
            sessions = _given_sessions(labels, days)
        elif -1 in days:
            sessions, days = [1] * len(own), [-1] * len(own)
        else:
            order = sorted(set(days))
            sessions = [order.index(day) + 1 for day in days]
        for i, session, day in zip(members, sessions, days):
            result[i] = (session, day)
    return result


def _days(sources: Sequence[Source]) -> list[int]:
    if all(source.day is not None for source in sources):
        first = min(source.day or 0 for source in sources)
        return [(source.day or 0) - first for source in sources]
    dates = [source.date for source in sources if source.date is not None]
    return [(source.date - min(dates)).days if source.date is not None else -1 for source in sources]


def _given_sessions(labels: Sequence[str], days: Sequence[int]) -> list[int]:
    numbers = [int(label) if label.isdigit() else 0 for label in labels]
    if all(1 <= number <= _LARGEST_SESSION for number in numbers):
        return numbers
    first = {label: min(day for other, day in zip(labels, days) if other == label) for label in labels}
    order = sorted(first, key=lambda label: (first[label], label))
    return [order.index(label) + 1 for label in labels]


def with_header(source: Source, subject: str, start: datetime.datetime | None) -> Source:
    """Returns the source with what its file's header adds to what is known."""
    return replace(source, subject=source.subject or subject, date=source.date or (start.date() if start else None))
