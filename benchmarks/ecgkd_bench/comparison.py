"""Whether a model got slower from one session to another: its ratio to the reference network, which both measured."""

from dataclasses import asdict, dataclass
from typing import Any

from ecgkd_bench import stats
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Clock, Latency, Record, Session
from ecgkd_bench.summary import aligned

FLOOR = 0.01
"""A ratio has to change by this much to count, whatever the interval says: time is not known better than that."""
CLEAN_SHARE = 0.5
"""Of the rounds that must have run unthrottled; only those are compared."""


@dataclass(frozen=True)
class Change:
    """One model in two sessions."""

    model: str
    backend: str
    threads: int
    before: float
    after: float
    """p50 in the records' unit."""
    ratio: float
    """After over before; each taken relative to the reference network of its session, where the clock is time."""
    ci95: tuple[float, float]
    slower: bool
    """Whether even the lower end of the interval is beyond the limit."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(before: Session, after: Session, limit: float = 0.0) -> list[Change]:
    """Returns the change of every model that both sessions measured; `limit` is a share, 0.05 for 5 %.

    Raises: MismatchError where they share no model, were measured on different devices, by different clocks or by
    another reference, or one of them was held back (by heat or power) for most of its rounds.
    """
    old = {record.key: record for record in before.records}
    shared = [(old[record.key], record) for record in after.records if record.key in old]
    if not shared:
        raise MismatchError("the two records share no model, backend and number of threads; nothing to compare")
    for a, b in shared:
        for what, left, right in (
            ("device", a.device.soc, b.device.soc),
            ("clock", a.clock, b.clock),
            ("instruction sets", a.device.features, b.device.features),
        ):
            if left != right:
                raise MismatchError(f"{a.model.name}: {what} {left} before and {right} after; not comparable")
    return [_change(a, b, before, after, limit) for a, b in shared]


def _change(a: Record, b: Record, before: Session, after: Session, limit: float) -> Change:
    if a.clock is Clock.INSTRUCTIONS:
        ratio, ci95 = stats.independent_ratio(b.latency, a.latency)
        floor = 0.0  # counts are the same every time
    else:
        _same_reference(before, after)
        ratio, ci95 = stats.relative_ratio(_with_reference(b, after), _with_reference(a, before))
        floor = FLOOR
    return Change(*b.key, a.latency.p50, b.latency.p50, ratio, ci95, ci95[0] > 1 + max(limit, floor))


def _same_reference(before: Session, after: Session) -> None:
    left, right = before.reference, after.reference
    if left is None or right is None:
        raise MismatchError("a record without the reference network is not comparable; measure again with this ecgkd")
    for what, old, new in (
        ("network", left.model.sha256, right.model.sha256),
        ("runtime", left.backend.version, right.backend.version),
    ):
        if old != new:
            raise MismatchError(f"the reference's {what} was {old[:12]} before and is {new[:12]} after; not comparable")


def _with_reference(record: Record, session: Session) -> tuple[Latency, Latency]:
    """Returns the latencies of a model and the reference in the rounds in which nothing held the device back."""
    assert session.reference is not None
    held_back = record.latency.held_back_rounds
    if not held_back:
        return record.latency, session.reference.latency
    rounds = record.latency.rounds
    if rounds - len(held_back) < CLEAN_SHARE * rounds:
        raise MismatchError(
            f"the device was held back in {len(held_back)} of {rounds} rounds of the run of {session.created}; "
            "let it cool and measure again"
        )
    return _without(record.latency, held_back), _without(session.reference.latency, held_back)


def _without(latency: Latency, rounds: tuple[int, ...]) -> Latency:
    """Returns the latency without these rounds; launches can then no longer be told apart."""
    size = latency.count // latency.rounds
    kept = [i for i in range(latency.rounds) if i not in rounds]
    raw = [value for i in kept for value in latency.raw[i * size : (i + 1) * size]]
    return stats.summarise(raw, len(kept), latency.unit)


def changes_table(changes: list[Change]) -> str:
    """Returns the comparison as text."""
    rows: list[tuple[str, ...]] = [("model", "backend", "before", "after", "ratio (95 % interval)", "")]
    for one in changes:
        interval = f"{one.ratio:.3f} ({one.ci95[0]:.3f} to {one.ci95[1]:.3f})"
        verdict = "slower" if one.slower else ""
        rows.append((one.model, one.backend, f"{one.before:.3f}", f"{one.after:.3f}", interval, verdict))
    return "\n".join(aligned(rows))
