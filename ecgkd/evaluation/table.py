"""An evaluation as text and as Markdown."""

from collections.abc import Sequence

from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.results import Cell, Evaluation, Outcome, Told

HEADER = ("model", "windows", "score", "EER %", "TAR % at FMR 1 %", "TAR % at FMR 0.1 %", "rank-1 %", "")
SCORES = {"cosine": "cosine", "as_norm": "AS-norm"}


def percent(figure: Measured | None, sign: bool = False) -> str:
    """Returns a figure with its interval, in per cent; a dash where there is none."""
    if figure is None:
        return "–"
    form = "+.1f" if sign else ".1f"
    text = f"{100 * figure.value:{form}}"
    if figure.low is not None and figure.high is not None:
        text += f" [{100 * figure.low:{form}}, {100 * figure.high:{form}}]"
    return text


def rows_of(evaluation: Evaluation) -> list[str]:
    """Returns the names of the rows, in order."""
    return list(dict.fromkeys(one.row for one in evaluation.outcomes))


def outcomes_of(evaluation: Evaluation, row: str) -> list[Outcome]:
    """Returns what each candidate did on `row`."""
    return [one for one in evaluation.outcomes if one.row == row]


def row_title(outcomes: Sequence[Outcome]) -> str:
    """Returns what a row compares and how many people are in it."""
    first, cell = outcomes[0], outcomes[0].headline
    return (
        f"{first.row} ({first.kind}): {first.evidence}; {cell.n_enrolled} people enrolled, {cell.n_people} of them "
        f"probe, {cell.n_pairs} pairs of people; {cell.n_genuine} genuine and {cell.n_impostor} impostor comparisons "
        f"of {cell.enrol_windows} × {cell.probe_windows} windows"
    )


def _cells(model: str, cell: Cell) -> tuple[str, ...]:
    windows = f"{cell.enrol_windows} × {cell.probe_windows}{', gated' if cell.gated else ''}"
    figures = (cell.eer, cell.tar.get("0.01"), cell.tar.get("0.001"), cell.rank1)
    marks = ["below baseline"] if cell.below_baseline else []
    if cell.gated:
        marks.append(f"FTE {100 * cell.failed_enrolments:.1f} %, FTA {100 * cell.failed_probes:.1f} % counted")
    return (model, windows, SCORES[cell.score], *(percent(figure) for figure in figures), "; ".join(marks))


def _rows(outcomes: Sequence[Outcome], all_cells: bool) -> list[tuple[str, ...]]:
    """Returns the lines of a row's table: all cells, or those of as many windows as the headline and ungated."""
    found = []
    for one in outcomes:
        size = (one.headline.enrol_windows, one.headline.probe_windows)
        for cell in one.cells:
            if all_cells or (not cell.gated and (cell.enrol_windows, cell.probe_windows) == size):
                found.append(_cells(one.model, cell))
    return found


def _notes(evaluation: Evaluation, outcomes: Sequence[Outcome]) -> list[str]:
    """Returns what a row's table leaves unsaid: differences, thresholds, calibration, and refused claims."""
    row = outcomes[0].row
    lines = [
        f"EER of {one.model} less that of {one.other}, points: {percent(one.eer, sign=True)}"
        for one in evaluation.differences
        if one.row == row
    ]
    for one in outcomes:
        v, i = one.verification, one.identification
        if v is not None:
            fused = "" if v.fused_cllr is None else f", {v.probe_windows} windows {v.fused_cllr:.3f}"
            cllr = f"{v.cllr.value:.3f}"
            if v.cllr.low is not None and v.cllr.high is not None:
                cllr += f" [{v.cllr.low:.3f}, {v.cllr.high:.3f}]"
            lines.append(
                f"{one.model} at its own threshold ({v.enrol_windows} × {v.probe_windows}, {SCORES[v.score]}): FMR "
                f"{percent(v.fmr)} %, FNMR {percent(v.fnmr)} %; Cllr of one window {cllr}, least possible "
                f"{v.min_cllr:.3f}{fused}{'; fitted on these people' if v.fitted_here else ''}"
            )
        if i is not None and not one.baseline:
            lines.append(
                f"{one.model} as identification: ECE {100 * i.ece:.1f} %, NLL {i.nll:.3f}, Brier {i.brier:.3f} at "
                f"temperature {i.temperature:.3f}{', fitted on these people' if i.fitted_here else ''}"
            )
    if outcomes[0].population == "locked":
        looks = {one.look: one.name for one in evaluation.models if one.look}
        lines += [f"{name} is network {number} that was scored on locked people" for number, name in looks.items()]
    for one in outcomes:
        if one.by_activity:
            parts = [f"{part.activity} {percent(part.eer)}" for part in one.by_activity]
            lines.append(f"EER of {one.model} by what the probe shows, %: {', '.join(parts)}")
    refused = outcomes[0].headline.refused.items()
    return lines + [f"TAR at FMR {100 * float(fmr):g} % {why}" for fmr, why in refused]


def populations_of(evaluation: Evaluation) -> list[tuple[str, tuple[str, ...]]]:
    """Returns the populations whose activities were told, each with the activities, in order."""
    return list(dict.fromkeys((one.population, one.activities) for one in evaluation.activity))


def told_of(evaluation: Evaluation, population: str, activities: tuple[str, ...]) -> list[Told]:
    """Returns what each network and baseline told of these people."""
    return [one for one in evaluation.activity if (one.population, one.activities) == (population, activities)]


def activity_title(told: Sequence[Told]) -> str:
    """Returns whose activities are told, and how many windows show each."""
    first = told[0]
    shown = ", ".join(f"{name} {n}" for name, n in zip(first.activities, first.windows, strict=True))
    return f"Activity, {first.evidence} ({first.population}); {first.n_people} people, windows: {shown}"


def _activity_header(told: Sequence[Told]) -> tuple[str, ...]:
    recalls = (f"recall {name} %" for name in told[0].activities)
    return ("model", "accuracy %", "macro-F1 %", *recalls, "ECE %", "NLL", "")


def _activity_rows(told: Sequence[Told]) -> list[tuple[str, ...]]:
    rows = []
    for one in told:
        c = one.calibration
        believed = ("–", "–") if c is None else (f"{100 * c.ece:.1f}", f"{c.nll:.3f}")
        figures = (percent(figure) for figure in (one.accuracy, one.macro_f1, *one.recall))
        rows.append((one.model, *figures, *believed, "below baseline" if one.below_baseline else ""))
    return rows


def _activity_notes(evaluation: Evaluation, told: Sequence[Told]) -> list[str]:
    names = {one.model for one in told}
    lines = [
        f"accuracy of {one.model} less that of {one.other}, points: {percent(one.accuracy, sign=True)}"
        for one in evaluation.activity_differences
        if one.population == told[0].population and {one.model, one.other} <= names
    ]
    for one in told:
        c = one.calibration
        if c is not None:
            fitted = f"fitted on {c.fitted_on}" if c.fitted_on else "fitted on nobody"
            here = ", some of them among these people" if c.fitted_here else ""
            lines.append(f"{one.model}: probabilities at temperature {c.temperature:.3f}, {fitted}{here}")
    return lines


def _robustness(evaluation: Evaluation) -> list[str]:
    """Returns a Markdown table of EERs over disturbances, empty without any."""
    if not evaluation.robustness:
        return []
    columns = list(dict.fromkeys((one.row, one.model) for one in evaluation.robustness))
    cells = {(o.row, o.model, o.disturbance, o.level): o.eer for o in evaluation.robustness}
    lines = ["Disturbed probes, undisturbed enrolment, one probe window: EER %.", ""]
    lines += ["| disturbance | level | " + " | ".join(f"{model}, {row}" for row, model in columns) + " |"]
    lines += ["|" + " --- |" * (len(columns) + 2)]
    for disturbance, source, level in dict.fromkeys((o.disturbance, o.source, o.level) for o in evaluation.robustness):
        name = f"{disturbance}, {source}" if source else disturbance
        unit = f"× {level:g}" if disturbance == "heart rate" else f"{level:g} dB"
        rates = [cells.get((*column, disturbance, level)) for column in columns]
        texts = ["–" if rate is None else f"{100 * rate:.1f}" for rate in rates]
        lines.append(f"| {name} | {unit} | " + " | ".join(texts) + " |")
    return [*lines, ""]


def as_markdown(evaluation: Evaluation, all_cells: bool = True) -> str:
    """Returns the evaluation as Markdown, one table a row of the protocol; only headline windows if not `all_cells`."""
    lines = [f"**{evaluation.notice}**", ""] if evaluation.notice else []
    lines += [
        f"Protocol {evaluation.protocol} (SHA-256 `{evaluation.protocol_sha256[:12]}`). In brackets: 95 % intervals of "
        f"{evaluation.replicates} bootstrap replicates over people. Windows: enrolment × probe, 4 s each.",
        "",
    ]
    for name in rows_of(evaluation):
        outcomes = outcomes_of(evaluation, name)
        lines += [f"**{row_title(outcomes)}**", "", "| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
        lines += ["| " + " | ".join(row) + " |" for row in _rows(outcomes, all_cells)]
        lines += ["", *(f"- {line}" for line in _notes(evaluation, outcomes)), ""]
    for population in populations_of(evaluation):
        told = told_of(evaluation, *population)
        header = _activity_header(told)
        lines += [f"**{activity_title(told)}**", "", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
        lines += ["| " + " | ".join(row) + " |" for row in _activity_rows(told)]
        lines += ["", *(f"- {line}" for line in _activity_notes(evaluation, told)), ""]
    lines += _robustness(evaluation)
    lines += [f"- {one.name}: {one.note}" for one in evaluation.models if one.note]
    return "\n".join(lines).rstrip() + "\n"


def as_text(evaluation: Evaluation) -> str:
    """Returns the headline figures as aligned text for a terminal."""
    lines = [evaluation.notice] if evaluation.notice else []
    for name in rows_of(evaluation):
        outcomes = outcomes_of(evaluation, name)
        lines += ["", row_title(outcomes), "", *_aligned([HEADER, *_rows(outcomes, all_cells=False)])]
        lines += [f"  {line}" for line in _notes(evaluation, outcomes)]
    for population in populations_of(evaluation):
        told = told_of(evaluation, *population)
        lines += ["", activity_title(told), "", *_aligned([_activity_header(told), *_activity_rows(told)])]
        lines += [f"  {line}" for line in _activity_notes(evaluation, told)]
    lines += ["", *_robustness(evaluation)] if evaluation.robustness else []
    return "\n".join(lines).strip("\n")


def _aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
