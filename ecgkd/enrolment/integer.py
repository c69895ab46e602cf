"""Integer arithmetic of the decision: one rounding rule, one square root, one way from a constant to an integer."""

import math

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import UsageError

Integers = NDArray[np.int64]


def divide(numerator: Integers, denominator: Integers | int) -> Integers:
    """Returns numerator / denominator rounded to the nearest integer, halves away from zero; denominator > 0."""
    size = (np.abs(numerator) + (denominator >> 1)) // denominator
    return np.where(numerator < 0, -size, size)


def isqrt(x: Integers) -> Integers:
    """Returns floor(√x) exactly, for 0 ≤ x < 2^62."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)  # off by one at most
    root -= root * root > x
    root += (root + 1) * (root + 1) <= x
    return root


def to_fixed(value: float, q: int, what: str) -> int:
    """Returns `value` · 2^q rounded half away from zero: how a constant becomes an integer, once.

    Raises: UsageError where it is not finite or does not fit 32 bits.
    """
    if not math.isfinite(value) or abs(value) * 2**q >= 2**31 - 1:
        raise UsageError(f"{what} is {value:g}: it does not fit the decision's arithmetic (32 bits, {q} of fraction)")
    size = math.floor(abs(value) * 2**q + 0.5)
    return size if value >= 0 else -size
