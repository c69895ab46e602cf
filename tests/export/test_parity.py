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


SCORES = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 4.0], [2.0, 1.0, 0.0]])


def test_scores_are_compared_without_what_they_have_in_common() -> None:
    gate = parity.class_gate(SCORES, SCORES + np.array([[5.0], [-2.0], [0.0], [1.0]]))
    assert (gate["result"], gate["agreement"]) == ("passed", 1.0)
    assert gate["cosine_mean"] == pytest.approx(1)
    assert gate["max_abs"] == 5


@pytest.mark.parametrize("garbage", [np.zeros((4, 3)), np.full((4, 3), np.nan), -SCORES, SCORES[:, [1, 2, 0]]])
def test_scores_that_tell_something_else_fail(garbage: np.ndarray) -> None:
    assert parity.class_gate(SCORES, garbage)["result"] == "failed"


def test_other_answers_fail_although_the_scores_are_near() -> None:
    reference = np.tile([10.0, 9.9, -10.0, -9.9], (100, 1))
    candidate = reference.copy()
    candidate[:20] = [9.9, 10.0, -10.0, -9.9]
    gate = parity.class_gate(reference, candidate)
    assert gate["cosine_mean"] > gate["cosine_mean_floor"]
    assert (gate["result"], gate["agreement"]) == ("failed", 0.8)


def test_an_output_of_another_size_fails_and_says_so() -> None:
    for gate in (parity.class_gate, parity.int8_gate, parity.float_gate):
        assert gate(SCORES, SCORES[:, :2]) == {"result": "failed", "why": "it gives (2,); expected (3,)"}


def test_the_float_gate_widens_with_numbers_above_one() -> None:
    assert parity.float_gate(20 * SCORES, 20 * SCORES + 5e-4)["result"] == "passed"
    assert parity.float_gate(20 * SCORES, 20 * SCORES + 1e-3)["result"] == "failed"


def test_an_endless_number_widens_nothing() -> None:
    endless = np.where(SCORES == 4, np.inf, SCORES)
    with np.errstate(invalid="ignore"):
        gate = parity.float_gate(endless, SCORES)
    assert gate["result"] == "failed"


def test_one_output_that_is_off_fails_all_and_is_named() -> None:
    gate = parity.steps_gate({"embedding": 0, "activity": 3}, {"embedding": 0, "activity": 2})
    assert (gate["result"], gate["lsb"]) == ("failed", 0)
    assert gate["why"] == "activity: its numbers are 3 steps off; allowed 2"
    assert gate["outputs"]["activity"]["result"] == "failed"
    assert parity.steps_gate({"embedding": 1}, {"embedding": 1}) == {"result": "passed", "lsb": 1, "lsb_bound": 1}
