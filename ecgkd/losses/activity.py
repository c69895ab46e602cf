"""What windows of a known activity teach; windows without a label teach nothing here."""

import torch.nn.functional as F
from torch import Tensor

from ecgkd.losses.logits import distillation

UNLABELLED = -1
"""Activity of a window that carries no label."""


def activity_entropy(logits: Tensor, activities: Tensor) -> Tensor:
    """Returns the cross-entropy of the logits (B, n) to the labels (B,), mean over the labelled windows; 0 without."""
    known = activities != UNLABELLED
    total = F.cross_entropy(logits[known].float(), activities[known], reduction="sum")
    return total / max(int(known.sum()), 1)


def activity_distillation(student: Tensor, teacher: Tensor, activities: Tensor, temperature: float) -> Tensor:
    """Returns `distillation` of the logits (B, n), mean over the labelled windows; 0 without.

    A teacher of activities knows them on recordings such as those that it was trained on; what it says of others, which
    carry no label, is no lesson.
    """
    known = activities != UNLABELLED
    if not bool(known.any()):
        return student.float().sum() * 0
    return distillation(student[known], teacher[known], temperature)
