"""What the windows tell about activity: golden vectors, a second implementation, and what is refused."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd.enrolment.activity import Activity, steps_of, tell, tell_floats
from ecgkd.errors import DataError, UsageError

CASES = json.loads((Path(__file__).parents[2] / "golden" / "activity.json").read_text())["cases"]


def reference(rows: list[list[int]], size: int, zero_point: int, scale: float) -> Activity:
    """The definition once more, written from docs/decision.md, one number at a time."""
    sums = [sum(row[k] - zero_point for row in rows) for k in range(size)]
    assert all(-(2**31) <= one < 2**31 for one in sums)
    first = next(k for k in range(size) if sums[k] == max(sums))
    others = sums[:first] + sums[first + 1 :]
    step = math.floor(Fraction(scale) * 2**24 + Fraction(1, 2))
    apart = sums[first] - max(others) if others else 0
    assert apart * step < 2**62
    margin = (apart * step + 128 * len(rows)) // (256 * len(rows)) if rows else 0
    assert margin < 2**31
    return Activity(first, len(rows), tuple(sums), margin)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_activities_have_the_same_bits(case: dict) -> None:
    scores = np.array(case["scores"], np.int8).reshape(-1, case["activities"])
    want = Activity(case["index"], case["windows"], tuple(case["sums"]), case["margin_q16"])

    assert tell(scores, case["zero_point"], case["scale"]) == want
    assert reference(case["scores"], case["activities"], case["zero_point"], case["scale"]) == want


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 30), st.integers(1, 16), st.integers(-128, 127), st.floats(1e-6, 127.9), st.integers(0, 2**32 - 1)
)
def test_any_scores_tell_what_the_definition_says(n: int, size: int, zero_point: int, scale: float, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(-128, 128, (n, size)).astype(np.int8)

    assert tell(scores, zero_point, scale) == reference(scores.tolist(), size, zero_point, scale)


def test_the_margin_is_the_logarithm_of_the_odds_of_the_first_to_the_second() -> None:
    logits = np.array([[2.0, 0.5, -1.0], [1.0, 0.5, 0.0]], np.float32)

    told = tell_floats(logits)

    assert (told.index, told.windows) == (0, 2)
    assert told.odds == pytest.approx(math.exp(1.0), rel=1e-6)


def test_floats_of_an_int8_network_are_its_integers_again() -> None:
    scale = float(np.float32(0.0371))
    scores = np.arange(-128, 127, dtype=np.int8).reshape(51, 5)
    floats = (scores.astype(np.float32) - np.float32(-3)) * np.float32(scale)

    found = steps_of(floats, -3, scale)

    assert np.array_equal(found, scores)
    assert tell(found, -3, scale) == tell(scores, -3, scale)


def test_floats_and_their_integers_tell_the_same_within_rounding() -> None:
    scores = np.random.default_rng(2).integers(-128, 128, (6, 5)).astype(np.int8)

    exact, rounded = tell(scores, 4, 0.03), tell_floats((scores.astype(np.float32) - 4) * np.float32(0.03))

    assert rounded.index == exact.index
    assert rounded.margin == pytest.approx(exact.margin, abs=2**16 * 2**-10)


def test_wild_scores_stay_within_their_bounds() -> None:
    assert tell_floats(np.array([[3e38, -3e38]], np.float32)).margin == 2048 * 2**16
    with pytest.raises(DataError, match="no finite number"):
        tell_floats(np.array([[np.nan, 0.0]], np.float32))


def test_other_shapes_and_scales_are_refused() -> None:
    with pytest.raises(DataError, match=r"scores of shape \(5,\); expected"):
        tell(np.zeros(5, np.int8), 0, 1.0)
    with pytest.raises(UsageError, match="the scale of the activity's scores is 128"):
        tell(np.zeros((1, 5), np.int8), 0, 128.0)
