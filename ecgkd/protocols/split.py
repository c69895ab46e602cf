"""Makes protocol files: who trains, who tunes, who tests, decided by the hash of each person's id.

The same people fall on the same side in every protocol, whatever else is in it, so that no choice ever rests on
people whom a later result is about.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols import rows
from ecgkd.protocols.content import copies
from ecgkd.protocols.known import is_pool, pooled_sources, source_of
from ecgkd.protocols.protocol import KINDS, Protocol, Row, Span, population
from ecgkd.protocols.rows import MIN_PEOPLE, Cast, cast

__all__ = ["MIN_PEOPLE", "make", "population"]

Progress = Callable[[int, int, str], None]
MakeRows = Callable[[Cast], list[Row]]

NOISE = "noise"
NAMED = 4
"""Rows that a note names before it counts the rest."""
LEAKY_SHARE = 0.2
"""Of the training windows of a closed set, held out for its leaky row."""


@dataclass
class _Plan:
    """What is being put together."""

    train: list[Span] = field(default_factory=list)
    validate: list[Span] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take_notes(self, group: Cast) -> None:
        """Takes over what the making of a group's rows brought to light."""
        self.notes += group.notes
        if group.left_out:
            more = f" and {len(group.left_out) - NAMED} more" if len(group.left_out) > NAMED else ""
            names = ", ".join(group.left_out[:NAMED])
            self.notes.append(f"left out, fewer than {MIN_PEOPLE} people can be probed: {names}{more}")


@dataclass(frozen=True)
class _Material:
    """The sets, and what is settled before any split."""

    sets: tuple[PreparedSet, ...]
    seed: int
    include_locked: bool
    leaky: bool
    test_set: str | None
    pooled: frozenset[str]
    """Names of the sets that can only train."""
    dropped: dict[str, set[int]]
    """Recordings of each set that are left out."""
    people: dict[str, dict[str, set[str]]]
    """Set name, population: people."""

    def cast(self, one: PreparedSet, title: str, populations: Iterable[str], suffix: str = "") -> Cast:
        people = set().union(*(self.people[one.name][p] for p in populations))
        return cast(one, title, people, self.dropped[one.name], suffix)

    def spans(self, one: PreparedSet, *populations: str) -> list[Span]:
        group = self.cast(one, "development", populations)
        return [group.span(i) for recordings in group.people.values() for i in recordings]


def make(
    kind: str,
    sets: Sequence[PreparedSet],
    seed: int = 0,
    name: str | None = None,
    include_locked: bool = False,
    leaky: bool = False,
    test_set: str | None = None,
    progress: Progress | None = None,
) -> Protocol:
    """Returns the protocol of `kind` over `sets`.

    `include_locked` adds rows of the locked people; `leaky` adds rows whose windows are split at random, labelled so.
    `test_set` names the set that does not train (`cross-database`: the last one if none is named; `cross-activity`).
    `seed` matters for leaky rows only. Raises: UsageError where the sets do not allow such a protocol.
    """
    material = _material(kind, sets, seed, include_locked, leaky, test_set, progress)
    plan = _closed_set(material) if kind == "closed-set" else _open_set(kind, material)
    plan.notes[:0] = _notes(material)
    if not any(kind in (row.kind, "cross-database") for row in plan.rows if not row.leaky):
        raise UsageError(
            f"no {kind} row can be made of {', '.join(one.name for one in sets)}: nobody, or fewer than {MIN_PEOPLE} "
            f"people of one population, can be enrolled and probed so. {'; '.join(plan.notes)}".rstrip()
        )
    chosen = [row for row in plan.rows if row.population == "development" and not row.leaky]
    calibrate = {span for row in chosen for span in (*row.enrol, *row.probe)} or set(plan.validate)
    return Protocol(
        name=name or f"{kind} {'+'.join(one.name for one in sets)}",
        kind=kind,
        seed=seed,
        sets={one.name: one.sha256 for one in sets},
        train=tuple(plan.train),
        validate=tuple(plan.validate),
        calibrate=tuple(sorted(calibrate)),
        rows=tuple(plan.rows),
        notes=tuple(dict.fromkeys(plan.notes)),
    )


def _material(
    kind: str,
    sets: Sequence[PreparedSet],
    seed: int,
    include_locked: bool,
    leaky: bool,
    test_set: str | None,
    progress: Progress | None,
) -> _Material:
    if kind not in KINDS:
        raise UsageError(f"no protocol of kind {kind!r}; one of {', '.join(KINDS)}")
    names = [one.name for one in sets]
    if not names or len(set(names)) != len(names):
        raise UsageError(f"sets {', '.join(names) or '(none)'}: expected one or more with different names")
    if kind == "cross-database":
        test_set = test_set or names[-1]
    elif test_set is not None and kind != "cross-activity":
        raise UsageError(f"a test set makes no sense for {kind}; leave it out, or choose cross-database")
    pooled = frozenset(one.name for one in sets if source_of(one) in pooled_sources(list(sets)))
    if test_set is not None and test_set not in names:
        raise UsageError(f"test set {test_set!r} is none of {', '.join(names)}")
    if test_set in pooled:
        raise UsageError(f"{test_set} cannot be tested while the pool of its database trains; leave the pool out")
    dropped = _dropped_copies(sets, progress)
    people: dict[str, dict[str, set[str]]] = {}
    for one in sets:
        people[one.name] = {"training": set(), "development": set(), "locked": set()}
        for subject, activity in zip(one.subject.tolist(), one.activity.tolist()):
            if subject and activity != NOISE:
                people[one.name][population(subject)].add(subject)
        if not any(people[one.name].values()):
            raise UsageError(f"{one.name}: no recording of a person in it (subjects are empty, or it holds noise)")
    return _Material(tuple(sets), seed, include_locked, leaky, test_set, pooled, dropped, people)


def _dropped_copies(sets: Sequence[PreparedSet], progress: Progress | None) -> dict[str, set[int]]:
    """Returns the recordings to leave out: of exact copies all but the first, or all if under several people."""
    by_name = {one.name: one for one in sets}
    dropped: dict[str, set[int]] = {one.name: set() for one in sets}
    for group in copies(sets, progress):
        owners = {str(by_name[name].subject[i]) for name, i in group}
        for name, i in group[1 if len(owners) == 1 else 0 :]:
            dropped[name].add(i)
    return dropped


def _notes(material: _Material) -> list[str]:
    notes = [
        f"{name}: {len(recordings)} recordings left out, exact copies of others (also across names)"
        for name, recordings in material.dropped.items()
        if recordings
    ]
    trained = [one.name for one in material.sets if one.name in material.pooled and not is_pool(one)]
    if trained:
        notes.append(
            f"{', '.join(trained)}: all people train and no row tests them, because a pool of the same database "
            "trains and nobody knows whose its recordings are"
        )
    return notes


def _open_set(kind: str, material: _Material) -> _Plan:
    """Returns the plan for people that the network has never seen."""
    plan = _Plan()
    tested = [one for one in material.sets if one.name == material.test_set]
    others = [one for one in material.sets if one.name != material.test_set]
    if others:
        _check_populations(material, others)
    makers = _makers(kind, material, of_tested=False)
    for one in others:
        if one.name in material.pooled:
            plan.train += material.spans(one, "training", "development", "locked")
            continue
        plan.train += material.spans(one, "training")
        plan.validate += material.spans(one, "development")
        _add_rows(plan, makers, material.cast(one, "development", ["development"]), material)
        # Where a set is tested as a whole, the locked people of the others are not what the protocol is about.
        if material.include_locked and not tested:
            _add_locked(plan, makers, one, material)
    for one in tested:
        makers = _makers(kind, material, of_tested=True)
        _add_rows(plan, makers, material.cast(one, "test", ["training", "development"]), material)
        if material.include_locked:
            _add_locked(plan, makers, one, material)
        if not any(row.population in ("test", "locked") for row in plan.rows):
            raise UsageError(
                f"{one.name}: cannot be tested, fewer than {MIN_PEOPLE} people can be enrolled and probed "
                f"({kind}). {'; '.join(plan.notes)}".rstrip()
            )
    return plan


def _makers(kind: str, material: _Material, of_tested: bool) -> list[MakeRows]:
    sessions: list[MakeRows] = [rows.cross_session, rows.same_day]
    by_kind: dict[str, list[MakeRows]] = {
        "cross-session": sessions,
        "same-day": [rows.same_day],
        "cross-database": sessions,
        "cross-activity": [rows.cross_activity],
    }
    makers = list(by_kind[kind])
    if kind == "cross-activity" and material.test_set is not None and not of_tested:
        makers += sessions  # thresholds need comparisons of people of the sets that train
    return makers


def _add_rows(plan: _Plan, makers: list[MakeRows], group: Cast, material: _Material) -> None:
    for maker in makers:
        plan.rows += maker(group)
    if material.leaky:
        plan.rows += rows.leaky(group, material.seed)
    plan.take_notes(group)


def _add_locked(plan: _Plan, makers: list[MakeRows], one: PreparedSet, material: _Material) -> None:
    """Adds rows of the locked people; never leaky ones, which are not worth a look at them."""
    group = material.cast(one, "locked", ["locked"], ".locked")
    _add_rows(plan, makers, group, replace(material, leaky=False))


def _check_populations(material: _Material, sets: Sequence[PreparedSet]) -> None:
    count: Counter[str] = Counter()
    for one in sets:
        for which, people in material.people[one.name].items():
            count["training" if one.name in material.pooled else which] += len(people)
    needed = ["training", "development"] + ["locked"] * (material.include_locked and material.test_set is None)
    if any(count[which] < MIN_PEOPLE for which in needed):
        found = ", ".join(f"{which} {count[which]}" for which in ("training", "development", "locked"))
        hint = "; or test a small set as a whole (cross-database, or cross-activity with a test set)"
        raise UsageError(
            f"too few people in {', '.join(one.name for one in sets)}: by the hash of their ids {found}; at least "
            f"{MIN_PEOPLE} of each of {', '.join(needed)} are needed. Add people or sets{hint}"
        )


def _closed_set(material: _Material) -> _Plan:
    """Returns the plan in which the tested people train, with other recordings than those they are tested with."""
    plan = _Plan()
    populations = ["training", "development"] + ["locked"] * material.include_locked
    for one in material.sets:
        if one.name in material.pooled:
            plan.train += material.spans(one, "training", "development", "locked")
            continue
        group = material.cast(one, "closed-set", populations)
        sides: dict[str, tuple[list[Span], list[Span]]] = {}
        held_out: dict[str, tuple[list[Span], list[Span]]] = {}
        for person in group.people:
            recordings = group.resting(person)
            train, validate, probe = _by_recording([group.span(i) for i in recordings])
            plan.validate += validate
            if material.leaky:
                pieces = [rows.split_windows(span, one, material.seed, LEAKY_SHARE) for span in train]
                train = [span for _, kept in pieces for span in kept]
                held_out[person] = (train, [span for held, _ in pieces for span in held])
            sides[person] = (train, probe)
            plan.train += train
        found = [group.spans_row("unseen-recordings", "closed-set", sides)]
        if material.leaky:
            found.append(group.spans_row("leaky", "closed-set", held_out, leaky=True))
        plan.rows += [row for row in found if row is not None]
        plan.take_notes(group)
    if plan.rows and not plan.validate:
        raise UsageError(
            f"closed set of {', '.join(one.name for one in material.sets)}: nobody has three recordings, so none is "
            "left for the temperature; add a set or recordings"
        )
    return plan


def _by_recording(spans: list[Span]) -> tuple[list[Span], list[Span], list[Span]]:
    """Returns the spans, one a recording in order of time, that train, validate and probe.

    The last third probes. Of three recordings or more, the last one before these validates; of two, none does.
    """
    if len(spans) < 3:
        return spans[:1], [], spans[1:]
    n_probe = len(spans) // 3
    return spans[: -n_probe - 1], spans[-n_probe - 1 : -n_probe], spans[-n_probe:]
