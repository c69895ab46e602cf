import numpy as np
import pytest

from ecgkd.evaluation.calibration import (
    Scored,
    brier,
    cllr,
    expected_calibration_error,
    fit_llr,
    fit_temperature,
    llr_cost,
    min_cllr,
    negative_log_likelihood,
    reliability,
)


def scored(genuine, impostor) -> Scored:
    genuine, impostor = np.asarray(genuine, float), np.asarray(impostor, float)
    return Scored(genuine, np.ones(len(genuine)), impostor, np.ones(len(impostor)))


def normal_scores(n: int = 20_000, distance: float = 2.0) -> Scored:
    rng = np.random.default_rng(0)
    return scored(rng.normal(distance, 1, n), rng.normal(0, 1, n))


def test_cllr_is_its_formula():
    genuine, impostor = np.array([2.0, -1.0]), np.array([-3.0, 0.5, 0.0])
    expected = 0.5 * (np.mean(np.log2(1 + np.exp(-genuine))) + np.mean(np.log2(1 + np.exp(impostor))))
    assert cllr(scored(genuine, impostor)) == pytest.approx(expected)


def test_ratios_that_say_nothing_cost_one_bit():
    assert cllr(scored([0, 0], [0])) == pytest.approx(1)
    np.testing.assert_allclose(llr_cost(np.zeros(2), genuine=True), 1)


def test_four_scores_by_hand():
    # Pooling 1 and 2 of impostor 1, genuine 2 is not needed; genuine 1 below impostor 2 is pooled to one half.
    assert min_cllr(scored([2, 4], [1, 3])) == pytest.approx(0.5)
    assert min_cllr(scored([3, 4], [1, 2])) == pytest.approx(0, abs=1e-9)
    assert min_cllr(scored([1, 2], [3, 4])) == pytest.approx(1)


def test_no_calibration_tells_equal_scores_apart():
    assert min_cllr(scored([1, 1, 1], [1])) == pytest.approx(1)


def test_rising_maps_keep_the_minimum():
    found = normal_scores(500)
    warped = found._replace(genuine=np.exp(found.genuine), impostor=np.exp(found.impostor))
    assert min_cllr(warped) == pytest.approx(min_cllr(found))
    assert min_cllr(found) <= cllr(found)


def test_the_fit_finds_the_known_ratio_of_two_normal_distributions():
    # Means 2 and 0, variance 1: the ratio is 2·score − 2.
    slope, offset = fit_llr(normal_scores())
    assert slope == pytest.approx(2, abs=0.05)
    assert offset == pytest.approx(-2, abs=0.05)


def test_fitted_ratios_are_calibrated():
    found = normal_scores()
    assert cllr(found.map(*fit_llr(found))) - min_cllr(found) < 0.01


def test_weights_count_as_repetitions_in_the_fit():
    found = normal_scores(60)
    repeats = np.random.default_rng(1).integers(1, 4, 60)
    weighted = found._replace(genuine_weight=repeats.astype(float))
    repeated = scored(np.repeat(found.genuine, repeats), found.impostor)
    np.testing.assert_allclose(fit_llr(weighted), fit_llr(repeated), rtol=1e-3)
    assert min_cllr(weighted) == pytest.approx(min_cllr(repeated))


def test_separable_scores_give_a_finite_slope():
    slope, offset = fit_llr(scored([0.9, 0.8], [0.1, 0.2]))
    assert np.isfinite([slope, offset]).all()
    assert slope * 0.5 + offset == pytest.approx(0, abs=0.2)


def test_scores_the_wrong_way_round_still_rise():
    assert fit_llr(scored([0.1, 0.2], [0.8, 0.9]))[0] > 0


def test_ece_of_a_known_case():
    # Two bins of two: confidence 0.6 and none right, confidence 0.9 and all right.
    confidence, correct = np.array([0.9, 0.6, 0.9, 0.6]), np.array([True, False, True, False])
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.5 * 0.6 + 0.5 * 0.1)
    assert reliability(confidence, correct, bins=2) == [(0.6, 0.0, 2), (0.9, 1.0, 2)]


def test_honest_confidence_has_hardly_any_ece():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 50_000)
    assert expected_calibration_error(confidence, rng.random(50_000) < confidence) < 0.01


def test_bins_hold_equal_numbers():
    assert {n for _, _, n in reliability(np.random.default_rng(0).random(1500), np.ones(1500, bool))} == {100}
    assert len(reliability(np.ones(999), np.ones(999, bool))) == 10


def test_nll_and_brier_of_known_probabilities():
    logits, truth = np.log(np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])), np.array([0, 1])
    assert negative_log_likelihood(logits, truth) == pytest.approx(-(np.log(0.7) + np.log(0.25)) / 2)
    assert brier(logits, truth) == pytest.approx(((0.09 + 0.04 + 0.01) + (0.25 + 0.5625 + 0.0625)) / 2)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, temperature, (20_000, 5))
    probability = np.exp(logits / temperature)
    probability /= probability.sum(axis=1, keepdims=True)
    truth = (rng.random((20_000, 1)) > np.cumsum(probability, axis=1)).sum(axis=1)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)
