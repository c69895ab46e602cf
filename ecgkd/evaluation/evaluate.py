"""Models and baselines on the rows of a protocol: the same comparisons for all, in figures with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.data.synthetic import SYNTHETIC_NOTICE
from ecgkd.errors import UsageError
from ecgkd.evaluation import calibration
from ecgkd.evaluation.baselines import correlation_embed, fit_lda
from ecgkd.evaluation.bootstrap import (
    Measured,
    draw_people,
    interval,
    mean_over_people,
    people_of,
    resample,
)
from ecgkd.evaluation.decision_fit import fit_cohort
from ecgkd.evaluation.metrics import cmc, ranks, refusal, unordered_pairs
from ecgkd.evaluation.scores import COHORT_TOP, Comparisons, compare, fuse, unit
from ecgkd.protocols.protocol import Protocol, Row
from ecgkd.protocols.trials import (
    RowWindows,
    Windows,
    enrol_groups,
    network_windows,
    probe_groups,
    raw_windows,
    row_windows,
    span_windows,
)
from ecgkd.signal.quality import assess

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Floats = NDArray[np.float32]
Progress = Callable[[int, int, str], None]

VERSION = 1
CELLS = ((1, 1), (6, 1), (6, 3))
"""Enrolment × probe windows; the last is the headline."""
ENROLMENT_LENGTHS = (1, 2, 3, 4, 6, 8, 12)
FMRS = (0.01, 0.001)
LDA_WINDOWS = 40_000
"""Training windows of the LDA, evenly spread."""
CURVE_POINTS = 200


@dataclass(frozen=True)
class Candidate:
    """Something that embeds windows."""

    name: str
    embed: Embed
    contract: Contract | None = None
    cohort: NDArray[np.int8] | None = None
    baseline: bool = False


@dataclass(frozen=True)
class Cell:
    """Error rates at one number of enrolment and probe windows, for one kind of score."""

    enrol_windows: int
    probe_windows: int
    score: str
    """`cosine` or `as_norm`."""
    gated: bool
    """Whether windows that the quality gate refuses were left out; who has none left is a false rejection."""
    eer: Measured
    tar: dict[str, Measured | None]
    """By FMR; None where the people are too few to claim it."""
    refused: dict[str, str]
    """By FMR: why nothing is claimed."""
    rank1: Measured
    n_people: int
    """With genuine comparisons."""
    n_enrolled: int
    n_genuine: int
    n_impostor: int
    n_pairs: int
    """Unordered pairs of people compared."""
    below_baseline: bool = False


@dataclass(frozen=True)
class Verification:
    """What the contract's threshold and calibration do on the row, six enrolment and three probe windows."""

    fmr: Measured
    fnmr: Measured
    threshold: float
    cllr: float
    min_cllr: float
    """Of single-window scores, with the contract's calibration."""


@dataclass(frozen=True)
class Curves:
    """Drawn figures of the headline cell."""

    det: dict[str, list[float]]
    """`fmr` and `fnmr`."""
    cmc: list[float]
    genuine: list[float]
    impostor: list[float]
    """Quantiles of the scores."""
    enrolment: list[tuple[int, float]]
    """Enrolment windows and EER."""
    rejection: list[tuple[float, float]]
    """Share of probe windows left out, least periodic first, and EER of the others."""
    reliability: list[tuple[float, float, int]]
    """Of identification among the enrolled: mean confidence, share correct, probes."""
    identification: dict[str, float]
    """`ece`, `nll`, `brier`, at a temperature fitted on development people."""
    per_person: list[float]
    """Share of each person's genuine comparisons below the EER threshold, ascending."""


@dataclass(frozen=True)
class Outcome:
    """One candidate on one row."""

    model: str
    baseline: bool
    row: str
    population: str
    kind: str
    evidence: str
    """What the row's figures are worth."""
    cells: tuple[Cell, ...]
    verification: Verification | None
    curves: Curves


@dataclass(frozen=True)
class Evaluation:
    """All outcomes; JSON by `to_dict`."""

    protocol: str
    protocol_sha256: str
    sets: dict[str, str]
    outcomes: tuple[Outcome, ...]
    replicates: int
    gate: dict[str, dict[str, float]]
    """By row: share of enrolment and of probe windows that the quality gate refuses."""
    notice: str = ""
    version: int = VERSION
    notes: tuple[str, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Side:
    """One side of a row: windows, what the network sees of them, and what the quality gate says."""

    windows: Windows
    inputs: NDArray[np.int8]
    usable: NDArray[np.bool_]
    periodicity: NDArray[np.float64]


@dataclass(frozen=True)
class _Prepared:
    row: Row
    found: RowWindows
    enrol: _Side
    probe: _Side


def _side(windows: Windows, sets: Sequence[PreparedSet]) -> _Side:
    usable = np.zeros(len(windows), np.bool_)
    periodicity = np.zeros(len(windows))
    for positions, native, one in raw_windows(windows, sets):
        found = assess(native, one.fs, one.gain_known)
        usable[positions] = [quality.usable for quality in found]
        periodicity[positions] = [quality.periodicity for quality in found]
    return _Side(windows, network_windows(windows, sets), usable, periodicity)


def _prepare(row: Row, sets: Sequence[PreparedSet]) -> _Prepared:
    found = row_windows(row, sets)
    return _Prepared(row, found, _side(found.enrol, sets), _side(found.probe, sets))


@dataclass(frozen=True)
class _Embedded:
    """A prepared row as one candidate sees it; refused windows are zero in the gated arrays."""

    prepared: _Prepared
    enrol: Floats
    probe: Floats
    cohort: Floats | None

    def comparisons(self, k_enrol: int, k_probe: int, cohort: bool, gated: bool = False) -> Comparisons | None:
        """Returns the comparisons of fused windows; None where no recording has `k_probe` windows."""
        enrol, probe = self.enrol, self.probe
        if gated:
            enrol = enrol * self.prepared.enrol.usable[:, None]
            probe = probe * self.prepared.probe.usable[:, None]
        templates = enrol_groups(self.prepared.enrol.windows, k_enrol)
        probes = probe_groups(self.prepared.probe.windows, k_probe)
        if not len(probes):
            return None
        scores = compare(
            fuse(probe, probes.windows), fuse(enrol, templates.windows), self.cohort if cohort else None, COHORT_TOP
        )
        return Comparisons(scores, probes.subject, templates.subject)


def _embed(prepared: _Prepared, candidate: Candidate) -> _Embedded:
    enrol, probe = (unit(candidate.embed(side.inputs)) for side in (prepared.enrol, prepared.probe))
    cohort = candidate.cohort
    if cohort is None and candidate.contract is not None and candidate.contract.cohort:
        cohort = np.array(candidate.contract.cohort, np.int8)
    centroids = unit(cohort.astype(np.float32)) if cohort is not None and len(cohort) else None
    return _Embedded(prepared, enrol, probe, centroids)


def _cell(found: Comparisons, k_enrol: int, k_probe: int, score: str, gated: bool, replicates: int) -> Cell:
    people = people_of(found)
    draws = draw_people(len(people), replicates)
    drawn = resample(found, draws, FMRS)
    mated = np.intersect1d(found.probe_subject, found.template_subject)
    n_pairs = unordered_pairs(found.probe_subject, found.template_subject)
    refused = {f"{fmr:g}": why for fmr in FMRS if (why := refusal(fmr, n_pairs))}
    tar: dict[str, Measured | None] = {}
    for fmr in FMRS:
        value = 1 - drawn.curve.at_fmr(fmr)[0]
        claim = f"{fmr:g}" not in refused
        tar[f"{fmr:g}"] = interval(value, 1 - drawn.fnmr_at_fmr[fmr], len(mated)) if claim else None
    rank = ranks(found.scores, found.probe_subject, found.template_subject)
    first, first_drawn = mean_over_people(
        (rank[rank > 0] == 1).astype(np.float64), found.probe_subject[rank > 0], people, draws
    )
    own = int(found.genuine.sum())
    return Cell(
        k_enrol,
        k_probe,
        score,
        gated,
        interval(drawn.curve.eer(), drawn.eer, len(mated)),
        tar,
        refused,
        interval(first, first_drawn, len(mated)),
        len(mated),
        len(np.unique(found.template_subject)),
        own,
        found.scores.size - own,
        n_pairs,
    )


def _cells(embedded: _Embedded, replicates: int) -> tuple[Cell, ...]:
    cells = []
    for k_enrol, k_probe in CELLS:
        for normed in (False, True) if embedded.cohort is not None else (False,):
            found = embedded.comparisons(k_enrol, k_probe, normed)
            if found is not None:
                cells.append(_cell(found, k_enrol, k_probe, "as_norm" if normed else "cosine", False, replicates))
    k_enrol, k_probe = CELLS[-1]
    gated = embedded.comparisons(k_enrol, k_probe, embedded.cohort is not None, gated=True)
    if gated is not None:
        score = "as_norm" if embedded.cohort is not None else "cosine"
        cells.append(_cell(gated, k_enrol, k_probe, score, True, replicates))
    return tuple(cells)


def _verification(embedded: _Embedded, contract: Contract | None, replicates: int) -> Verification | None:
    """Returns what the contract's own threshold and calibration do; None without them."""
    if contract is None or contract.threshold is None or contract.calibration is None:
        return None
    threshold, fitted = contract.threshold, contract.calibration
    fused = embedded.comparisons(threshold.enrol_windows, threshold.probe_windows, threshold.kind == "as_norm")
    single = embedded.comparisons(threshold.enrol_windows, 1, fitted.kind == "as_norm")
    if fused is None or single is None:
        return None
    people = people_of(fused)
    drawn = resample(fused, draw_people(len(people), replicates), (), (threshold.value,))
    fmr, fnmr = drawn.curve.at_threshold(threshold.value)
    fmr_drawn, fnmr_drawn = drawn.at_threshold[threshold.value]
    llr = fitted.slope * single.scores.astype(np.float64) + fitted.offset
    own, weights = single.genuine, single.weights()
    sides = (llr[own], weights[own], llr[~own], weights[~own])
    return Verification(
        interval(fmr, fmr_drawn, len(people)),
        interval(fnmr, fnmr_drawn, len(people)),
        threshold.value,
        calibration.cllr(*sides),
        calibration.min_cllr(*sides),
    )


def _truth(found: Comparisons) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns scores (n, enrolled) and the true column (n,) of the probes whose person is enrolled."""
    column = {int(person): k for k, person in enumerate(found.template_subject)}
    mated = np.isin(found.probe_subject, found.template_subject)
    truth = np.array([column[int(person)] for person in found.probe_subject[mated]], np.int64)
    return found.scores[mated].astype(np.float64), truth


def _temperature(embedded: Sequence[_Embedded]) -> float | None:
    """Returns the temperature of identification by cosine, fitted on the development row; None without one."""
    rows = [one for one in embedded if one.prepared.row.population in ("development", "closed-set")]
    for one in rows:
        found = one.comparisons(*CELLS[-1], cohort=False)
        if found is not None:
            return calibration.fit_temperature(*_truth(found))
    return None


def _eer(found: Comparisons | None) -> float:
    if found is None:
        return float("nan")
    return float(resample(found, np.ones((1, len(people_of(found))), np.float32)).curve.eer())


def _rejection(embedded: _Embedded, cohort: bool) -> list[tuple[float, float]]:
    """Returns the EER of single probe windows when the least periodic share of them is left out."""
    found = embedded.comparisons(CELLS[-1][0], 1, cohort)
    if found is None:
        return []
    order = np.argsort(embedded.prepared.probe.periodicity, kind="stable")
    probes = probe_groups(embedded.prepared.probe.windows, 1).windows[:, 0]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    points = []
    for share in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5):
        kept = place[probes] >= share * len(order)
        people = np.isin(found.probe_subject[kept], found.template_subject)
        if people.any():
            rest = Comparisons(found.scores[kept], found.probe_subject[kept], found.template_subject)
            points.append((share, _eer(rest)))
    return points


def _quantiles(values: NDArray[np.floating]) -> list[float]:
    return [float(v) for v in np.quantile(values, np.linspace(0, 1, CURVE_POINTS + 1))]


def _curves(embedded: _Embedded, temperature: float | None) -> Curves | None:
    cohort = embedded.cohort is not None
    k_enrol, k_probe = next((c for c in reversed(CELLS) if embedded.comparisons(*c, cohort) is not None), CELLS[0])
    found = embedded.comparisons(k_enrol, k_probe, cohort)
    plain = embedded.comparisons(k_enrol, k_probe, False)
    if found is None or plain is None:
        return None
    curve = resample(found, np.ones((1, len(people_of(found))), np.float32)).curve
    step = max(1, len(curve.fmr) // (4 * CURVE_POINTS))
    own = found.genuine
    _, at = curve.equal_error_point()
    rank = ranks(found.scores, found.probe_subject, found.template_subject)
    lengths = [(k, _eer(embedded.comparisons(k, k_probe, cohort))) for k in ENROLMENT_LENGTHS]
    genuine = np.where(own, found.scores, np.nan)[own]
    people = found.probe_subject[np.nonzero(own)[0]]
    misses = sorted(float((genuine[people == person] < at).mean()) for person in np.unique(people))
    logits, truth = _truth(plain)
    logits = logits / (temperature or 1.0)
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    correct = probability.argmax(axis=1) == truth
    confidence = probability.max(axis=1)
    return Curves(
        {"fmr": curve.fmr[::step].tolist(), "fnmr": curve.fnmr[::step].tolist()},
        cmc(rank, found.probe_subject, len(np.unique(found.template_subject)))[:20].tolist(),
        _quantiles(genuine),
        _quantiles(found.scores[~own]),
        lengths,
        _rejection(embedded, cohort),
        calibration.reliability(confidence, correct),
        {
            "ece": calibration.expected_calibration_error(confidence, correct),
            "nll": calibration.negative_log_likelihood(logits, truth),
            "brier": calibration.brier(logits, truth),
            "temperature": temperature or 1.0,
        },
        misses,
    )


def baselines(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Candidate]:
    """Returns correlation of mean beats, and the LDA on them where the protocol has training people."""
    found = [Candidate("correlation", correlation_embed, baseline=True)]
    if protocol.train:
        windows = span_windows(protocol.train, sets)
        step = max(1, len(windows) // LDA_WINDOWS)
        thinned = Windows(
            windows.subjects,
            windows.recordings,
            windows.subject[::step],
            windows.recording[::step],
            windows.start[::step],
        )
        inputs = network_windows(thinned, sets)
        lda = fit_lda(inputs, np.array(thinned.subjects)[thinned.subject])
        cohort = fit_cohort(unit(lda.embed(inputs)), thinned.subject)
        found.append(Candidate("LDA", lda.embed, cohort=cohort, baseline=True))
    return found


def _mark(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns the outcomes with those cells marked that lose to the LDA on the same row, windows and gate."""
    best: dict[tuple[str, int, int, bool], float] = {}
    for one in outcomes:
        for cell in one.cells if one.model == "LDA" else ():
            key = (one.row, cell.enrol_windows, cell.probe_windows, cell.gated)
            best[key] = min(cell.eer.value, best.get(key, 1.0))
    marked = []
    for one in outcomes:
        cells = tuple(
            Cell(
                **{
                    **vars(cell),
                    "below_baseline": not one.baseline
                    and cell.eer.value
                    > best.get((one.row, cell.enrol_windows, cell.probe_windows, cell.gated), float("inf")),
                }
            )
            for cell in one.cells
        )
        marked.append(Outcome(**{**vars(one), "cells": cells}))
    return marked


def evaluate(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    *,
    rows: Sequence[str] = (),
    replicates: int = 2000,
    progress: Progress | None = None,
) -> Evaluation:
    """Returns every candidate's figures on every row (or on the named `rows`).

    Raises: UsageError for an unknown row or a protocol without rows.
    """
    chosen = [protocol.row(name) for name in rows] if rows else list(protocol.rows)
    if not chosen:
        raise UsageError(f"protocol {protocol.name} has no rows to evaluate")
    prepared = [_prepare(row, sets) for row in chosen]
    outcomes: list[Outcome] = []
    total = len(candidates) * len(chosen)
    for candidate in candidates:
        embedded = [_embed(one, candidate) for one in prepared]
        temperature = _temperature(embedded)
        for one in embedded:
            row = one.prepared.row
            if progress is not None:
                progress(len(outcomes), total, f"{candidate.name} {row.name}")
            curves = _curves(one, temperature)
            cells = _cells(one, replicates)
            if curves is not None and cells:
                checked = _verification(one, candidate.contract, replicates)
                who = (candidate.name, candidate.baseline, row.name, row.population, row.kind, row.evidence)
                outcomes.append(Outcome(*who, cells, checked, curves))
    gate = {
        one.row.name: {"enrol": float(1 - one.enrol.usable.mean()), "probe": float(1 - one.probe.usable.mean())}
        for one in prepared
    }
    notice = SYNTHETIC_NOTICE if any(one.synthetic for one in sets) else ""
    return Evaluation(
        protocol.name,
        protocol.sha256,
        dict(protocol.sets),
        tuple(_mark(outcomes)),
        replicates,
        gate,
        notice,
        notes=tuple(protocol.notes),
    )
