"""Training, from recipe to run folder: set up, fit, validate, finish.

What is drawn (batches, augmentation, stochastic depth) is seeded by recipe seed, epoch, batch and micro-batch, so that
a training that goes on from its last checkpoint draws what it would have drawn anyway.
"""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgkd.config import Recipe
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.trials import taking
from ecgkd.training.checkpoint import CHECKPOINT, WEIGHTS, load_checkpoint
from ecgkd.training.distributed import average_buffers
from ecgkd.training.embed import embed_windows
from ecgkd.training.finish import Decide, finish
from ecgkd.training.run_directory import RunInfo, read_info, write_start
from ecgkd.training.schedule import lr_at
from ecgkd.training.setup import Best, Training, hold_still, set_up
from ecgkd.training.state import Identity, identity_of, restore_state, save_state
from ecgkd.training.step import gather_statistics, take_step
from ecgkd.training.teachers import load_network
from ecgkd.training.validate import activity_accuracy, validate

__all__ = ["embed_windows", "fit", "is_finished", "load_run", "train"]

Progress = Callable[[int, int, str], None]
CHECK_EVERY = 50
"""Steps between looks at whether the loss is still finite."""


def train(
    recipe: Recipe,
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    folder: Path,
    *,
    teacher: Path | None = None,
    activity_teacher: Path | None = None,
    decide: Decide | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains what `recipe` says into `folder` and returns the run's metrics.

    `activity_teacher` teaches activity in place of `teacher`, which then teaches the rest.
    A checkpoint there is continued, a finished run there is left alone. `decide` fits threshold, calibration and
    cohort to the finished network.

    Raises: UsageError where recipe, protocol, sets, teacher or checkpoint do not fit each other; DataError where the
    folder cannot be written.
    """
    if is_finished(folder):
        return read_info(folder).metrics
    recipe = replace(recipe, data=replace(recipe.data, sets=tuple(str(Path(one.path).resolve()) for one in sets)))
    sets = taking(sets, recipe.data.leads)
    training = set_up(recipe, protocol, sets, teacher, activity_teacher)
    identity = identity_of(training, protocol)
    if (folder / CHECKPOINT).is_file():
        restore_state(training, load_checkpoint(folder), identity, folder)
    else:
        _start(training, protocol, folder)
        gather_statistics(training, progress)
        save_state(training, identity, folder)
    fit(training, identity, folder, progress)
    training.fabric.barrier()
    if training.fabric.is_global_zero:
        finish(training, protocol, sets, folder, decide)
    training.fabric.barrier()
    return read_info(folder).metrics


def is_finished(folder: Path) -> bool:
    """Returns whether a training in `folder` has come to its end."""
    return (folder / WEIGHTS).is_file() and not (folder / CHECKPOINT).is_file()


def _start(training: Training, protocol: Protocol, folder: Path) -> None:
    if not training.fabric.is_global_zero:
        return
    facts = {
        "device": str(training.fabric.device),
        "processes": training.fabric.world_size,
        "threads": torch.get_num_threads(),
        "protocol_sha256": protocol.sha256,
        "data_sha256": protocol.sets,
        **training.taught_by,
    }
    people = training.loader.stretches.subjects
    write_start(folder, training.recipe, protocol, people, facts, training.activities)


def fit(training: Training, identity: Identity, folder: Path, progress: Progress | None = None) -> None:
    """Runs the epochs that are left; each ends with a validation and a checkpoint."""
    optim = training.recipe.optim
    while training.epoch < optim.epochs and not _out_of_patience(training):
        began = time.monotonic()
        entry = _one_epoch(training, progress)
        average_buffers(training.fabric, training.network)
        _copy_buffers(training.averaged, training.network)
        found = validate(training.averaged, training.development) if training.fabric.is_global_zero else {}
        if training.labelled is not None and training.fabric.is_global_zero:
            entry |= {"activity_accuracy": activity_accuracy(training.averaged, training.labelled)}
        found, entry = training.fabric.broadcast((found, entry))
        training.epoch += 1
        entry |= {f"eer.{name}": value for name, value in found.items()} | {"seconds": time.monotonic() - began}
        training.history.append(entry)
        _keep_best(training, _figure_of_merit(training, found, entry))
        save_state(training, identity, folder)


def _one_epoch(training: Training, progress: Progress | None) -> dict[str, Any]:
    """Returns the epoch's means, and the pull of each term at its first step."""
    optim, loader = training.recipe.optim, training.loader
    training.model.train()
    hold_still(training.network, training.recipe)
    total: dict[str, Tensor] = {}
    pulls: dict[str, float] = {}
    first = training.epoch * loader.n_batches
    lr = 0.0
    with contextlib.closing(loader.epoch(training.epoch)) as batches:
        for done, parts in enumerate(batches, start=1):
            step = first + done - 1
            lr = lr_at(optim, step, loader.n_batches)
            for group in training.optimiser.param_groups:
                group["lr"] = lr
            values, found = take_step(training, parts, step, measure=done == 1)
            pulls |= found
            for name, value in values.items():
                total[name] = total[name] + value if name in total else value
            if done % CHECK_EVERY == 0 or done == loader.n_batches:
                _refuse_divergence(total["loss"], training)
            if progress is not None:
                progress(step + 1, optim.epochs * loader.n_batches, f"epoch {training.epoch + 1} of {optim.epochs}")
    means = {name: float(value) / loader.n_batches for name, value in total.items()}
    return {"epoch": training.epoch + 1, "lr": lr, **means, **{f"pull.{name}": one for name, one in pulls.items()}}


@torch.no_grad()
def _copy_buffers(averaged: nn.Module, network: nn.Module) -> None:
    for mine, its in zip(averaged.buffers(), network.buffers(), strict=True):
        mine.copy_(its)


def _figure_of_merit(training: Training, eers: dict[str, float], entry: dict[str, Any]) -> float | None:
    """Returns what the kept epoch has least of: the EER, or mistaken activities where identity is no task."""
    if training.recipe.loss.identifies:
        return eers.get("mean")
    return 1 - entry["activity_accuracy"] if "activity_accuracy" in entry else None


def _keep_best(training: Training, eer: float | None) -> None:
    value = float("inf") if eer is None or math.isnan(eer) else eer
    if value <= training.best.eer:
        weights = {name: tensor.detach().cpu().clone() for name, tensor in training.averaged.state_dict().items()}
        training.best = Best(training.epoch, value, weights)


def _out_of_patience(training: Training) -> bool:
    patience = training.recipe.optim.patience
    return bool(patience and training.best.epoch >= 0 and training.epoch - training.best.epoch >= patience)


def _refuse_divergence(loss: Tensor, training: Training) -> None:
    if not math.isfinite(float(loss)):
        raise UsageError(
            f"the loss is no longer finite in epoch {training.epoch + 1}; lower optim.lr, lengthen optim.warmup or "
            "lower the weight of the term that grew (history.csv)"
        )


def load_run(path: Path | str) -> tuple[nn.Module, RunInfo]:
    """Returns the network of a finished run, without classifier and in evaluation mode, and what the run says."""
    info = read_info(path)
    return load_network(info), info
