"""Sessions as text, and comparisons."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ecgkd_bench import summary
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


def test_what_a_stream_costs_is_said_where_the_clock_is_time(measured: Measured) -> None:
    session = measured({"a": 2.0})
    stream = session.records[0].streaming
    assert stream is not None
    assert stream.duty_cycle == pytest.approx(2.04e-3 / 4)
    assert stream.core_share == pytest.approx(2e-3 / 4)
    assert "a: a window every 4 s takes 0.05 % of one core" in summary.table(session)
    assert stream.windows_to_accept is None


def test_a_device_that_was_held_back_is_said_with_its_rounds(measured: Measured) -> None:
    session = measured({"a": 1.0})
    record = session.records[0]
    hot = replace(record.device, during=(replace(record.device.before, held_back=("throttled",)),))
    marked = replace(record, device=hot, latency=replace(record.latency, held_back_rounds=(0, 1)))
    text = summary.table(replace(session, records=(marked,)))
    assert "the device was held back (throttled) in 2 of 10 rounds, which are marked" in text
