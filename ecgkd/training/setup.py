"""Puts a training together: fabric, windows, networks, optimiser."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ecgkd.config import OptimConfig, Recipe
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.labelled import Labelled
from ecgkd.losses import ChannelStatistics, FeatureProjectors
from ecgkd.models.build import CLASSIFIER_PREFIXES
from ecgkd.names import Balance
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.balance import Balancer, first_losses
from ecgkd.training.checkpoint import WEIGHTS, load_weights
from ecgkd.training.dataset import Stretches, training_stretches
from ecgkd.training.distributed import make_fabric, peers_of
from ecgkd.training.loader import Loader
from ecgkd.training.objective import Peers, last_shared
from ecgkd.training.run_directory import read_info
from ecgkd.training.teachers import Teacher, build_network, open_teachers
from ecgkd.training.validate import Comparison, comparisons, labelled_windows

ACTIVITY_HEAD = "activity."
OF_CLASSES = (*CLASSIFIER_PREFIXES, ACTIVITY_HEAD)
"""Weights that belong to the people or activities of one training."""


@dataclass
class Best:
    """The averaged weights of the epoch with the lowest development EER, or of the last one without development."""

    epoch: int = -1
    eer: float = float("inf")
    """Or, where identity is no task, the share of activities mistaken."""
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Training:
    """Everything that lives while a network is trained."""

    recipe: Recipe
    fabric: Fabric
    loader: Loader
    network: nn.Module
    """The network itself."""
    model: nn.Module
    """The same, wrapped by Fabric: what the loop calls."""
    averaged: nn.Module
    """Its averaged weights: what is validated and kept."""
    optimiser: torch.optim.Optimizer
    peers: Peers
    shared: Tensor
    """Weights whose pull by each term is measured."""
    development: list[Comparison]
    teacher: Teacher | None = None
    activity_teacher: Teacher | None = None
    """Whose activity logits are learned in place of the teacher's."""
    projectors: nn.Module | None = None
    statistics: ChannelStatistics | None = None
    balancer: Balancer | None = None
    """None where one task is trained."""
    activities: tuple[str, ...] = ()
    """What the activity head tells apart."""
    labelled: Labelled | None = None
    """Windows of development people with a known activity."""
    epoch: int = 0
    """Epochs done."""
    history: list[dict[str, Any]] = field(default_factory=list)
    best: Best = field(default_factory=Best)

    @property
    def taught_by(self) -> dict[str, str | None]:
        """Folders of the teachers' runs by what they teach."""
        of_activity = {} if self.activity_teacher is None else {"activity_teacher": self.activity_teacher.folder}
        return {"teacher": None if self.teacher is None else self.teacher.folder, **of_activity}

    @property
    def wants_features(self) -> bool:
        return self.recipe.loss.features > 0 or self.recipe.loss.relations > 0

    @property
    def parameters(self) -> list[Tensor]:
        return [p for group in self.optimiser.param_groups for p in group["params"]]


def begin_with(network: nn.Module, recipe: Recipe) -> None:
    """Gives `network` the weights of the run that the recipe starts from, and freezes them if it says so.

    Raises: UsageError where that run is not finished or of another network.
    """
    info = read_info(recipe.model.start)
    if info.recipe.model.preset != recipe.model.preset:
        raise UsageError(
            f"model.start: {recipe.model.start} is a run of {info.recipe.model.preset}, not of {recipe.model.preset}"
        )
    if info.recipe.data.leads != recipe.data.leads:
        its, ours = (", ".join(one.data.leads) or "the first lead of any" for one in (info.recipe, recipe))
        raise UsageError(
            f"model.start: {recipe.model.start} is a run on {its}, this training is on {ours} (data.leads)"
        )
    kept = {name: one for name, one in load_weights(info.path / WEIGHTS).items() if not name.startswith(OF_CLASSES)}
    network.load_state_dict(network.state_dict() | kept)
    if recipe.model.frozen:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(ACTIVITY_HEAD))


def hold_still(network: nn.Module, recipe: Recipe) -> None:
    """Keeps a frozen network's batch norms from following what it is shown; called after `train()`."""
    if recipe.model.frozen:
        for name, module in network.named_children():
            module.train(f"{name}." == ACTIVITY_HEAD)


def make_optimiser(modules: Sequence[nn.Module], optim: OptimConfig) -> torch.optim.Optimizer:
    """Returns AdamW over what is trained; vectors (biases, norms) do not decay."""
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": optim.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=optim.lr, fused=True)


def set_up(
    recipe: Recipe,
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    teacher: Path | None = None,
    activity_teacher: Path | None = None,
) -> Training:
    """Returns a training before its first step.

    Raises: UsageError where recipe, protocol, sets and teacher do not fit each other.
    """
    if recipe.loss.distils and teacher is None and activity_teacher is None:
        raise UsageError(f"{recipe.name}: its loss has terms of distillation; name a teacher with --teacher RUN")
    by_name = protocol.check_sets(sets)
    stretches = training_stretches(protocol.train, by_name)
    fabric = make_fabric(recipe.optim)
    if recipe.optim.people % (fabric.world_size * recipe.optim.micro_batches):
        raise UsageError(
            f"optim.people is {recipe.optim.people}; expected a multiple of processes x optim.micro_batches "
            f"({fabric.world_size} x {recipe.optim.micro_batches})"
        )
    activities = _activities(recipe, stretches)
    loader = Loader(stretches, recipe, fabric.global_rank, fabric.world_size)
    torch.manual_seed(recipe.optim.seed)
    network = build_network(recipe, len(stretches.subjects), len(activities))
    if recipe.model.start:
        begin_with(network, recipe)
    averaged = copy.deepcopy(network).requires_grad_(False).eval()
    taught, of_activity = open_teachers(teacher, activity_teacher, recipe, stretches.subjects, activities)
    projectors, statistics = _for_features(recipe, network, taught)
    balancer = _balancer(recipe, len(stretches.subjects), len(activities), fabric)
    optimiser = make_optimiser([m for m in (network, projectors, balancer) if m is not None], recipe.optim)
    frozen = [one.model for one in (taught, of_activity) if one is not None]
    for module in (averaged, *frozen, statistics, balancer):
        if module is not None:
            module.to(fabric.device)
    return Training(
        recipe=recipe,
        fabric=fabric,
        loader=loader,
        network=network,
        model=fabric.setup_module(network),
        averaged=averaged,
        optimiser=fabric.setup_optimizers(optimiser),  # type: ignore[arg-type]
        peers=peers_of(fabric),
        shared=last_shared(network),
        development=comparisons(protocol, sets) if fabric.is_global_zero else [],
        teacher=taught,
        activity_teacher=of_activity,
        projectors=None if projectors is None else fabric.setup_module(projectors),
        statistics=statistics,
        balancer=balancer,
        activities=activities,
        labelled=labelled_windows(protocol, sets, activities) if fabric.is_global_zero else None,
    )


def _activities(recipe: Recipe, stretches: Stretches) -> tuple[str, ...]:
    """Returns the activities that are learned, none where they are no task. Raises: UsageError for fewer than two."""
    if not recipe.loss.activity:
        return ()
    if len(stretches.activities) < 2:
        found = ", ".join(stretches.activities) or "none"
        raise UsageError(
            f"{recipe.name}: loss.activity needs training recordings of two activities or more; found {found}. "
            "`ecgkd data info SET` shows the labels of a set; set loss.activity=0 to train identity alone"
        )
    return stretches.activities


def _balancer(recipe: Recipe, n_classes: int, n_activities: int, fabric: Fabric) -> Balancer | None:
    loss = recipe.loss
    if not (loss.activity and loss.identifies):
        return None
    if loss.balance in (Balance.PCGRAD, Balance.UNCERTAINTY) and fabric.world_size > 1:
        raise UsageError(f'loss.balance "{loss.balance}" works in one process; train with one, or choose gradnorm')
    return Balancer(loss, first_losses(loss, recipe.model.head, n_classes, n_activities))


def _for_features(
    recipe: Recipe, network: nn.Module, teacher: Teacher | None
) -> tuple[FeatureProjectors | None, ChannelStatistics | None]:
    if teacher is None or not recipe.loss.features:
        return None, None
    width, channels = network.feature_channels[-1], teacher.model.feature_channels  # type: ignore[index]
    return FeatureProjectors(width, channels), ChannelStatistics(channels)  # type: ignore[arg-type]
