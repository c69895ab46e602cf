from itertools import pairwise

import pytest

from ecgkd.config import OptimConfig
from ecgkd.training.schedule import lr_at

OPTIM = OptimConfig(epochs=10, lr=1.0, lr_end=0.1, warmup=2.0)


def test_the_rate_rises_straight_then_falls_as_a_cosine():
    rates = [lr_at(OPTIM, step, 10) for step in range(100)]

    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert rates[59] == pytest.approx(0.55)
    assert rates[99] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert all(earlier >= later for earlier, later in pairwise(rates[20:]))


def test_warm_up_as_long_as_the_training_only_rises():
    optim = OptimConfig(epochs=2, lr=1.0, warmup=2.0)

    assert lr_at(optim, 19, 10) == pytest.approx(1.0)
