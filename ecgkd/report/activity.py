"""Section on what people are doing: told on unseen people, beside two baselines, and identity by what probes show."""

from collections.abc import Iterator, Sequence

from ecgkd.evaluation import plots
from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.results import Told
from ecgkd.evaluation.table import populations_of, told_of
from ecgkd.report.evidence import BELOW, drawing
from ecgkd.report.page import Bar, Bars, Block, Cell, Section, Table, Text, Tile, Tone
from ecgkd.report.shown import POPULATIONS, Shown, measured
from ecgkd.report.words import between, many, percent, points

HERE = "fitted here"


def activity_section(found: Shown | None) -> Section | None:
    """Returns what networks tell of activities, None where nobody was asked.

    Raises: MissingToolError without matplotlib.
    """
    if found is None:
        return None
    groups = sorted(populations_of(found.results), key=lambda group: POPULATIONS.index(group[0]))
    blocks: list[Block] = []
    for number, group in enumerate(groups):
        blocks += _population(found, told_of(found.results, *group), number)
    blocks += _identity(found)
    return Section("What they are doing", tuple(blocks), "activity") if blocks else None


def activity_tile(found: Shown | None) -> Tile | None:
    """Returns the activity accuracy of the network that the page is about, on the best evidence."""
    mine = [one for one in found.results.activity if one.model == found.headline] if found else []
    if not mine:
        return None
    one = min(mine, key=lambda told: POPULATIONS.index(told.population))
    interval = between(one.accuracy.low, one.accuracy.high, scale=100) or "no interval"
    mark = f"; {BELOW}" * one.below_baseline
    return Tile(
        percent(one.accuracy.value),
        "activity told right",
        f"{interval}, {many(one.n_people, 'person', 'people')}{mark}",
    )


def _population(found: Shown, told: Sequence[Told], number: int) -> Iterator[Block]:
    first = told[0]
    shown = ", ".join(f"{name} {n}" for name, n in zip(first.activities, first.windows, strict=True))
    caption = (
        f"{many(first.n_people, 'person', 'people')} who trained nothing, {many(first.n_windows, 'window')}: {shown}. "
        "Everybody counts alike. Lines are 95 % intervals from resampling people."
    )
    evidence = f"{first.evidence[:1].upper()}{first.evidence[1:]}."
    bars = tuple(_bar(found, one) for one in told)
    yield Bars(f"{first.population}: activity told right", bars, caption, evidence)
    header = ("model", "macro-F1", *(f"{name} found" for name in first.activities))
    rows = tuple((_head(found, one), measured(one.macro_f1), *map(measured, one.recall)) for one in told)
    yield Table(header, rows, "Found: share of an activity's windows that are told as it.")
    less = [one for one in found.results.activity_differences if one.population == first.population]
    if less:
        yield Table(
            ("same windows", "difference in accuracy"),
            tuple((Cell(one.model, f"less {one.other}"), _difference(one.accuracy)) for one in less),
            "Above zero: right more often. Coloured where the 95 % interval, same draws of people, excludes zero.",
        )
    networks = [one for one in told if one.calibration is not None]
    yield _calibration(found, networks)
    prefix = f"activity{number}"
    for at, one in enumerate(networks):
        words = f"{first.population}, {one.model}: what the windows of each activity were told as."
        yield drawing(plots.confusion(one, f"{prefix}confusion{at}"), f"{prefix}confusion{at}-", words)
    words = f"{first.population}: how often the activity is right for how confident it is; calibrated on the diagonal."
    yield drawing(plots.activity_reliability(told, f"{prefix}reliability"), f"{prefix}reliability-", words)


def _bar(found: Shown, one: Told) -> Bar:
    tone: Tone = "plain" if one.baseline else "bad" if one.below_baseline else "good"
    accuracy = one.accuracy
    return Bar(
        name=one.model,
        value=accuracy.value,
        words=percent(accuracy.value),
        low=accuracy.low,
        high=accuracy.high,
        tone=tone,
        detail=found.what(one.model, BELOW * one.below_baseline) or "baseline" * one.baseline,
        more=between(accuracy.low, accuracy.high, scale=100) or "no interval",
    )


def _head(found: Shown, one: Told) -> Cell:
    return Cell(one.model, found.what(one.model) or "baseline" * one.baseline, "bad" if one.below_baseline else "plain")


def _difference(figure: Measured) -> Cell:
    value, low, high = figure.value, figure.low, figure.high
    tone: Tone = "plain" if low is None or high is None or low <= 0 <= high else "good" if value > 0 else "bad"
    return Cell(points(value, 1), between(low, high, scale=100, signed=True), tone)


def _calibration(found: Shown, networks: Sequence[Told]) -> Table:
    rows = []
    for one in networks:
        c = one.calibration
        assert c is not None
        fitted = f"fitted on {c.fitted_on}" if c.fitted_on else "fitted on nobody"
        head = Cell(one.model, ", ".join(part for part in (fitted, HERE * c.fitted_here) if part))
        rows.append((head, percent(c.ece), f"{c.nll:.2f}", f"{c.brier:.2f}", f"{c.temperature:.3g}"))
    caption = (
        "How far the probabilities of activities can be believed. ECE: mean gap between confidence and share correct; "
        f"NLL in nats. “{HERE}”: the temperature was fitted to some of these people, so no evidence."
    )
    return Table(("model", "ECE", "NLL", "Brier", "temperature"), tuple(rows), caption)


def _identity(found: Shown) -> Iterator[Block]:
    """Gives a table for every row whose probes show several activities."""
    for row in found.rows:
        outcomes = [one for one in found.outcomes(row) if one.by_activity]
        names = list(dict.fromkeys(part.activity for one in outcomes for part in one.by_activity))
        if not names:
            continue
        yield Text(f"Who it is, by what the probe shows, {row} (EER):")
        lines = []
        for one in outcomes:
            parts = {part.activity: part.eer for part in one.by_activity}
            lines.append((Cell(one.model, found.what(one.model)), *(measured(parts.get(name)) for name in names)))
        yield Table(("model", *names), tuple(lines), "Enrolment and gallery are the whole row's.")
