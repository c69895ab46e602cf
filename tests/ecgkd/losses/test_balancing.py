import math

import pytest
import torch

from ecgkd.losses import pcgrad, uncertainty_loss


def test_equal_certainty_is_the_sum_of_the_losses():
    assert uncertainty_loss(torch.tensor([2.0, 3.0]), torch.zeros(2)) == 5


def test_uncertainty_weighs_by_hand_worked_values():
    # exp(−ln 2)·2 + ln 2 / 2 + exp(ln 2)·3 − ln 2 / 2 = 1 + 6
    found = uncertainty_loss(torch.tensor([2.0, 3.0]), torch.tensor([math.log(2), -math.log(2)]))

    assert float(found) == pytest.approx(7)


def test_a_loss_settles_at_a_weight_of_half_its_inverse():
    log_variances = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([log_variances], lr=0.05)
    for _ in range(800):
        optimiser.zero_grad()
        uncertainty_loss(torch.tensor([4.0, 0.25]), log_variances).backward()
        optimiser.step()

    assert torch.exp(-log_variances.detach()).tolist() == pytest.approx([1 / 8, 2.0], rel=0.02)


def test_gradients_that_agree_are_added():
    assert pcgrad([torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])]).tolist() == [2, 1]


def test_gradients_that_conflict_lose_what_works_against_each_other():
    # (1, 0) against (−1, 1): the first keeps (1, 0) + ½(−1, 1) = (½, ½), the second (0, 1).
    assert pcgrad([torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])]).tolist() == [0.5, 1.5]


def test_the_order_of_two_tasks_does_not_matter():
    torch.manual_seed(0)
    one, two = torch.randn(50), torch.randn(50)

    torch.testing.assert_close(pcgrad([one, two]), pcgrad([two, one]))


def test_a_silent_task_changes_nothing():
    assert pcgrad([torch.tensor([1.0, 2.0]), torch.zeros(2)]).tolist() == [1, 2]
