"""Two sessions of one model: what counts as slower, and what is not compared."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ecgkd_bench import comparison, stats
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Clock, Record, Session

Measured = Callable[[dict[str, float]], Session]
ROUNDS, LAUNCHES, BLOCK = 40, 8, 10


def _noisy(session: Session, seed: int, slower: float = 1.0) -> Session:
    """Returns the session as an independent run on a busy machine would give it.

    A speed of that day, one of each process (as measured here, 1 %), one of each round, and tails of interruptions; the
    model and the reference share the first and the third.
    """
    random = np.random.default_rng(seed)
    day = random.uniform(0.8, 1.25)
    rounds = np.exp(random.normal(0, 0.05, (ROUNDS, 1)))

    def latency(centre: float) -> stats.Latency:
        process = np.repeat(np.exp(random.normal(0, 0.01, LAUNCHES)), ROUNDS // LAUNCHES)[:, None]
        own = np.exp(random.normal(0, 0.03, (ROUNDS, BLOCK)))
        tails = np.where(random.random((ROUNDS, BLOCK)) < 0.1, random.uniform(2, 30, (ROUNDS, BLOCK)), 1.0)
        return stats.summarise(
            (centre * day * process * rounds * own * tails).ravel().tolist(), ROUNDS, launches=LAUNCHES
        )

    def noisy(record: Record, centre: float) -> Record:
        return replace(record, latency=latency(centre))

    assert session.reference is not None
    records = tuple(noisy(record, 2.0 * slower) for record in session.records)
    return replace(session, records=records, reference=noisy(session.reference, 1.0))


def test_a_regression_beyond_the_limit_is_found(measured: Measured) -> None:
    (change,) = comparison.compare(measured({"a": 1.0}), measured({"a": 1.1}), limit=0.05)
    assert change.slower
    assert change.ratio == pytest.approx(1.1)


@pytest.mark.parametrize("speed", [1.0, 1.02, 0.5])
def test_what_is_within_the_limit_or_faster_is_no_regression(measured: Measured, speed: float) -> None:
    (change,) = comparison.compare(measured({"a": 1.0}), measured({"a": speed}), limit=0.05)
    assert not change.slower


def test_a_slower_day_that_the_reference_saw_too_is_no_regression(measured: Measured) -> None:
    before, after = measured({"a": 1.0}), measured({"a": 2.0})
    assert after.reference is not None
    old = after.reference.latency
    slow = stats.summarise([2 * ms for ms in old.raw], old.rounds, launches=old.launches)
    after = replace(after, reference=replace(after.reference, latency=slow))
    (change,) = comparison.compare(before, after)
    assert change.ratio == pytest.approx(1.0)
    assert not change.slower


def test_of_twenty_pairs_of_independent_runs_at_most_one_is_flagged(measured: Measured) -> None:
    session = measured({"a": 2.0})
    pairs = [(_noisy(session, 2 * i), _noisy(session, 2 * i + 1)) for i in range(20)]
    flagged = [change.slower for pair in pairs for change in comparison.compare(*pair)]
    assert sum(flagged) <= 1


def test_a_regression_of_ten_percent_is_caught_among_that_noise(measured: Measured) -> None:
    session = measured({"a": 2.0})
    pairs = [(_noisy(session, 2 * i), _noisy(session, 2 * i + 1, slower=1.1)) for i in range(20)]
    caught = [change.slower for pair in pairs for change in comparison.compare(*pair, limit=0.05)]
    assert sum(caught) >= 19


def test_records_of_different_models_or_clocks_are_not_compared(measured: Measured) -> None:
    session = measured({"a": 1.0})
    with pytest.raises(MismatchError, match="share no model"):
        comparison.compare(session, measured({"b": 1.0}))
    emulated = tuple(replace(record, clock=Clock.EMULATED) for record in session.records)
    with pytest.raises(MismatchError, match="clock wall before and emulated after"):
        comparison.compare(session, replace(session, records=emulated))


def test_another_or_no_reference_is_not_compared(measured: Measured) -> None:
    session = measured({"a": 1.0})
    assert session.reference is not None
    with pytest.raises(MismatchError, match="without the reference network is not comparable"):
        comparison.compare(replace(session, reference=None), session)
    newer = replace(session.reference, backend=replace(session.reference.backend, version="2"))
    with pytest.raises(MismatchError, match="the reference's runtime was 1 before and is 2 after"):
        comparison.compare(session, replace(session, reference=newer))


def test_counts_of_instructions_need_no_reference_and_no_margin(measured: Measured) -> None:
    before, after = measured({"a": 1.0}), measured({"a": 1.005})
    counted = [
        replace(one, reference=None, records=tuple(replace(r, clock=Clock.INSTRUCTIONS) for r in one.records))
        for one in (before, after)
    ]
    raw = [replace(one.records[0], latency=stats.summarise([one.records[0].latency.p50] * 4, 4)) for one in counted]
    sessions = [replace(one, records=(record,)) for one, record in zip(counted, raw, strict=True)]
    assert comparison.compare(*sessions)[0].slower
    assert not comparison.compare(sessions[0], sessions[0])[0].slower


def _held_back(session: Session, rounds: tuple[int, ...]) -> Session:
    record = session.records[0]
    size = record.latency.count // record.latency.rounds
    raw = [ms * (3 if i // size in rounds else 1) for i, ms in enumerate(record.latency.raw)]
    latency = stats.summarise(raw, record.latency.rounds, held_back_rounds=rounds)
    return replace(session, records=(replace(record, latency=latency),))


def test_rounds_in_which_the_device_was_held_back_are_left_out(measured: Measured) -> None:
    session = measured({"a": 1.0})
    (change,) = comparison.compare(session, _held_back(session, (0, 1, 2, 3)))
    assert change.ratio == pytest.approx(1.0)


def test_a_run_that_was_mostly_held_back_is_not_compared(measured: Measured) -> None:
    session = measured({"a": 1.0})
    with pytest.raises(MismatchError, match="held back in 6 of 10 rounds"):
        comparison.compare(session, _held_back(session, (0, 1, 2, 3, 4, 5)))
