"""Folds of a small set with activities beside large sets without: what a network of both tasks does for strangers.

By the hash of their ids a handful of people leaves one or two for development: too few to say how well activities are
recognised. So everybody of the small set but its locked people is left out once, in groups, while all else stays what
the protocol over all sets says. Nothing of the small set validates or calibrates. The networks are evidence.
"""

from collections.abc import Sequence
from dataclasses import replace

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols.folds import across_rows, groups
from ecgkd.protocols.protocol import FOLDS, Protocol, Span, population
from ecgkd.protocols.rows import cast

MIN_LEFT_OUT = 2


def joint_folds(base: Protocol, one: PreparedSet, n_folds: int = 3, repeat: int = 0, seed: int = 0) -> list[Protocol]:
    """Returns `base`, a protocol over `one` and other sets, once for each group of people of `one` who are left out.

    Its rows are those of `base` without `one`, and rows of the people left out, enrolled at rest. `repeat` gives
    another partition. Raises: UsageError where `base` knows nothing of `one`, or has too few people for so many folds.
    """
    if one.name not in base.sets:
        raise UsageError(f"protocol {base.name}: has no set {one.name}; it is over {', '.join(base.sets)}")
    people = sorted({str(name) for name in one.subject if name and population(str(name)) != "locked"})
    if n_folds < 2 or len(people) < MIN_LEFT_OUT * n_folds:
        raise UsageError(
            f"{one.name}: {len(people)} people who are not locked, in {n_folds} folds; expected 2 folds or more of "
            f"{MIN_LEFT_OUT} people or more each"
        )
    return [
        _fold(base, one, people, left_out, f"{one.name} r{repeat}f{number}")
        for number, left_out in enumerate(groups(people, n_folds, repeat, seed))
    ]


def _fold(base: Protocol, one: PreparedSet, people: Sequence[str], left_out: Sequence[str], name: str) -> Protocol:
    group = cast(one, "test", people, ())
    unseen = replace(group, people={person: group.people[person] for person in left_out})
    known = [i for person, recordings in group.people.items() if person not in left_out for i in recordings]
    rows = [row for row in base.rows if all(span.set != one.name for span in (*row.enrol, *row.probe))]
    return replace(
        base,
        name=f"{base.name}, leave people out {name}",
        kind=FOLDS,
        train=(*_others(base.train, one), *(group.span(i) for i in known)),
        validate=_others(base.validate, one),
        calibrate=_others(base.calibrate, one),
        rows=(*rows, *across_rows(unseen)),
    )


def of_set(protocol: Protocol, one: PreparedSet) -> Protocol:
    """Returns what `protocol` says of one of its sets."""

    def mine(spans: Sequence[Span]) -> tuple[Span, ...]:
        return tuple(span for span in spans if span.set == one.name)

    rows = tuple(row for row in protocol.rows if all(span.set == one.name for span in (*row.enrol, *row.probe)))
    return replace(
        protocol,
        name=f"{protocol.name}, {one.name} alone",
        sets={one.name: protocol.sets[one.name]},
        train=mine(protocol.train),
        validate=mine(protocol.validate),
        calibrate=mine(protocol.calibrate),
        rows=rows,
    )


def _others(spans: Sequence[Span], one: PreparedSet) -> tuple[Span, ...]:
    return tuple(span for span in spans if span.set != one.name)
