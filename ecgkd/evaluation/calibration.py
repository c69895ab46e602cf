"""Whether scores and probabilities mean what they say: the ratios of verification, the posteriors of identification.

Weights make people count the same (`ecgkd.evaluation.metrics`). Genuine and impostor comparisons have equal priors.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize, minimize_scalar
from scipy.special import expit, log_softmax

from ecgkd.errors import UsageError

Doubles = NDArray[np.float64]

ECE_BINS = 15
ECE_BINS_FEW = 10
FEW = 1000
"""Below so many predictions, `ECE_BINS_FEW` bins."""
TEMPERATURES = (1e-3, 20.0)
"""Cosines over a gallery want temperatures far below 1."""
RIDGE = 1e-5
"""Keeps the slope finite where scores are separable; per squared slope of standardised scores."""
MIN_SLOPE = 1e-3
"""Of standardised scores: the decision takes rising ratios only."""


class Scored(NamedTuple):
    """Scores, or log-likelihood ratios, of comparisons with their weights; arrays (n,) each."""

    genuine: Doubles
    genuine_weight: Doubles
    impostor: Doubles
    impostor_weight: Doubles

    def map(self, slope: float, offset: float) -> "Scored":
        """Returns slope · score + offset."""
        return self._replace(genuine=slope * self.genuine + offset, impostor=slope * self.impostor + offset)

    @staticmethod
    def join(parts: "list[Scored]") -> "Scored":
        return Scored(*(np.concatenate([part[i] for part in parts]).astype(np.float64) for i in range(4)))


def llr_cost(llr: NDArray[np.floating], genuine: bool) -> Doubles:
    """Returns what each log-likelihood ratio (natural logarithm) costs, bits; 1 at 0."""
    sign = -1.0 if genuine else 1.0
    return np.asarray(np.logaddexp(0, sign * np.asarray(llr, np.float64)) / np.log(2))


def cllr(llr: Scored) -> float:
    """Returns the cost of log-likelihood ratios, bits; 0 is perfect, 1 says nothing.

    Source: Brümmer & du Preez 2006.
    """
    miss = np.average(llr_cost(llr.genuine, True), weights=llr.genuine_weight)
    false = np.average(llr_cost(llr.impostor, False), weights=llr.impostor_weight)
    return float((miss + false) / 2)


def min_cllr(scored: Scored) -> float:
    """Returns the lowest Cllr that any rising calibration of the scores reaches (pool adjacent violators)."""
    scores = np.concatenate([scored.genuine, scored.impostor])
    label = np.concatenate([np.ones(len(scored.genuine)), np.zeros(len(scored.impostor))])
    weight = np.concatenate(
        [scored.genuine_weight / scored.genuine_weight.sum(), scored.impostor_weight / scored.impostor_weight.sum()]
    )
    values, place = np.unique(scores, return_inverse=True)  # no calibration tells equal scores apart
    total = np.bincount(place, weight, len(values))
    share = np.bincount(place, weight * label, len(values)) / total
    posterior = np.clip(isotonic_regression(share, weights=total).x, 1e-15, 1 - 1e-15)[place]
    llr = np.log(posterior) - np.log1p(-posterior)
    own = label == 1
    return cllr(Scored(llr[own], weight[own], llr[~own], weight[~own]))


def fit_llr(scored: Scored) -> tuple[float, float]:
    """Returns slope (positive) and offset of llr = slope · score + offset with the lowest Cllr."""
    everything = np.concatenate([scored.genuine, scored.impostor])
    middle, spread = float(everything.mean()), float(everything.std()) or 1.0
    own, other = (scored.genuine - middle) / spread, (scored.impostor - middle) / spread
    own_weight = scored.genuine_weight / scored.genuine_weight.sum()
    other_weight = scored.impostor_weight / scored.impostor_weight.sum()

    def cost(x: Doubles) -> tuple[float, Doubles]:
        genuine, impostor = x[0] * own + x[1], x[0] * other + x[1]
        value = own_weight @ np.logaddexp(0, -genuine) + other_weight @ np.logaddexp(0, impostor) + RIDGE * x[0] ** 2
        pull, push = own_weight * -expit(-genuine), other_weight * expit(impostor)
        return float(value), np.array([pull @ own + push @ other + 2 * RIDGE * x[0], pull.sum() + push.sum()])

    found = minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(MIN_SLOPE, None), (None, None)])
    slope = float(found.x[0]) / spread
    return slope, float(found.x[1]) - slope * middle


def expected_calibration_error(confidence: Doubles, correct: NDArray[np.bool_], bins: int | None = None) -> float:
    """Returns the ECE over bins of equal numbers of predictions, 0 … 1."""
    return float(sum(len(c) / len(confidence) * abs(c.mean() - h.mean()) for c, h in _bins(confidence, correct, bins)))


def reliability(
    confidence: Doubles, correct: NDArray[np.bool_], bins: int | None = None
) -> list[tuple[float, float, int]]:
    """Returns mean confidence, share correct and number of predictions of each bin, least confident first."""
    return [(float(c.mean()), float(h.mean()), len(c)) for c, h in _bins(confidence, correct, bins)]


def _bins(confidence: Doubles, correct: NDArray[np.bool_], bins: int | None) -> list[tuple[Doubles, NDArray[np.bool_]]]:
    if not len(confidence):
        raise UsageError("no prediction, so nothing to calibrate")
    wanted = bins or (ECE_BINS if len(confidence) >= FEW else ECE_BINS_FEW)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(wanted, len(confidence)))
    return [(confidence[part], correct[part]) for part in parts]


def negative_log_likelihood(logits: Doubles, truth: NDArray[np.int64]) -> float:
    """Returns the mean NLL, nats, of logits (n, classes)."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())


def brier(logits: Doubles, truth: NDArray[np.int64]) -> float:
    """Returns the mean over predictions of the squared error summed over all classes, 0 … 2."""
    probability = np.exp(log_softmax(logits, axis=1))
    hit = probability[np.arange(len(truth)), truth]
    return float(((probability**2).sum(axis=1) - 2 * hit + 1).mean())


def fit_temperature(logits: Doubles, truth: NDArray[np.int64]) -> float:
    """Returns the temperature within `TEMPERATURES` by which logits (n, classes) divided have the lowest NLL."""
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits / np.exp(log_t), truth), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))
