import numpy as np
import pytest

from ecgkd.evaluation.scores import Comparisons, cosine, unit


@pytest.fixture
def crowd():
    """Returns a function that makes comparisons of random people: n_people, n_probes each, how noisy, seed."""

    def make(n_people: int = 30, n_probes: int = 8, noise: float = 1.0, seed: int = 0, size: int = 16) -> Comparisons:
        rng = np.random.default_rng(seed)
        person = unit(rng.normal(size=(n_people, size)))
        spread = noise * rng.gamma(2, 0.5, (n_people, 1)) / np.sqrt(size)
        template = unit(person + 0.5 * spread * rng.normal(size=(n_people, size)))
        subject = np.repeat(np.arange(n_people), n_probes)
        probe = unit(person[subject] + spread[subject] * rng.normal(size=(len(subject), size)))
        return Comparisons(cosine(probe, template), subject, np.arange(n_people))

    return make
