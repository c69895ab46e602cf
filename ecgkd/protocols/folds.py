"""Protocols for sets of few people with activities: everybody is left out once, in groups.

A fold trains on the others without one of their sessions. Its rows are

- `…unseen-recordings` (closed set): the session that was kept back, of the people who train;
- `…s1.rest-ACTIVITY` (unseen people): enrolled at rest in a session, probed during an activity of that session;
- `…s1-other.rest-ACTIVITY` (unseen people): enrolled at rest in a session, probed during an activity in the others;
  `rest-rest` is the same without a change of activity.

Nobody is left to choose anything on: no validation, no calibration, every training runs to its end. So people whom
other protocols lock away train here, and the networks are evidence, never to be shipped.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import FOLDS, Protocol, Row, Span
from ecgkd.protocols.rows import REST, Cast, cast, split_windows

MIN_LEFT_OUT = 3
"""People in a fold, at least: fewer hardly make comparisons."""
LEAKY_SHARE = 0.2
OTHER = "-other"
"""Marks rows that probe other sessions than they enrol."""


def groups(people: Sequence[str], n_folds: int, repeat: int, seed: int) -> list[list[str]]:
    """Returns who is left out together, fold by fold; another partition for each `repeat`."""
    rng = np.random.default_rng([seed, repeat, n_folds])
    shuffled = [people[i] for i in rng.permutation(len(people))]
    return [sorted(shuffled[fold::n_folds]) for fold in range(n_folds)]


def fold_protocols(one: PreparedSet, n_folds: int = 3, repeat: int = 0, seed: int = 0) -> list[Protocol]:
    """Returns a protocol for each fold of one partition. Raises: UsageError where the set does not allow it."""
    group = _everybody(one)
    people = list(group.people)
    if n_folds < 2 or len(people) < MIN_LEFT_OUT * n_folds:
        raise UsageError(
            f"{one.name}: {len(people)} people in {n_folds} folds; expected 2 folds or more of {MIN_LEFT_OUT} people "
            "or more each"
        )
    sessions = _sessions(group)
    if len(sessions) < 2 or REST not in one.activity:
        raise UsageError(f"{one.name}: expected two sessions or more, and recordings at rest, to enrol and probe")
    parts = groups(people, n_folds, repeat, seed)
    return [
        _fold(group, left_out, sessions[(fold + repeat) % len(sessions)], f"r{repeat}f{fold}", seed)
        for fold, left_out in enumerate(parts)
    ]


def leaky_protocol(one: PreparedSet, seed: int = 0) -> Protocol:
    """Returns the split of many papers: a fifth of all windows at random is tested, whoever and whatever they show."""
    group = _everybody(one)
    train: list[Span] = []
    held: list[Span] = []
    for recordings in group.people.values():
        for i in recordings:
            out, kept = split_windows(group.span(i), one, seed, LEAKY_SHARE)
            held += out
            train += kept
    row = Row(f"{one.name}.leaky", "closed-set", "closed-set", tuple(train), tuple(held), leaky=True)
    return Protocol(
        f"random windows {one.name}", "closed-set", seed, {one.name: one.sha256}, tuple(train), (), (), (row,)
    )


def _everybody(one: PreparedSet) -> Cast:
    return cast(one, "test", sorted({str(subject) for subject in one.subject}), ())


def _sessions(group: Cast) -> list[int]:
    return sorted({int(group.prepared.session[i]) for recordings in group.people.values() for i in recordings})


def _fold(group: Cast, left_out: list[str], held: int, name: str, seed: int) -> Protocol:
    one = group.prepared
    unseen = replace(group, people={person: group.people[person] for person in left_out})
    known = {person: recordings for person, recordings in group.people.items() if person not in left_out}
    trained = [i for recordings in known.values() for i in recordings if one.session[i] != held]
    probed = [i for recordings in known.values() for i in recordings if one.session[i] == held]
    train = tuple(group.span(i) for i in trained)
    probe = tuple(group.span(i) for i in probed)
    rows = [Row(f"{one.name}.unseen-recordings", "closed-set", "closed-set", train, probe)]
    rows += across_rows(unseen)
    return Protocol(
        f"leave people out {one.name} {name}", FOLDS, seed, {one.name: one.sha256}, train, (), (), tuple(rows)
    )


def across_rows(group: Cast) -> list[Row]:
    """Returns the rows of unseen people: enrolled at rest in one session, probed in it and in the others."""
    one = group.prepared
    recordings = [i for of_person in group.people.values() for i in of_person]
    rows = []
    others = sorted({str(name) for name in one.activity} - {REST, ""})
    for session, other in product(_sessions(group), (False, True)):
        enrol = [i for i in recordings if one.session[i] == session and one.activity[i] == REST]
        for activity in [REST, *others] if other else others:
            where = [i for i in recordings if (one.session[i] != session) == other]
            probe = [i for i in where if one.activity[i] == activity]
            if enrol and probe:
                name = f"{one.name}.s{session}{OTHER if other else ''}.{REST}-{activity}"
                kind = "same-day" if activity == REST else "cross-activity"
                rows.append(Row(name, "test", kind, tuple(map(group.span, enrol)), tuple(map(group.span, probe))))
    return rows
