import numpy as np
import pytest

from ecgkd.enrolment.decision import quantise_embedding
from ecgkd.enrolment.template import EnrolmentPolicy, Refusal, consistency, fuse, normalise, select
from ecgkd.errors import DataError, UsageError


def windows(n: int, person: int = 0, spread: float = 0.4, size: int = 48) -> np.ndarray:
    """Returns Q15 embeddings (n, size) around the direction of `person`."""
    centre = np.random.default_rng([1, person]).normal(size=size)
    x = centre + spread * np.random.default_rng([2, person]).normal(size=(n, size))
    return quantise_embedding(x / np.linalg.norm(x, axis=1, keepdims=True))


def test_one_window_of_another_person_is_left_out_of_eight():
    mixed = np.concatenate([windows(7), windows(1, person=1)])
    found = select(mixed)
    assert found.kept.tolist() == [True] * 7 + [False]
    assert found.template.tolist() == fuse(normalise(windows(7))).tolist()


def test_scatter_that_is_usual_leaves_nothing_out():
    assert all(select(windows(8, person)).kept.all() for person in range(20))


def test_windows_of_one_person_are_consistent_and_of_many_are_refused():
    assert select(windows(6)).refusal is None
    everyone = np.concatenate([windows(1, person) for person in range(8)])
    assert select(everyone, EnrolmentPolicy(floor=-1)).refusal is Refusal.INCONSISTENT


def test_too_few_windows_are_refused():
    assert select(windows(2)).refusal is Refusal.TOO_FEW
    assert select(windows(2), EnrolmentPolicy(min_windows=2)).refusal is None


def test_consistency_is_the_mean_cosine_over_all_pairs():
    vectors = normalise(windows(9, spread=1.0)).astype(float) / 2**15
    pairs = (vectors @ vectors.T)[np.triu_indices(9, 1)]
    assert consistency(normalise(windows(9, spread=1.0))) / 2**20 == pytest.approx(pairs.mean(), abs=2e-6)


def test_the_order_of_windows_changes_no_template():
    shuffled = np.random.default_rng(0).permutation(windows(9))
    assert select(shuffled).template.tolist() == select(windows(9)).template.tolist()


def test_an_embedding_that_is_not_finite_is_refused():
    with pytest.raises(DataError, match="not finite"):
        quantise_embedding(np.array([[0.5, np.nan]]))


def test_a_policy_of_one_window_is_refused():
    with pytest.raises(UsageError, match="expected 2 to 255"):
        EnrolmentPolicy(min_windows=1)
