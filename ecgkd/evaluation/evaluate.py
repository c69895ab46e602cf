"""Models and baselines on the rows of a protocol: the same comparisons for all, in figures with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ecgkd import __version__
from ecgkd.data.prepared import PreparedSet
from ecgkd.data.synthetic import SYNTHETIC_NOTICE
from ecgkd.errors import UsageError
from ecgkd.evaluation.activity import told_activities
from ecgkd.evaluation.bootstrap import REPLICATES, Replicates, interval
from ecgkd.evaluation.by_activity import by_activity
from ecgkd.evaluation.calibration import fit_temperature
from ecgkd.evaluation.candidates import Candidate, baselines
from ecgkd.evaluation.decision_fit import calibration_rows
from ecgkd.evaluation.figures import (
    cosines_of_mated,
    curves,
    feasible,
    identification,
    make_cell,
    verification,
)
from ecgkd.evaluation.material import PooledRow, Seen, View, make_pool, see, view
from ecgkd.evaluation.results import Cell, Difference, Evaluation, Outcome
from ecgkd.evaluation.scores import COHORT_TOP
from ecgkd.protocols.protocol import Protocol, Row

__all__ = ["Candidate", "baselines", "evaluate"]

Progress = Callable[[int, int, str], None]


def evaluate(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    *,
    rows: Sequence[str] = (),
    replicates: int = REPLICATES,
    progress: Progress | None = None,
) -> Evaluation:
    """Returns every candidate's figures on every row of `protocol`, or on the named `rows`.

    Raises: UsageError for an unknown row, a protocol without rows, or two candidates of one name.
    """
    chosen = [protocol.row(name) for name in rows] if rows else list(protocol.rows)
    if not chosen:
        raise UsageError(f"protocol {protocol.name!r} has no rows to evaluate")
    for row in chosen:
        names = [one.name for one in candidates if one.fits(row)]
        if len(set(names)) != len(names):
            raise UsageError(f"two of the models are called alike: {', '.join(names)}")
    fitting = _rows_for_temperature(protocol, sets)
    pool = make_pool([*chosen, *fitting], sets)
    embeds = {one.key: one.embed for one in candidates}
    seen = see(pool, sets, embeds, progress, {one.key: one.leads for one in candidates})
    outcomes: list[Outcome] = []
    total = sum(one.fits(row) for one in candidates for row in chosen)
    drawn: dict[tuple[str, str], Replicates] = {}
    for candidate in candidates:
        views = [_view(row, seen, candidate) for row in pool.rows]
        temperatures: dict[tuple[int, int], float | None] = {}
        for one in views[: len(chosen)]:
            if not candidate.fits(one.row.row):
                continue
            if progress is not None:
                progress(len(outcomes), total, f"{candidate.name}, {one.row.row.name}")
            size = feasible(one)[-1]
            if size not in temperatures:
                temperatures[size] = _temperature(views[len(chosen) :], size)
            outcome, eer = _outcome(candidate, one, temperatures[size], replicates)
            outcomes.append(replace(outcome, by_activity=by_activity(one, size, outcome.score, sets, replicates)))
            drawn[candidate.name, outcome.row] = eer
    marked = _mark(outcomes)
    tellers = [one.teller for one in candidates if one.teller is not None]
    beside = any(one.baseline for one in candidates)
    told, told_less = told_activities(tellers, protocol, chosen, sets, replicates, progress, beside)
    used = {span.set for row in chosen for span in (*row.enrol, *row.probe)}
    return Evaluation(
        protocol=protocol.name,
        protocol_sha256=protocol.sha256,
        sets={name: sha256 for name, sha256 in protocol.sets.items() if name in used},
        models=tuple(one.model for one in candidates),
        outcomes=tuple(sorted(marked, key=lambda one: [row.name for row in chosen].index(one.row))),
        differences=tuple(_differences(marked, drawn)),
        replicates=replicates,
        activity=tuple(told),
        activity_differences=tuple(told_less),
        gate={one.row.name: _refused(one, seen) for one in pool.rows[: len(chosen)]},
        notice=SYNTHETIC_NOTICE if any(one.synthetic for one in sets if one.name in used) else "",
        notes=tuple(protocol.notes),
        ecgkd=__version__,
    )


def _rows_for_temperature(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Row]:
    """Returns the calibration rows of the sets at hand; none where the protocol has nobody to calibrate on."""
    at_hand = {one.name for one in sets}
    try:
        rows = calibration_rows(protocol, sets) if {span.set for span in protocol.calibrate} <= at_hand else []
    except UsageError:
        return []
    return rows


def _view(row: PooledRow, seen: Seen, candidate: Candidate) -> View:
    top = COHORT_TOP if candidate.contract is None else candidate.contract.cohort_top
    return view(row, seen, candidate.key, candidate.centroids, top)


def _temperature(fitting: Sequence[View], size: tuple[int, int]) -> float | None:
    """Returns the temperature of identification, fitted on the first calibration row with such probes."""
    for one in fitting:
        found = cosines_of_mated(one, size)
        if found is not None:
            return fit_temperature(*found)
    return None


def _outcome(candidate: Candidate, one: View, temperature: float | None, replicates: int) -> tuple[Outcome, Replicates]:
    """Returns a candidate's figures on a row, and the replicates of its headline EER.

    Raises: UsageError where the row compares nobody with himself.
    """
    row, score = one.row.row, candidate.score
    sizes = feasible(one)
    kinds = ("cosine",) if one.cohort is None else ("cosine", "as_norm")
    found = [make_cell(one, size, kind, False, replicates) for size in sizes for kind in kinds]
    found.append(make_cell(one, sizes[-1], score, True, replicates))
    cells = [pair[0] for pair in found if pair is not None]
    head = next((p for p in found if p and p[0].score == score and _size(p[0]) == sizes[-1] and not p[0].gated), None)
    if head is None:
        raise UsageError(f"row {row.name}: nobody is compared with himself; leave it out (--rows) or mend the protocol")
    outcome = Outcome(
        model=candidate.name,
        baseline=candidate.baseline,
        row=row.name,
        population=row.population,
        kind=row.kind,
        evidence=row.evidence,
        leaky=row.leaky,
        score=score,
        cells=tuple(cells),
        verification=verification(one, candidate.contract, replicates),
        identification=identification(one, sizes[-1], temperature),
        curves=curves(one, sizes[-1], score, head[1]),
    )
    return outcome, head[1].eer


def _size(cell: Cell) -> tuple[int, int]:
    return cell.enrol_windows, cell.probe_windows


def _mark(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns the outcomes with those cells of models marked that lose to a baseline on the same windows and gate."""
    best: dict[tuple[str, int, int, bool], float] = {}
    for one in outcomes:
        for cell in one.cells if one.baseline else ():
            key = (one.row, *_size(cell), cell.gated)
            best[key] = min(cell.eer.value, best.get(key, 1.0))
    marked = []
    for one in outcomes:
        cells = [
            replace(cell, below_baseline=cell.eer.value > best.get((one.row, *_size(cell), cell.gated), 1.0))
            for cell in one.cells
        ]
        marked.append(one if one.baseline else replace(one, cells=tuple(cells)))
    return marked


def _differences(outcomes: Sequence[Outcome], drawn: dict[tuple[str, str], Replicates]) -> list[Difference]:
    """Returns the headline EER of each model less that of the row's best baseline and of each model before it."""
    found = []
    for row in dict.fromkeys(one.row for one in outcomes):
        models = [one for one in outcomes if one.row == row and not one.baseline]
        beside = sorted((one for one in outcomes if one.row == row and one.baseline), key=_headline_eer)
        for number, one in enumerate(models):
            for other in [*beside[:1], *models[:number]]:
                value = _headline_eer(one) - _headline_eer(other)
                replicates = drawn[one.model, row] - drawn[other.model, row]
                found.append(
                    Difference(row, one.model, other.model, interval(value, replicates, one.headline.n_people))
                )
    return found


def _headline_eer(outcome: Outcome) -> float:
    return outcome.headline.eer.value


def _refused(row: PooledRow, seen: Seen) -> dict[str, float]:
    return {
        name: float(1 - seen.usable[side.place].mean()) for name, side in (("enrol", row.enrol), ("probe", row.probe))
    }
