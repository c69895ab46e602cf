"""Models and baselines on the rows of a protocol: the same comparisons for all, in figures with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd import __version__
from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.data.synthetic import SYNTHETIC_NOTICE
from ecgkd.errors import UsageError
from ecgkd.evaluation.baselines import correlation_embed, fit_lda
from ecgkd.evaluation.bootstrap import REPLICATES, Replicates, interval
from ecgkd.evaluation.calibration import fit_temperature
from ecgkd.evaluation.cohort import fit_cohort, thinned
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
from ecgkd.evaluation.results import Cell, Difference, Evaluation, Model, Outcome
from ecgkd.evaluation.scores import COHORT_TOP, unit
from ecgkd.protocols.protocol import Protocol, Row, Span
from ecgkd.protocols.trials import network_windows, span_windows

__all__ = ["Candidate", "baselines", "evaluate"]

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Progress = Callable[[int, int, str], None]

BASELINE_WINDOWS = 20_000
"""Training windows of the LDA, evenly spread."""
BASELINE_PEOPLE = 30
"""So many training people of the tested sets are enough for the LDA; with fewer, all sets train it."""


@dataclass(frozen=True)
class Candidate:
    """Something that embeds windows."""

    name: str
    embed: Embed
    """int8 windows (n, 1000) to float32 (n, size)."""
    contract: Contract | None = None
    cohort: NDArray[np.int8] | None = None
    """Centroids (n, size); None: the contract's."""
    baseline: bool = False
    sets: tuple[str, ...] = ()
    """Sets whose rows it is for; (): all."""
    note: str = ""
    look: int = 0
    """Which network it is to be scored on the locked people; 0 where it is not."""

    @property
    def key(self) -> str:
        """The name, and whose rows it is for: no two candidates share it."""
        return f"{self.name} ({', '.join(self.sets)})" if self.sets else self.name

    def fits(self, row: Row) -> bool:
        """Whether it stands on `row`."""
        return not self.sets or {span.set for span in row.enrol} <= set(self.sets)

    @property
    def centroids(self) -> NDArray[np.int8] | None:
        if self.cohort is None and self.contract is not None and self.contract.cohort:
            return np.array(self.contract.cohort, np.int8)
        return self.cohort if self.cohort is not None and len(self.cohort) else None

    @property
    def score(self) -> str:
        """The score that decides: the contract's, else the normalised one where there is a cohort."""
        if self.contract is not None and self.contract.threshold is not None:
            return self.contract.threshold.kind
        return "cosine" if self.centroids is None else "as_norm"

    @property
    def model(self) -> Model:
        c = self.contract
        if c is None:
            return Model(self.name, self.baseline, note=self.note)
        return Model(
            self.name,
            self.baseline,
            c.model,
            c.precision,
            c.weights_sha256,
            c.embedding_space,
            c.synthetic,
            self.note,
            self.look,
        )


def baselines(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Candidate]:
    """Returns correlation of mean beats, and the LDA on them where the protocol has training people.

    For the rows of each set both are fitted to training people of that set (the LDA itself, and a cohort for each),
    where these are enough, since beats of the same device make the stronger baseline; else to all training people.
    Raises: UsageError where the training people do not allow an LDA.
    """
    if not protocol.train:
        return [Candidate("correlation", correlation_embed, baseline=True, note="no training people, so no cohort")]
    by_name = {one.name: one for one in sets}
    tested = sorted({span.set for row in protocol.rows for span in row.enrol})
    own, others = [], []
    for name in tested:
        spans = [span for span in protocol.train if span.set == name]
        people = {str(by_name[name].subject[by_name[name].find(span.record)]) for span in spans}
        if len(people) < BASELINE_PEOPLE:
            others.append(name)
        else:
            own += _fitted(spans, sets, (name,), f"for rows of {name}, fitted to {len(people)} people of that set")
    if others:
        note = f"for rows of {', '.join(others)}, fitted to all training people"
        own += _fitted(protocol.train, sets, tuple(others), note)
    return own


def _fitted(spans: Sequence[Span], sets: Sequence[PreparedSet], tested: tuple[str, ...], note: str) -> list[Candidate]:
    """Returns both baselines for the rows of `tested`, fitted to the people of `spans`."""
    windows = thinned(span_windows(spans, sets), BASELINE_WINDOWS)
    inputs = network_windows(windows, sets)
    try:
        lda = fit_lda(inputs, np.array(windows.subjects)[windows.subject])
    except UsageError as error:
        raise UsageError(f"{error}; or leave the baselines out (--no-baselines)") from error
    found = []
    for name, embed in (("correlation", correlation_embed), ("LDA", lda.embed)):
        cohort = fit_cohort(unit(embed(inputs)), windows.subject)
        cohort_note = f"{note} ({'no cohort' if not len(cohort) else f'{len(cohort)} centroids'})"
        found.append(Candidate(name, embed, cohort=cohort, baseline=True, sets=tested, note=cohort_note))
    return found


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
    seen = see(pool, sets, {one.key: one.embed for one in candidates}, progress)
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
            outcomes.append(outcome)
            drawn[candidate.name, outcome.row] = eer
    marked = _mark(outcomes)
    used = {span.set for row in chosen for span in (*row.enrol, *row.probe)}
    return Evaluation(
        protocol=protocol.name,
        protocol_sha256=protocol.sha256,
        sets={name: sha256 for name, sha256 in protocol.sets.items() if name in used},
        models=tuple(one.model for one in candidates),
        outcomes=tuple(sorted(marked, key=lambda one: [row.name for row in chosen].index(one.row))),
        differences=tuple(_differences(marked, drawn)),
        replicates=replicates,
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
