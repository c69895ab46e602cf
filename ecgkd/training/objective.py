"""What is minimised: the terms of task and distillation, their weights over the training, and what they pull."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgkd.config import LossConfig
from ecgkd.losses import (
    EMBEDDING_TAU,
    LEVEL_TAU,
    UNLABELLED,
    ChannelStatistics,
    activity_distillation,
    activity_entropy,
    additive_margin,
    angular_margin,
    batch_hard_triplet,
    distillation,
    embedding_alignment,
    hierarchical_alignment,
    relational_graph,
    standardised_kd,
)
from ecgkd.models import COSINE_SCALE, ModelOutput
from ecgkd.models.dt4ecg import Dt4Ecg
from ecgkd.names import Distillation, Margin

TASK = ("ce", "triplet", "activity")
DISTIL = ("kd", "embedding", "features", "relations", "relations_embedding", "activity_kd")
OF_ACTIVITY = ("activity", "activity_kd")
"""Terms of the task activity; all others are the task identity's."""
TERMS = (*TASK, *DISTIL)


def weights_at(config: LossConfig, epoch: float, epochs: int) -> dict[str, float]:
    """Returns the weight of every term that is on, `epoch` (with fraction) into a training of `epochs`."""
    rise = min(1.0, epoch / config.ramp) if config.ramp else 1.0
    done = epoch / epochs
    decline = max(0.0, done - config.features_hold) / max(1 - config.features_hold, 1e-9)
    factor = dict.fromkeys(DISTIL, rise)
    factor["features"] = rise * (1 - (1 - config.features_end) * min(1.0, decline))
    factor["triplet"] = float(epoch >= config.triplet_from)
    weights = {name: getattr(config, name) * factor.get(name, 1.0) for name in TERMS}
    return {name: weight for name, weight in weights.items() if getattr(config, name) > 0}


def margin_at(config: LossConfig, epoch: float) -> float:
    """Returns the margin of the cross-entropy, `epoch` (with fraction) into the training."""
    return config.margin * (min(1.0, epoch / config.margin_ramp) if config.margin_ramp else 1.0)


@dataclass(frozen=True)
class Peers:
    """How a process sees the windows of all processes; alone, it sees its own."""

    gather: Callable[[Tensor], Tensor] | None = None
    """(B, …) of this process to (N, …) of all, with gradient; None for a single process."""
    rank: int = 0

    def all(self, tensor: Tensor) -> Tensor | None:
        return None if self.gather is None else self.gather(tensor)


@dataclass
class Terms:
    """Values of the terms of one batch, before their weights."""

    values: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Tensor] = field(default_factory=dict)
    """`accuracy` of the classifier, `active` share of the triplets, `accuracy_activity`; detached."""


def task_terms(
    output: ModelOutput,
    labels: Tensor,
    config: LossConfig,
    epoch: float,
    peers: Peers,
    wanted: Mapping[str, float],
    activities: Tensor | None = None,
) -> Terms:
    """Returns the cross-entropies and the triplet loss that `wanted` names; `activities` (B,) are the other labels."""
    terms = Terms()
    if "ce" in wanted and output.logits is not None:
        terms.values["ce"] = _cross_entropy(output.logits, labels, config, margin_at(config, epoch))
        terms.facts["accuracy"] = (output.logits.detach().argmax(1) == labels).float().mean()
    if wanted.get("triplet"):
        found = batch_hard_triplet(
            output.embedding, labels, config.triplet_margin, peers.all(output.embedding), peers.all(labels)
        )
        terms.values["triplet"] = found.loss
        terms.facts["active"] = found.active
    if "activity" in wanted and output.activity is not None and activities is not None:
        terms.values["activity"] = activity_entropy(output.activity, activities)
        right = output.activity.detach().argmax(1) == activities  # no label is nobody's answer
        terms.facts["accuracy_activity"] = right.float().sum() / max(int((activities != UNLABELLED).sum()), 1)
    return terms


def _cross_entropy(logits: Tensor, labels: Tensor, config: LossConfig, margin: float) -> Tensor:
    if margin == 0:
        return F.cross_entropy(logits.float(), labels)
    apply = angular_margin if config.margin_kind == Margin.ANGULAR else additive_margin
    return apply(logits, labels, margin, COSINE_SCALE)


def distil_terms(
    student: ModelOutput,
    teacher: ModelOutput,
    config: LossConfig,
    projectors: nn.Module | None,
    statistics: ChannelStatistics | None,
    peers: Peers,
    wanted: Mapping[str, float],
    activities: Tensor | None = None,
) -> Terms:
    """Returns the terms of distillation that `wanted` names. The teacher's outputs carry no gradient."""
    values: dict[str, Tensor] = {}
    if "kd" in wanted and teacher.logits is not None:
        logits = student.distil_logits if student.distil_logits is not None else student.logits
        assert logits is not None
        distil = standardised_kd if config.kd_kind == Distillation.LSKD else distillation
        values["kd"] = distil(logits, teacher.logits, config.kd_temperature)
    if "embedding" in wanted:
        values["embedding"] = embedding_alignment(student.embedding, teacher.embedding)
    if "features" in wanted and projectors is not None and statistics is not None:
        values["features"] = hierarchical_alignment(
            student.features, teacher.features, projectors, statistics, config.levels
        )
    if "relations" in wanted:
        values["relations"] = _relations(student, teacher, config, peers)
    if "relations_embedding" in wanted:
        values["relations_embedding"] = _graph(student.embedding, teacher.embedding, EMBEDDING_TAU, peers)
    both = student.activity, teacher.activity
    if "activity_kd" in wanted and both[0] is not None and both[1] is not None and activities is not None:
        values["activity_kd"] = activity_distillation(both[0], both[1], activities, config.kd_temperature)
    return Terms(values)


def _relations(student: ModelOutput, teacher: ModelOutput, config: LossConfig, peers: Peers) -> Tensor:
    total = student.embedding.new_zeros(())
    for weight, mine, its in zip(config.levels, student.features, teacher.features, strict=True):
        nodes, targets = mine.float().mean(2), its.float().mean(2)
        total = total + weight / sum(config.levels) * _graph(nodes, targets, LEVEL_TAU, peers)
    return total


def _graph(student: Tensor, teacher: Tensor, tau: float, peers: Peers) -> Tensor:
    mine = peers.rank * len(student)
    return relational_graph(student, teacher, tau, peers.all(student), peers.all(teacher), mine)


def total_loss(values: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Returns the weighted sum of the terms."""
    return torch.stack([weights[name] * value for name, value in values.items()]).sum()


def last_shared(model: nn.Module) -> Tensor:
    """Returns the last weights that every term pulls, `features` and `relations` by their deepest level.

    For a network of two tasks they are the matrix of the layer that both heads read (W of GradNorm).
    """
    if isinstance(model, Dt4Ecg):
        return model.shared.weight
    later = ("transformer.norm.", "head.", "classifier.", "distil_classifier.")
    return [p for name, p in model.named_parameters() if not name.startswith(later)][-1]


def gradient_norms(values: Mapping[str, Tensor], config: LossConfig, parameter: Tensor) -> dict[str, float]:
    """Returns how hard each term, at its full weight, pulls `parameter`; nothing is accumulated."""
    norms = {}
    for name, value in values.items():
        if value.requires_grad and parameter.requires_grad:
            (gradient,) = torch.autograd.grad(value, parameter, retain_graph=True, allow_unused=True)
            norms[name] = 0.0 if gradient is None else getattr(config, name) * float(gradient.norm())
    return norms
