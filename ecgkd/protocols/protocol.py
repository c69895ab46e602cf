"""The protocol file: which stretches of which recordings train, validate, calibrate, enrol and probe.

One JSON document: `format`, `version`, `sha256` (of the rest), `name`, `kind`, `seed`, `sets` (name of each prepared
set and the SHA-256 of its content), `train`, `validate`, `calibrate` (lists of spans), `rows`, each with
`name`, `population`, `kind`, `leaky`, `enrol` and `probe`, and `notes`. A span is [set, record, start, stop], in
samples of the recording.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import DataError, UsageError
from ecgkd.files import read_json, sha256_of, write_bytes
from ecgkd.signal.window import tile_starts

FORMAT = "ecgkd protocol"
FORMAT_VERSION = 1
KINDS = ("cross-session", "same-day", "closed-set", "cross-database", "cross-activity")
FOLDS = "leave-people-out"
"""Kind of a protocol of `ecgkd.protocols.folds`: one of several over the same people."""
POPULATIONS = ("locked", "development", "test", "closed-set")
"""Whose comparisons a row holds: locked or development people, people of an unseen set, or people trained on."""
LOCKED_BELOW = 64
TRAINING_FROM = 112


def population(subject: str) -> str:
    """Returns `locked`, `development` or `training` for a person, by the first byte of SHA-256 of the subject id."""
    first = hashlib.sha256(subject.encode()).digest()[0]
    if first < LOCKED_BELOW:
        return "locked"
    return "development" if first < TRAINING_FROM else "training"


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of one recording, samples [start, stop) at the recording's own rate."""

    set: str
    record: str
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise UsageError(f"{self.set}#{self.record}: a span of samples {self.start} to {self.stop} is empty")


def windows_of(span: Span, fs: float) -> NDArray[np.int64]:
    """Returns the first samples of a span's windows: the non-overlapping 4 s tiles from its start on."""
    return span.start + tile_starts(span.stop - span.start, fs)


@dataclass(frozen=True)
class Row:
    """One line of a result table: whom it enrols from what, and what it compares with them."""

    name: str
    population: str
    kind: str
    """`cross-session`, `same-day`, `closed-set`, `cross-activity`: how enrolment and probes differ."""
    enrol: tuple[Span, ...]
    probe: tuple[Span, ...]
    leaky: bool = False
    """Windows of one recording stand on both sides, as in many papers; for comparison with them only."""

    def __post_init__(self) -> None:
        if self.population not in POPULATIONS:
            raise UsageError(f"row {self.name}: no population {self.population!r}; one of {', '.join(POPULATIONS)}")

    @property
    def evidence(self) -> str:
        """What the row's figures are worth, in words for tables."""
        if self.leaky:
            return "leaky, for comparison with papers only"
        if self.population == "development":
            return "selection: choices were made on these people"
        return "closed set: trained on these people" if self.population == "closed-set" else "test: unseen people"


@dataclass(frozen=True)
class Protocol:
    """Who trains, who tunes, who tests. Immutable; `sha256` names it."""

    name: str
    kind: str
    seed: int
    sets: dict[str, str]
    """Name of each prepared set and the SHA-256 of its content."""
    train: tuple[Span, ...]
    validate: tuple[Span, ...]
    calibrate: tuple[Span, ...]
    """What thresholds and score calibrations are fitted on."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What was left out when it was made, and why."""

    def __post_init__(self) -> None:
        if self.kind not in (*KINDS, FOLDS):
            raise UsageError(f"protocol {self.name}: no kind {self.kind!r}; one of {', '.join((*KINDS, FOLDS))}")
        names = [row.name for row in self.rows]
        if len(set(names)) != len(names):
            raise UsageError(f"protocol {self.name}: two rows have one name among {', '.join(names)}")
        strange = {span.set for span in self.spans()} - set(self.sets)
        if strange:
            raise UsageError(f"protocol {self.name}: spans of {', '.join(sorted(strange))}, which its sets do not name")

    def spans(self) -> Iterator[Span]:
        """Gives every span of every part and row."""
        rows = chain.from_iterable((*row.enrol, *row.probe) for row in self.rows)
        return chain(self.train, self.validate, self.calibrate, rows)

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self._content())

    def row(self, name: str) -> Row:
        """Returns the row of that name. Raises: UsageError."""
        for row in self.rows:
            if row.name == name:
                return row
        raise UsageError(f"protocol {self.name}: no row {name!r}; it has {', '.join(r.name for r in self.rows)}")

    def save(self, path: Path | str) -> None:
        """Writes the protocol file, a span per line, whole or not at all. Raises: DataError."""
        content = self._content()
        fields = [f'  "{key}": {_pretty(value)}' for key, value in {"sha256": self.sha256, **content}.items()]
        write_bytes(path, ("{\n" + ",\n".join(fields) + "\n}\n").encode())

    @classmethod
    def load(cls, path: Path | str) -> "Protocol":
        """Returns the protocol at `path`.

        Raises: DataError for something else or a broken file, UsageError where it was changed since it was written.
        """
        document = read_json(path, "protocol file")
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise DataError(f"{path}: not a protocol file; `ecgkd protocol make` writes one")
        if document.get("version") != FORMAT_VERSION:
            raise UsageError(
                f"{path}: protocol version {document.get('version')}; this ecgkd reads version {FORMAT_VERSION}"
            )
        stated = document.pop("sha256", None)
        if stated != sha256_of(document):
            raise UsageError(
                f"{path}: changed since it was written (its SHA-256 does not fit); restore it or make it again with "
                "`ecgkd protocol make`"
            )
        return _from_document(document, path)

    def check_sets(self, sets: Sequence[PreparedSet], spans: Iterable[Span] | None = None) -> dict[str, PreparedSet]:
        """Returns the sets by name, after making sure that they are those the protocol was made for.

        All sets of the protocol must be there, or, with `spans`, those that these name. Raises: UsageError.
        """
        by_name = {one.name: one for one in sets}
        for name, one in by_name.items():
            if name not in self.sets:
                raise UsageError(
                    f"{one.path}: protocol {self.name!r} was made for {', '.join(self.sets)}, not for {name}; "
                    "make one for it with `ecgkd protocol make`"
                )
            if one.sha256 != self.sets[name]:
                raise UsageError(
                    f"{one.path}: its content is not what protocol {self.name!r} was made for (SHA-256 "
                    f"{one.sha256[:12]}…, expected {self.sets[name][:12]}…); use that set or make the protocol again"
                )
        needed = set(self.sets) if spans is None else {span.set for span in spans}
        missing = sorted(needed - set(by_name))
        if missing:
            raise UsageError(f"protocol {self.name!r} also needs the set(s) {', '.join(missing)}: name their files too")
        return by_name

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {"format": FORMAT, "version": FORMAT_VERSION}
        content |= {"name": self.name, "kind": self.kind, "seed": self.seed, "sets": self.sets}
        content |= {part: _rows_of(getattr(self, part)) for part in ("train", "validate", "calibrate")}
        content["rows"] = [
            {**asdict(row), "enrol": _rows_of(row.enrol), "probe": _rows_of(row.probe)} for row in self.rows
        ]
        content["notes"] = list(self.notes)
        return content


def _rows_of(spans: Iterable[Span]) -> list[list[str | int]]:
    return [[span.set, span.record, span.start, span.stop] for span in spans]


def _pretty(value: Any, indent: str = "  ") -> str:
    """Returns JSON with one span, or one entry of an object, per line."""
    inner = indent + "  "
    if isinstance(value, dict):
        entries = [f"{json.dumps(key)}: {_pretty(one, inner)}" for key, one in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], list | dict):
        entries = [_pretty(one, inner) for one in value]
    else:
        return json.dumps(value, ensure_ascii=False)
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}{end}"


def _from_document(document: Mapping[str, Any], path: Path | str) -> Protocol:
    def spans(rows: Iterable[Sequence[Any]]) -> tuple[Span, ...]:
        return tuple(Span(str(one), str(record), int(start), int(stop)) for one, record, start, stop in rows)

    try:
        return Protocol(
            name=str(document["name"]),
            kind=str(document["kind"]),
            seed=int(document["seed"]),
            sets={str(name): str(sha256) for name, sha256 in document["sets"].items()},
            train=spans(document["train"]),
            validate=spans(document["validate"]),
            calibrate=spans(document["calibrate"]),
            rows=tuple(
                Row(
                    name=str(row["name"]),
                    population=str(row["population"]),
                    kind=str(row["kind"]),
                    enrol=spans(row["enrol"]),
                    probe=spans(row["probe"]),
                    leaky=bool(row["leaky"]),
                )
                for row in document["rows"]
            ),
            notes=tuple(str(note) for note in document["notes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: broken protocol file ({type(error).__name__}: {error}); make it again") from error
