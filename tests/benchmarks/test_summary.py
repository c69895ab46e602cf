"""Sessions as text, and comparisons."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ecgkd_bench import summary
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Clock, Session

Measured = Callable[[dict[str, float]], Session]


def _clocked(session: Session, clock: Clock) -> Session:
    return replace(session, records=tuple(replace(record, clock=clock) for record in session.records))


def test_the_table_names_the_device_and_every_model(measured: Measured) -> None:
    text = summary.table(measured({"float": 2.0, "int8": 1.0}))
    assert text.splitlines()[0].startswith("Cortex-A72, 4 cores")
    assert "°C" not in text
    assert all(name in text for name in ("float", "int8", "0.500 ("))


def test_an_emulated_latency_never_stands_without_the_word(measured: Measured) -> None:
    session = measured({"a": 1.0})
    assert "mulated" not in summary.table(session)
    assert "Emulated: ms per window" in summary.table(_clocked(session, Clock.EMULATED))
    assert "not time" in summary.table(_clocked(session, Clock.INSTRUCTIONS))


def test_an_unstable_warm_up_is_said(measured: Measured) -> None:
    assert "a: not stable after" in summary.table(measured({"a": 200.0}))


def test_a_regression_beyond_the_limit_is_found(measured: Measured) -> None:
    (change,) = summary.compare(measured({"a": 1.0}), measured({"a": 1.1}), limit=0.05)
    assert change.slower
    assert change.ratio == pytest.approx(1.1)


@pytest.mark.parametrize("speed", [1.0, 1.02, 0.5])
def test_what_is_within_the_limit_or_faster_is_no_regression(measured: Measured, speed: float) -> None:
    (change,) = summary.compare(measured({"a": 1.0}), measured({"a": speed}), limit=0.05)
    assert not change.slower


def test_records_of_different_models_or_clocks_are_not_compared(measured: Measured) -> None:
    session = measured({"a": 1.0})
    with pytest.raises(MismatchError, match="share no model"):
        summary.compare(session, measured({"b": 1.0}))
    with pytest.raises(MismatchError, match="clock wall before and emulated after"):
        summary.compare(session, _clocked(session, Clock.EMULATED))
