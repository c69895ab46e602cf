"""The rows of a protocol: who is enrolled from what, and what probes, for one set and one population.

Everybody of the population who has what enrolment needs is enrolled; those who also have a probe are compared with
themselves. A row with fewer than four of these is left out, with a note.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np

from ecgkd.data.prepared import PreparedSet
from ecgkd.protocols.known import PARTS, recorded_in_parts, variant_of
from ecgkd.protocols.protocol import Row, Span
from ecgkd.signal.window import native_window

MIN_PEOPLE = 4
REST = "rest"
SEED_SALT = 0x1EA4
"""Keeps the random numbers of leaky splits apart from anything else drawn with the same seed."""


Item = TypeVar("Item")
Side = tuple[list[Item], list[Item]]
"""What one person enrols and probes with: recordings or spans."""


@dataclass(frozen=True)
class Cast:
    """One set, and the people of it that a row is about."""

    prepared: PreparedSet
    population: str
    people: dict[str, list[int]]
    """Recordings with at least one window, in order of session, then of the set."""
    suffix: str = ""
    """Added to the names of rows."""
    notes: list[str] = field(default_factory=list)
    """Gathers what a reader of the rows should know."""
    left_out: list[str] = field(default_factory=list)
    """Gathers the rows for which there are too few people."""

    def span(self, i: int) -> Span:
        return Span(self.prepared.name, str(self.prepared.record[i]), 0, self.prepared.n_samples(i))

    def days(self, recordings: Iterable[int]) -> set[int]:
        """Returns the known days of recordings."""
        return {int(self.prepared.day[i]) for i in recordings} - {-1}

    def resting(self, person: str, variant: str = "") -> list[int]:
        """Returns a person's recordings at rest, or all where the set has none at rest, of one variant."""
        rest = REST in self.prepared.activity
        return [
            i
            for i in self.people[person]
            if (not rest or self.prepared.activity[i] == REST) and variant_of(str(self.prepared.record[i])) == variant
        ]

    def row(self, label: str, kind: str, sides: Mapping[str, Side[int]]) -> Row | None:
        """Returns the row of whole recordings, person by person, None where too few people can be probed."""
        spans = {
            person: ([self.span(i) for i in enrol], [self.span(i) for i in probe])
            for person, (enrol, probe) in sides.items()
        }
        return self.spans_row(label, kind, spans)

    def spans_row(self, label: str, kind: str, sides: Mapping[str, Side[Span]], leaky: bool = False) -> Row | None:
        """Returns the row of spans, person by person, None where too few people can be probed."""
        name = f"{self.prepared.name}.{label}{self.suffix}"
        enrolled = [(enrol, probe) for enrol, probe in sides.values() if enrol]
        count = sum(bool(probe) for _, probe in enrolled)
        if count < MIN_PEOPLE:
            if count:
                self.left_out.append(f"{name} ({count})")
            return None
        enrol = tuple(span for side in enrolled for span in side[0])
        probe = tuple(span for side in enrolled for span in side[1])
        return Row(name, self.population, kind, enrol, probe, leaky)


def cast(
    one: PreparedSet, population: str, people: Collection[str], dropped: Collection[int], suffix: str = ""
) -> Cast:
    """Returns the cast of `people` without the recordings `dropped` and those too short for a window."""
    width = native_window(one.fs)
    found: dict[str, list[int]] = defaultdict(list)
    for i, subject in enumerate(one.subject.tolist()):
        if subject in people and i not in dropped and one.n_samples(i) >= width:
            found[subject].append(i)
    ordered = {s: sorted(found[s], key=lambda i: int(one.session[i])) for s in sorted(found)}
    return Cast(one, population, ordered, suffix)


def cross_session(group: Cast) -> list[Row]:
    """Returns rows that enrol on one day and probe on a later one.

    Where most people of the set came to several sessions: s1-s2, s1-s3, s1-s3L (another task), s1+s2-s3. Where few
    did, or where there are more than three sessions: cross-day, from each person's first session to all later ones.
    A person whose sessions fall on one day is enrolled but does not probe.
    """
    # Of the whole set, so that every population gets the same rows.
    sessions: dict[str, set[int]] = defaultdict(set)
    for subject, session in zip(group.prepared.subject.tolist(), group.prepared.session.tolist()):
        sessions[subject].add(session)
    several = sum(len(numbers) > 1 for numbers in sessions.values())
    top = max((max(numbers) for numbers in sessions.values()), default=0)
    rows: list[Row | None] = []
    if 2 * several >= len(sessions):
        plans = [("s1-s2", (1,), 2, ""), ("s1-s3", (1,), 3, ""), ("s1-s3L", (1,), 3, "L"), ("s1+s2-s3", (1, 2), 3, "")]
        rows += [_session_row(group, *plan) for plan in plans]
    if several and (2 * several < len(sessions) or top > 3):
        rows.append(_cross_day(group))
    return [row for row in rows if row is not None]


def _of_sessions(group: Cast, recordings: list[int], numbers: Collection[int]) -> list[int]:
    return [i for i in recordings if int(group.prepared.session[i]) in numbers]


def _session_row(group: Cast, label: str, first: tuple[int, ...], later: int, variant: str) -> Row | None:
    sides = {}
    for person in group.people:
        enrol = _of_sessions(group, group.resting(person), first)
        if {int(group.prepared.session[i]) for i in enrol} == set(first):
            sides[person] = (enrol, _of_sessions(group, group.resting(person, variant), (later,)))
    return group.row(label, "cross-session", _on_other_days(group, label, sides))


def _cross_day(group: Cast) -> Row | None:
    sides = {}
    for person in group.people:
        recordings = group.resting(person)
        first = min((int(group.prepared.session[i]) for i in recordings), default=0)
        enrol = _of_sessions(group, recordings, (first,))
        sides[person] = (enrol, [i for i in recordings if i not in enrol])
    return group.row("cross-day", "cross-session", _on_other_days(group, "cross-day", sides))


def _on_other_days(group: Cast, label: str, sides: dict[str, Side[int]]) -> dict[str, Side[int]]:
    """Returns `sides` without probes recorded on a day of the same person's enrolment."""
    kept = {}
    same_day = 0
    for person, (enrol, probe) in sides.items():
        days = group.days(enrol)
        later = [i for i in probe if int(group.prepared.day[i]) not in days]
        same_day += bool(probe) and not later
        kept[person] = (enrol, later)
    if same_day:
        group.notes.append(
            f"{group.prepared.name}.{label}{group.suffix}: {same_day} people do not probe, both sessions are on one day"
        )
    return kept


def same_day(group: Cast) -> list[Row]:
    """Returns the row that enrols each person's first recording and probes with the others of that day.

    The day is the first on which a person has two recordings; where days are unknown, a session counts as one.
    """
    sides = {}
    for person in group.people:
        by_day: dict[tuple[str, int], list[int]] = defaultdict(list)
        for i in group.resting(person):
            day, session = int(group.prepared.day[i]), int(group.prepared.session[i])
            by_day[("day", day) if day >= 0 else ("session", session)].append(i)
        if by_day:
            chosen = next((visit for visit in by_day.values() if len(visit) > 1), next(iter(by_day.values())))
            sides[person] = (chosen[:1], chosen[1:])
    row = group.row("same-day", "same-day", sides)
    if row is not None and recorded_in_parts(group.prepared):
        group.notes.append(f"{row.name}: {PARTS}")
    return [] if row is None else [row]


def cross_activity(group: Cast) -> list[Row]:
    """Returns rows that enrol at rest and probe during each other activity of the same session."""
    if REST not in group.prepared.activity:
        return []
    others = sorted({str(a) for a in group.prepared.activity} - {REST})
    sessions = sorted({int(group.prepared.session[i]) for recordings in group.people.values() for i in recordings})
    rows: list[Row | None] = []
    for session in sessions:
        prefix = f"s{session}." if len(sessions) > 1 else ""
        for activity in others:
            sides = {}
            for person, recordings in group.people.items():
                here = _of_sessions(group, recordings, (session,))
                enrol = [i for i in here if group.prepared.activity[i] == REST]
                sides[person] = (enrol, [i for i in here if group.prepared.activity[i] == activity])
            rows.append(group.row(f"{prefix}rest-{activity}", "cross-activity", sides))
    return [row for row in rows if row is not None]


def leaky(group: Cast, seed: int) -> list[Row]:
    """Returns the row that splits the windows of each person's first session at random: half enrol, half probe."""
    sides: dict[str, Side[Span]] = {}
    for person in group.people:
        recordings = group.resting(person)
        first = min((int(group.prepared.session[i]) for i in recordings), default=0)
        enrol: list[Span] = []
        probe: list[Span] = []
        for i in _of_sessions(group, recordings, (first,)):
            held, kept = split_windows(group.span(i), group.prepared, seed, share=0.5)
            enrol += kept
            probe += held
        sides[person] = (enrol, probe)
    row = group.spans_row("leaky", "same-day", sides, leaky=True)
    return [] if row is None else [row]


def split_windows(span: Span, one: PreparedSet, seed: int, share: float) -> Side[Span]:
    """Returns a random `share` of a span's windows, at least one, and the other windows, neighbours joined.

    A span of one window is not split: nothing, and the window.
    """
    width = native_window(one.fs)
    n = (span.stop - span.start) // width
    rng = np.random.default_rng([SEED_SALT, seed, *(span.set + "#" + span.record).encode()])
    held = np.zeros(n, bool)
    if n > 1:
        held[rng.permutation(n)[: max(1, int(share * n))]] = True
    pieces: Side[Span] = ([], [])
    edges = [0, *(np.flatnonzero(np.diff(held)) + 1).tolist(), n]
    for first, last in pairwise(edges):
        start = span.start + first * width
        pieces[0 if held[first] else 1].append(Span(span.set, span.record, start, start + (last - first) * width))
    return pieces
