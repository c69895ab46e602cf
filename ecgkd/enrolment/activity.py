"""What the wearer does, from a network's scores of several windows: integers, the same in C (docs/decision.md).

Identity never depends on it (docs/dual-task.md says why).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.enrolment.integer import Integers, divide, to_fixed
from ecgkd.errors import DataError

SCALE_Q = 24
"""Fraction bits of the size of a score's step."""
MARGIN_Q = 16
FLOAT_Q = 10
"""Fraction bits that scores of a float network are rounded to."""
LARGEST = 1 << 20
"""Steps of such a score, either way: 1,024."""


@dataclass(frozen=True)
class Activity:
    """What the windows tell together."""

    index: int
    """Of the likeliest activity, the first of equals."""
    windows: int
    """That tell it; 0: nothing is told."""
    sums: tuple[int, ...]
    """Of every activity's scores, in steps."""
    margin: int
    """Q16: natural logarithm of the odds of the likeliest to the second likeliest, by mean scores; 0 for one alone."""

    @property
    def odds(self) -> float:
        """How many times likelier it is than the second likeliest."""
        return math.exp(self.margin / 2**MARGIN_Q)


def tell(scores: NDArray[np.integer[Any]], zero_point: int, scale: float) -> Activity:
    """Returns what scores (n, activities) of n windows tell, int8 as the network gives them: (q − zero_point) · scale.

    Raises: DataError for another shape, UsageError for a scale that does not fit.
    """
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise DataError(f"scores of shape {scores.shape}; expected (windows, activities)")
    sums = (scores.astype(np.int64) - zero_point).sum(axis=0)
    first = int(sums.argmax())
    others = np.delete(sums, first)
    apart = int(sums[first] - others.max()) if len(others) and len(scores) else 0
    step = to_fixed(scale, SCALE_Q, "the scale of the activity's scores")
    margin = divide(np.array(apart * step), max(len(scores), 1) << (SCALE_Q - MARGIN_Q))
    return Activity(first, len(scores), tuple(int(one) for one in sums), int(margin))


def tell_floats(logits: NDArray[np.float32]) -> Activity:
    """Returns what logits (n, activities) of a float network tell: rounded half to even to 2^−10, within ±1,024."""
    if not np.isfinite(logits).all():
        raise DataError("a score of an activity is no finite number")
    steps = np.rint(logits.astype(np.float64) * 2**FLOAT_Q).clip(-LARGEST, LARGEST)
    return tell(steps.astype(np.int64), 0, 2.0**-FLOAT_Q)


def steps_of(logits: NDArray[np.float32], zero_point: int, scale: float) -> Integers:
    """Returns the integers that an int8 network gave, from what they stand for: (q − zero_point) · scale."""
    steps: Integers = np.rint(logits.astype(np.float64) / scale).astype(np.int64) + zero_point
    return steps
