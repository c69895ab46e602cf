import threading
from dataclasses import replace

import pytest
import torch

from ecgkd.training.dataset import training_stretches
from ecgkd.training.loader import Loader, ahead

from .conftest import small


@pytest.fixture(scope="module")
def stretches(people):
    return training_stretches(people.protocol.train, {one.name: one for one in people.sets})


def test_a_batch_is_scaled_windows_with_their_class(stretches):
    loader = Loader(stretches, small("teacher_ci"))

    parts = next(iter(loader.epoch(0)))

    assert len(parts) == 1
    assert parts[0].x.shape == (8, 1, 1000)
    assert parts[0].x.abs().max() <= 127 / 16
    assert (parts[0].x * 16 == (parts[0].x * 16).round()).all()
    assert parts[0].labels.reshape(4, 2).diff(dim=1).abs().max() == 0


def test_what_a_part_holds_does_not_depend_on_who_computes_it(stretches):
    together = next(iter(Loader(stretches, small("teacher_ci", "optim.micro_batches=2")).epoch(1)))

    apart = [next(iter(Loader(stretches, small("teacher_ci"), rank, 2).epoch(1)))[0] for rank in range(2)]

    for one, other in zip(together, apart, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.labels, other.labels)
        assert one.seed == other.seed


def test_an_epoch_has_as_many_batches_as_it_says(stretches):
    loader = Loader(stretches, small("teacher_ci"))

    assert sum(1 for _ in loader.epoch(0)) == loader.n_batches


def test_other_seeds_draw_other_windows(stretches):
    recipe = small("teacher_ci")
    other = replace(recipe, optim=replace(recipe.optim, seed=1))

    first, second = (next(iter(Loader(stretches, one).epoch(0)))[0] for one in (recipe, other))

    assert not torch.equal(first.x, second.x)


def test_errors_of_the_preparing_thread_are_raised_where_batches_are_taken():
    def broken():
        yield 1
        raise ValueError("no more")

    taken = ahead(broken())

    assert next(taken) == 1
    with pytest.raises(ValueError, match="no more"):
        next(taken)


def test_the_preparing_thread_ends_when_nobody_takes_any_more():
    def endless():
        while True:
            yield 0

    taken = ahead(endless())
    next(taken)
    taken.close()

    assert "windows" not in [thread.name for thread in threading.enumerate()]
