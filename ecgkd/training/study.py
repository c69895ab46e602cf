"""The dual-task study: both tasks on a small set with activities, alone and together, in leave-people-out folds.

Every cell is a run of its own, `<folder>/<row>/<fold>`, with `outputs.npz`: what its network says of every window.
What is finished is kept when the study is started again. The networks are evidence: nothing was held back from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ecgkd.config import Recipe
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import DataError, UsageError
from ecgkd.evaluation.activity_baselines import by_heart_rate, heart_rate, label_numbers, majority
from ecgkd.evaluation.baselines import correlation_embed
from ecgkd.evaluation.dual_task import Outputs, tile_inputs, tiles, unseen_tiles
from ecgkd.files import atomic_path, sha256_of
from ecgkd.names import Balance
from ecgkd.protocols.folds import fold_protocols, leaky_protocol
from ecgkd.protocols.leakage import refuse_leaks
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.embed import activity_logits, embed_windows
from ecgkd.training.fit import load_run, train
from ecgkd.training.objective import DISTIL

Progress = Callable[[int, int, str], None]
OUTPUTS = "outputs.npz"
PLAIN = {"dt4ecg": "dt4ecg_plain"}
"""Networks and what is left of them without attention."""
LEAKY = "leaky"
EMBEDDING_WEIGHT = 2.0
"""Of the teacher's embedding, where the recipe has none."""
ACTIVITY_WEIGHT = 1.0
"""Of the larger network's activity logits."""
GIVEN = "the teacher given"
WIDE = "GradNorm, wide"
"""The row of the larger network, which teaches another row."""
HEAD = "activity head on the network given"
"""The row whose identity is that of a network trained elsewhere, to which only a head is added."""


@dataclass(frozen=True)
class Plan:
    """What one row of the table trains."""

    recipe: Recipe
    taught: str = ""
    """By whom: the teacher given, another row's network of the same fold, or nobody."""


def study_rows(recipe: Recipe, with_teacher: bool, start: Path | None = None) -> dict[str, Plan]:
    """Returns what each row trains. Raises: UsageError where the recipe lacks one of the tasks.

    `start`: a finished run of the network, trained elsewhere, which two rows begin with.
    """
    loss = recipe.loss
    if not (loss.activity and loss.ce):
        raise UsageError(f"{recipe.name}: the study needs both tasks; give loss.ce and loss.activity weights")
    if recipe.model.preset not in PLAIN:
        raise UsageError(f"{recipe.name}: the study is of {', '.join(PLAIN)}; model.preset is {recipe.model.preset}")
    loss = replace(loss, **dict.fromkeys(DISTIL, 0.0))  # type: ignore[arg-type]

    def of(**changed: object) -> Plan:
        return Plan(replace(recipe, loss=replace(loss, **changed)))  # type: ignore[arg-type]

    plain = replace(recipe.model, preset=PLAIN[recipe.model.preset])
    rows = {
        "identity only": of(activity=0.0, activity_kd=0.0, balance=Balance.FIXED),
        "activity only": of(ce=0.0, triplet=0.0, balance=Balance.FIXED),
        "fixed weights": of(balance=Balance.FIXED),
        "GradNorm": of(balance=Balance.GRADNORM),
        "GradNorm, no attention": Plan(replace(of(balance=Balance.GRADNORM).recipe, model=plain)),
    }
    if with_teacher:
        weight = recipe.loss.embedding or EMBEDDING_WEIGHT
        rows["GradNorm, distilled"] = replace(of(balance=Balance.GRADNORM, embedding=weight), taught=GIVEN)
    both = of(balance=Balance.GRADNORM, embedding=EMBEDDING_WEIGHT, activity_kd=ACTIVITY_WEIGHT)
    rows[WIDE] = Plan(replace(of(balance=Balance.GRADNORM).recipe, model=replace(recipe.model, preset="dt4ecg_wide")))
    rows["GradNorm, distilled from wide"] = replace(both, taught=WIDE)
    if start is not None:
        begun = replace(recipe.model, start=str(start))
        head = of(ce=0.0, triplet=0.0, balance=Balance.FIXED).recipe
        rows[HEAD] = Plan(replace(head, model=replace(begun, frozen=True)))
        rows["GradNorm, from the network given"] = Plan(replace(of(balance=Balance.GRADNORM).recipe, model=begun))
    rows["uncertainty"] = of(balance=Balance.UNCERTAINTY)
    rows["PCGrad"] = of(balance=Balance.PCGRAD)
    return rows


def study(
    recipe: Recipe,
    one: PreparedSet,
    folder: Path,
    teacher: Path | None = None,
    start: Path | None = None,
    n_folds: int = 3,
    n_repeats: int = 1,
    rows: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, list[Outputs]]:
    """Trains every cell that is not finished yet. Returns what the networks of each row say, fold by fold.

    `rows` names those to train, all by default. Raises: UsageError where recipe or set do not allow it.
    """
    plans = study_rows(recipe, teacher is not None, start)
    rows = [*rows, *(WIDE for name in rows if name in plans and plans[name].taught == WIDE)]
    unknown = [name for name in rows if name not in (*plans, LEAKY)]
    if unknown:
        raise UsageError(f"no row {unknown[0]!r}; the study has {', '.join((*plans, LEAKY))}")
    folds = [fold_protocols(one, n_folds, repeat, recipe.optim.seed) for repeat in range(n_repeats)]
    wanted = [name for name in plans if not rows or name in rows]
    cells = [(name, protocol, plans[name]) for of_repeat in folds for name in wanted for protocol in of_repeat]
    if not rows or LEAKY in rows:
        cells.append((LEAKY, leaky_protocol(one, recipe.optim.seed), plans["GradNorm"]))
    for protocol in {cell[1].name: cell[1] for cell in cells}.values():
        refuse_leaks(protocol, [one])
    all_tiles = tiles(one)
    inputs = tile_inputs(all_tiles, one.taking(recipe.data.leads))
    found: dict[str, list[Outputs]] = {}
    for number, (name, protocol, plan) in enumerate(cells):
        place = folder / slug(name) / protocol.name.rsplit(" ", 1)[1]
        report = _reporter(progress, number, len(cells), f"{name}, {protocol.name}")
        by = {GIVEN: teacher, "": None}.get(plan.taught, folder / slug(plan.taught) / place.name)
        found.setdefault(name, []).append(_cell(plan, protocol, one, place, inputs, by, report))
    return found


def _cell(
    plan: Plan,
    protocol: Protocol,
    one: PreparedSet,
    folder: Path,
    inputs: NDArray[np.int8],
    teacher: Path | None,
    progress: Progress | None,
) -> Outputs:
    kept = folder / OUTPUTS
    if kept.is_file():
        return load_outputs(kept, protocol)
    train(plan.recipe, protocol, [one], folder, teacher=teacher, progress=progress)
    model, info = load_run(folder)
    identifies = plan.recipe.loss.identifies or plan.recipe.model.frozen
    found = Outputs(
        protocol,
        embed_windows(model, inputs) if identifies else None,
        activity_logits(model, inputs) if info.activities else None,
        info.activities,
    )
    save_outputs(kept, found)
    return found


def save_outputs(path: Path, outputs: Outputs) -> None:
    """Writes what a network says of every tile. Raises: DataError."""
    arrays: dict[str, NDArray[np.generic]] = {"trained_on": np.array(_trained_on(outputs.protocol))}
    if outputs.embeddings is not None:
        arrays["embeddings"] = outputs.embeddings.astype(np.float16)
    if outputs.logits is not None:
        arrays |= {"logits": outputs.logits.astype(np.float32), "activities": np.array(outputs.activities)}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _trained_on(protocol: Protocol) -> str:
    """Returns the hash of what makes the network; the rows that are asked of it may change."""
    return sha256_of({"sets": protocol.sets, "train": [list(astuple(span)) for span in protocol.train]})


def load_outputs(path: Path, protocol: Protocol) -> Outputs:
    """Returns what `save_outputs` wrote. Raises: DataError, UsageError where it belongs to another protocol."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged ({error}); remove it to make it again") from error
    if str(held.get("trained_on")) != _trained_on(protocol):
        raise UsageError(f"{path}: of a network that was trained on other recordings; use another folder")
    embeddings = held["embeddings"].astype(np.float32) if "embeddings" in held else None
    activities = tuple(map(str, held.get("activities", ())))
    return Outputs(protocol, embeddings, held.get("logits"), activities)


def references(like: Sequence[Outputs], one: PreparedSet, networks: dict[str, nn.Module]) -> dict[str, list[Outputs]]:
    """Returns rows that learn nothing from the set but what activities look like by their heart rate.

    Correlation of mean beats, and the given `networks` trained elsewhere, for identity; for activity the majority
    and the heart rate alone, fitted to each fold's training people.
    """
    all_tiles = tiles(one)
    inputs = tile_inputs(all_tiles, one)
    embeddings = {"correlation of mean beats": correlation_embed(inputs)}
    embeddings |= {name: embed_windows(network, inputs) for name, network in networks.items()}
    found = {name: [Outputs(output.protocol, vectors) for output in like] for name, vectors in embeddings.items()}
    rates = heart_rate(inputs)
    activities = sorted({str(name) for name in one.activity} - {""})
    labels = label_numbers(all_tiles.activity, activities)  # type: ignore[arg-type]
    guesses: dict[str, list[Outputs]] = {"majority class": [], "heart rate alone": []}
    for output in like:
        trained = np.setdiff1d(np.arange(len(inputs)), unseen_tiles(output, all_tiles, one))
        known = trained[labels[trained] >= 0]
        told = by_heart_rate(rates[known], labels[known], rates, len(activities))
        for name, logits in (("majority class", majority(labels[known], len(inputs))), ("heart rate alone", told)):
            guesses[name].append(Outputs(output.protocol, None, logits.astype(np.float32), tuple(activities)))
    return found | guesses


def _reporter(progress: Progress | None, cell: int, n_cells: int, what: str) -> Progress | None:
    """Returns a callback that tells of one cell's steps as part of the whole, in thousandths of a cell."""
    if progress is None:
        return None
    return lambda done, total, _: progress(1000 * cell + 1000 * done // max(total, 1), 1000 * n_cells, what)


def slug(row: str) -> str:
    """Returns the name of a row's folder."""
    return row.lower().replace(",", "").replace(" ", "-")
