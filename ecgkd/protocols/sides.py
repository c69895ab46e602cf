"""The sides of a protocol, and which of them may have recordings in common. `leakage` says the rules in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ecgkd.data.prepared import PreparedSet
from ecgkd.protocols.protocol import Protocol, Row, Span

Key = tuple[str, str]
"""Set and record."""


@dataclass(frozen=True, eq=False)
class Part:
    """One side of the protocol: a part of its own, or one side of a row."""

    role: str
    """`train`, `validate`, `calibrate`, `enrol` or `probe`."""
    spans: tuple[Span, ...]
    row: Row | None = None

    @property
    def title(self) -> str:
        return self.role if self.row is None else f"row {self.row.name} ({self.role})"

    @cached_property
    def keys(self) -> set[Key]:
        return {(span.set, span.record) for span in self.spans}

    @property
    def chooses(self) -> bool:
        """Whether choices are made on it: stopping, thresholds, calibration, which model is taken."""
        return self.row.population == "development" if self.row else self.role != "train"

    @property
    def tests(self) -> bool:
        """Whether it claims to show how people fare whom nothing was chosen on."""
        return self.row is not None and self.row.population in ("locked", "test")


@dataclass(frozen=True)
class Case:
    """A protocol with the sets that are at hand."""

    protocol: Protocol
    sets: dict[str, PreparedSet]
    parts: tuple[Part, ...]

    def number(self, key: Key) -> int:
        return self.sets[key[0]].find(key[1])

    def subject(self, key: Key) -> str:
        return str(self.sets[key[0]].subject[self.number(key)])

    def people(self, parts: Iterable[Part]) -> set[str]:
        return {self.subject(key) for part in parts for key in part.keys}


def must_differ(a: Part, b: Part) -> bool:
    """Returns whether two parts may have no recording in common (`leakage` has the rules)."""
    if a.row is not None and b.row is not None:
        if a.row is b.row:
            return a.role != b.role and not a.row.leaky
        return (a.chooses and b.tests) or (a.tests and b.chooses)
    if a.row is not None:
        a, b = b, a
    if b.row is None:
        return "train" in (a.role, b.role) and a.role != b.role
    if a.role == "train":
        by_design = b.row.population == "closed-set" and (b.role == "enrol" or b.row.leaky)
        return not by_design
    return b.row.population != "development"


def parts_of(protocol: Protocol, sets: dict[str, PreparedSet]) -> Iterator[Part]:
    """Gives train, validate, calibrate, then enrolment and probes of each row; only spans of the `sets` at hand."""

    def known(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(span for span in spans if span.set in sets)

    yield Part("train", known(protocol.train))
    yield Part("validate", known(protocol.validate))
    yield Part("calibrate", known(protocol.calibrate))
    for row in protocol.rows:
        yield Part("enrol", known(row.enrol), row)
        yield Part("probe", known(row.probe), row)


def such_as(found: Iterable[str]) -> str:
    """Returns the first of these names and how many more there are."""
    names = sorted(found)
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def name_of(key: Key) -> str:
    return f"{key[0]}#{key[1]}"
