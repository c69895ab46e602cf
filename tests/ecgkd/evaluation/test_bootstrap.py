import resource
import time

import numpy as np
import pytest

from ecgkd.errors import UsageError
from ecgkd.evaluation import bootstrap
from ecgkd.evaluation.bootstrap import Measured, draw_people, interval, mean_over_people, people_of, resample
from ecgkd.evaluation.counting import Locator, genuine_scores
from ecgkd.evaluation.metrics import ErrorCurve, det_curve
from ecgkd.evaluation.scores import Comparisons, compare, unit

BINNING = 1e-4
"""0.01 points."""


def sorted_exactly(comparisons: Comparisons, draw: np.ndarray) -> ErrorCurve:
    """Returns the curve of one replicate from every score and its weight: what `resample` must come to."""
    genuine, weights = comparisons.genuine, comparisons.weights()
    drawn = draw.astype(np.float64)
    own = weights * drawn[comparisons.probe_subject][:, None]
    pairs = own * drawn[comparisons.template_subject][None, :]
    return det_curve(comparisons.scores[genuine], comparisons.scores[~genuine], own[genuine], pairs[~genuine])


def check(comparisons: Comparisons, n_people: int, tolerance: float, fnmr_tolerance: float) -> None:
    draws = draw_people(n_people, 12)
    draws[0] = 1
    resampled = resample(comparisons, draws, (0.01, 0.1), (0.5,))
    exact = [sorted_exactly(comparisons, draw) for draw in draws]
    assert abs(resampled.curve.eer() - exact[0].eer()) <= tolerance
    np.testing.assert_allclose(resampled.eer, [curve.eer() for curve in exact], rtol=0, atol=tolerance)
    for fmr in (0.01, 0.1):
        at_fmr = [curve.at_fmr(fmr)[0] for curve in exact]
        np.testing.assert_allclose(resampled.fnmr_at_fmr[fmr], at_fmr, rtol=0, atol=fnmr_tolerance)
    at_threshold = np.array([curve.at_threshold(0.5) for curve in exact]).T
    np.testing.assert_allclose(resampled.at_threshold[0.5], at_threshold, rtol=0, atol=tolerance)


def test_few_comparisons_are_resampled_exactly(crowd):
    check(crowd(12, 5), 12, tolerance=1e-6, fnmr_tolerance=1e-6)


def test_several_templates_and_uneven_probes_are_resampled_exactly(crowd):
    one, other = crowd(10, 6, seed=1), crowd(10, 6, seed=2)
    keep = np.random.default_rng(0).permutation(60)[:37]
    scores = np.hstack([one.scores, other.scores[:, :7]])[keep]
    templates = np.concatenate([one.template_subject, other.template_subject[:7]])
    check(Comparisons(scores, one.probe_subject[keep], templates), 10, 1e-6, 1e-6)


@pytest.mark.parametrize("noise", [0.7, 1.2])
def test_binning_many_comparisons_errs_by_a_hundredth_of_a_point_at_most(crowd, noise, monkeypatch):
    monkeypatch.setattr(bootstrap, "MAX_SPARSE", 0)
    check(crowd(100, 25, noise, size=32), 100, BINNING, fnmr_tolerance=4e-3)  # one probe is 4 % of a person


def test_the_fewest_thresholds_for_pairs_stay_within_a_hundredth_of_a_point(crowd, monkeypatch):
    monkeypatch.setattr(bootstrap, "MAX_SPARSE", 0)
    monkeypatch.setattr(bootstrap, "COARSE_CELLS", 0)
    check(crowd(400, 4, size=32), 400, BINNING, fnmr_tolerance=4e-3)


def test_a_copy_of_a_person_is_no_impostor():
    # Persons 0 and 1 look exactly alike; drawn are person 0 twice and person 2: nobody is like an impostor then.
    scores = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.float32)
    comparisons = Comparisons(scores, np.arange(3), np.arange(3))
    resampled = resample(comparisons, np.array([[2, 0, 1], [1, 1, 1], [3, 0, 0]], np.float32))
    assert resampled.eer[0] == 0
    assert resampled.eer[1] == pytest.approx(0.25)  # 2 of 6 impostors score 1, and so does everybody genuine
    assert np.isnan(resampled.eer[2])


def test_relabelling_people_changes_nothing(crowd):
    comparisons = crowd(15, 4)
    other = np.random.default_rng(0).permutation(15)
    draws = draw_people(15, 50)
    moved = np.empty_like(draws)
    moved[:, other] = draws
    relabelled = Comparisons(comparisons.scores, other[comparisons.probe_subject], other[comparisons.template_subject])
    np.testing.assert_allclose(resample(relabelled, moved).eer, resample(comparisons, draws).eer, atol=1e-7)


def test_strangers_without_a_template_are_impostors_only(crowd):
    comparisons = crowd(12, 5)
    fewer = Comparisons(comparisons.scores[:, :8], comparisons.probe_subject, comparisons.template_subject[:8])
    assert len(people_of(fewer)) == 12
    check(fewer, 12, 1e-6, 1e-6)


def test_draws_are_the_same_every_time_and_keep_the_number_of_people():
    draws = draw_people(40, 100, seed=3)
    np.testing.assert_array_equal(draws, draw_people(40, 100, seed=3))
    assert (draws.sum(axis=1) == 40).all()
    assert (draws != draw_people(40, 100, seed=4)).any()


def test_intervals_cover_the_truth_about_as_often_as_they_say(crowd):
    truth = resample(crowd(600, 4, seed=99), draw_people(600, 2)).curve.eer()
    covered = 0
    for seed in range(40):
        comparisons = crowd(40, 4, seed=seed)
        resampled = resample(comparisons, draw_people(40, 200))
        found = interval(resampled.curve.eer(), resampled.eer, 40)
        low, high = found.low or 0.0, found.high or 0.0
        assert low <= found.value <= high
        covered += low <= truth <= high
    assert covered >= 32


def test_too_few_people_have_no_interval():
    assert interval(0.1, np.array([0.0, 0.2]), 4) == Measured(0.1)


def test_means_are_over_people():
    people, draws = np.array([3, 5, 9]), np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]], np.float32)
    value, replicates = mean_over_people(np.array([1.0, 0.0, 0.0]), np.array([3, 3, 9]), people, draws)
    assert value == 0.25
    np.testing.assert_allclose(replicates, [0.25, 1 / 3, np.nan])


def test_the_table_finds_the_places_that_bisection_finds():
    rng = np.random.default_rng(0)
    thresholds = np.unique(np.concatenate([[-4, 4], rng.normal(0, 1e-3, 500), rng.normal(size=500)])).astype(np.float32)
    scores = np.concatenate([np.clip(rng.normal(size=5000), -4, 3.9), thresholds[:-1]]).astype(np.float32)
    np.testing.assert_array_equal(Locator(thresholds)(scores), np.searchsorted(thresholds, scores, side="right") - 1)


def test_one_kind_of_comparison_alone_is_refused():
    with pytest.raises(UsageError, match="genuine"):
        resample(Comparisons(np.zeros((2, 1), np.float32), np.array([0, 1]), np.array([2])), draw_people(3, 5))


@pytest.mark.slow
def test_a_thousand_enrolled_and_a_hundred_thousand_probes_fit_into_four_gigabytes():
    rng = np.random.default_rng(0)
    person = unit(rng.normal(size=(1000, 192)).astype(np.float32) + 1)
    subject = np.repeat(np.arange(1000), 100)
    probes = unit(person[subject] + 0.16 * rng.standard_normal((100_000, 192), dtype=np.float32))
    cohort = unit(rng.normal(size=(100, 192)).astype(np.float32) + 1)
    draws = draw_people(1000, 2000)
    start, cpu = time.perf_counter(), time.process_time()
    comparisons = Comparisons(compare(probes, person, cohort), subject, np.arange(1000))
    resampled = resample(comparisons, draws, (0.01, 0.001))
    print(f"\n{time.perf_counter() - start:.1f} s, of the processor {time.process_time() - cpu:.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{peak:.2f} GB at most; EER {100 * resampled.curve.eer():.3f} %")
    assert peak < 4
    # Exactly, but impostors below nearly all genuine scores are one sum.
    genuine, impostor = genuine_scores(comparisons), comparisons.scores[~comparisons.genuine]
    near = impostor[impostor >= np.quantile(genuine, 1e-3)]
    impostor_weights = np.append(np.ones(len(near)), len(impostor) - len(near))
    exact = det_curve(genuine, np.append(near, genuine.min() - 1), None, impostor_weights)
    assert abs(resampled.curve.eer() - exact.eer()) <= BINNING
