"""Gradients of several tasks without what works against each other."""

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = 1e-12


def pcgrad(gradients: Sequence[Tensor]) -> Tensor:
    """Returns the sum of the tasks' gradients (n_weights,), each without its part against any other task's.

    A task's gradient loses its projection on every other task's original gradient that it opposes, in the order of
    `gradients` (for two tasks the order does not matter). Source: Yu et al. 2020, algorithm 1.
    """
    total = torch.zeros_like(gradients[0])
    for task, own in enumerate(gradients):
        kept = own.clone()
        for other, theirs in enumerate(gradients):
            if other == task:
                continue
            along = torch.dot(kept, theirs)
            if along < 0:
                kept -= along / theirs.dot(theirs).clamp_min(TINY) * theirs
        total += kept
    return total
