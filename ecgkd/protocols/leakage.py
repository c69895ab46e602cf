"""The lint that refuses protocols in which the test side leaks into training, calibration or enrolment.

What may share what:

- `train` shares no recording with any other part, except with the enrolment of closed-set rows, whose people train by
  design, and with the other windows of a closed-set row that is labelled leaky.
- `validate` and `calibrate` may share with each other and with development rows: such rows are evidence for choices,
  not a test. Rows of locked people or of an unseen set (`locked`, `test`) share neither recordings nor people with
  `train`, `validate`, `calibrate` or a development row. So nothing is ever fitted on the probes of a test.
- Enrolment and probes of a row share no recording; of a leaky row no window. Those of a cross-session row share no
  session and no day of one person.
- People of an open-set row do not train. Locked people train, validate and calibrate nothing, except evidence-only
  closed sets, leave-people-out folds (evidence-only too) and sets whose pool trains.
- Exact copies count as the recording that they are a copy of, whatever they are called.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise, product

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import LeakageError
from ecgkd.protocols.content import window_prints
from ecgkd.protocols.known import is_pool, source_of, split_people
from ecgkd.protocols.protocol import FOLDS, Protocol, Span, population
from ecgkd.protocols.sides import Case, Key, Part, must_differ, name_of, parts_of, such_as
from ecgkd.signal.window import native_window

Progress = Callable[[int, int, str], None]


def lint(protocol: Protocol, sets: Sequence[PreparedSet], progress: Progress | None = None) -> list[str]:
    """Returns a sentence for each leak or unsound span of `protocol`, none for a sound one.

    Spans of sets that are not given are not looked at. Raises: UsageError where a set is not the one that the protocol
    was made for.
    """
    by_name = protocol.check_sets(sets, ())
    case = Case(protocol, by_name, tuple(parts_of(protocol, by_name)))
    unsound = list(_unsound(case))
    if unsound:
        return unsound
    checks = (_shared_recordings, _overlaps, _seen_people, _misplaced_people, _shared_sessions, _pools, _split_people)
    return [reason for check in checks for reason in check(case)] + list(_copies(case, progress))


def refuse_leaks(protocol: Protocol, sets: Sequence[PreparedSet], progress: Progress | None = None) -> None:
    """Raises: LeakageError with every reason that `lint` finds."""
    reasons = lint(protocol, sets, progress)
    if reasons:
        raise LeakageError(f"protocol {protocol.name!r} is refused: {'; '.join(reasons)}")


def _unsound(case: Case) -> Iterator[str]:
    """Gives spans that are not there or hold no window."""
    records = {name: set(one.record.tolist()) for name, one in case.sets.items()}
    for part in case.parts:
        unknown, outside, empty = set(), set(), set()
        for span in part.spans:
            key = (span.set, span.record)
            if span.record not in records[span.set]:
                unknown.add(name_of(key))
            elif span.stop > case.sets[span.set].n_samples(case.number(key)):
                outside.add(f"{name_of(key)} [{span.start}, {span.stop})")
            elif span.stop - span.start < native_window(case.sets[span.set].fs):
                empty.add(f"{name_of(key)} [{span.start}, {span.stop})")
        if unknown:
            yield f"{part.title} names records that the set does not hold: {such_as(unknown)}"
        if outside:
            yield f"{part.title} has spans that leave their recording: {such_as(outside)}"
        if empty:
            yield f"{part.title} has spans too short for a window: {such_as(empty)}"


def _shared_recordings(case: Case) -> Iterator[str]:
    for a, b in combinations(case.parts, 2):
        common = a.keys & b.keys if must_differ(a, b) else set()
        if common:
            names = such_as(map(name_of, common))
            overlapping = _overlapping(a.spans, b.spans)
            what = "overlap in" if overlapping else "hold stretches of one recording:"
            yield f"{a.title} and {b.title} {what} {names}; a recording stands on one side only"


def _overlapping(first: Iterable[Span], second: Iterable[Span]) -> set[Key]:
    """Returns the recordings in which a span of `first` overlaps one of `second`."""
    by_key: dict[Key, list[Span]] = defaultdict(list)
    for span in second:
        by_key[span.set, span.record].append(span)
    return {(a.set, a.record) for a in first for b in by_key[a.set, a.record] if a.start < b.stop and b.start < a.stop}


def _overlaps(case: Case) -> Iterator[str]:
    """Gives windows that stand on both sides where a recording may, and windows that one part holds twice."""
    for part in case.parts:
        ordered = sorted(part.spans)
        twice = {
            (a.set, a.record)
            for a, b in pairwise(ordered)
            if (a.set, a.record) == (b.set, b.record) and b.start < a.stop
        }
        if twice:
            yield f"{part.title} holds overlapping spans of {such_as(map(name_of, twice))}"
    train = case.parts[0]
    for enrol, probe in zip(case.parts[3::2], case.parts[4::2]):
        for a in (train, enrol):
            common = set() if must_differ(a, probe) else _overlapping(a.spans, probe.spans)
            if common:
                yield f"{a.title} and {probe.title} overlap in {such_as(map(name_of, common))}: the same windows"


def _seen_people(case: Case) -> Iterator[str]:
    """Gives people of open-set rows who train, and people of tests on whom something was chosen."""
    trained = case.people(case.parts[:1])
    choosing = [part for part in case.parts if part.chooses]
    chosen_on = {part.title: case.people([part]) for part in choosing}
    for enrol, probe in zip(case.parts[3::2], case.parts[4::2]):
        row, people = enrol.row, case.people([enrol, probe])
        if row is None or row.population == "closed-set":
            continue
        if people & trained:
            yield (
                f"row {row.name}: people whom the network is trained on stand in it as unseen: "
                f"{such_as(people & trained)}"
            )
        for title, others in chosen_on.items():
            if enrol.tests and people & others:
                yield (
                    f"row {row.name} claims a test ({row.population}), but shares people with {title}, on which "
                    f"thresholds, temperatures or models are chosen: {such_as(people & others)}"
                )


def _misplaced_people(case: Case) -> Iterator[str]:
    """Gives locked people whom something is chosen or trained on, and rows that call themselves closed sets."""
    for row in case.protocol.rows:
        closed = {row.population == "closed-set", row.kind == "closed-set"}
        if case.protocol.kind != FOLDS:
            closed.add(case.protocol.kind == "closed-set")
        if len(closed) > 1:
            yield (
                f"row {row.name}: kind {row.kind} with population {row.population} in a {case.protocol.kind} "
                "protocol; a closed-set row stands in a closed-set protocol, and nothing else does"
            )
    if case.protocol.kind in ("closed-set", FOLDS):
        return
    pooled = _pooled(case)
    for part in case.parts:
        if part.role != "train" and not part.chooses:
            continue
        keys = {key for key in part.keys if part.role != "train" or source_of(case.sets[key[0]]) not in pooled}
        locked = {subject for subject in map(case.subject, keys) if population(subject) == "locked"}
        if locked:
            yield f"{part.title} holds locked people, whom nothing may be trained or chosen on: {such_as(locked)}"


def _shared_sessions(case: Case) -> Iterator[str]:
    """Gives people who are enrolled and probed in one session, or on one day, in a cross-session row."""
    for enrol, probe in zip(case.parts[3::2], case.parts[4::2]):
        if enrol.row is None or enrol.row.kind != "cross-session":
            continue
        sessions, days = set(), set()
        visits: list[set[tuple[str, str, int]]] = []
        for part in (enrol, probe):
            rows = [(case.subject(key), key[0], case.number(key)) for key in part.keys]
            visits.append({(person, name, int(case.sets[name].session[i])) for person, name, i in rows})
            visits.append({(person, name, int(case.sets[name].day[i])) for person, name, i in rows})
        sessions = {f"{person} session {session}" for person, _, session in visits[0] & visits[2]}
        days = {f"{person} day {day}" for person, _, day in visits[1] & visits[3] if day >= 0}
        if sessions:
            yield f"row {enrol.row.name}: one session stands on both sides of a cross-session row: {such_as(sessions)}"
        elif days:
            yield f"row {enrol.row.name}: one day stands on both sides of a cross-session row: {such_as(days)}"


def _pooled(case: Case) -> set[str]:
    """Returns the sources of which a pool trains."""
    return {source_of(case.sets[name]) for name, _ in case.parts[0].keys if is_pool(case.sets[name])}


def _pools(case: Case) -> Iterator[str]:
    """Gives parts whose people may also be in a pool that trains, and parts that take a pool's records for people."""
    pooled = _pooled(case)
    for part in case.parts[1:]:
        names = {name for name, _ in part.keys}
        pools = {name for name in names if is_pool(case.sets[name])}
        if pools:
            yield f"{part.title} takes recordings of unknown people for people: {such_as(pools)} is for training only"
        known = {name for name in names - pools if source_of(case.sets[name]) in pooled}
        if known:
            yield (
                f"{part.title} counts people of {such_as(known)} as unseen, but a pool of the same database trains, "
                "and nobody knows whose its recordings are"
            )


def _split_people(case: Case) -> Iterator[str]:
    used = {key for part in case.parts for key in part.keys}
    for name, one in case.sets.items():
        for a, b in split_people(one):
            if {(name, a), (name, b)} & used:
                yield (
                    f"{name}: records {a} and {b} are of one person but stand under {case.subject((name, a))} and "
                    f"{case.subject((name, b))}: give them one subject id"
                )


def _copies(case: Case, progress: Progress | None) -> Iterator[str]:
    """Gives recordings on two sides that hold the same samples under different names."""
    spans: dict[Key, set[Span]] = defaultdict(set)
    places: dict[Key, set[Part]] = defaultdict(set)
    for part in case.parts:
        for span in part.spans:
            spans[span.set, span.record].add(span)
            places[span.set, span.record].add(part)
    first: dict[bytes, Key] = {}
    twins: set[tuple[Key, Key]] = set()
    for done, (key, held) in enumerate(spans.items()):
        for digest in window_prints(case.sets[key[0]], sorted(held)):
            other = first.setdefault(digest, key)
            if other != key:
                twins.add((other, key))
        if progress is not None and done % 500 == 0:
            progress(done, len(spans), "recordings compared")
    told: dict[str, list[str]] = defaultdict(list)
    for a, b in sorted(twins):
        pair = f"{name_of(a)} = {name_of(b)}"
        for left, right in product(places[a], places[b]):
            if must_differ(left, right):
                told[" and ".join(sorted((left.title, right.title)))].append(pair)
            elif left.row is not None and left.row is right.row and case.subject(a) != case.subject(b):
                told[f"row {left.row.name}, under two people"].append(pair)
    for where, pairs in sorted(told.items()):
        yield f"the same samples stand on two sides ({where}): {such_as(set(pairs))}"
