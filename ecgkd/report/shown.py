"""An evaluation as the page shows it: short names, models in the order of the runs, the best evidence first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.results import Evaluation, Model, Outcome
from ecgkd.evaluation.table import outcomes_of, rows_of
from ecgkd.report.collect import Material, Run
from ecgkd.report.page import Cell
from ecgkd.report.words import between, percent

POPULATIONS = ("locked", "test", "development", "closed-set")
"""Best evidence first."""
BASELINES = {"correlation": "baseline: mean beats correlated", "LDA": "baseline: LDA on mean beats"}


@dataclass(frozen=True)
class Shown:
    """What the page tells of an evaluation."""

    results: Evaluation
    """With the names that the page uses."""
    rows: tuple[str, ...]
    headline: str | None
    """The model that the page is about; None where only baselines were evaluated."""
    known: dict[str, str]
    """What each model is, in words, where that is known."""

    def outcomes(self, row: str) -> list[Outcome]:
        """Returns the outcomes of a row, baselines last."""
        return sorted(outcomes_of(self.results, row), key=lambda one: one.baseline)

    def what(self, model: str, *marks: str) -> str:
        """Returns what a model is, and `marks`, in one line."""
        return ", ".join(words for words in (self.known.get(model, ""), *marks) if words)

    @property
    def best(self) -> Outcome | None:
        """The headline model on the best row."""
        return next((one for one in self.outcomes(self.rows[0]) if one.model == self.headline), None)


def shown(material: Material) -> Shown | None:
    """Returns the evaluation as the page shows it, None where there is none."""
    results = material.evaluation
    if results is None or not results.outcomes:
        return None
    runs = {f"{run.path.resolve().parent.name}/{run.path.resolve().name}": run for run in material.runs}
    names = _names([one.name for one in results.models], runs)
    order = list(dict.fromkeys([*(run for run in runs if run in names), *names]))
    renamed = replace(
        results,
        outcomes=tuple(
            replace(one, model=names[one.model]) for one in sorted(results.outcomes, key=lambda o: order.index(o.model))
        ),
        differences=tuple(
            replace(one, model=names[one.model], other=names[one.other])
            for one in sorted(results.differences, key=lambda d: (order.index(d.model), order.index(d.other)))
        ),
        robustness=tuple(replace(one, model=names[one.model]) for one in results.robustness),
        activity=tuple(replace(one, model=names.get(one.model, one.model)) for one in results.activity),
        activity_differences=tuple(
            replace(one, model=names.get(one.model, one.model), other=names.get(one.other, one.other))
            for one in results.activity_differences
        ),
    )
    known = {names[one.name]: runs[one.name].what if one.name in runs else _what(one) for one in results.models}
    return Shown(renamed, tuple(_ordered_rows(renamed)), _headline(material, renamed, names, runs), known)


def _what(model: Model) -> str:
    if model.baseline:
        return BASELINES.get(model.name, "baseline")
    return f"{model.precision} artefact".strip()


def _names(models: Sequence[str], runs: dict[str, Run]) -> dict[str, str]:
    """Returns what each model is called: a run by its recipe where that is unmistakable."""
    short = [runs[model].name if model in runs else model for model in models]
    return {model: name if short.count(name) == 1 else model for model, name in zip(models, short, strict=True)}


def _headline(material: Material, results: Evaluation, names: dict[str, str], runs: dict[str, Run]) -> str | None:
    run = material.headline
    mine = next((names[name] for name, one in runs.items() if one is run and name in names), None)
    models = [one.model for one in results.outcomes if not one.baseline]
    return mine or (models[-1] if models else None)


def _ordered_rows(results: Evaluation) -> list[str]:
    """Returns the rows, unseen people first, leaky ones last, and across sessions before the same day."""

    def rank(row: str) -> tuple[bool, int, bool]:
        first = outcomes_of(results, row)[0]
        known = POPULATIONS.index(first.population) if first.population in POPULATIONS else len(POPULATIONS)
        return (first.leaky, known, first.kind != "cross-session")

    return sorted(rows_of(results), key=rank)


def measured(figure: Measured | None) -> Cell:
    """Returns a rate with its interval beneath it."""
    if figure is None:
        return Cell("–")
    return Cell(percent(figure.value), between(figure.low, figure.high, scale=100))
