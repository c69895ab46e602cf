"""From embeddings to a template: norm-equalised int16 vectors, their sum, and which windows go into it.

A vector of the decision is int16 with Euclidean norm 2^15 (components clamped to ±32767), so that a dot product of two
fits a 32-bit accumulator. `docs/decision.md` states every step with its range.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgkd.enrolment.integer import Integers, divide, isqrt, to_fixed
from ecgkd.errors import DataError, UsageError

EMBEDDING_Q = 15
"""Embeddings are unit vectors in Q15."""
INT8_Q = 7
"""Of what an int8 graph gives."""
COSINE_Q = 20
NORM_Q = 8
"""Fraction bits of a Euclidean norm."""
LIMIT = 32767
NORM_SLACK = 17
"""By which rounding may move a norm of 2^15, and one more."""
MAX_FUSED = 255
"""Windows that one vector may be fused from."""
MAX_SIZE = 1024
"""Components of an embedding."""
OUTLIER_MADS = 4
"""Median absolute deviations below the median: 2.7 standard deviations of a normal distribution. Of eight windows,
none can lie 2.5 plain standard deviations below their mean: the bound is (n - 1)/√n."""
OUTLIER_MIN = 2**COSINE_Q // 8
"""Less than 0.125 below the median is never an outlier."""


class Refusal(StrEnum):
    """Why windows make no template; the value is what users read."""

    TOO_FEW = "too few usable windows"
    INCONSISTENT = "the windows do not look like one heart"


@dataclass(frozen=True)
class EnrolmentPolicy:
    """What an enrolment must satisfy."""

    min_windows: int = 3
    floor: float = 0.25
    """A window whose cosine to the others' sum is below this is an outlier, however the others scatter."""
    min_consistency: float = 0.3
    """Least mean cosine over all pairs of the windows that are kept."""

    def __post_init__(self) -> None:
        if not 2 <= self.min_windows <= MAX_FUSED:
            raise UsageError(f"min_windows is {self.min_windows}; expected 2 to {MAX_FUSED}")


@dataclass(frozen=True)
class Selection:
    """What enrolment makes of the usable windows."""

    kept: NDArray[np.bool_]
    """(n,) false for outliers."""
    cosines: Integers
    """(n,) Q20, each window to the sum of the others; zeros where there are fewer than three."""
    consistency: int
    """Q20, mean cosine over all pairs of kept windows; 0 where there is no pair."""
    template: NDArray[np.int16]
    """(size,) of norm 2^15."""
    refusal: Refusal | None


def quantise_embedding(embeddings: NDArray[np.floating]) -> NDArray[np.int16]:
    """Returns embeddings (n, size) of any length in Q15 of norm 1, halves away from zero: the last floating-point step.

    An int8 embedding x (scale 1/128, zero point 0) gives exactly round(x · 2^15 / √Σx²), which C computes in integers:
    no quotient is nearer than 2^-47 of itself to a tie, while double precision is off by 2^-51 at most. Zero stays
    zero, and what is in Q15 already stays as it is. Raises: DataError where a component is not finite.
    """
    values = np.asarray(embeddings, np.float64)
    if not np.isfinite(values).all():
        raise DataError("the network gave an embedding that is not finite; its weights or its runtime are broken")
    length = np.sqrt((values * values).sum(axis=1, keepdims=True))
    unit = values / np.where((length > 0) & ~_in_q15(values, length), length, 1)
    size = np.minimum(np.floor(np.abs(unit) * 2**EMBEDDING_Q + 0.5), LIMIT)
    return np.where(unit < 0, -size, size).astype(np.int16)


def _in_q15(values: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns which rows (n, 1) were normalised and rounded before: in steps of 2^-15, not of 1/128, of length 1."""
    steps, coarse = values * 2**EMBEDDING_Q, values * 2**INT8_Q
    rounded = (steps == np.rint(steps)).all(axis=1) & (coarse != np.rint(coarse)).any(axis=1)
    slack: NDArray[np.bool_] = np.abs(length - 1) <= NORM_SLACK / 2**EMBEDDING_Q
    return rounded[:, None] & slack


def normalise(vectors: NDArray[np.signedinteger]) -> NDArray[np.int16]:
    """Returns vectors (n, size) scaled to norm 2^15; zero stays zero. Their norm must be below 2^23."""
    v = vectors.astype(np.int64)
    norm = isqrt((v * v).sum(axis=1) << 2 * NORM_Q)
    scaled = divide(v << EMBEDDING_Q + NORM_Q, np.maximum(norm, 1)[:, None])
    return np.clip(scaled, -LIMIT, LIMIT).astype(np.int16)


def dot(a: NDArray[np.signedinteger], b: NDArray[np.signedinteger]) -> Integers:
    """Returns a @ b.T, exactly: in float64, where every partial sum is an integer below 2^53."""
    return (a.astype(np.float64) @ b.astype(np.float64).T).astype(np.int64)


def cosines(a: NDArray[np.int16], b: NDArray[np.int16]) -> Integers:
    """Returns the cosines (n, m) in Q20 of vectors (n, size) and (m, size) of norm 2^15."""
    return divide(dot(a, b), 2 ** (2 * EMBEDDING_Q - COSINE_Q))


def fuse(vectors: NDArray[np.int16]) -> NDArray[np.int16]:
    """Returns the one vector (size,) of norm 2^15 that vectors (n, size) of norm 2^15 sum to, n ≤ 255."""
    if len(vectors) > MAX_FUSED:
        raise UsageError(f"{len(vectors)} windows cannot be fused into one vector; at most {MAX_FUSED}")
    return normalise(vectors.sum(axis=0, dtype=np.int64)[None])[0]


def _to_others(vectors: NDArray[np.int16]) -> Integers:
    """Returns the cosines (n,) in Q20 of each vector to the sum of the others."""
    others = normalise(vectors.sum(axis=0, dtype=np.int64) - vectors)
    products = (vectors.astype(np.int64) * others).sum(axis=1)
    return divide(products, 2 ** (2 * EMBEDDING_Q - COSINE_Q))


def consistency(vectors: NDArray[np.int16]) -> int:
    """Returns the mean cosine in Q20 over all pairs of vectors (n, size), 0 for fewer than two."""
    n = len(vectors)
    if n < 2:
        return 0
    v = vectors.astype(np.int64)
    total = v.sum(axis=0)
    crosswise = (total * total).sum() - (v * v).sum()
    return int(divide(crosswise, n * (n - 1) * 2 ** (2 * EMBEDDING_Q - COSINE_Q)))


def _inliers(to_others: Integers, floor: int) -> NDArray[np.bool_]:
    middle = (len(to_others) - 1) // 2
    median = np.sort(to_others)[middle]
    spread = np.sort(np.abs(to_others - median))[middle]
    margin = max(OUTLIER_MADS * int(spread), OUTLIER_MIN)
    return to_others >= max(int(median) - margin, floor)


def select(embeddings: NDArray[np.int16], policy: EnrolmentPolicy | None = None) -> Selection:
    """Returns which of the embeddings (n, size) make the template, and the template.

    Raises: UsageError for more than 255 embeddings.
    """
    policy = policy or EnrolmentPolicy()
    vectors = normalise(embeddings)
    kept = vectors.any(axis=1)
    to_others = np.zeros(len(vectors), np.int64)
    if np.count_nonzero(kept) >= 3:
        to_others[kept] = _to_others(vectors[kept])
        kept[kept] = _inliers(to_others[kept], to_fixed(policy.floor, COSINE_Q, "the floor of enrolment"))
    alike = consistency(vectors[kept])
    refusal = None
    if np.count_nonzero(kept) < policy.min_windows:
        refusal = Refusal.TOO_FEW
    elif alike < to_fixed(policy.min_consistency, COSINE_Q, "the least consistency of enrolment"):
        refusal = Refusal.INCONSISTENT
    return Selection(kept, to_others, alike, fuse(vectors[kept]), refusal)
