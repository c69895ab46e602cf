"""A diagnosis as a table and as a drawing."""

import io
import textwrap
from collections.abc import Sequence

from ecgkd.bundle.diagnose import Diagnosis, Finding
from ecgkd.errors import MissingToolError
from ecgkd.evaluation.plots import COLOURS, GREYS, STYLE

WIDTH = 100
MOST_LAYERS, MOST_TENSORS, MOST_BARS = 12, 20, 16
HEADER = ("ΔEER points (95 %)", "score rms", "genuine", "impostor", "1−cosine", "what")
ACTIVITY_HEADER = ("answers %", "logit rms", "what")
BAR = 0.26
"""Inches."""


def text(found: Diagnosis) -> str:
    """Returns the table, at most 100 columns wide: everything at once, then layers and tensors, each alone."""
    intro = (
        f"What int8 costs {found.model}, each part rounded alone in an otherwise float network: "
        f"{found.windows} windows of {found.people} development people, {found.genuine} genuine and "
        f"{found.impostor} impostor comparisons ({', '.join(found.rows)}), EER {100 * found.eer_float:.2f} % in "
        "float. A subsample: the biometric gate decides on all."
    )
    rows = [HEADER, _row(found.everything), *map(_row, found.layers[:MOST_LAYERS])]
    rows += map(_row, found.tensors[:MOST_TENSORS])
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADER) - 1)]

    def line(row: Sequence[str]) -> str:
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        return "  ".join([*cells, row[-1]])[:WIDTH].rstrip()

    shown_layers, shown_tensors = found.layers[:MOST_LAYERS], found.tensors[:MOST_TENSORS]
    lines = [*textwrap.wrap(intro, WIDTH), line(HEADER), line(_row(found.everything))]
    for title, shown, total in (
        ("layers", shown_layers, len(found.layers)),
        ("tensors", shown_tensors, len(found.tensors)),
    ):
        lines += [f"{title}, the costliest {len(shown)} of {total}", *(line(_row(one)) for one in shown)]
    return "\n".join([*lines, *textwrap.wrap(_legend(found), WIDTH), *_activity(found)])


def _activity(found: Diagnosis) -> list[str]:
    """Returns what layers cost the activity, as lines; [] of a network that tells none."""
    layers = found.layers_for_activity
    if not layers:
        return []
    rows = [ACTIVITY_HEADER]
    for one in (found.everything, *layers[:MOST_LAYERS]):
        rows.append((f"{100 * (one.changed_answers or 0):.2f}", f"{one.logit_rms or 0:.4f}", one.name))
    widths = [max(len(row[at]) for row in rows) for at in (0, 1)]
    title = f"activity, the costliest {len(rows) - 2} layers of {len(layers)}; answers: windows that are told otherwise"
    return [title, *(f"{a.rjust(widths[0])}  {b.rjust(widths[1])}  {what}" for a, b, what in rows)]


def _legend(found: Diagnosis) -> str:
    parts = (found.everything, *found.layers, *found.tensors)
    quiet = sum(one.noise for one in parts)
    return (
        f"~: the interval holds zero, within the noise of these people ({quiet} of {len(parts)} parts); such parts are "
        f"ranked by score rms, the root mean square change of the {found.score} scores. Genuine, impostor: their mean "
        "change. Small parts add up: their squares, not their EER."
    )


def _row(one: Finding) -> tuple[str, ...]:
    delta = f"{'~' if one.noise else ''}{100 * one.delta_eer:+.2f}"
    if one.delta_eer_ci95 is not None:
        low, high = (100 * value for value in one.delta_eer_ci95)
        delta += f" ({low:+.2f} to {high:+.2f})"
    what = one.name if one.kind in ("all", "layer") else f"{one.name} ({one.kind})"
    numbers = (f"{one.score_rms:.4f}", f"{one.genuine_shift:+.4f}", f"{one.impostor_shift:+.4f}")
    return (delta, *numbers, f"{one.cosine_loss:.6f}", what)


def drawing(found: Diagnosis) -> str:
    """Returns the costliest layers and tensors as an SVG text: ΔEER with its interval, and the scores' change.

    Raises: MissingToolError without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingToolError("plots need matplotlib; pip install 'ecgkd[report]'") from error
    groups = (("layers", found.layers[:MOST_BARS]), ("tensors", found.tensors[:MOST_BARS]))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "doctor"}):
        figure = Figure(figsize=(10, 1.6 + BAR * sum(len(shown) for _, shown in groups)), layout="constrained")
        figure.suptitle(f"{found.model}: what int8 costs, each part rounded alone ({found.windows} windows)")
        axes = figure.subplots(2, 2, height_ratios=[max(1, len(shown)) for _, shown in groups], squeeze=False)
        for (left, right), (title, shown) in zip(axes, groups, strict=True):
            places = range(len(shown))
            colours = [GREYS[1] if one.noise else COLOURS[1] for one in shown]
            deltas = [100 * one.delta_eer for one in shown]
            left.barh(places, deltas, color=colours)
            for place, one in zip(places, shown, strict=True):
                if one.delta_eer_ci95 is not None:
                    left.plot([100 * end for end in one.delta_eer_ci95], [place, place], color="#000000", linewidth=0.8)
            left.set_yticks(places, [one.name for one in shown], fontsize=7)
            left.set_xlabel(f"ΔEER of {title}, points; grey: within noise")
            right.barh(places, [one.score_rms for one in shown], color=COLOURS[0])
            right.set_yticks(places, [one.kind for one in shown], fontsize=7)
            right.set_xlabel(f"change of {found.score} scores, root mean square")
            for one in (left, right):
                one.invert_yaxis()
        drawn = io.StringIO()
        FigureCanvasSVG(figure).print_svg(drawn, metadata={"Date": None, "Creator": None})
    return drawn.getvalue()
