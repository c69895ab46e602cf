import numpy as np
import pytest

from ecgkd.errors import UsageError
from ecgkd.evaluation.scores import Comparisons, as_norm, compare, cosine, fuse, unit


def vectors(n: int, seed: int, size: int = 12) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, size)))


def test_as_norm_is_the_loop_over_pairs():
    probes, templates, cohort = vectors(5, 0), vectors(4, 1), vectors(20, 2)
    scores, near_probe, near_template = cosine(probes, templates), cosine(probes, cohort), cosine(templates, cohort)
    expected = np.empty((5, 4))
    for i in range(5):
        for j in range(4):
            p, t = np.sort(near_probe[i])[-7:], np.sort(near_template[j])[-7:]
            expected[i, j] = ((scores[i, j] - t.mean()) / t.std() + (scores[i, j] - p.mean()) / p.std()) / 2
    np.testing.assert_allclose(as_norm(scores, near_probe, near_template, top=7), expected, rtol=1e-4)


def test_as_norm_takes_the_whole_cohort_where_it_is_small():
    scores, near_probe, near_template = np.zeros((1, 1), np.float32), vectors(1, 0, 9), vectors(1, 1, 9)
    np.testing.assert_array_equal(
        as_norm(scores, near_probe, near_template, 40), as_norm(scores, near_probe, near_template, 9)
    )


def test_as_norm_agrees_with_the_integer_decision():
    from ecgkd.enrolment.cohort import Cohort, cohort_statistics
    from ecgkd.enrolment.integer import isqrt
    from ecgkd.enrolment.template import normalise, quantise_embedding

    cohort, probe = vectors(30, 3, 32), vectors(6, 4, 32)
    centroids = np.rint(cohort * 127).astype(np.int8)
    norms = isqrt((centroids.astype(np.int64) ** 2).sum(axis=1) << 16)
    mean, sigma = cohort_statistics(Cohort(centroids, norms, 10, ""), normalise(quantise_embedding(probe)))
    from ecgkd.evaluation.scores import cohort_statistics as in_floats

    expected = in_floats(cosine(probe, unit(centroids.astype(np.float32))), 10)
    np.testing.assert_allclose(mean / 2**20, expected[0], atol=2e-4)
    np.testing.assert_allclose(sigma / 2**24, expected[1], atol=2e-4)


def test_fusion_is_the_unit_sum_and_skips_absent_windows():
    embeddings = vectors(4, 0)
    fused = fuse(embeddings, np.array([[0, 1], [2, -1], [-1, -1]]))
    np.testing.assert_allclose(fused[0], unit((embeddings[0] + embeddings[1])[None])[0], rtol=1e-6)
    np.testing.assert_allclose(fused[1], embeddings[2], rtol=1e-6)
    assert not fused[2].any()


@pytest.mark.parametrize("cohort", [None, vectors(10, 7)])
def test_failures_score_below_everything_else(cohort):
    probes, templates = vectors(4, 0), vectors(3, 1)
    probes[1] = 0
    templates[2] = 0
    scores = compare(probes, templates, cohort, top=5)
    lost = np.zeros((4, 3), bool)
    lost[1], lost[:, 2] = True, True
    assert scores[lost].max() < scores[~lost].min()
    np.testing.assert_array_equal(scores[~lost], compare(probes, templates[:2], cohort, top=5)[[0, 2, 3]].ravel())


def test_weights_give_each_person_and_each_pair_one():
    comparisons = Comparisons(np.zeros((5, 4), np.float32), np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 3]))
    weights, genuine = comparisons.weights(), comparisons.genuine
    assert weights[genuine].sum() == pytest.approx(2)  # persons 0 and 1
    assert weights[:3, 1:3].sum() == pytest.approx(1)  # 0 against 1
    assert weights[~genuine].sum() == pytest.approx(3 * 3 - 2)


def test_scores_of_another_shape_are_refused():
    with pytest.raises(UsageError, match="probes by templates"):
        Comparisons(np.zeros((2, 2), np.float32), np.zeros(3, np.int64), np.zeros(2, np.int64))
