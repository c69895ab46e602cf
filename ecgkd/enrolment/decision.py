"""The decision: embeddings of a probe against a template, in integers from the embedding to the verdict.

Score of a vector against a template: the cosine, or its adaptive normalisation S = ½ (Z + T) by the closest of the
contract's cohort centroids. Windows are taken in order; after each, the log-likelihood ratios so far are summed,
shrunk for their correlation, and compared with Wald's two bounds. If neither is reached, the score of the fused
windows is compared with the contract's threshold. `docs/decision.md` is this page for those who write it in C.

Source: Wald 1945 (sequential test); Karam et al. 2011 and Cumani et al. 2011 (adaptive symmetric normalisation).
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.enrolment.cohort import SIGMA_Q, Cohort, cohort_of, cohort_statistics
from ecgkd.enrolment.integer import Integers, divide, to_fixed
from ecgkd.enrolment.template import (
    COSINE_Q,
    MAX_FUSED,
    MAX_SIZE,
    cosines,
    fuse,
    normalise,
    quantise_embedding,
)
from ecgkd.errors import UsageError

__all__ = [
    "VERSION",
    "Cohort",
    "Constants",
    "Decision",
    "DecisionPolicy",
    "Outcome",
    "Rule",
    "Template",
    "cohort_of",
    "cohort_statistics",
    "constants_of",
    "decide",
    "llrs",
    "make_template",
    "quantise_embedding",
    "scores",
    "to_float",
]

VERSION = 1
SCORE_Q = 16
"""Fraction bits of scores, log-likelihood ratios and every constant they are compared with."""
MAX_LLR = 64 * 2**SCORE_Q
"""One window counts at most ±64 nats."""


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_DECISION = "no_decision"


class Rule(StrEnum):
    """What brought the outcome about."""

    EARLY_ACCEPT = "early_accept"
    EARLY_REJECT = "early_reject"
    THRESHOLD = "threshold"
    NO_WINDOW = "no_window"


@dataclass(frozen=True)
class DecisionPolicy:
    """What a verification may cost and risk."""

    max_windows: int = 6
    alpha: float | None = None
    """False accepts that early acceptance may add; None: a tenth of the false match rate of the threshold."""
    beta: float = 0.01
    """False rejections that early rejection may add: few, since it saves the time of strangers alone."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_windows <= MAX_FUSED:
            raise UsageError(f"max_windows is {self.max_windows}; expected 1 to {MAX_FUSED}")


@dataclass(frozen=True)
class Constants:
    """What the decision takes from the contract and the policy, as integers; Q16 unless said."""

    kind: str
    """`cosine` or `as_norm`."""
    threshold: int
    max_windows: int
    calibrated: bool
    """False: no log-likelihood ratios, hence no early decision; the next five are 0."""
    slope: int
    offset: int
    rho: int
    accept: int
    reject: int
    cohort: Cohort | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the integers alone, as golden vectors and firmware take them."""
        plain = {key: value for key, value in vars(self).items() if key != "cohort"}
        if self.cohort is not None:
            plain |= {"top": self.cohort.top, "centroids": self.cohort.centroids.tolist()}
        return plain


@dataclass(frozen=True)
class Template:
    """What is kept of a person."""

    vector: NDArray[np.int16]
    """(size,) of norm 2^15."""
    mean: int = 0
    """Q20, of the closest centroids' cosines to the template; 0 without a cohort."""
    sigma: int = 0
    """Q24, their standard deviation; 0 without a cohort."""


@dataclass(frozen=True)
class Decision:
    """The verdict on a probe."""

    outcome: Outcome
    rule: Rule
    score: int = 0
    """Q16, of the fused windows up to the decision."""
    llr: int = 0
    """Q16, natural logarithm, shrunk for correlation; 0 without a calibration."""
    windows: int = 0
    """Windows that were taken into account."""
    last: int = -1
    """Index of the embedding after which the decision fell."""


def to_float(fixed: int) -> float:
    """Returns a Q16 score, threshold or log-likelihood ratio as people read it."""
    return fixed / 2**SCORE_Q


def _bounds(fmr: float, policy: DecisionPolicy) -> tuple[int, int]:
    """Returns Wald's two bounds on the log-likelihood ratio in Q16, for a threshold set at `fmr`."""
    alpha = fmr / 10 if policy.alpha is None else policy.alpha
    if not (0 < alpha < 1 and 0 < policy.beta < 1 and alpha + policy.beta < 1):
        raise UsageError(f"early decisions with alpha {alpha:g} and beta {policy.beta:g}; expected both within (0, 1)")
    accept = math.log((1 - policy.beta) / alpha)
    reject = math.log(policy.beta / (1 - alpha))
    return to_fixed(accept, SCORE_Q, "the accept bound"), to_fixed(reject, SCORE_Q, "the reject bound")


def constants_of(contract: Contract, policy: DecisionPolicy | None = None) -> Constants:
    """Returns the decision's integers. Raises: UsageError where the contract allows no decision."""
    policy = policy or DecisionPolicy()
    threshold, calibration, cohort = contract.threshold, contract.calibration, cohort_of(contract)
    if threshold is None:
        raise UsageError(
            f"model {contract.model} has no decision threshold: nothing was calibrated for it; "
            "train it with calibration people in its protocol"
        )
    if threshold.kind not in ("cosine", "as_norm") or (threshold.kind == "as_norm" and cohort is None):
        raise UsageError(
            f"the contract lacks what scores of kind {threshold.kind!r} need (a cohort); export the model again"
        )
    if not 1 <= contract.embedding_size <= MAX_SIZE:
        raise UsageError(f"embeddings of {contract.embedding_size} values; the decision takes 1 to {MAX_SIZE}")
    slope = offset = rho = accept = reject = 0
    if calibration is not None:
        if calibration.kind != threshold.kind or calibration.slope <= 0 or not 0 <= calibration.rho <= 1:
            raise UsageError(
                f"the contract's calibration (kind {calibration.kind}, slope {calibration.slope:g}, rho "
                f"{calibration.rho:g}) does not fit its {threshold.kind} threshold; calibrate the model again"
            )
        slope = to_fixed(calibration.slope, SCORE_Q, "the calibration's slope")
        offset = to_fixed(calibration.offset, SCORE_Q, "the calibration's offset")
        rho = to_fixed(calibration.rho, SCORE_Q, "the calibration's rho")
        accept, reject = _bounds(threshold.fmr, policy)
    return Constants(
        kind=threshold.kind,
        threshold=to_fixed(threshold.value, SCORE_Q, "the decision threshold"),
        max_windows=policy.max_windows,
        calibrated=calibration is not None,
        slope=slope,
        offset=offset,
        rho=rho,
        accept=accept,
        reject=reject,
        cohort=cohort,
    )


def make_template(vector: NDArray[np.int16], cohort: Cohort | None) -> Template:
    """Returns the template of a fused vector (size,), with its side of the normalisation."""
    if cohort is None:
        return Template(vector)
    mean, sigma = cohort_statistics(cohort, vector[None])
    return Template(vector, int(mean[0]), int(sigma[0]))


def scores(constants: Constants, templates: list[Template], probes: NDArray[np.int16]) -> Integers:
    """Returns the scores (n, m) in Q16 of probe vectors (n, size) of norm 2^15 against m templates."""
    cosine = cosines(probes, np.stack([template.vector for template in templates]))
    if constants.kind == "cosine":
        return divide(cosine, 2 ** (COSINE_Q - SCORE_Q))
    assert constants.cohort is not None
    mean, sigma = cohort_statistics(constants.cohort, probes)
    shift = SCORE_Q + SIGMA_Q - COSINE_Q
    t_side = divide((cosine - mean[:, None]) << shift, sigma[:, None])
    means = np.array([template.mean for template in templates], np.int64)
    sigmas = np.array([template.sigma for template in templates], np.int64)
    z_side = divide((cosine - means) << shift, sigmas)
    return divide(z_side + t_side, 2)


def llrs(constants: Constants, score: Integers) -> Integers:
    """Returns the log-likelihood ratios (n,) in Q16 of single-window scores (n,) in Q16."""
    return np.clip(divide(score * constants.slope, 2**SCORE_Q) + constants.offset, -MAX_LLR, MAX_LLR)


def decide(constants: Constants, template: Template, embeddings: NDArray[np.int16]) -> Decision:
    """Returns the verdict on the embeddings (n, size) of a probe's windows, in order; any common scale of embeddings.

    The first `max_windows` of them are looked at; those whose embedding is zero say nothing and are passed over.
    """
    vectors = normalise(embeddings[: constants.max_windows])
    taken = np.flatnonzero(vectors.any(axis=1))
    if not len(taken):
        return Decision(Outcome.NO_DECISION, Rule.NO_WINDOW)
    vectors = vectors[taken]
    n, llr, rule = len(taken), 0, Rule.THRESHOLD
    if constants.calibrated:
        total = np.cumsum(llrs(constants, scores(constants, [template], vectors)[:, 0]))
        shrunk = divide(total << SCORE_Q, 2**SCORE_Q + np.arange(n, dtype=np.int64) * constants.rho)
        reached = np.flatnonzero((shrunk >= constants.accept) | (shrunk <= constants.reject))
        n = int(reached[0]) + 1 if len(reached) else n
        llr = int(shrunk[n - 1])
        if len(reached):
            rule = Rule.EARLY_ACCEPT if llr >= constants.accept else Rule.EARLY_REJECT
    score = int(scores(constants, [template], fuse(vectors[:n])[None])[0, 0])
    accepted = score >= constants.threshold if rule is Rule.THRESHOLD else rule is Rule.EARLY_ACCEPT
    outcome = Outcome.ACCEPTED if accepted else Outcome.REFUSED
    return Decision(outcome, rule, score, llr, n, int(taken[n - 1]))
