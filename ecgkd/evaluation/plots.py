"""Drawings of an evaluation, as SVG texts that a page can take in."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from ecgkd.errors import MissingToolError
from ecgkd.evaluation.results import Evaluation, Outcome, Told
from ecgkd.evaluation.table import SCORES, outcomes_of, populations_of, rows_of, told_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line = tuple[Sequence[float], Sequence[float]]
Paint = Callable[["Axes"], None]

COLOURS = ("#3b82c4", "#d9722b", "#2f9e6e", "#9a6bd0", "#c2557f", "#8a8f3a")
"""Readable on white and on near-black; baselines are grey."""
GREYS = ("#6f7780", "#a2a9b0")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": "#8a929b",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
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
SIZE = (4.6, 3.4)
"""Inches."""
RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Marks of the DET axes; beyond the last there is no drawing."""


def draw(name: str, paint: Paint, legend: bool = True) -> str:
    """Returns the SVG text of what `paint` puts on axes; `name` makes its inner ids its own.

    Raises: MissingToolError without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingToolError("plots need matplotlib; pip install 'ecgkd[report]'") from error
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        axes.tick_params(length=3)
        paint(axes)
        if legend:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _looks(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    models = [one.model for one in outcomes if not one.baseline]
    beside = [one.model for one in outcomes if one.baseline]
    return [
        {"color": GREYS[beside.index(one.model) % len(GREYS)], "linestyle": "--", "label": one.model}
        if one.baseline
        else {"color": COLOURS[models.index(one.model) % len(COLOURS)], "label": one.model}
        for one in outcomes
    ]


def _lines(axes: "Axes", outcomes: Sequence[Outcome], of: Callable[[Outcome], Line], marker: str = "") -> None:
    for one, look in zip(outcomes, _looks(outcomes), strict=True):
        axes.plot(*of(one), marker=marker, markersize=4, **look)


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]


def det(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the detection error trade-off on normal deviate axes, headline windows."""
    places = norm.ppf(RATES)

    def paint(axes: "Axes") -> None:
        def curve(one: Outcome) -> Line:
            fmr, fnmr = (norm.ppf(np.clip(one.curves.det[key], 1e-5, 1 - 1e-5)) for key in ("fmr", "fnmr"))
            return fmr.tolist(), fnmr.tolist()

        axes.plot(places[[0, -1]], places[[0, -1]], ":", color="#8a929b", linewidth=1)
        _lines(axes, outcomes, curve)
        labels = [f"{100 * rate:g}" for rate in RATES]
        axes.set_xticks(places, labels)
        axes.set_yticks(places, labels)
        axes.set_xlim(places[0], places[-1])
        axes.set_ylim(places[0], places[-1])
        axes.set_xlabel("false match rate, %")
        axes.set_ylabel("false non-match rate, %")

    return draw(name, paint)


def cmc(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the share of probes whose own person is within the first ranks."""

    def paint(axes: "Axes") -> None:
        _lines(axes, outcomes, lambda one: (range(1, len(one.curves.cmc) + 1), _percent(one.curves.cmc)), marker=".")
        axes.set_xticks([1, *range(5, max((len(one.curves.cmc) for one in outcomes), default=1) + 1, 5)])
        axes.set_xlabel("rank")
        axes.set_ylabel("probes identified, %")
        axes.set_ylim(top=101)

    return draw(name, paint)


def reliability(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns how often identification is right for how confident it is; baselines are left out."""

    def paint(axes: "Axes") -> None:
        axes.plot([0, 100], [0, 100], ":", color="#8a929b", linewidth=1)
        shown = [one for one in outcomes if one.identification is not None and not one.baseline]
        for one, look in zip(shown, _looks(shown), strict=True):
            bins = one.identification.reliability if one.identification else []
            axes.plot(_percent([b[0] for b in bins]), _percent([b[1] for b in bins]), marker="o", markersize=4, **look)
        axes.set_xlabel("confidence, %")
        axes.set_ylabel("right, %")

    return draw(name, paint)


def scores(outcome: Outcome, name: str) -> str:
    """Returns the densities of genuine and impostor scores of one candidate."""
    found = outcome.curves.scores

    def paint(axes: "Axes") -> None:
        for label, heights, colour in (("impostor", found.impostor, GREYS[0]), ("genuine", found.genuine, COLOURS[0])):
            axes.stairs(heights, found.edges, fill=True, alpha=0.45, color=colour, label=label)
            axes.stairs(heights, found.edges, color=colour, linewidth=1.2)
        axes.set_xlabel(f"{SCORES[outcome.score]} score, {outcome.model}")
        axes.set_ylabel("density")

    return draw(name, paint)


def rejection(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the EER over the share of probe windows left out, worst quality first."""

    def paint(axes: "Axes") -> None:
        def line(one: Outcome) -> Line:
            points = one.curves.rejection
            return _percent([share for share, _ in points]), _percent([rate for _, rate in points])

        _lines(axes, outcomes, line, marker="o")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("probe windows left out, worst first, %")
        axes.set_ylabel("EER, single probe windows, %")

    return draw(name, paint)


def enrolment(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns the EER over the length of enrolment."""

    def paint(axes: "Axes") -> None:
        def line(one: Outcome) -> Line:
            return [4.0 * k for k, _ in one.curves.enrolment], _percent([rate for _, rate in one.curves.enrolment])

        _lines(axes, outcomes, line, marker="o")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("signal enrolled, at most, s")
        axes.set_ylabel("EER, %")

    return draw(name, paint)


def per_person(outcomes: Sequence[Outcome], name: str) -> str:
    """Returns how the rejections at the threshold of equal errors are spread over people."""

    def paint(axes: "Axes") -> None:
        def line(one: Outcome) -> Line:
            n = len(one.curves.per_person)
            return [100 * (i + 1) / n for i in range(n)], _percent(one.curves.per_person)

        _lines(axes, outcomes, line)
        axes.set_xlabel("people, %")
        axes.set_ylabel("rejected at equal errors, %")

    return draw(name, paint)


def robustness(evaluation: Evaluation, row: str, disturbance: str, name: str) -> str:
    """Returns the EER over the level of a disturbance."""
    found = [one for one in evaluation.robustness if (one.row, one.disturbance) == (row, disturbance)]
    models = {one.model for one in found}
    outcomes = [one for one in outcomes_of(evaluation, row) if one.model in models]

    def paint(axes: "Axes") -> None:
        def line(one: Outcome) -> Line:
            points = sorted((d.level, 100 * d.eer) for d in found if d.model == one.model)
            return [level for level, _ in points], [rate for _, rate in points]

        _lines(axes, outcomes, line, marker="o")
        axes.set_ylim(bottom=0)
        rate = disturbance == "heart rate"
        axes.set_xlabel("heart rate over the recorded one" if rate else f"signal-to-noise ratio, dB ({disturbance})")
        axes.set_ylabel("EER, single probe windows, %")
        if not rate:
            axes.invert_xaxis()

    return draw(name, paint)


def confusion(told: Told, name: str) -> str:
    """Returns what the windows of each activity were told as, in per cent, people counting alike."""
    shares = 100 * np.array(told.confusion)
    places = range(len(told.activities))

    def paint(axes: "Axes") -> None:
        from matplotlib.colors import LinearSegmentedColormap

        tint = LinearSegmentedColormap.from_list("told", [(*_rgb(COLOURS[0]), 0.0), (*_rgb(COLOURS[0]), 0.75)])
        edges = np.arange(len(told.activities) + 1) - 0.5
        axes.pcolormesh(edges, edges, shares, cmap=tint, vmin=0, vmax=100)  # squares, no embedded picture
        for truth in places:
            for answer in places:
                axes.text(answer, truth, f"{shares[truth, answer]:.0f}", ha="center", va="center", fontsize=9)
        axes.grid(visible=False)
        axes.set_xticks(places, told.activities)
        axes.set_yticks(places, told.activities)
        axes.invert_yaxis()
        axes.set_xlabel(f"told, % of windows, {told.model}")
        axes.set_ylabel("shown")

    return draw(name, paint, legend=False)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def activity_reliability(told: Sequence[Told], name: str) -> str:
    """Returns how often networks are right about the activity for how confident they are."""
    shown = [one for one in told if one.calibration is not None]

    def paint(axes: "Axes") -> None:
        axes.plot([0, 100], [0, 100], ":", color="#8a929b", linewidth=1)
        for number, one in enumerate(shown):
            bins = one.calibration.reliability if one.calibration else []
            look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "label": one.model}
            axes.plot(_percent([b[0] for b in bins]), _percent([b[1] for b in bins]), marker="o", markersize=4, **look)
        axes.set_xlabel("confidence in the activity, %")
        axes.set_ylabel("right, %")

    return draw(name, paint)


def all_plots(evaluation: Evaluation) -> dict[str, str]:
    """Returns SVG texts by file name: `<row>.<plot>.svg`, and `<row>.scores.<number>.svg` for each model.

    Of activities: `activity.<population>.<number>.reliability.svg`, and `….confusion.<number>.svg` for each model.
    """
    drawn: dict[str, str] = {}
    for row in rows_of(evaluation):
        outcomes = outcomes_of(evaluation, row)
        for kind in (det, cmc, reliability, rejection, enrolment, per_person):
            drawn[f"{row}.{kind.__name__}.svg"] = kind(outcomes, f"{row}.{kind.__name__}")
        for number, one in enumerate(one for one in outcomes if not one.baseline):
            drawn[f"{row}.scores.{number}.svg"] = scores(one, f"{row}.scores.{number}")
        for disturbance in dict.fromkeys(one.disturbance for one in evaluation.robustness if one.row == row):
            name = f"{row}.robustness.{disturbance.replace(' ', '-')}"
            drawn[f"{name}.svg"] = robustness(evaluation, row, disturbance, name)
    for number, population in enumerate(populations_of(evaluation)):
        told, start = told_of(evaluation, *population), f"activity.{population[0]}.{number}"
        drawn[f"{start}.reliability.svg"] = activity_reliability(told, f"{start}.reliability")
        for at, network in enumerate(one for one in told if not one.baseline):
            drawn[f"{start}.confusion.{at}.svg"] = confusion(network, f"{start}.confusion.{at}")
    return drawn
