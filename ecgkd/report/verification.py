"""Section on calibration: what thresholds and probabilities promise, and what they keep."""

from collections.abc import Sequence

from ecgkd.evaluation import plots
from ecgkd.evaluation.results import Outcome
from ecgkd.report.evidence import drawing
from ecgkd.report.page import Block, Cell, Fold, Section, Table, Text
from ecgkd.report.shown import Shown, measured
from ecgkd.report.words import between, many, percent

HERE = "fitted here"


def calibration_section(found: Shown | None) -> Section | None:
    """Returns calibration of verification and identification, None where nothing was evaluated.

    Raises: MissingToolError without matplotlib.
    """
    if found is None:
        return None
    row, *other_rows = found.rows
    outcomes = found.outcomes(row)
    blocks: list[Block] = []
    if any(one.verification for one in outcomes):
        blocks.append(Text(f"What each model's own threshold and calibration do on {row}:"))
        blocks.append(_verification(found, outcomes))
        others = [one for other in other_rows for one in found.outcomes(other) if one.verification]
        if others:
            blocks.append(Fold("The same on the other rows", (_verification(found, others, with_row=True),)))
    else:
        blocks.append(Text("The evaluated models have no threshold yet, so verification is not checked."))
    if any(one.identification for one in outcomes):
        blocks.append(_identification(found, outcomes))
    best = found.best
    if best is not None:
        blocks.append(Text(_people(best)))
        caption = f"{row}, {best.model}: scores of genuine and impostor comparisons."
        blocks.append(drawing(plots.scores(best, "scores"), "scores-", caption))
    if any(one.identification and not one.baseline for one in outcomes):
        caption = f"{row}: how often identification is right for how confident it is; calibrated on the diagonal."
        blocks.append(drawing(plots.reliability(outcomes, "reliability"), "reliability-", caption))
    return Section("Thresholds and calibration", tuple(blocks), "calibration")


def _verification(found: Shown, outcomes: Sequence[Outcome], with_row: bool = False) -> Table:
    rows = []
    for one in outcomes:
        v = one.verification
        if v is not None:
            here = HERE * v.fitted_here
            detail = ", ".join(part for part in (one.row, here) if part) if with_row else found.what(one.model, here)
            cost = Cell(f"{v.cllr.value:.3f}", between(v.cllr.low, v.cllr.high, digits=3))
            rows.append((Cell(one.model, detail), measured(v.fmr), measured(v.fnmr), cost, Cell(f"{v.min_cllr:.3f}")))
    caption = (
        "Cllr: cost of single windows' log-likelihood ratios in bits, 0 is perfect and 1 says nothing; at best: what "
        f"the best calibration of the same scores would reach. “{HERE}”: to people of this row, so no evidence."
    )
    return Table(("model", "FMR", "FNMR", "Cllr", "at best"), tuple(rows), caption)


def _identification(found: Shown, outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for one in outcomes:
        i = one.identification
        if i is not None:
            figures = (percent(i.ece), f"{abs(i.nll):.2f}", f"{i.brier:.2f}", f"{i.temperature:.3g}")
            head = Cell(one.model, found.what(one.model, HERE * i.fitted_here))
            rows.append((head, *(Cell(figure) for figure in figures)))
    caption = (
        f"Identification among the enrolled, {outcomes[0].row}. ECE: mean gap between confidence and share correct; "
        "NLL in nats; temperature: of the softmax over cosines."
    )
    return Table(("model", "ECE", "NLL", "Brier", "temperature"), tuple(rows), caption)


def _people(one: Outcome) -> str:
    """Returns how unevenly errors are spread over people."""
    misses = one.curves.per_person
    never = sum(share == 0 for share in misses)
    return (
        f"People are not alike: with {one.model} on {one.row}, at the threshold of equal errors, {never} of "
        f"{many(len(misses), 'person', 'people')} are never rejected; the one who fares worst is rejected in "
        f"{percent(max(misses, default=0.0), 0)} of the comparisons."
    )
