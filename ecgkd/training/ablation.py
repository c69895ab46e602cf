"""The ablation table: the same student with each term of distillation, with all, and without one; several seeds.

Every cell is a run of its own, `<folder>/<row>/seed-<n>`; what is finished is kept when the ablation is started again.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.config import LossConfig, Recipe
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.scores import Comparisons
from ecgkd.files import write_bytes, write_json
from ecgkd.names import Distillation
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.fit import load_run, train
from ecgkd.training.objective import DISTIL
from ecgkd.training.validate import Comparison, comparisons, eer_of, score

Progress = Callable[[int, int, str], None]
KD_WEIGHT = {Distillation.LSKD: 9.0, Distillation.KD: 1.0}
"""Of the row with logits, where the recipe itself has none."""
GROUPS = {
    "logits": ("kd",),
    "features": ("features",),
    "relations": ("relations", "relations_embedding"),
    "embedding": ("embedding",),
}
REPLICATES = 200
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Line:
    """One row of the table. EERs are shares, means over seeds and cross-session rows of development people."""

    row: str
    seeds: int
    eer: float
    low: float
    high: float
    """95 %, by bootstrap over people and seeds."""
    gain: float
    """EER of `task only` minus this one's."""
    gain_low: float
    gain_high: float


def ablation_rows(loss: LossConfig) -> dict[str, LossConfig]:
    """Returns what each row minimises.

    A recipe without a task of its own (cross-entropy, triplets) gets cross-entropy, and stands in a row `all - task`.
    Raises: UsageError where the recipe distils nothing.
    """
    if not loss.distils:
        raise UsageError("the recipe has no term of distillation to leave out; choose one such as thkd_ci")
    recipe = loss
    loss = recipe if recipe.ce or recipe.triplet else replace(recipe, ce=1.0)
    bare = _with(loss, dict.fromkeys(DISTIL, 0.0))
    with_logits = loss if loss.kd else replace(loss, kd=KD_WEIGHT[loss.kd_kind])
    rows = {"task only": bare}
    for name, terms in GROUPS.items():
        source = with_logits if name == "logits" else loss
        if any(getattr(source, term) for term in terms):
            rows[f"+ {name}"] = _with(bare, {term: getattr(source, term) for term in terms})
    rows["all"] = loss
    if loss.features:
        rows["all - features"] = replace(loss, features=0.0)
    if loss != recipe:
        rows["all - task"] = recipe
    return rows


def _with(loss: LossConfig, weights: dict[str, Any]) -> LossConfig:
    return replace(loss, **weights)


def ablate(
    recipe: Recipe,
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    folder: Path,
    teacher: Path,
    n_seeds: int,
    progress: Progress | None = None,
) -> list[Line]:
    """Trains every cell that is not finished yet and writes ablation.csv, .md and .json into `folder`.

    Raises: UsageError where the protocol has no development people to compare on, and as `train` does.
    """
    ready = comparisons(protocol, sets)
    if not ready:
        raise UsageError(f"protocol {protocol.name!r} has no development rows to compare on; make one that has")
    rows = ablation_rows(recipe.loss)
    scores: dict[str, list[list[Comparisons]]] = {name: [] for name in rows}
    for n, (name, loss) in enumerate(rows.items()):
        for number in range(n_seeds):
            cell = folder / _slug(name) / f"seed-{number}"
            seeded = replace(recipe.optim, seed=recipe.optim.seed + number)
            report = _reporter(progress, n * n_seeds + number, len(rows) * n_seeds, f"{name}, seed {number}")
            taught = teacher if loss.distils else None
            train(replace(recipe, loss=loss, optim=seeded), protocol, sets, cell, teacher=taught, progress=report)
            model, _ = load_run(cell)
            scores[name].append([score(model, one) for one in ready])
    table = compare_rows(scores, ready)
    write_table(table, recipe, protocol, folder)
    return table


def _reporter(progress: Progress | None, cell: int, n_cells: int, what: str) -> Progress | None:
    """Returns a callback that tells of one cell's steps as part of the whole, in thousandths of a cell."""
    if progress is None:
        return None
    return lambda done, total, _: progress(1000 * cell + 1000 * done // max(total, 1), 1000 * n_cells, what)


def compare_rows(scores: dict[str, list[list[Comparisons]]], ready: Sequence[Comparison]) -> list[Line]:
    """Returns the table for scores by row, seed and comparison; people and seeds are drawn alike for all rows."""
    across = [n for n, one in enumerate(ready) if one.kind == "cross-session"] or list(range(len(ready)))
    people = sorted({name for one in ready for name in one.subjects})
    places = [np.array([people.index(name) for name in one.subjects]) for one in ready]
    n_seeds = len(next(iter(scores.values())))

    def mean(of_row: list[list[Comparisons]], seeds: NDArray[np.int64], person: NDArray[np.float64] | None) -> float:
        rates = []
        for seed in np.unique(seeds):
            times = int((seeds == seed).sum())
            found = [eer_of(of_row[seed][n], None if person is None else person[places[n]]) for n in across]
            rates += [float(np.mean(found))] * times
        return float(np.mean(rates))

    everyone = np.arange(n_seeds)
    point = {row: mean(of_row, everyone, None) for row, of_row in scores.items()}
    drawn: dict[str, list[float]] = {row: [] for row in scores}
    rng = np.random.default_rng(0)
    for _ in range(REPLICATES):
        person = np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people)).astype(np.float64)
        seeds = rng.integers(0, n_seeds, n_seeds)
        for row, of_row in scores.items():
            drawn[row].append(mean(of_row, seeds, person))
    base = next(iter(scores))
    lines = []
    for row in scores:
        gain = np.array(drawn[base]) - np.array(drawn[row])
        low, high = np.nanpercentile(drawn[row], INTERVAL)
        gain_low, gain_high = np.nanpercentile(gain, INTERVAL)
        bounds = (float(low), float(high), point[base] - point[row], float(gain_low), float(gain_high))
        lines.append(Line(row, n_seeds, point[row], *bounds))
    return lines


def write_table(table: Sequence[Line], recipe: Recipe, protocol: Protocol, folder: Path) -> None:
    """Writes the table as CSV, Markdown and JSON. Raises: DataError."""
    document: dict[str, Any] = {
        "recipe": recipe.name,
        "protocol_sha256": protocol.sha256,
        "measure": "EER of development people, cross-session rows, 6 enrolment and 3 probe windows",
        "interval": "95 %, bootstrap over people and seeds",
        "rows": [asdict(line) for line in table],
    }
    write_json(folder / "ablation.json", document)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(table[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in table)
    write_bytes(folder / "ablation.csv", text.getvalue().encode())
    write_bytes(folder / "ablation.md", markdown(table).encode())


def markdown(table: Sequence[Line]) -> str:
    """Returns the table in Markdown, in per cent."""
    lines = ["| terms | seeds | EER % (95 %) | better than task only by (95 %) |", "| --- | --- | --- | --- |"]
    for one in table:
        rate, low, high = (100 * value for value in (one.eer, one.low, one.high))
        gain, gain_low, gain_high = (100 * value for value in (one.gain, one.gain_low, one.gain_high))
        better = f"{gain:.1f} ({gain_low:.1f} … {gain_high:.1f})" if one.row != table[0].row else ""
        lines.append(f"| {one.row} | {one.seeds} | {rate:.1f} ({low:.1f} … {high:.1f}) | {better} |")
    return "\n".join(lines) + "\n"


def _slug(row: str) -> str:
    return row.replace("+ ", "with-").replace(" - ", "-without-").replace(" ", "-")
