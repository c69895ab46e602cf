"""Learning curves as drawings, in the style of an evaluation's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ecgkd.evaluation.plots import COLOURS, draw
from ecgkd.report.collect import Run
from ecgkd.report.page import Figure
from ecgkd.report.svg import inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = Sequence[float | None]

DASHES = ("-", "--", "-.", ":")
TERMS = {
    "ce": "cross-entropy",
    "triplet": "triplet",
    "kd": "logits",
    "features": "features",
    "relations": "relations",
    "relations_embedding": "embedding relations",
    "embedding": "embedding",
    "activity": "activity",
    "activity_kd": "activity logits",
}
"""Columns of history.csv that are terms of the loss, and what they are called."""


TASKS = ("identity", "activity")
BALANCE = {
    "balance": ("weight", "weights of the two tasks"),
    "norm": ("gradient norm", "gradients of the weighted tasks at the last layer that both share"),
}
"""Columns of history.csv for both tasks: their axis, and what is drawn."""


def learning_curves(runs: Sequence[Run]) -> list[Figure]:
    """Returns the development EER of all runs in one drawing, and for each its loss terms and what balances its tasks.

    Raises: MissingToolError without matplotlib.
    """
    errors = {f"{run.name} ({run.what})": run.history["eer.mean"] for run in runs if "eer.mean" in run.history}
    figures = []
    if errors:
        percent = {name: [None if one is None else 100 * one for one in series] for name, series in errors.items()}
        caption = "EER of development people, mean over rows, after every epoch."
        figures.append(_figure(percent, "EER, %", "learned", caption))
    for number, run in enumerate(runs):
        terms = {words: run.history[name] for name, words in TERMS.items() if name in run.history}
        if terms:
            figures.append(
                _figure(terms, "loss term", f"loss{number}", f"{run.name}: loss terms, before their weights.")
            )
        figures += _balance(run, number)
    return figures


def _balance(run: Run, number: int) -> list[Figure]:
    """Returns the weights of identity and activity and the lengths of their gradients; nothing where one is trained."""
    figures = []
    for key, (y, words) in BALANCE.items():
        found = {task: run.history[f"{key}.{task}"] for task in TASKS if f"{key}.{task}" in run.history}
        if found:
            figures.append(_figure(found, y, f"{key}{number}", f"{run.name}: {words}, mean over each epoch."))
    return figures


def _figure(series: Mapping[str, Series], y: str, name: str, caption: str) -> Figure:
    return Figure(inline(draw_epochs(series, y, name), f"{name}-", caption), caption)


def draw_epochs(series: Mapping[str, Series], y: str, name: str) -> str:
    """Returns an SVG text with a line over epochs for each series."""

    def paint(axes: "Axes") -> None:
        for number, (label, values) in enumerate(series.items()):
            epochs = [epoch for epoch, value in enumerate(values, 1) if value is not None]
            known = [value for value in values if value is not None]
            look = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
            marker = "o" if len(known) < 3 else None
            axes.plot(epochs, known, color=look[0], linestyle=look[1], marker=marker, markersize=4, label=label)
        _dress(axes, y, wide(series.values()))

    return draw(name, paint)


def wide(series: Iterable[Series]) -> bool:
    """Returns whether values reach over more than two powers of ten, so that only a logarithmic axis shows them."""
    known = [value for values in series for value in values if value is not None]
    return bool(known) and min(known) > 0 and max(known) > 100 * min(known)


def _dress(axes: "Axes", y: str, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_ylabel(y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=0)
