"""Comparing outputs."""

import numpy as np
import pytest

from ecgkd_export import parity


def test_figures_of_a_hand_worked_case() -> None:
    figures = parity.compare(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0], [2.0, 2.0]]))
    assert figures["windows"] == 2
    assert figures["cosine_mean"] == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert figures["cosine_min"] == pytest.approx(np.sqrt(0.5))
    assert figures["max_abs"] == 2.0


@pytest.mark.parametrize(("shift", "result"), [(9e-6, "passed"), (2e-5, "failed"), (np.nan, "failed")])
def test_the_float_gate_is_one_in_a_hundred_thousand(shift: float, result: str) -> None:
    reference = np.ones((3, 4))
    assert parity.float_gate(reference, reference + shift)["result"] == result


def test_one_window_of_garbage_fails_int8_even_where_the_mean_is_good() -> None:
    reference = np.tile([1.0, 0.0], (1000, 1))
    candidate = reference.copy()
    candidate[7] = [0.0, 1.0]
    gate = parity.int8_gate(reference, candidate)
    assert gate["cosine_mean"] > gate["cosine_mean_floor"]
    assert gate["result"] == "failed"


@pytest.mark.parametrize("garbage", [np.zeros((4, 2)), np.full((4, 2), np.nan)])
def test_zeros_and_nan_fail_int8(garbage: np.ndarray) -> None:
    assert parity.int8_gate(np.ones((4, 2)), garbage)["result"] == "failed"


def test_outputs_of_different_shape_are_not_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        parity.compare(np.ones((2, 3)), np.ones((2, 4)))


def test_an_absent_gate_is_no_failure_but_an_undecided_one_is() -> None:
    gates = {name: {"result": name} for name in ("passed", "absent", "undecided", "failed")}
    assert parity.failures(gates) == ["undecided", "failed"]
