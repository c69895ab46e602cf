"""Learning curves as drawings."""

import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecgkd.errors import MissingToolError
from ecgkd.report.collect import Run
from ecgkd.report.page import Figure
from ecgkd.report.svg import inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = Sequence[float | None]

COLOURS = ("#3b82c4", "#d9722b", "#2f9e6e", "#9a6bd0", "#c2557f", "#8a8f3a", "#5b8f9e", "#b08050")
"""Readable on white and on near-black."""
DASHES = ("-", "--", "-.", ":")
SIZE = (4.6, 2.7)
"""Inches; the page scales it to the column."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": "#8a929b",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": "#000000",
    "axes.grid": True,
    "grid.color": "#8a929b",
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": "#8a929b",
    "ytick.color": "#8a929b",
    "xtick.labelcolor": "#000000",
    "ytick.labelcolor": "#000000",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}
TERMS = {
    "ce": "cross-entropy",
    "triplet": "triplet",
    "kd": "logits",
    "features": "features",
    "relations": "relations",
    "relations_embedding": "relations of embeddings",
    "embedding": "embedding",
}
"""Columns of history.csv that are terms of the loss, and what they are called."""


def learning_curves(runs: Sequence[Run]) -> list[Figure]:
    """Returns the development EER of all runs in one drawing and the loss terms of each in its own.

    Raises: MissingToolError without matplotlib.
    """
    errors = {f"{run.name} ({run.what})": run.history["eer.mean"] for run in runs if "eer.mean" in run.history}
    figures = []
    if errors:
        percent = {name: [None if one is None else 100 * one for one in series] for name, series in errors.items()}
        figures.append(
            _figure(percent, "EER, %", "eer", "EER of development people, mean over rows, after every epoch.")
        )
    for number, run in enumerate(runs):
        terms = {words: run.history[name] for name, words in TERMS.items() if name in run.history}
        if terms:
            caption = f"{run.name}: terms of the loss, each before its weight."
            figures.append(_figure(terms, "loss term", f"loss{number}", caption, wide(terms.values())))
    return figures


def _figure(series: Mapping[str, Series], y: str, name: str, caption: str, log: bool = False) -> Figure:
    return Figure(inline(draw(series, y, name, log), f"{name}-", caption), caption)


def draw(series: Mapping[str, Series], y: str, salt: str, log: bool = False) -> str:
    """Returns an SVG file with a line over epochs for each series; `salt` makes it the same every time."""
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError as error:
        raise MissingToolError("learning curves need matplotlib; pip install 'ecgkd[report]'") from error
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": salt}):
        canvas = Canvas(figsize=SIZE, layout="constrained")
        canvas.patch.set_visible(False)
        axes = canvas.add_subplot()
        axes.patch.set_visible(False)
        for (label, values), look in zip(series.items(), _looks()):
            epochs = [epoch for epoch, value in enumerate(values, 1) if value is not None]
            known = [value for value in values if value is not None]
            axes.plot(epochs, known, marker="o" if len(known) < 3 else None, markersize=4, label=label, **look)
        _dress(axes, y, log)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _looks() -> "itertools.chain[dict[str, Any]]":
    """Returns colours, and other dashes where the colours begin again."""
    return itertools.chain({"color": c, "linestyle": d} for d in DASHES for c in COLOURS)


def wide(series: Iterable[Series]) -> bool:
    """Returns whether values reach over more than two powers of ten, so that only a logarithmic axis shows them."""
    known = [value for values in series for value in values if value is not None]
    return bool(known) and min(known) > 0 and max(known) > 100 * min(known)


def _dress(axes: "Axes", y: str, log: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_ylabel(y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(length=3)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=0)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
