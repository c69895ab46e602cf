"""The integer decision beside floating point, and what it takes from a contract."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgkd.contract import ScoreCalibration, Threshold
from ecgkd.enrolment.cohort import cohort_of
from ecgkd.enrolment.decision import (
    DecisionPolicy,
    Rule,
    Template,
    constants_of,
    decide,
    make_template,
    quantise_embedding,
    scores,
    to_float,
)
from ecgkd.enrolment.integer import isqrt, to_fixed
from ecgkd.enrolment.template import cosines, fuse, normalise
from ecgkd.errors import UsageError


def directions(n: int, size: int, seed: int = 0, alike: float = 0.7) -> np.ndarray:
    """Returns unit vectors (n, size) in float64 that have a direction in common."""
    rng = np.random.default_rng([seed, size])
    x = alike * rng.normal(size=size) + rng.normal(size=(n, size))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def int8_rows(n: int, size: int, seed: int = 1) -> tuple:
    x = directions(n, size, seed, 0.5)
    return tuple(map(tuple, np.rint(127 * x / np.abs(x).max()).astype(int).tolist()))


@pytest.fixture
def as_norm(contract):
    """Returns the constants of an AS-norm decision over 64 components."""
    return constants_of(
        contract(
            cohort=int8_rows(100, 64),
            cohort_top=40,
            threshold=Threshold("as_norm", 2.5, 6, 3, 0.01, 0.02, 0.05, 30, 435, "development"),
            calibration=ScoreCalibration(1.2, -3.0, 0.5, "as_norm"),
        )
    )


@pytest.mark.parametrize("size", [8, 64, 192, 1024])
def test_cosine_is_within_a_ten_thousandth_of_floating_point(size):
    a, b = directions(150, size), directions(150, size, seed=1)
    got = cosines(normalise(quantise_embedding(a)), normalise(quantise_embedding(b))) / 2**20
    assert np.abs(got - a @ b.T).max() < 1e-4


def test_root_is_exact_beside_every_square():
    root = np.concatenate(
        [np.arange(1, 2000), 2**31 - np.arange(1, 2000), np.random.default_rng(0).integers(1, 2**31, 2000)]
    )
    assert np.array_equal(isqrt(root * root), root)
    assert np.array_equal(isqrt(root * root - 1), root - 1)
    assert np.array_equal(isqrt(root * root + 1), root)


def test_normalised_scores_are_those_of_floating_point(as_norm):
    enrolled, probes = directions(20, 64), directions(200, 64, seed=2)
    centroids = as_norm.cohort.centroids.astype(np.float64)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)

    def top(vectors):
        near = np.sort(vectors @ centroids.T, axis=1)[:, -40:]
        return near.mean(axis=1), near.std(axis=1)

    (mean_t, std_t), (mean_p, std_p) = top(enrolled), top(probes)
    cosine = probes @ enrolled.T
    want = ((cosine - mean_t) / std_t + (cosine - mean_p[:, None]) / std_p[:, None]) / 2
    templates = [make_template(vector, as_norm.cohort) for vector in normalise(quantise_embedding(enrolled))]
    got = scores(as_norm, templates, normalise(quantise_embedding(probes))) / 2**16
    assert np.abs(got - want).max() < 1e-4 / min(std_t.min(), std_p.min())


def test_a_fused_template_is_that_of_floating_point():
    windows = directions(12, 192)
    want = windows.sum(axis=0) / np.linalg.norm(windows.sum(axis=0))
    assert np.abs(fuse(normalise(quantise_embedding(windows))) / 2**15 - want).max() < 3e-5


def test_the_scale_of_embeddings_hardly_matters(as_norm):
    everyone = quantise_embedding(directions(12, 64))
    template = make_template(fuse(normalise(everyone[:6])), as_norm.cohort)
    whole, quarter = decide(as_norm, template, everyone[6:]), decide(as_norm, template, everyone[6:] // 4)
    assert whole.outcome == quarter.outcome
    assert abs(whole.score - quarter.score) < 0.01 * 2**16


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=64))
def test_int8_embeddings_of_any_length_are_rounded_exactly(q):
    length = sum(x * x for x in q)
    exact = []
    for x in q:  # k nearest to v: (2k − 1)² ≤ 4v² < (2k + 1)², and 4v² = x² · 2^32 / Σx² is the square of no odd number
        size = (math.isqrt((x * x << 32) // length) + 1) >> 1 if length else 0
        exact.append(max(-32767, min(32767, -size if x < 0 else size)))
    found = quantise_embedding(np.array([q], np.float32) / 128)
    assert found[0].tolist() == exact
    assert quantise_embedding(np.array([q], np.float64) * 3)[0].tolist() == exact
    assert np.array_equal(quantise_embedding((found / 2**15).astype(np.float32)), found), "in Q15 already"


def test_more_windows_than_can_be_fused_are_refused():
    with pytest.raises(UsageError, match="at most 255"):
        fuse(np.ones((256, 4), np.int16))


# From the contract.


def test_constants_round_half_away_from_zero():
    assert (to_fixed(0.5, 0, "x"), to_fixed(-0.5, 0, "x"), to_fixed(2.25, 1, "x"), to_fixed(-2.25, 1, "x")) == (
        1,
        -1,
        5,
        -5,
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, 40_000.0])
def test_a_constant_that_does_not_fit_is_refused(value):
    with pytest.raises(UsageError, match="the slope is"):
        to_fixed(value, 16, "the slope")


def test_bounds_are_those_of_wald(contract):
    constants = constants_of(contract(), DecisionPolicy(alpha=1e-3, beta=0.05))
    assert to_float(constants.accept) == pytest.approx(math.log(0.95 / 1e-3), abs=1e-5)
    assert to_float(constants.reject) == pytest.approx(math.log(0.05 / 0.999), abs=1e-5)


def test_early_acceptance_risks_a_tenth_of_the_threshold_by_default(contract):
    assert constants_of(contract()).accept == constants_of(contract(), DecisionPolicy(alpha=1e-3)).accept


def test_without_calibration_only_the_threshold_decides(contract):
    constants = constants_of(contract(calibration=None))
    vectors = quantise_embedding(directions(7, 64, alike=3))
    decision = decide(constants, Template(normalise(vectors[:1])[0]), vectors[1:])
    assert (decision.rule, decision.windows, decision.llr) == (Rule.THRESHOLD, 6, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": None}, "no decision threshold"),
        ({"threshold": Threshold("as_norm", 2, 6, 3, 0.01, 0.02, 0.1, 30, 435, "development")}, "a cohort"),
        ({"threshold": Threshold("angle", 2, 6, 3, 0.01, 0.02, 0.1, 30, 435, "development")}, "'angle'"),
        ({"calibration": ScoreCalibration(1, 0, 0.5, "as_norm")}, "does not fit its cosine threshold"),
        ({"calibration": ScoreCalibration(-1, 0, 0.5, "cosine")}, "slope -1"),
        ({"calibration": ScoreCalibration(1, 0, 1.5, "cosine")}, "rho 1.5"),
        ({"cohort": ((1, 2),)}, "cohort does not fit"),
        ({"cohort": ((128,) + (0,) * 63,)}, "cohort does not fit"),
        ({"cohort": ((0,) * 64,)}, "zero centroid"),
        ({"embedding_size": 2000}, "takes 1 to 1024"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(contract, changes, message):
    with pytest.raises(UsageError, match=message):
        constants_of(contract(**changes))


@pytest.mark.parametrize("windows", [0, 256])
def test_an_impossible_number_of_windows_is_refused(windows):
    with pytest.raises(UsageError, match="expected 1 to 255"):
        DecisionPolicy(max_windows=windows)


def test_a_cohort_has_a_name_of_its_own(contract):
    cohort = cohort_of(contract(cohort=int8_rows(10, 64), cohort_top=4))
    assert cohort.name != cohort_of(contract(cohort=int8_rows(10, 64), cohort_top=5)).name
    assert cohort.name != cohort_of(contract(cohort=int8_rows(10, 64, seed=2), cohort_top=4)).name
