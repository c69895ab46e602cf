"""The state of a training: what a checkpoint holds, and putting it back."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecgkd.config import DataConfig, Recipe, recipe_of
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.checkpoint import CHECKPOINT, save_checkpoint
from ecgkd.training.run_directory import write_history
from ecgkd.training.setup import Best, Training

CHECKPOINT_VERSION = 1


@dataclass(frozen=True)
class Identity:
    """What a checkpoint must have been made with to be continued."""

    recipe: str
    """TOML; where its files lie does not count, their hashes are the protocol's."""
    protocol: str
    """SHA-256."""
    teacher: str
    """SHA-256 of its weights, and of those of a teacher of activities after a space; empty without one."""

    def differing(self, other: dict[str, Any]) -> list[str]:
        """Returns the names of what is not the same in `other`, the one that a checkpoint holds."""
        found = [name for name in ("protocol", "teacher") if getattr(self, name) != other.get(name)]
        mine, its = (
            _without_places(recipe_of(tomllib.loads(text), CHECKPOINT)) for text in (self.recipe, other["recipe"])
        )
        return found if mine == its else ["recipe", *found]


def identity_of(training: Training, protocol: Protocol) -> Identity:
    """Returns what `training` is made of."""
    teachers = [one for one in (training.teacher, training.activity_teacher) if one is not None]
    hashes = " ".join(one.info.contract.weights_sha256 for one in teachers)
    return Identity(training.recipe.to_toml(), protocol.sha256, hashes)


def save_state(training: Training, identity: Identity, folder: Path) -> None:
    """Writes the checkpoint and the history so far; nothing else is needed to go on. Raises: DataError."""
    if not training.fabric.is_global_zero:
        return
    projectors, statistics, best = training.projectors, training.statistics, training.best
    state = {
        "version": CHECKPOINT_VERSION,
        "key": {"recipe": identity.recipe, "protocol": identity.protocol, "teacher": identity.teacher},
        "epoch": training.epoch,
        "history": training.history,
        "best": {"epoch": best.epoch, "eer": best.eer, "weights": best.weights},
        "network": training.network.state_dict(),
        "averaged": training.averaged.state_dict(),
        "optimiser": training.optimiser.state_dict(),
        "projectors": None if projectors is None else projectors.state_dict(),
        "statistics": None if statistics is None else statistics.state_dict(),
        "balancer": None if training.balancer is None else training.balancer.state_dict(),
    }
    save_checkpoint(folder, state)
    if training.history:
        write_history(folder, training.history)


def restore_state(training: Training, state: dict[str, Any], identity: Identity, folder: Path) -> None:
    """Puts a checkpoint into `training`. Raises: UsageError where it belongs to another training."""
    if state.get("version") != CHECKPOINT_VERSION:
        raise UsageError(f"{folder / CHECKPOINT}: written by another version of ecgkd; start a new run")
    differing = identity.differing(state["key"])
    if differing:
        raise UsageError(f"{folder / CHECKPOINT}: made with another {' and '.join(differing)}; start a new run")
    training.epoch = int(state["epoch"])
    training.history = state["history"]
    training.best = Best(**state["best"])
    training.network.load_state_dict(state["network"])
    training.averaged.load_state_dict(state["averaged"])
    training.optimiser.load_state_dict(state["optimiser"])
    if training.projectors is not None:
        training.projectors.load_state_dict(state["projectors"])
    if training.statistics is not None:
        training.statistics.load_state_dict(state["statistics"])
    if training.balancer is not None:
        training.balancer.load_state_dict(state["balancer"])


def _without_places(recipe: Recipe) -> Recipe:
    nowhere: DataConfig = replace(recipe.data, sets=(), protocol="")
    return replace(recipe, data=nowhere)
