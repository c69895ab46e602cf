"""Whether scores and probabilities mean what they say."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize_scalar
from scipy.special import log_softmax

Doubles = NDArray[np.float64]

ECE_BINS = 15
ECE_BINS_FEW = 10
"""Below 1,000 predictions."""
TEMPERATURES = (1e-3, 20.0)


def cllr(genuine: Doubles, genuine_weight: Doubles, impostor: Doubles, impostor_weight: Doubles) -> float:
    """Returns the cost of log-likelihood ratios (natural logarithm), bits; 0 is perfect, 1 says nothing.

    Source: Brümmer and du Preez 2006, equation 8, weighted per person.
    """
    miss = np.average(np.logaddexp(0, -genuine), weights=genuine_weight)
    false = np.average(np.logaddexp(0, impostor), weights=impostor_weight)
    return float((miss + false) / (2 * np.log(2)))


def min_cllr(genuine: Doubles, genuine_weight: Doubles, impostor: Doubles, impostor_weight: Doubles) -> float:
    """Returns the lowest Cllr that any monotone calibration of the scores reaches (pool adjacent violators)."""
    scores = np.concatenate([genuine, impostor])
    label = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    weight = np.concatenate([genuine_weight / genuine_weight.sum(), impostor_weight / impostor_weight.sum()])
    values, place = np.unique(scores, return_inverse=True)  # equal scores cannot be told apart by any calibration
    total = np.bincount(place, weight, len(values))
    share = np.bincount(place, weight * label, len(values)) / total
    posterior = np.clip(isotonic_regression(share, weights=total).x, 1e-15, 1 - 1e-15)[place]
    llr = np.log(posterior) - np.log1p(-posterior)
    own = label == 1
    return cllr(llr[own], weight[own], llr[~own], weight[~own])


def expected_calibration_error(confidence: Doubles, correct: NDArray[np.bool_], bins: int | None = None) -> float:
    """Returns the ECE over bins of equal numbers of predictions, 0 … 1."""
    return float(sum(len(c) / len(confidence) * abs(c.mean() - h.mean()) for c, h in _bins(confidence, correct, bins)))


def reliability(
    confidence: Doubles, correct: NDArray[np.bool_], bins: int | None = None
) -> list[tuple[float, float, int]]:
    """Returns mean confidence, share correct and number of predictions of each bin, least confident first."""
    return [(float(c.mean()), float(h.mean()), len(c)) for c, h in _bins(confidence, correct, bins)]


def _bins(confidence: Doubles, correct: NDArray[np.bool_], bins: int | None) -> list[tuple[Doubles, NDArray[np.bool_]]]:
    wanted = bins or (ECE_BINS if len(confidence) >= 1000 else ECE_BINS_FEW)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(wanted, len(confidence)))
    return [(confidence[part], correct[part]) for part in parts]


def negative_log_likelihood(logits: Doubles, truth: NDArray[np.int64]) -> float:
    """Returns the mean NLL, nats, of logits (n, classes)."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())


def brier(logits: Doubles, truth: NDArray[np.int64]) -> float:
    """Returns the mean Brier score over all classes, 0 … 2."""
    probability = np.exp(log_softmax(logits, axis=1))
    hit = probability[np.arange(len(truth)), truth]
    return float(((probability**2).sum(axis=1) - 2 * hit + 1).mean())


def fit_temperature(logits: Doubles, truth: NDArray[np.int64]) -> float:
    """Returns the temperature that logits (n, classes) are to be divided by, of the lowest NLL."""
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits / np.exp(log_t), truth), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))
