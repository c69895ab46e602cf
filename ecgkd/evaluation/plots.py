"""Drawings of an evaluation, as SVG texts."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from ecgkd.errors import MissingToolError
from ecgkd.evaluation.evaluate import Evaluation, Outcome
from ecgkd.evaluation.table import rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#b3202c", "#1f5fa8", "#2f7d4f", "#8a5a00", "#6a3d9a", "#444444")
RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def _draw(name: str, paint: Callable[["Axes"], None], size: tuple[float, float] = (6.2, 4.2)) -> str:
    """Returns an SVG text; `name` keeps its inner ids apart from those of other drawings on the same page."""
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingToolError("plots need matplotlib; pip install 'ecgkd[report]'") from error
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path", "font.size": 10}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        paint(axes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        out = io.StringIO()
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None})
    return out.getvalue()


def _lines(axes: "Axes", outcomes: Sequence[Outcome], of: Callable[[Outcome], tuple[list[float], list[float]]]) -> None:
    for number, one in enumerate(outcomes):
        x, y = of(one)
        style = "--" if one.baseline else "-"
        axes.plot(x, y, style, color=COLOURS[number % len(COLOURS)], label=one.model, linewidth=1.6)
    axes.legend(frameon=False, fontsize=8)


def det(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the detection error trade-off on normal deviate axes."""

    def paint(axes: "Axes") -> None:
        def curve(one: Outcome) -> tuple[list[float], list[float]]:
            fmr, fnmr = (np.clip(one.curves.det[key], 5e-4, 0.6) for key in ("fmr", "fnmr"))
            return norm.ppf(fmr).tolist(), norm.ppf(fnmr).tolist()

        _lines(axes, outcomes, curve)
        places, labels = norm.ppf(RATES), [f"{100 * rate:g}" for rate in RATES]
        axes.set_xticks(places, labels)
        axes.set_yticks(places, labels)
        axes.set_xlim(places[0], places[-1])
        axes.set_ylim(places[0], places[-1])
        axes.plot([-4, 1], [-4, 1], ":", color="#999999", linewidth=1)
        axes.set_xlabel("false match rate, %")
        axes.set_ylabel("false non-match rate, %")

    return _draw(name, paint)


def cmc(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the share of probes whose person is within the first ranks."""

    def paint(axes: "Axes") -> None:
        _lines(
            axes,
            outcomes,
            lambda one: (list(range(1, len(one.curves.cmc) + 1)), [100 * share for share in one.curves.cmc]),
        )
        axes.set_xlabel("rank")
        axes.set_ylabel("probes identified, %")

    return _draw(name, paint)


def histograms(outcome: Outcome, name: str) -> str:
    """Returns the distributions of genuine and impostor scores."""

    def paint(axes: "Axes") -> None:
        sides = (("impostor", outcome.curves.impostor, "#7a8794"), ("genuine", outcome.curves.genuine, COLOURS[0]))
        for label, quantiles, colour in sides:
            axes.hist(quantiles, bins=40, density=True, alpha=0.6, color=colour, label=label)
        axes.legend(frameon=False)
        axes.set_xlabel(f"score, {outcome.model}")
        axes.set_ylabel("density")

    return _draw(name, paint)


def reliability(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns how often identification is right for how confident it is."""

    def paint(axes: "Axes") -> None:
        axes.plot([0, 100], [0, 100], ":", color="#999999")
        _lines(
            axes,
            outcomes,
            lambda one: (
                [100 * confidence for confidence, _, _ in one.curves.reliability],
                [100 * share for _, share, _ in one.curves.reliability],
            ),
        )
        axes.set_xlabel("confidence, %")
        axes.set_ylabel("right, %")

    return _draw(name, paint)


def rejection(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the EER when the least periodic windows are left out."""

    def paint(axes: "Axes") -> None:
        _lines(
            axes,
            outcomes,
            lambda one: ([100 * s for s, _ in one.curves.rejection], [100 * e for _, e in one.curves.rejection]),
        )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("probe windows left out, %")
        axes.set_ylabel("EER, single probe windows, %")

    return _draw(name, paint)


def enrolment(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the EER over the length of enrolment."""

    def paint(axes: "Axes") -> None:
        _lines(
            axes,
            outcomes,
            lambda one: ([4.0 * k for k, _ in one.curves.enrolment], [100 * e for _, e in one.curves.enrolment]),
        )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("signal enrolled, s")
        axes.set_ylabel("EER, %")

    return _draw(name, paint)


def all_plots(evaluation: Evaluation) -> dict[str, str]:
    """Returns SVG texts by file name, for every row."""
    drawn = {}
    for row in rows_of(evaluation):
        outcomes = [one for one in evaluation.outcomes if one.row == row]
        for kind in (det, cmc, reliability, rejection, enrolment):
            drawn[f"{row}.{kind.__name__}.svg"] = kind(outcomes, f"{row}.{kind.__name__}")
        models = [one for one in outcomes if not one.baseline] or outcomes
        drawn[f"{row}.histogram.svg"] = histograms(models[-1], f"{row}.histogram")
    return drawn
