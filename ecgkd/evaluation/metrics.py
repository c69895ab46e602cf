"""Errors of comparisons: FMR, FNMR, EER, TAR at a fixed FMR, ranks and CMC, all with weights.

A comparison is accepted when its score is at or above the threshold; higher scores are more alike. Weights make each
person count the same: `subject_weights` for genuine comparisons (a total of 1 per person) and `pair_weights` for
impostor comparisons (a total of 1 per ordered pair of probing and enrolled person).

EER: the DET points at all distinct scores are joined by straight lines, and the EER is where that line meets
FMR = FNMR. TAR at an FMR is not interpolated: the threshold is the lowest that keeps the FMR.

Source: ISO/IEC 19795-1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgkd.errors import UsageError

Floats = NDArray[np.float64]
ROUNDING = 1e-12
"""Sums of weights may be off by this much: an FMR of exactly 1 % is not above 1 %."""


@dataclass(frozen=True)
class ErrorCurve:
    """Both error rates over the threshold. Arrays are (n,); thresholds rise, the last lies above every score."""

    threshold: Floats
    fmr: Floats
    """Share of impostor weight at or above the threshold, 1 … 0."""
    fnmr: Floats
    """Share of genuine weight below the threshold, 0 … 1."""

    def eer(self) -> float:
        """Returns the equal error rate, 0 … 1."""
        return self.equal_error_point()[0]

    def equal_error_point(self) -> tuple[float, float]:
        """Returns the EER and the first threshold at which the FMR is no longer above the FNMR."""
        gap = self.fmr - self.fnmr
        k = max(1, int((gap <= 0).argmax()))
        step = gap[k - 1] / (gap[k - 1] - gap[k])
        rate = self.fmr[k - 1] + step * (self.fmr[k] - self.fmr[k - 1])
        return float(rate), float(self.threshold[k])

    def at_fmr(self, fmr: float) -> tuple[float, float]:
        """Returns the FNMR and the threshold where the FMR is at most `fmr`, at the lowest such threshold."""
        k = int((self.fmr <= fmr + ROUNDING).argmax())
        return float(self.fnmr[k]), float(self.threshold[k])

    def at_threshold(self, threshold: float) -> tuple[float, float]:
        """Returns FMR and FNMR when scores of `threshold` or more are accepted."""
        k = min(int(np.searchsorted(self.threshold, threshold, side="left")), len(self.threshold) - 1)
        return float(self.fmr[k]), float(self.fnmr[k])


def _checked(scores: ArrayLike, weights: ArrayLike | None, what: str) -> tuple[Floats, Floats]:
    values = np.asarray(scores, np.float64).ravel()
    share = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64).ravel()
    if len(share) != len(values):
        raise UsageError(f"{len(values)} {what} scores with {len(share)} weights; expected one weight per score")
    if not np.isfinite(values).all():
        raise UsageError(f"{np.count_nonzero(~np.isfinite(values))} {what} scores are not finite")
    if not len(values) or not share.sum() > 0 or share.min() < 0:
        raise UsageError(f"no {what} comparisons: error rates need genuine and impostor comparisons")
    return values, share


def _sorted_totals(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Returns the scores in order and the running total of weight before each and after the last (n + 1,)."""
    order = np.argsort(values, kind="stable")
    return values[order], np.concatenate([[0.0], np.cumsum(weights[order])])


def det_curve(
    genuine: ArrayLike,
    impostor: ArrayLike,
    genuine_weights: ArrayLike | None = None,
    impostor_weights: ArrayLike | None = None,
) -> ErrorCurve:
    """Returns FMR and FNMR at every distinct score. Raises: UsageError without comparisons of both kinds."""
    own, own_total = _sorted_totals(*_checked(genuine, genuine_weights, "genuine"))
    other, other_total = _sorted_totals(*_checked(impostor, impostor_weights, "impostor"))
    distinct = np.unique(np.concatenate([own, other]))
    threshold = np.append(distinct, np.nextafter(distinct[-1], np.inf))
    fnmr = own_total[np.searchsorted(own, threshold, side="left")] / own_total[-1]
    fmr = 1 - other_total[np.searchsorted(other, threshold, side="left")] / other_total[-1]
    return ErrorCurve(threshold, np.maximum(fmr, 0.0), fnmr)


def eer(
    genuine: ArrayLike,
    impostor: ArrayLike,
    genuine_weights: ArrayLike | None = None,
    impostor_weights: ArrayLike | None = None,
) -> float:
    """Returns the equal error rate, 0 … 1, by linear interpolation between the points of the DET curve."""
    return det_curve(genuine, impostor, genuine_weights, impostor_weights).eer()


def fnmr_at_fmr(
    genuine: ArrayLike,
    impostor: ArrayLike,
    fmr: float,
    genuine_weights: ArrayLike | None = None,
    impostor_weights: ArrayLike | None = None,
) -> float:
    """Returns the FNMR, 0 … 1, at the lowest threshold whose FMR is at most `fmr`."""
    return det_curve(genuine, impostor, genuine_weights, impostor_weights).at_fmr(fmr)[0]


def tar_at_fmr(
    genuine: ArrayLike,
    impostor: ArrayLike,
    fmr: float,
    genuine_weights: ArrayLike | None = None,
    impostor_weights: ArrayLike | None = None,
) -> float:
    """Returns the true accept rate, 1 − FNMR, at the lowest threshold whose FMR is at most `fmr`."""
    return 1 - fnmr_at_fmr(genuine, impostor, fmr, genuine_weights, impostor_weights)


def subject_weights(subject: NDArray[np.generic]) -> Floats:
    """Returns a weight per genuine comparison of `subject` (n,), such that each person's weights sum to 1."""
    _, person, count = np.unique(subject, return_inverse=True, return_counts=True)
    return 1.0 / count[person]


def pair_weights(probe: NDArray[np.generic], enrolled: NDArray[np.generic]) -> Floats:
    """Returns a weight per impostor comparison, such that each ordered pair of people sums to 1.

    `probe` and `enrolled` (n,) say whose probe was compared with whose template.
    """
    people, side = np.unique(np.concatenate([probe, enrolled]), return_inverse=True)
    return subject_weights(side[: len(probe)] * len(people) + side[len(probe) :])


def ranks(
    scores: NDArray[np.floating], probe_subject: NDArray[np.int64], template_subject: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns the rank (n_probes,) of each probe's own person among the enrolled people, 1 is best, 0 if not enrolled.

    `scores` (n_probes, n_templates). A person counts with the best of that person's templates; a tie with somebody
    else counts against the probe.
    """
    order = np.argsort(template_subject, kind="stable")
    people, first = np.unique(template_subject[order], return_index=True)
    best = scores if len(people) == len(order) and (np.diff(order) > 0).all() else scores[:, order]
    if len(people) < len(order):
        best = np.maximum.reduceat(best, first, axis=1)
    column = np.minimum(np.searchsorted(people, probe_subject), len(people) - 1)
    own = best[np.arange(len(best)), column]
    rank = (best >= own[:, None]).sum(axis=1)  # counts the own person too
    return np.where(people[column] == probe_subject, rank, 0)


def cmc(rank: NDArray[np.int64], probe_subject: NDArray[np.int64], n_enrolled: int) -> Floats:
    """Returns the share (n_enrolled,) of probes whose own person is within the first 1, 2, … ranks, per person.

    Probes whose person is not enrolled (rank 0) do not count. Raises: UsageError where none counts.
    """
    mated = rank > 0
    if not mated.any():
        raise UsageError("no probe belongs to an enrolled person: identification cannot be scored")
    weight = subject_weights(probe_subject[mated])
    share = np.bincount(rank[mated] - 1, weights=weight, minlength=n_enrolled) / weight.sum()
    return np.minimum(np.cumsum(share), 1.0)


def unordered_pairs(probe_subject: NDArray[np.generic], template_subject: NDArray[np.generic]) -> int:
    """Returns the number of unordered pairs of different people that are compared, each probe with each template."""
    probing, enrolled = set(probe_subject.tolist()), set(template_subject.tolist())
    both = len(probing & enrolled)
    return len(probing) * len(enrolled) - both - both * (both - 1) // 2


def lowest_fmr(n_pairs: int) -> float:
    """Returns the lowest FMR that comparisons of `n_pairs` unordered pairs of people can support (rule of three)."""
    return 3 / max(n_pairs, 1)


def refusal(fmr: float, n_pairs: int) -> str | None:
    """Returns why figures at `fmr` may not be claimed from `n_pairs` unordered pairs of people, None if they may."""
    if fmr >= lowest_fmr(n_pairs):
        return None
    return (
        f"not claimed: {n_pairs} pairs of people support no FMR below {100 * lowest_fmr(n_pairs):.2g} %, "
        f"{100 * fmr:g} % needs {int(np.ceil(3 / fmr))}"
    )


def decision_flips(before: NDArray[np.bool_], after: NDArray[np.bool_], weights: Floats) -> float:
    """Returns the weighted share of comparisons (n,) whose acceptance differs, such as between float and int8."""
    return float(weights[before != after].sum() / weights.sum())
