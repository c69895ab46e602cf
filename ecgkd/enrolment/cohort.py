"""The cohort of the adaptive score normalisation: centroids of other people, and how near a vector is to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.enrolment.integer import Integers, divide, isqrt
from ecgkd.enrolment.template import COSINE_Q, EMBEDDING_Q, NORM_Q, dot
from ecgkd.errors import UsageError
from ecgkd.files import sha256_of

SIGMA_Q = 24
MIN_SIGMA = 2 ** (SIGMA_Q - 7)
"""A cohort's standard deviation counts as 1/128 at least, so that a normalised score stays within ±258."""
MAX_COHORT = 1024


@dataclass(frozen=True)
class Cohort:
    """The contract's centroids and what is computed from them once."""

    centroids: NDArray[np.int8]
    """(n, size), n ≤ 1024."""
    norms: Integers
    """(n,) Q8."""
    top: int
    """How many of the closest centroids count, at most n."""
    name: str
    """Hash of the centroids and `top`: template statistics belong to it."""


def cohort_of(contract: Contract) -> Cohort | None:
    """Returns the contract's cohort, None where it has none. Raises: UsageError for one that cannot be used."""
    if not contract.cohort:
        return None
    rows = contract.cohort
    fits = all(len(row) == contract.embedding_size and max(map(abs, row)) <= 127 for row in rows)
    if not fits or len(rows) > MAX_COHORT:
        raise UsageError(
            f"the contract's cohort does not fit: expected at most {MAX_COHORT} centroids of {contract.embedding_size} "
            "int8 values (-127 to 127); export the model again"
        )
    values = np.array(rows, np.int64)
    norms = isqrt((values * values).sum(axis=1) << 2 * NORM_Q)
    if not norms.all() or contract.cohort_top < 1:
        raise UsageError("the contract's cohort has a zero centroid or takes the closest 0; export the model again")
    top = min(contract.cohort_top, len(values))
    return Cohort(values.astype(np.int8), norms, top, sha256_of([values.tolist(), top])[:32])


def cohort_statistics(cohort: Cohort, vectors: NDArray[np.int16]) -> tuple[Integers, Integers]:
    """Returns mean (n,) Q20 and standard deviation (n,) Q24 of the closest centroids' cosines to vectors (n, size)."""
    shift = COSINE_Q + NORM_Q - EMBEDDING_Q
    near = divide(dot(vectors, cohort.centroids) << shift, cohort.norms)
    if cohort.top < near.shape[1]:
        near = np.partition(near, near.shape[1] - cohort.top, axis=1)[:, -cohort.top :]
    mean = divide(near.sum(axis=1), cohort.top)
    away = near - mean[:, None]
    variance = ((away * away).sum(axis=1) << 2 * (SIGMA_Q - COSINE_Q)) // cohort.top
    return mean, np.maximum(isqrt(variance), MIN_SIGMA)
