import pytest
import torch
from torch import nn

from ecgkd.losses import gradnorm_targets, gradnorm_weights
from ecgkd.losses.gradnorm import FLOOR, normalised


def test_targets_are_the_mean_length_times_how_far_behind_a_task_is():
    # Weighted lengths 1·4 and 1·2, mean 3; half of task one is left, all of task two: r = 2/3 and 4/3.
    assert gradnorm_targets((1, 1), (4, 2), (0.5, 2), (1, 2), 1.0) == pytest.approx((2.0, 4.0))
    assert gradnorm_targets((1, 1), (4, 2), (0.5, 2), (1, 2), 0.0) == pytest.approx((3.0, 3.0))


def test_a_step_goes_towards_the_targets_by_the_learning_rate_times_the_relative_norm():
    # Gaps 1 − 2/4 > 0 and 1 − 4/2 < 0; relative norms 4/3 and 2/3: 1 − 0.04/3·… before the sum is brought to 2.
    moved = (1 - 0.03 * 4 / 3, 1 + 0.03 * 2 / 3)

    found = gradnorm_weights((1, 1), (4, 2), (0.5, 2), (1, 2), alpha=1.0, lr=0.03)

    assert found == pytest.approx([2 * one / sum(moved) for one in moved])


def test_a_step_ends_at_its_target():
    found = gradnorm_weights((1, 1), (4, 2), (1, 1), (1, 1), alpha=1.0, lr=100.0)

    assert found == pytest.approx((2 * 0.75 / 2.25, 2 * 1.5 / 2.25))


def test_weights_sum_to_the_number_of_tasks_and_keep_a_floor():
    weights = (1.0, 1.0, 1.0)
    for _ in range(500):
        weights = gradnorm_weights(weights, (1000.0, 1.0, 1.0), (1, 1, 1), (1, 1, 1), lr=0.5)
        assert sum(weights) == pytest.approx(3)
        assert min(weights) >= FLOOR - 1e-12
    assert normalised((1e-9, 1.0)) == pytest.approx((FLOOR, 2 - FLOOR))


def test_exchanging_tasks_exchanges_weights():
    one = gradnorm_weights((0.7, 1.3), (3, 5), (0.4, 2), (1, 2), alpha=1.5)
    two = gradnorm_weights((1.3, 0.7), (5, 3), (2, 0.4), (2, 1), alpha=1.5)

    assert one == pytest.approx(two[::-1])


def test_tasks_of_scales_one_and_a_hundred_come_to_pull_alike():
    """The paper's toy: two regressions of one target, the loss of one a hundred times the other's."""
    torch.manual_seed(0)
    x = torch.randn(256, 6)
    target = torch.tanh(x @ torch.randn(6, 4))
    scales = (1.0, 100.0)
    shared = nn.Linear(6, 16)
    heads = [nn.Linear(16, 4) for _ in scales]
    parameters = [p for module in (shared, *heads) for p in module.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-2)
    weights, initial = (1.0, 1.0), None
    for _ in range(300):
        hidden = torch.tanh(shared(x))
        losses = [scale * (head(hidden) - target).square().mean() for scale, head in zip(scales, heads, strict=True)]
        norms = [float(torch.autograd.grad(one, shared.weight, retain_graph=True)[0].norm()) for one in losses]
        values = [float(one.detach()) for one in losses]
        initial = initial or values
        optimiser.zero_grad()
        torch.stack([w * one for w, one in zip(weights, losses, strict=True)]).sum().backward()
        optimiser.step()
        weights = gradnorm_weights(weights, norms, values, initial)

    pulls = [w * norm for w, norm in zip(weights, norms, strict=True)]
    assert norms[1] > 30 * norms[0]
    assert 0.5 < pulls[1] / pulls[0] < 2
