"""One step of a training: from windows to moved weights."""

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ecgkd.losses import common_grids
from ecgkd.models import ModelOutput
from ecgkd.names import Precision
from ecgkd.training.balance import Moment, balanced_step, task_losses
from ecgkd.training.distributed import SameStart, sum_buffers
from ecgkd.training.loader import Part
from ecgkd.training.objective import distil_terms, gradient_norms, task_terms, total_loss, weights_at
from ecgkd.training.setup import Training

STATISTICS_EPOCH = 10**6
"""Number of the epoch whose windows the teacher's channels are standardised over: one that no training reaches."""


def take_step(
    training: Training, parts: list[Part], step: int, measure: bool
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Moves the weights once. Returns the values of all terms and, with `measure`, their pulls."""
    recipe = training.recipe
    epoch = step / training.loader.n_batches
    weights = weights_at(recipe.loss, epoch, recipe.optim.epochs)
    output, taught, labels, activities = _forward(training, parts)
    terms = task_terms(output, labels, recipe.loss, epoch, training.peers, weights, activities)
    values, facts = dict(terms.values), terms.facts
    if taught is not None:
        more = distil_terms(
            output,
            taught,
            recipe.loss,
            training.projectors,
            training.statistics,
            training.peers,
            weights,
            activities,
        )
        values |= more.values
    norms = gradient_norms(values, recipe.loss, training.shared) if measure else {}
    training.optimiser.zero_grad()
    loss, balance = _backward(training, values, weights, epoch)
    if recipe.optim.clip:
        torch.nn.utils.clip_grad_norm_(training.parameters, recipe.optim.clip)
    training.optimiser.step()
    _average(training.averaged, training.network, recipe.optim.ema, step)
    facts |= {name: torch.tensor(value) for name, value in balance.items()}
    return {"loss": loss.detach(), **{name: value.detach() for name, value in values.items()}, **facts}, norms


def _backward(
    training: Training, values: dict[str, Tensor], weights: dict[str, float], epoch: float
) -> tuple[Tensor, dict[str, float]]:
    """Gives the weights their gradients. Returns the loss, and what the balance of two tasks says of itself."""
    if training.balancer is None:
        loss = total_loss(values, weights)
        training.fabric.backward(loss)
        return loss, {}
    return balanced_step(
        training.balancer,
        task_losses(values, weights),
        training.shared,
        training.parameters,
        Moment(epoch, training.recipe.optim.epochs),
        training.fabric.backward,
        lambda tensor: torch.as_tensor(training.fabric.all_reduce(tensor, reduce_op="mean")),
    )


def _forward(training: Training, parts: list[Part]) -> tuple[ModelOutput, ModelOutput | None, Tensor, Tensor]:
    """Returns outputs of network and teacher for all micro-batches together, and the labels of both tasks."""
    device = training.fabric.device
    outputs, taught = [], []
    same_start = SameStart(training.network) if len(parts) > 1 else None
    for part in parts:
        x = part.x.to(device, non_blocking=True)
        torch.manual_seed(part.seed)
        with _autocast(training):
            outputs.append(training.model(x, features=training.wants_features))
        if training.teacher is not None or training.activity_teacher is not None:
            taught.append(ask_teachers(training, x))
        if same_start is not None:
            same_start.next()
    if same_start is not None:
        same_start.finish(len(parts))
    labels = torch.cat([part.labels for part in parts]).to(device, non_blocking=True)
    activities = torch.cat([part.activities for part in parts]).to(device, non_blocking=True)
    return _join(outputs), _join(taught) if taught else None, labels, activities


def _autocast(training: Training) -> torch.autocast:
    """Returns the context in which networks run; the losses stay outside."""
    enabled = training.recipe.optim.precision == Precision.BFLOAT16
    return torch.autocast(training.fabric.device.type, torch.bfloat16, enabled=enabled)


def _ask_teacher(training: Training, x: Tensor) -> ModelOutput:
    assert training.teacher is not None
    with torch.no_grad(), _autocast(training):
        answer: ModelOutput = training.teacher.model(x, features=training.wants_features)
    return answer


def ask_teachers(training: Training, x: Tensor) -> ModelOutput:
    """Returns what the teacher says of windows; of their activity, what the teacher of activities does."""
    answer = None if training.teacher is None else _ask_teacher(training, x)
    if training.activity_teacher is None:
        assert answer is not None
        return answer
    with torch.no_grad(), _autocast(training):
        other: ModelOutput = training.activity_teacher.model(x)
    return other if answer is None else answer._replace(activity=other.activity)


def _join(outputs: Sequence[ModelOutput]) -> ModelOutput:
    """Returns the outputs of several micro-batches as one batch's."""
    if len(outputs) == 1:
        return outputs[0]

    def join(tensors: Sequence[Tensor | None]) -> Tensor | None:
        return None if tensors[0] is None else torch.cat([one for one in tensors if one is not None])

    features = tuple(torch.cat(level) for level in zip(*(one.features for one in outputs), strict=True))
    embedding = torch.cat([one.embedding for one in outputs])
    logits, distil = join([one.logits for one in outputs]), join([one.distil_logits for one in outputs])
    return ModelOutput(embedding, logits, distil, features, join([one.activity for one in outputs]))


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Moves the averaged weights towards the network's; faster in the first steps."""
    now = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - now)


def gather_statistics(training: Training, progress: Callable[[int, int, str], None] | None) -> None:
    """Sums up the teacher's channels over some batches, all processes together."""
    if training.statistics is None or training.teacher is None:
        return
    wanted = min(training.recipe.loss.statistics_batches, training.loader.n_batches)
    tokens: int = training.network.shape.n_patches  # type: ignore[union-attr, assignment]
    with contextlib.closing(training.loader.epoch(STATISTICS_EPOCH)) as batches:
        for done, parts in enumerate(batches):
            if done == wanted:
                break
            for part in parts:
                levels = _ask_teacher(training, part.x.to(training.fabric.device)).features
                training.statistics.accumulate(levels, common_grids(tokens, [one.shape[2] for one in levels]))
            if progress is not None:
                progress(done + 1, wanted, "teacher's channels")
    sum_buffers(training.fabric, training.statistics)
