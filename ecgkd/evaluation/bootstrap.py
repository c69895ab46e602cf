"""95 % intervals by resampling people, at a scale where no replicate looks at a score again.

A replicate draws as many people as there are, with repetition; w_i says how often person i was drawn. Genuine
comparisons of i count w_i, impostor comparisons of i against j count w_i·w_j, and copies of one person are never
impostors, since i = j is no impostor pair. Undrawn people leave probes and gallery alike.

Comparisons are counted between thresholds (`ecgkd.evaluation.counting`), genuine ones per person, impostor ones per
pair of people; the replicates' error rates are matrix products of these counts with the draws. Up to a million
comparisons the pairs' counts are sparse and on all thresholds. Beyond, they are on fewer, and between two of these a
replicate's FMR follows the shape that the FMR of all people has there.

Source: Bolle, Ratha & Pankanti 2004 and Poh & Bengio 2007 (people, not scores, are what is resampled).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ecgkd.evaluation.counting import Tally, genuine_scores, lay_out, sampled_impostors
from ecgkd.evaluation.metrics import ErrorCurve, det_curve
from ecgkd.evaluation.scores import Comparisons

Floats = NDArray[np.float32]
Replicates = NDArray[np.float64]
FmrOf = Callable[[slice], Replicates]
"""Gives the FMR (K, n) of some replicates at all thresholds."""
Progress = Callable[[int, int, str], None]

REPLICATES = 2000
LEVEL = 0.95
MIN_PEOPLE = 5
"""Fewer people allow no interval."""
CHUNK = 128
"""Replicates whose curves are in memory at once."""
MAX_SPARSE = 1_000_000
"""Comparisons up to which each pair of people is counted on all thresholds."""
COARSE_CELLS = 20_000_000
"""Beyond, pairs of people times thresholds that they are counted on, if that leaves `MIN_COARSE` thresholds."""
MIN_COARSE = 128
FLOAT32_ROUNDING = 1e-6
"""Relative error of sums of weights: an FMR of exactly 1 % is not above 1 %."""


@dataclass(frozen=True)
class Measured:
    """A figure with its 95 % interval; None where there are too few people for one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Resampled:
    """What resampling says about one model's comparisons."""

    curve: ErrorCurve
    """Of all people."""
    eer: Replicates
    """(replicates,); NaN where a replicate has no comparisons of both kinds."""
    fnmr_at_fmr: Mapping[float, Replicates] = field(default_factory=dict)
    """FMR to the FNMR there."""
    at_threshold: Mapping[float, tuple[Replicates, Replicates]] = field(default_factory=dict)
    """Threshold to the FMR and the FNMR there."""


def draw_people(n_people: int, replicates: int = REPLICATES, seed: int = 0) -> Floats:
    """Returns how often each person is drawn, (replicates, n_people); always the same for the same arguments."""
    rng = np.random.default_rng([seed, n_people])
    return rng.multinomial(n_people, np.full(n_people, 1 / n_people), size=replicates).astype(np.float32)


def interval(value: float, replicates: NDArray[np.floating], n_people: int) -> Measured:
    """Returns `value` with the percentile interval of its replicates, without one below five people."""
    known = replicates[np.isfinite(replicates)]
    if n_people < MIN_PEOPLE or len(known) < max(2, len(replicates) // 2):
        return Measured(float(value))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Measured(float(value), float(low), float(high))


def people_of(comparisons: Comparisons) -> NDArray[np.int64]:
    """Returns the people (n,) that are resampled: all who probe or are enrolled, in order of their numbers."""
    return np.union1d(comparisons.probe_subject, comparisons.template_subject)


def mean_over_people(
    values: NDArray[np.floating], subject: NDArray[np.int64], people: NDArray[np.int64], draws: Floats
) -> tuple[float, Replicates]:
    """Returns the mean over people of each one's mean of `values` (n,), and its replicates; NaN without anybody."""
    person = np.searchsorted(people, subject)
    number = np.bincount(person, minlength=len(people))
    mean = np.bincount(person, weights=values, minlength=len(people)) / np.maximum(number, 1)
    there = (number > 0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(mean.sum() / there.sum()), (draws @ mean) / (draws @ there)


def mean_over_pairs(
    values: NDArray[np.floating], comparisons: Comparisons, people: NDArray[np.int64], draws: Floats
) -> tuple[float, Replicates]:
    """Returns the mean over ordered pairs of different people of `values` (n_probes, n_templates), and its replicates.

    A pair's value is the mean over its comparisons.
    """
    probing, probe = np.unique(comparisons.probe_subject, return_inverse=True)
    enrolled, template = np.unique(comparisons.template_subject, return_inverse=True)
    by_probing = np.zeros((len(probing), values.shape[1]))
    np.add.at(by_probing, probe, values)
    pairs = np.zeros((len(enrolled), len(probing)))
    np.add.at(pairs, template, (by_probing / np.bincount(probe)[:, None]).T)
    pairs = (pairs / np.bincount(template)[:, None]).T
    other = (probing[:, None] != enrolled[None, :]).astype(np.float64)
    left = draws[:, np.searchsorted(people, probing)]
    right = draws[:, np.searchsorted(people, enrolled)]
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = ((left @ (pairs * other)) * right).sum(axis=1) / ((left @ other) * right).sum(axis=1)
        return float((pairs * other).sum() / other.sum()), drawn


def resample(
    comparisons: Comparisons,
    draws: Floats,
    fmrs: tuple[float, ...] = (),
    thresholds: tuple[float, ...] = (),
    progress: Progress | None = None,
) -> Resampled:
    """Returns error rates of `comparisons` for everybody and for each replicate of `draws` (replicates, n_people).

    `draws` counts the people of `people_of(comparisons)` in their order. Raises: UsageError without genuine and
    impostor comparisons.
    """
    tally = Tally(comparisons, lay_out(comparisons, thresholds))
    prepare = _fmr_sparse if comparisons.scores.size <= MAX_SPARSE else _fmr_coarse
    fmr_of = prepare(tally, draws, progress)
    n, curve = len(draws), tally.curve()
    eer = np.empty(n)
    fnmr_at = {fmr: np.empty(n) for fmr in fmrs}
    at_threshold = {threshold: (np.empty(n), np.empty(n)) for threshold in thresholds}
    places = {t: int(np.searchsorted(tally.thresholds, np.float32(t))) for t in thresholds}
    below = (np.cumsum(tally.genuine, axis=1, dtype=np.float64) - tally.genuine).astype(np.float32)  # (n_people, K)
    total = tally.genuine.sum(axis=1)
    for start in range(0, n, CHUNK):
        chunk = slice(start, min(start + CHUNK, n))
        fmr = fmr_of(chunk)
        with np.errstate(invalid="ignore", divide="ignore"):
            fnmr = (below.T @ draws[chunk].T) / (draws[chunk] @ total)
        eer[chunk] = equal_error_rates(fmr, fnmr)
        for wanted, rates in fnmr_at.items():
            first = np.minimum((fmr > wanted * (1 + FLOAT32_ROUNDING)).sum(axis=0), len(fmr) - 1)  # it falls
            rates[chunk] = fnmr[first, np.arange(len(first))]
        for threshold, (false_match, false_non_match) in at_threshold.items():
            false_match[chunk] = fmr[places[threshold]]
            false_non_match[chunk] = fnmr[places[threshold]]
    return Resampled(curve, eer, fnmr_at, at_threshold)


def _from_shares(shares: NDArray[np.floating]) -> Replicates:
    """Returns the FMR (K, n) from the shares (K, n) of impostor comparisons from each threshold to the next."""
    above = np.cumsum(shares[::-1], axis=0, dtype=np.float64)[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        above /= above[0].copy()
    return above


def _fmr_sparse(tally: Tally, draws: Floats, progress: Progress | None) -> FmrOf:
    """Counts every pair of people on all thresholds; their replicates are made chunk by chunk."""
    probing: list[int] = []
    places: list[NDArray[np.int32]] = []
    pairs: list[NDArray[np.int64]] = []
    values: list[Floats] = []
    n_enrolled, total = len(tally.enrolled), len(np.unique(tally.comparisons.probe_subject))
    for scores in tally.people_scores():
        places.append(scores.place.ravel())
        pairs.append(np.broadcast_to(len(probing) * n_enrolled + tally.column, scores.place.shape).ravel())
        values.append(np.broadcast_to(scores.share[tally.column].astype(np.float32), scores.place.shape).ravel())
        probing.append(scores.person)
        if progress is not None:
            progress(len(probing), total, "people counted")
    shape = (len(tally.thresholds), len(probing) * n_enrolled)
    shares = csr_array((np.concatenate(values), (np.concatenate(places), np.concatenate(pairs))), shape=shape)

    def fmr_of(chunk: slice) -> Replicates:
        drawn = draws[chunk].T  # (n_people, n)
        weights = drawn[probing][:, None, :] * drawn[tally.enrolled][None, :, :]
        return _from_shares(shares @ weights.reshape(-1, drawn.shape[1]))

    return fmr_of


def _fmr_coarse(tally: Tally, draws: Floats, progress: Progress | None) -> FmrOf:
    """Counts every pair of people on fewer thresholds, and weighs the pairs at once."""
    coarse = _coarse_places(tally)
    n_enrolled, n_coarse = len(tally.enrolled), len(coarse)
    total = len(np.unique(tally.comparisons.probe_subject))
    coarse_of = (np.searchsorted(coarse, np.arange(len(tally.thresholds)), side="right") - 1).astype(np.int32)
    offset = tally.column * n_coarse
    enrolled = np.ascontiguousarray(draws[:, tally.enrolled])
    weighed = np.zeros((len(draws), n_coarse))
    for done, scores in enumerate(tally.people_scores(), 1):
        number = np.bincount((coarse_of[scores.place] + offset).ravel(), minlength=n_enrolled * n_coarse)
        shares = number.reshape(n_enrolled, n_coarse) * scores.share[:, None].astype(np.float32)
        weighed += draws[:, scores.person, None] * (enrolled @ shares.astype(np.float32))
        if progress is not None:
            progress(done, total, "people counted")
    fmr = _from_shares(weighed.T)
    everybody = tally.curve().fmr
    lower = np.minimum(coarse_of, n_coarse - 2)
    left, right = everybody[coarse[lower]], everybody[coarse[lower + 1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = np.where(left > right, (left - everybody) / (left - right), 0.0)
    way[-1] = 1.0

    def fmr_of(chunk: slice) -> Replicates:
        below, above = fmr[lower, chunk], fmr[lower + 1, chunk]
        above -= below
        above *= way[:, None]
        above += below
        return np.asarray(above)

    return fmr_of


def _coarse_places(tally: Tally) -> NDArray[np.int64]:
    """Returns the positions (B,) of the thresholds that pairs are counted on, the first and the last among them.

    A third lies evenly in the logarithm of the FMR, the others evenly in the FMR around the EER.
    """
    cells = len(np.unique(tally.comparisons.probe_subject)) * len(tally.enrolled)
    n = max(MIN_COARSE, COARSE_CELLS // cells)
    impostor, genuine = sampled_impostors(tally.comparisons), np.sort(genuine_scores(tally.comparisons))
    rough = det_curve(genuine, impostor).eer()
    fmr = 1 - np.searchsorted(impostor, tally.thresholds, side="left") / len(impostor)
    wanted = [np.geomspace(1e-4, 1.0, n // 3), np.linspace(rough / 2, min(2 * rough, 1.0), 2 * n // 3)]
    last = len(fmr) - 1
    chosen = np.searchsorted(-fmr, -np.concatenate(wanted))
    return np.unique(np.clip(np.concatenate([chosen, [0, last]]), 0, last))


def equal_error_rates(fmr: Replicates, fnmr: Replicates) -> Replicates:
    """Returns the EER (n,) of curves (K, n), as `ErrorCurve.eer` has it; NaN where a curve is."""
    k = np.maximum((fmr > fnmr).sum(axis=0), 1)  # the rates cross once
    column = np.arange(len(k))
    k = np.minimum(k, len(fmr) - 1)
    before, after = (fmr[row, column] - fnmr[row, column] for row in (k - 1, k))
    with np.errstate(invalid="ignore", divide="ignore"):
        step = before / (before - after)
    return np.asarray(fmr[k - 1, column] + step * (fmr[k, column] - fmr[k - 1, column]))
