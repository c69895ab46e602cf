"""From comparisons to the figures of one candidate on one row."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import norm

from ecgkd.contract import Contract
from ecgkd.errors import UsageError
from ecgkd.evaluation import calibration
from ecgkd.evaluation.bootstrap import (
    Replicates,
    Resampled,
    draw_people,
    interval,
    mean_over_pairs,
    mean_over_people,
    people_of,
    resample,
)
from ecgkd.evaluation.decision_fit import shrink, split, summed_llrs
from ecgkd.evaluation.material import View
from ecgkd.evaluation.metrics import cmc, det_curve, ranks, refusal, unordered_pairs
from ecgkd.evaluation.results import Cell, Curves, Histogram, Identification, Verification
from ecgkd.evaluation.scores import Comparisons

CELLS = ((1, 1), (6, 1), (6, 3))
"""Enrolment × probe windows."""
FMRS = (0.01, 0.001)
ENROLMENT_LENGTHS = (1, 2, 3, 4, 6, 8, 12)
REJECTED = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
BARS = 50
CMC_RANKS = 20
DET_STEP = 0.02
"""Standard deviates between two points of a drawn DET curve."""
MAX_DETAILED = 4_000_000
"""Comparisons beyond which probes are thinned evenly for what is not resampled: histograms and calibration."""


def feasible(view: View) -> tuple[tuple[int, int], ...]:
    """Returns the numbers of windows that the row's recordings are long enough for. Raises: UsageError for none."""
    longest = int(np.bincount(view.row.probe.windows.recording).max(initial=0))
    if not longest or not len(view.row.enrol.windows):
        raise UsageError(f"row {view.row.row.name}: no window of 4 s to enrol or to probe with; mend the protocol")
    return tuple(size for size in CELLS if size[1] <= longest)


def make_cell(
    view: View, size: tuple[int, int], score: str, gated: bool, replicates: int
) -> tuple[Cell, Resampled] | None:
    """Returns the cell of `size` (enrolment × probe windows) and its replicates, None where it compares nobody."""
    found = view.comparisons(*size, score == "as_norm", gated)
    if found is None or not np.isin(found.probe_subject, found.template_subject).any():
        return None
    people = people_of(found)
    draws = draw_people(len(people), replicates)
    drawn = resample(found, draws, FMRS)
    n_people = len(np.intersect1d(found.probe_subject, found.template_subject))
    n_pairs = unordered_pairs(found.probe_subject, found.template_subject)
    refused = {f"{fmr:g}": why for fmr in FMRS if (why := refusal(fmr, n_pairs))}
    tar = {
        f"{fmr:g}": None
        if f"{fmr:g}" in refused
        else interval(1 - drawn.curve.at_fmr(fmr)[0], 1 - drawn.fnmr_at_fmr[fmr], n_people)
        for fmr in FMRS
    }
    rank = ranks(found.scores, found.probe_subject, found.template_subject)
    mated = rank > 0
    first = mean_over_people((rank[mated] == 1).astype(np.float64), found.probe_subject[mated], people, draws)
    own = sum(
        int((found.probe_subject == person).sum() * (found.template_subject == person).sum())
        for person in np.intersect1d(found.probe_subject, found.template_subject)
    )
    failed = _failures(view, size) if gated else (0.0, 0.0)
    cell = Cell(
        enrol_windows=size[0],
        probe_windows=size[1],
        score=score,
        gated=gated,
        eer=interval(drawn.curve.eer(), drawn.eer, n_people),
        tar=tar,
        refused=refused,
        rank1=interval(*first, n_people),
        n_people=n_people,
        n_enrolled=len(np.unique(found.template_subject)),
        n_genuine=own,
        n_impostor=found.scores.size - own,
        n_pairs=n_pairs,
        failed_enrolments=failed[0],
        failed_probes=failed[1],
    )
    return cell, drawn


def _failures(view: View, size: tuple[int, int]) -> tuple[float, float]:
    """Returns the shares of people and, per person, of probes that the gate leaves without a usable window."""
    templates, probes = view.groups(*size, gated=True)
    lost = (templates.windows < 0).all(axis=1)
    person = np.unique(probes.subject, return_inverse=True)[1]
    without = (probes.windows < 0).all(axis=1)
    return float(lost.mean()), float((np.bincount(person, weights=without) / np.bincount(person)).mean())


def thin(found: Comparisons) -> Comparisons:
    """Returns `found`, or evenly spread probes of it where it is large."""
    step = -(-found.scores.size // MAX_DETAILED)
    return Comparisons(found.scores[::step], found.probe_subject[::step], found.template_subject)


def verification(view: View, contract: Contract | None, replicates: int) -> Verification | None:
    """Returns what the contract's threshold and calibration do; None without them, or without such probes."""
    if contract is None or contract.threshold is None:
        return None
    threshold, fitted = contract.threshold, contract.calibration
    size = (threshold.enrol_windows, threshold.probe_windows)
    fused = view.comparisons(*size, threshold.kind == "as_norm")
    if fused is None or (threshold.kind == "as_norm" and view.cohort is None) or fitted is None:
        return None
    people = people_of(fused)
    draws = draw_people(len(people), replicates)
    drawn = resample(fused, draws, (), (threshold.value,))
    fmr, fnmr = drawn.curve.at_threshold(float(np.float32(threshold.value)))
    fmr_drawn, fnmr_drawn = drawn.at_threshold[threshold.value]
    n_people = len(np.intersect1d(fused.probe_subject, fused.template_subject))
    single = view.comparisons(size[0], 1, fitted.kind == "as_norm")
    assert single is not None  # there are probes of more windows
    single = thin(single)
    llr = fitted.slope * single.scores.astype(np.float64) + fitted.offset
    own = np.nonzero(single.genuine)
    miss, miss_drawn = mean_over_people(
        calibration.llr_cost(llr[own], True), single.probe_subject[own[0]], people, draws
    )
    false, false_drawn = mean_over_pairs(calibration.llr_cost(llr, False), single, people, draws)
    summed = None
    if size[1] > 1 and fused.scores.size <= MAX_DETAILED:
        summed = summed_llrs(view, fitted.slope, fitted.offset, *size, fitted.kind == "as_norm")
    return Verification(
        score=threshold.kind,
        enrol_windows=size[0],
        probe_windows=size[1],
        threshold=threshold.value,
        fmr=interval(fmr, fmr_drawn, n_people),
        fnmr=interval(fnmr, fnmr_drawn, n_people),
        cllr=interval((miss + false) / 2, (miss_drawn + false_drawn) / 2, n_people),
        min_cllr=calibration.min_cllr(split(single)),
        fused_cllr=None if summed is None else calibration.cllr(summed.map(shrink(size[1], fitted.rho), 0.0)),
        fitted_here=view.row.row.population == "development",
    )


def cosines_of_mated(view: View, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Returns cosines (n, enrolled) and the true column (n,) of the probes whose person is enrolled; None without."""
    found = view.comparisons(*size, normed=False)
    if found is None:
        return None
    found = thin(found)
    mated = np.isin(found.probe_subject, found.template_subject)
    order = np.argsort(found.template_subject)
    truth = order[np.searchsorted(found.template_subject[order], found.probe_subject[mated])]
    return (found.scores[mated].astype(np.float64), truth) if mated.any() else None


def identification(view: View, size: tuple[int, int], temperature: float | None) -> Identification | None:
    """Returns how far the posteriors at `temperature` can be believed; None without a temperature or mated probes."""
    found = cosines_of_mated(view, size)
    if found is None or temperature is None:
        return None
    logits, truth = found[0] / temperature, found[1]
    probability = softmax(logits, axis=1)
    confidence, correct = probability.max(axis=1), probability.argmax(axis=1) == truth
    return Identification(
        ece=calibration.expected_calibration_error(confidence, correct),
        nll=calibration.negative_log_likelihood(logits, truth),
        brier=calibration.brier(logits, truth),
        temperature=temperature,
        fitted_here=view.row.row.population == "development",
        reliability=calibration.reliability(confidence, correct),
    )


def equal_error_rate(found: Comparisons | None) -> float | None:
    """Returns the EER without an interval; None where nobody is compared with himself or nobody with others."""
    if found is None or not np.isin(found.probe_subject, found.template_subject).any():
        return None
    scored = split(thin(found))
    if not len(scored.impostor):
        return None
    return det_curve(scored.genuine, scored.impostor, scored.genuine_weight, scored.impostor_weight).eer()


def curves(view: View, size: tuple[int, int], score: str, drawn: Resampled) -> Curves:
    """Returns what is drawn of the headline cell, whose replicates are `drawn`."""
    normed = score == "as_norm"
    found = view.comparisons(*size, normed)
    assert found is not None  # it was resampled
    _, threshold = drawn.curve.equal_error_point()
    rank = ranks(found.scores, found.probe_subject, found.template_subject)
    own = np.nonzero(found.genuine)
    person = np.unique(found.probe_subject[own[0]], return_inverse=True)[1]
    missed = np.bincount(person, weights=found.scores[own] < threshold) / np.bincount(person)
    lengths = [(k, equal_error_rate(view.comparisons(k, size[1], normed))) for k in ENROLMENT_LENGTHS]
    return Curves(
        det=_thinned_det(drawn.curve.fmr, drawn.curve.fnmr),
        cmc=cmc(rank, found.probe_subject, len(np.unique(found.template_subject)))[:CMC_RANKS].tolist(),
        scores=_histogram(thin(found)),
        enrolment=[(k, rate) for k, rate in lengths if rate is not None],
        rejection=_rejection(view, size[0], normed),
        per_person=sorted(missed.tolist()),
    )


def _thinned_det(fmr: Replicates, fnmr: Replicates) -> dict[str, list[float]]:
    deviates = [norm.ppf(np.clip(rate, 1e-6, 1 - 1e-6)) for rate in (fmr, fnmr)]
    way = np.floor((deviates[1] - deviates[0]) / DET_STEP)
    kept = np.unique(way, return_index=True)[1]
    return {"fmr": fmr[kept].tolist(), "fnmr": fnmr[kept].tolist()}


def _histogram(found: Comparisons) -> Histogram:
    own, weights = found.genuine, found.weights()
    ends = [np.quantile(found.scores[side], [0.001, 0.999]) for side in (own, ~own)]
    edges = np.linspace(min(e[0] for e in ends), max(max(e[1] for e in ends), min(e[0] for e in ends) + 1e-6), BARS + 1)
    bars = [
        np.histogram(np.clip(found.scores[side], edges[0], edges[-1]), edges, weights=weights[side])[0]
        for side in (own, ~own)
    ]
    density = [(bar / bar.sum() / (edges[1] - edges[0])).tolist() for bar in bars]
    return Histogram(edges.tolist(), density[0], density[1])


def _rejection(view: View, k_enrol: int, normed: bool) -> list[tuple[float, float]]:
    """Returns the EER of single probe windows when the share of the worst quality is left out."""
    found = view.comparisons(k_enrol, 1, normed)
    if found is None:
        return []
    windows = view.groups(k_enrol, 1)[1].windows[:, 0]
    order = np.argsort(view.probe_quality[windows], kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    points = []
    for share in REJECTED:
        kept = place >= share * len(order)
        rate = equal_error_rate(Comparisons(found.scores[kept], found.probe_subject[kept], found.template_subject))
        if rate is not None:
            points.append((share, rate))
    return points
