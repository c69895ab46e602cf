import math

import pytest
import torch
from torch import Tensor

from ecgkd.config import LossConfig
from ecgkd.errors import UsageError
from ecgkd.names import Balance, Head
from ecgkd.training.balance import Balancer, Moment, balanced_step, first_losses, task_losses

BOTH = {"triplet": 0.0, "activity": 1.0}
LATE = Moment(2.0, 10)


def step(balance: str, first: tuple[float, float] = (1.0, 1.0), moment: Moment = LATE) -> tuple[list, dict, Balancer]:
    """Returns the gradients of w = (1, 1) under losses 3·w0 and 4·w1 − w0, what is told, and the balancer."""
    w = torch.ones(2, requires_grad=True)
    losses = [3 * w[0], 4 * w[1] - w[0]]
    balancer = Balancer(LossConfig(**BOTH, balance=Balance(balance)), first)
    _, facts = balanced_step(balancer, losses, w, [w], moment, Tensor.backward, lambda one: one)
    return w.grad.tolist(), facts, balancer


def test_fixed_weights_add_the_losses():
    gradient, facts, _ = step("fixed")

    assert gradient == [2, 4]
    assert facts["balance.identity"] == facts["balance.activity"] == 1
    assert facts["norm.identity"] == pytest.approx(3)
    assert facts["norm.activity"] == pytest.approx(math.sqrt(17))


def test_pcgrad_projects_what_conflicts():
    gradient, _, _ = step("pcgrad")

    # (3, 0) against (−1, 4): 3·(1, 0) + 3/17·(−1, 4), and (0, 4).
    assert gradient == pytest.approx([3 - 3 / 17, 12 / 17 + 4])


def test_uncertainty_gives_its_own_weights_gradients():
    _, _, balancer = step("uncertainty")

    assert balancer.log_variances.grad.tolist() == pytest.approx([-3 + 0.5, -3 + 0.5])


def test_gradnorm_moves_its_weights_after_the_step():
    gradient, facts, balancer = step("gradnorm", (3.0, 3.0))

    assert gradient == [2, 4]
    assert facts["balance.identity"] == 1
    assert balancer.now()[0] > 1 > balancer.now()[1]
    assert sum(balancer.now()) == pytest.approx(2)


@pytest.mark.parametrize("epoch", [0.5, 9.0])
def test_gradnorm_rests_at_the_start_and_at_the_end(epoch):
    _, _, balancer = step("gradnorm", (3.0, 3.0), Moment(epoch, 10))

    assert balancer.now() == [1, 1]


def test_losses_begin_at_the_entropy_of_a_guess_where_that_is_known():
    plain = LossConfig(triplet=0.0, activity=2.0)

    assert first_losses(plain, Head.LINEAR, 7, 5) == (math.log(7), 2 * math.log(5))
    assert math.isnan(first_losses(LossConfig(activity=1.0), Head.LINEAR, 7, 5)[0])  # triplets
    assert math.isnan(first_losses(plain, Head.COSINE, 7, 5)[0])


def test_an_unknown_beginning_is_the_mean_of_the_first_steps():
    balancer = Balancer(LossConfig(**BOTH, balance=Balance.GRADNORM), (math.nan, 2.0))

    for value in (4.0, 2.0):
        balancer.learn([value, 1.0], [1.0, 1.0], moves=False)

    assert balancer.initial.tolist() == [3.0, 2.0]


def test_terms_fall_to_their_task():
    values = {"ce": torch.tensor(2.0), "triplet": torch.tensor(1.0), "activity": torch.tensor(3.0)}

    identity, activity = task_losses(values, {"ce": 1.0, "triplet": 0.5, "activity": 2.0})
    assert (float(identity), float(activity)) == (2.5, 6.0)
    assert float(task_losses({"activity": torch.tensor(3.0)}, {"activity": 1.0})[0]) == 0


def test_the_state_of_a_balance_goes_into_a_checkpoint_and_back():
    _, _, balancer = step("gradnorm", (math.nan, 3.0))
    other = Balancer(balancer.config, (1.0, 1.0))
    other.load_state_dict(balancer.state_dict())

    assert other.now() == balancer.now()
    assert torch.equal(other.seen, balancer.seen)


def test_a_balance_needs_both_tasks():
    with pytest.raises(UsageError, match="needs both tasks"):
        LossConfig(balance=Balance.GRADNORM)
    with pytest.raises(UsageError, match="needs both tasks"):
        LossConfig(ce=0.0, triplet=0.0, activity=1.0, balance=Balance.PCGRAD)
    with pytest.raises(UsageError, match="every term has weight 0"):
        LossConfig(ce=0.0, triplet=0.0)
    with pytest.raises(UsageError, match="activity_kd needs"):
        LossConfig(activity_kd=1.0)
