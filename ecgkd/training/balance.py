"""Two tasks, one network: what identity and activity weigh in each step, and the backward pass that follows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ecgkd.config import LossConfig
from ecgkd.losses import gradnorm_weights, pcgrad, uncertainty_loss
from ecgkd.names import Balance, Head
from ecgkd.training.objective import OF_ACTIVITY, total_loss

TASKS = ("identity", "activity")
WARM_UP = 50
"""Steps over which L(0) is averaged where no formula gives it."""


def task_losses(values: Mapping[str, Tensor], weights: Mapping[str, float]) -> list[Tensor]:
    """Returns the losses of identity and of activity, each the weighted sum of its terms.

    A task without a term in this batch has a loss of zero.
    """
    nothing = torch.zeros_like(next(iter(values.values())).detach())
    found = []
    for mine in (False, True):
        terms = {name: value for name, value in values.items() if (name in OF_ACTIVITY) == mine}
        found.append(total_loss(terms, weights) if terms else nothing)
    return found


def first_losses(config: LossConfig, head: Head, n_classes: int, n_activities: int) -> tuple[float, float]:
    """Returns L(0) of both tasks, NaN where only measuring tells.

    A plain cross-entropy over n classes begins at ln n; margins, triplets and distillation have no such value.
    """
    plain = config.ce and not (config.margin or config.triplet or config.distils) and head == Head.LINEAR
    identity = config.ce * math.log(n_classes) if plain else math.nan
    activity = math.nan if config.activity_kd else config.activity * math.log(n_activities)
    return identity, activity


class Balancer(nn.Module):
    """The weights of the two tasks (sum 2) and what they are found by; its state is part of a checkpoint."""

    weights: Tensor
    initial: Tensor
    seen: Tensor

    def __init__(self, config: LossConfig, initial: tuple[float, float]) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("weights", torch.ones(2, dtype=torch.float64))
        self.register_buffer("initial", torch.tensor(initial, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(2, dtype=torch.float64))
        """Steps that went into the mean that stands in for an unknown L(0)."""
        self.log_variances: nn.Parameter | None = None
        if config.balance == Balance.UNCERTAINTY:
            self.log_variances = nn.Parameter(torch.zeros(2))

    def now(self) -> list[float]:
        """Returns what each task's loss is multiplied by."""
        if self.log_variances is not None:
            return torch.exp(-self.log_variances.detach()).tolist()
        return [float(one) for one in self.weights]

    def loss(self, losses: list[Tensor]) -> Tensor:
        """Returns what is minimised."""
        if self.log_variances is not None:
            return uncertainty_loss(torch.stack(losses), self.log_variances)
        return torch.stack([w * one for w, one in zip(self.now(), losses, strict=True)]).sum()

    def learn(self, losses: list[float], norms: list[float], moves: bool) -> None:
        """Takes note of this step's losses and gradient norms; GradNorm's weights move if they may."""
        for task, value in enumerate(losses):
            if self.seen[task] < WARM_UP and (self.seen[task] > 0 or math.isnan(self.initial[task])):
                count = float(self.seen[task])
                before = float(self.initial[task]) if count else 0.0
                self.initial[task] = (before * count + value) / (count + 1)
                self.seen[task] += 1
        if moves and self.config.balance == Balance.GRADNORM and min(norms) > 0:
            start = [float(one) for one in self.initial]
            found = gradnorm_weights(
                self.now(), norms, losses, start, self.config.balance_alpha, self.config.balance_lr
            )
            self.weights.copy_(torch.tensor(found, dtype=torch.float64))


@dataclass(frozen=True)
class Moment:
    """Where in the training a step lies, in epochs."""

    epoch: float
    epochs: int

    def moves(self, config: LossConfig) -> bool:
        return config.balance_from <= self.epoch < config.balance_hold * self.epochs


def balanced_step(
    balancer: Balancer,
    losses: list[Tensor],
    shared: Tensor,
    parameters: list[Tensor],
    moment: Moment,
    backward: Callable[[Tensor], None],
    mean: Callable[[Tensor], Tensor],
) -> tuple[Tensor, dict[str, float]]:
    """Gives `parameters` their gradients. Returns the loss, and the weight and the gradient norm of each task.

    `mean` is over processes, so that all of them move the same weights. `backward` adds to what gradients there are,
    which must be none.
    """
    norms = [_norm(one, shared) for one in losses]
    told = mean(torch.tensor([[float(one.detach()) for one in losses], norms], dtype=torch.float64)).tolist()
    weights = balancer.now()
    loss = balancer.loss(losses)
    if balancer.config.balance == Balance.PCGRAD:
        _surgery(losses, parameters)
    else:
        backward(loss)
    facts = {f"balance.{task}": weight for task, weight in zip(TASKS, weights, strict=True)}
    facts |= {f"norm.{task}": w * norm for task, w, norm in zip(TASKS, weights, told[1], strict=True)}
    balancer.learn(told[0], told[1], moment.moves(balancer.config))
    return loss, facts


def _norm(loss: Tensor, shared: Tensor) -> float:
    if not loss.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
    return 0.0 if gradient is None else float(gradient.norm())


def _surgery(losses: list[Tensor], parameters: list[Tensor]) -> None:
    """Gives `parameters` the projected sum of both tasks' gradients."""
    flat = []
    for number, loss in enumerate(losses):
        if not loss.requires_grad:
            continue
        last = number + 1 == len(losses)
        found = torch.autograd.grad(loss, parameters, retain_graph=not last, allow_unused=True)
        whole = [torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]
        flat.append(torch.cat([one.flatten() for one in whole]))
    total = pcgrad(flat)
    for parameter, part in zip(parameters, total.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = part.view_as(parameter).clone()
