import numpy as np
import pytest

from ecgkd.errors import UsageError
from ecgkd.evaluation.metrics import (
    cmc,
    decision_flips,
    det_curve,
    eer,
    fnmr_at_fmr,
    lowest_fmr,
    pair_weights,
    ranks,
    refusal,
    subject_weights,
    tar_at_fmr,
    unordered_pairs,
)


def some_scores(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(0.6, 0.2, n), 2), np.round(rng.normal(0.2, 0.2, 3 * n), 2)


def test_four_separate_scores_have_no_error():
    assert eer([0.8, 0.9], [0.1, 0.2]) == 0
    assert tar_at_fmr([0.8, 0.9], [0.1, 0.2], 0.01) == 1


def test_four_reversed_scores_are_all_wrong():
    assert eer([0.1, 0.2], [0.8, 0.9]) == 1


def test_four_interleaved_scores_give_one_half():
    # Thresholds 1, 2, 3, 4: (FMR, FNMR) = (1, 0), (1/2, 0), (1/2, 1/2), (0, 1/2).
    assert eer([2, 4], [1, 3]) == 0.5
    curve = det_curve([2, 4], [1, 3])
    np.testing.assert_allclose(curve.fmr, [1, 0.5, 0.5, 0, 0])
    np.testing.assert_allclose(curve.fnmr, [0, 0, 0.5, 0.5, 1])


def test_the_line_between_two_points_meets_the_diagonal():
    # Genuine 1, 3 and impostors 0, 1, 1, 1: from (3/4, 0) at threshold 1 to (0, 1/2) at 3: x = 3/4 - 3/2 x = 0.3.
    assert eer([1, 3], [0, 1, 1, 1]) == pytest.approx(0.3)


def test_all_equal_scores_are_a_coin():
    assert eer([1, 1], [1, 1]) == 0.5


def test_weights_count_as_repetitions():
    genuine, impostor = some_scores(0)
    repeats = np.random.default_rng(1).integers(1, 4, len(genuine))
    assert eer(np.repeat(genuine, repeats), impostor) == pytest.approx(eer(genuine, impostor, repeats))
    others = np.random.default_rng(2).integers(1, 4, len(impostor))
    assert fnmr_at_fmr(genuine, np.repeat(impostor, others), 0.1) == fnmr_at_fmr(genuine, impostor, 0.1, None, others)


@pytest.mark.parametrize("seed", range(20))
def test_eer_lies_between_fmr_and_fnmr_at_its_threshold(seed):
    genuine, impostor = some_scores(seed)
    rate, threshold = det_curve(genuine, impostor).equal_error_point()
    fmr, fnmr = np.mean(impostor >= threshold), np.mean(genuine < threshold)
    assert fmr - 1e-12 <= rate <= fnmr + 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_error_rates_agree_with_counting(seed):
    genuine, impostor = some_scores(seed)
    curve = det_curve(genuine, impostor)
    for threshold in (0.0, 0.317, 0.4, 5.0):
        counted = np.mean(impostor >= threshold), np.mean(genuine < threshold)
        np.testing.assert_allclose(curve.at_threshold(threshold), counted)


def test_tar_keeps_the_fmr_and_takes_the_lowest_threshold_that_does():
    impostor = np.arange(100)
    genuine = np.array([98.5, 99, 99.5, 100])
    fnmr, threshold = det_curve(genuine, impostor).at_fmr(0.01)
    assert (fnmr, threshold) == (0.0, 98.5)
    assert tar_at_fmr(genuine, impostor, 0.001) == 0.5


def test_order_of_scores_changes_nothing():
    genuine, impostor = some_scores(3)
    rng = np.random.default_rng(0)
    assert eer(rng.permutation(genuine), rng.permutation(impostor)) == eer(genuine, impostor)


def test_each_person_and_each_ordered_pair_weighs_one():
    assert subject_weights(np.array(["b", "a", "b"])).tolist() == [0.5, 1, 0.5]
    weights = pair_weights(np.array([0, 0, 1, 0]), np.array([1, 1, 0, 2]))
    assert weights.tolist() == [0.5, 0.5, 1, 1]


def test_relabelling_people_changes_no_weight():
    rng = np.random.default_rng(0)
    probe, enrolled = rng.integers(0, 6, 50), rng.integers(0, 6, 50)
    other = rng.permutation(6)
    np.testing.assert_array_equal(pair_weights(probe, enrolled), pair_weights(other[probe], other[enrolled]))
    np.testing.assert_array_equal(subject_weights(probe), subject_weights(other[probe]))


def test_rank_counts_people_not_templates_and_ties_against_the_probe():
    template = np.array([7, 5, 7, 9])
    scores = np.array([[0.9, 0.8, 0.95, 0.1], [0.2, 0.5, 0.1, 0.5], [0.1, 0.1, 0.1, 0.9], [0.3, 0.2, 0.1, 0.0]])
    assert ranks(scores, np.array([5, 9, 9, 4]), template).tolist() == [2, 2, 1, 0]


def test_cmc_rises_to_one_and_leaves_out_strangers():
    curve = cmc(np.array([1, 2, 1, 0]), np.array([0, 0, 1, 2]), 3)
    np.testing.assert_allclose(curve, [0.75, 1, 1])
    with pytest.raises(UsageError, match="no probe belongs"):
        cmc(np.array([0, 0]), np.array([0, 1]), 3)


def test_unordered_pairs_are_counted_once():
    everybody = np.array([0, 0, 1, 2, 3])
    assert unordered_pairs(everybody, everybody) == 6
    assert unordered_pairs(np.array([0, 1]), np.array([1, 2, 3])) == 5  # 0-1 0-2 0-3 1-2 1-3
    assert unordered_pairs(np.array([0]), np.array([0])) == 0


def test_claims_below_three_over_the_pairs_are_refused_in_words():
    assert lowest_fmr(600) == 0.005
    assert refusal(0.01, 595) is None
    assert refusal(0.001, 595) == ("not claimed: 595 pairs of people support no FMR below 0.5 %, 0.1 % needs 3000")


def test_flips_are_weighted():
    before, after = np.array([True, True, False]), np.array([True, False, False])
    assert decision_flips(before, after, np.array([1.0, 2.0, 1.0])) == 0.5


@pytest.mark.parametrize(("genuine", "impostor"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_missing_or_broken_scores_are_refused(genuine, impostor):
    with pytest.raises(UsageError):
        eer(genuine, impostor)
