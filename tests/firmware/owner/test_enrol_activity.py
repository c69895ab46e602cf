"""What the C says about activity against golden vectors and against ecgkd.enrolment.activity."""

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd.enrolment.activity import SCALE_Q, Activity, tell
from ecgkd.enrolment.integer import to_fixed

POINTER = ctypes.c_void_p
CASES = json.loads((Path(__file__).parents[2] / "golden" / "activity.json").read_text())["cases"]


def told(library, scores: np.ndarray, zero_point: int, scale: float) -> Activity:
    n, size = scores.shape
    out = np.zeros(3 + size, np.int32)
    given_scores = np.ascontiguousarray(scores, np.int8)
    step = to_fixed(scale, SCALE_Q, "the scale")
    library.c.flat_activity(
        given_scores.ctypes.data_as(POINTER), n, size, zero_point, step, out.ctypes.data_as(POINTER)
    )
    index, windows, margin, *sums = out.tolist()
    return Activity(index, windows, tuple(sums), margin)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_activities_have_the_same_bits(library, case):
    scores = np.array(case["scores"], np.int8).reshape(-1, case["activities"])

    found = told(library, scores, case["zero_point"], case["scale"])

    assert found == Activity(case["index"], case["windows"], tuple(case["sums"]), case["margin_q16"])


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 255), st.integers(1, 16), st.integers(-128, 127), st.floats(1e-6, 127.9), st.integers(0, 2**32 - 1)
)
def test_any_scores_tell_in_c_what_they_tell_in_python(library, n, size, zero_point, scale, seed):
    scores = np.random.default_rng(seed).integers(-128, 128, (n, size)).astype(np.int8)

    assert told(library, scores, zero_point, scale) == tell(scores, zero_point, scale)
