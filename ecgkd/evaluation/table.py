"""An evaluation as text and as Markdown."""

from collections.abc import Sequence

from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.evaluate import Cell, Evaluation, Outcome

HEADER = ("model", "windows", "score", "EER %", "TAR % at FMR 1 %", "TAR % at FMR 0.1 %", "rank-1 %", "")


def percent(figure: Measured | None) -> str:
    """Returns a figure with its interval, in per cent; a dash where there is none."""
    if figure is None:
        return "–"
    text = f"{100 * figure.value:.1f}"
    if figure.low is not None and figure.high is not None:
        text += f" [{100 * figure.low:.1f}–{100 * figure.high:.1f}]"
    return text


def _cells(model: str, cell: Cell) -> tuple[str, ...]:
    windows = f"{cell.enrol_windows} × {cell.probe_windows}{', gated' if cell.gated else ''}"
    score = "AS-norm" if cell.score == "as_norm" else "cosine"
    mark = "below baseline" if cell.below_baseline else ""
    figures = (cell.eer, cell.tar.get("0.01"), cell.tar.get("0.001"), cell.rank1)
    return (model, windows, score, *(percent(figure) for figure in figures), mark)


def headline(outcome: Outcome) -> Cell:
    """Returns the ungated cell with the most windows and, of its scores, the normalised one."""
    plain = [cell for cell in outcome.cells if not cell.gated]
    return max(plain, key=lambda cell: (cell.enrol_windows * cell.probe_windows, cell.score == "as_norm"))


def rows_of(evaluation: Evaluation) -> list[str]:
    """Returns the names of the rows, in order."""
    return list(dict.fromkeys(one.row for one in evaluation.outcomes))


def row_title(outcomes: Sequence[Outcome]) -> str:
    """Returns what a row compares and how many people are in it."""
    first, cell = outcomes[0], headline(outcomes[0])
    return (
        f"{first.row}: {first.evidence}; {cell.n_people} people probe, {cell.n_enrolled} enrolled, "
        f"{cell.n_genuine} genuine and {cell.n_impostor} impostor comparisons ({cell.n_pairs} pairs of people)"
    )


def _verified(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for one in outcomes:
        if one.verification is not None:
            v = one.verification
            lines.append(
                f"{one.model} at its own threshold: FMR {percent(v.fmr)} %, FNMR {percent(v.fnmr)} %; "
                f"Cllr {v.cllr:.3f}, minimum {v.min_cllr:.3f}"
            )
    return lines


def _refusals(outcomes: Sequence[Outcome]) -> list[str]:
    found = {f"TAR at FMR {100 * float(fmr):g} %: {why}" for fmr, why in headline(outcomes[0]).refused.items()}
    return sorted(found)


def _rows(outcomes: Sequence[Outcome], all_cells: bool) -> list[tuple[str, ...]]:
    found = []
    for one in outcomes:
        last = headline(one)
        size = (last.enrol_windows, last.probe_windows)
        for cell in one.cells:
            if all_cells or (not cell.gated and (cell.enrol_windows, cell.probe_windows) == size):
                found.append(_cells(one.model, cell))
    return found


def as_markdown(evaluation: Evaluation, all_cells: bool = True) -> str:
    """Returns the evaluation as Markdown: one table a row of the protocol; headline cells alone without `all_cells`."""
    lines = [f"**{evaluation.notice}**", ""] if evaluation.notice else []
    lines += [
        f"Protocol {evaluation.protocol} (SHA-256 `{evaluation.protocol_sha256[:12]}`); 95 % intervals from "
        f"{evaluation.replicates} bootstrap replicates over people; windows are enrolment × probe, 4 s each.",
        "",
    ]
    for name in rows_of(evaluation):
        outcomes = [one for one in evaluation.outcomes if one.row == name]
        lines += [f"{row_title(outcomes)}", "", "| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
        lines += ["| " + " | ".join(row) + " |" for row in _rows(outcomes, all_cells)]
        lines += ["", *(f"- {line}" for line in [*_verified(outcomes), *_refusals(outcomes)]), ""]
    return "\n".join(lines)


def as_text(evaluation: Evaluation) -> str:
    """Returns the headline figures as aligned text for a terminal."""
    lines = [evaluation.notice] if evaluation.notice else []
    for name in rows_of(evaluation):
        outcomes = [one for one in evaluation.outcomes if one.row == name]
        table = [HEADER, *_rows(outcomes, all_cells=False)]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADER))]
        lines += ["", row_title(outcomes)]
        lines += ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        lines += _verified(outcomes)
    return "\n".join(lines)
