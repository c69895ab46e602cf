"""Fitting what the contract decides with: cohort, threshold and log-likelihood ratios, never on test people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import beta

from ecgkd.contract import EnrolmentFloors, ScoreCalibration, Threshold
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.calibration import Scored, cllr, fit_llr
from ecgkd.evaluation.cohort import training_cohort
from ecgkd.evaluation.enrolment_fit import fit_enrolment
from ecgkd.evaluation.material import Embed, View, make_pool, see, view
from ecgkd.evaluation.metrics import det_curve
from ecgkd.evaluation.scores import Comparisons
from ecgkd.protocols.protocol import Protocol, Row, Span

UNKNOWN_RHO = 0.5
"""Where the calibration people's recordings cannot tell how much a further window adds."""
MIN_GAIN = 1e-4
"""Bits of Cllr by which rho must matter to be taken as known."""


@dataclass(frozen=True)
class DecisionFit:
    """What goes into the contract."""

    threshold: Threshold
    calibration: ScoreCalibration
    cohort: NDArray[np.int8]
    """(n, embedding_size); no rows where there are too few training people."""
    enrolment: EnrolmentFloors | None
    """None where there are too few calibration people."""


def split(comparisons: Comparisons, values: NDArray[np.floating] | None = None) -> Scored:
    """Returns the scores of `comparisons`, or `values` in their place, genuine and impostor, with their weights."""
    own, weights = comparisons.genuine, comparisons.weights()
    scores = np.asarray(comparisons.scores if values is None else values, np.float64)
    return Scored(scores[own], weights[own], scores[~own], weights[~own])


def calibration_rows(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Row]:
    """Returns rows made of the protocol's calibration recordings, across sessions where there are such.

    They are the development rows over these recordings. Where there is none: in a closed set the calibration
    recordings against the enrolment of its rows; else the first calibration recording of each person against the
    others. Raises: UsageError where these compare nobody with himself.
    """
    known = set(protocol.calibrate)
    rows = [
        row
        for row in protocol.rows
        if row.population == "development" and not row.leaky and known.issuperset((*row.enrol, *row.probe))
    ]
    if rows:
        return [row for row in rows if row.kind == "cross-session"] or rows
    closed = [row for row in protocol.rows if row.population == "closed-set" and not row.leaky]
    probes = [(row, tuple(span for span in protocol.calibrate if _of(row, span))) for row in closed]
    rows = [replace(row, name=f"{row.name}.calibrate", probe=probe) for row, probe in probes if probe]
    if not rows:
        rows = _first_against_others(protocol, sets)
    if not rows:
        raise UsageError(
            f"protocol {protocol.name!r} has no recordings to calibrate on: nobody has two among its calibrate part; "
            "make it with more people or recordings"
        )
    return rows


def _of(row: Row, span: Span) -> bool:
    return span.set in {one.set for one in row.enrol}


def _first_against_others(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Row]:
    by_name = {one.name: one for one in sets}
    enrol: dict[str, Span] = {}
    probe: list[Span] = []
    for span in protocol.calibrate:
        one = by_name[span.set]
        person = str(one.subject[one.find(span.record)])
        if enrol.setdefault(person, span) != span:
            probe.append(span)
    if not probe:
        return []
    return [Row("calibrate", "development", protocol.kind, tuple(enrol.values()), tuple(probe))]


def _pooled(rows: Sequence[View], k_enrol: int, k_probe: int, normed: bool) -> Scored:
    """Returns the comparisons of all rows that have probes of `k_probe` windows."""
    found = [one.comparisons(k_enrol, k_probe, normed) for one in rows]
    return Scored.join([split(one) for one in found if one is not None])


def _pairs(rows: Sequence[View]) -> tuple[int, int]:
    """Returns how many people, and unordered pairs of people, are compared over all rows."""
    people: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for one in rows:
        names = one.row.subjects
        enrolled = {names[i] for i in np.unique(one.row.enrol.windows.subject)}
        probing = {names[i] for i in np.unique(one.row.probe.windows.subject)}
        people |= enrolled | probing
        pairs |= {(min(a, b), max(a, b)) for a in probing for b in enrolled if a != b}
    return len(people), len(pairs)


def summed_llrs(view: View, slope: float, offset: float, k_enrol: int, k_probe: int, normed: bool) -> Scored | None:
    """Returns the sums of the ratios of each probe's `k_probe` windows; None where no recording has so many."""
    who = view.comparisons(k_enrol, k_probe, normed)
    if who is None:
        return None
    windows = view.window_scores(k_enrol, k_probe, normed)
    return split(who, slope * np.sum(windows, axis=0, dtype=np.float64) + k_probe * offset)


def shrink(k_probe: int, rho: float) -> float:
    """Returns what the sum of `k_probe` windows' ratios is multiplied by, since they are correlated."""
    return 1 / (1 + (k_probe - 1) * rho)


def fit_rho(rows: Sequence[View], slope: float, offset: float, k_enrol: int, k_probe: int, normed: bool) -> float:
    """Returns the rho, 0 … 1, with which the shrunk sum of `k_probe` windows' ratios has the lowest Cllr.

    0.5 where there is one window only, or where rho hardly matters.
    """
    found = [summed_llrs(one, slope, offset, k_enrol, k_probe, normed) for one in rows]
    parts = [one for one in found if one is not None]
    if k_probe < 2 or not parts:
        return UNKNOWN_RHO
    summed = Scored.join(parts)

    def cost(rho: float) -> float:
        return cllr(summed.map(shrink(k_probe, rho), 0.0))

    found_rho = minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded")
    return float(found_rho.x) if max(cost(0.0), cost(1.0)) - found_rho.fun > MIN_GAIN else UNKNOWN_RHO


def upper_bound(fmr: float, n_pairs: int) -> float:
    """Returns the upper 95 % bound of a false match rate seen on `n_pairs` pairs of people.

    The share of impostor weight stands for the share of pairs that matched. Source: Clopper & Pearson 1934.
    """
    matched = min(fmr, 1.0) * n_pairs
    return 1.0 if matched > n_pairs - 1e-9 else float(beta.ppf(0.95, matched + 1, n_pairs - matched))


def fit_decision(
    embed: Embed,
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    *,
    fmr: float = 0.01,
    enrol_windows: int = 6,
    probe_windows: int = 3,
) -> DecisionFit:
    """Returns what decides, fitted on training people (the cohort) and the protocol's calibration recordings.

    Scores are normalised by the cohort where that lowers the calibration people's EER. Recordings of fewer windows in
    a row than `probe_windows` set the threshold with as many as they have. Raises: UsageError where the protocol has
    nobody to calibrate on.
    """
    cohort = training_cohort(embed, protocol, sets)
    pool = make_pool(calibration_rows(protocol, sets), sets)
    seen = see(pool, sets, {"": embed})
    rows = [view(row, seen, "", cohort) for row in pool.rows]
    longest = max(int(np.bincount(row.probe.windows.recording).max(initial=0)) for row in pool.rows)
    probe_windows = max(1, min(probe_windows, longest))
    curves = {}
    for kind in ("cosine", "as_norm") if len(cohort) else ("cosine",):
        found = _pooled(rows, enrol_windows, probe_windows, kind == "as_norm")
        curves[kind] = det_curve(found.genuine, found.impostor, found.genuine_weight, found.impostor_weight)
    kind = min(curves, key=lambda name: curves[name].eer())
    normed = kind == "as_norm"
    fnmr, value = curves[kind].at_fmr(fmr)
    seen_fmr, _ = curves[kind].at_threshold(value)
    n_subjects, n_pairs = _pairs(rows)
    slope, offset = fit_llr(_pooled(rows, enrol_windows, 1, normed))
    threshold = Threshold(
        kind=kind,
        value=value,
        enrol_windows=enrol_windows,
        probe_windows=probe_windows,
        fmr=fmr,
        fmr_upper=upper_bound(seen_fmr, n_pairs),
        fnmr=fnmr,
        n_subjects=n_subjects,
        n_pairs=n_pairs,
        population=_population(rows, sets),
    )
    rho = fit_rho(rows, slope, offset, enrol_windows, probe_windows, normed)
    enrolment = fit_enrolment(rows, sets, threshold.population)
    return DecisionFit(threshold, ScoreCalibration(slope, offset, rho, kind), cohort, enrolment)


def _population(rows: Sequence[View], sets: Sequence[PreparedSet]) -> str:
    """Returns whom the threshold was set on, as the contract says it."""
    used = {span.set for one in rows for span in one.row.row.probe}
    if any(one.synthetic for one in sets if one.name in used):
        return "synthetic"
    return ", ".join(sorted({one.row.row.population for one in rows}))
