"""What the worker marks and binds."""

import os

import pytest

from ecgkd_bench import worker
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import State

COOL = State(None, None, None, ())
HOT = State(None, None, None, ("throttled",))
SILENT = State(None, None, None, None)


def test_rounds_beside_a_look_that_was_held_back_are_marked() -> None:
    assert worker.held_back([(0, COOL), (4, COOL), (8, HOT), (12, COOL), (16, COOL)]) == list(range(4, 12))


def test_a_device_that_says_nothing_marks_nothing() -> None:
    assert worker.held_back([(0, SILENT), (4, SILENT)]) == []


def test_a_core_that_is_not_there_is_refused_with_those_that_are() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(MismatchError, match=r"cannot be bound to the cores \[4095\]; there are \d"):
        worker.bind([4095])
    assert os.sched_getaffinity(0) == before
