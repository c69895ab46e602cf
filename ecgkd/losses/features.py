"""Hierarchical alignment of feature maps: stages of a ResNet with blocks of a transformer.

Both sides are averaged to a time grid that neither has to be interpolated to, the teacher's channels are standardised
over the training set, and the student's are projected by layers that exist in training only. Our reconstruction.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVEL_WEIGHTS = (0.5, 0.75, 1.0, 1.0)
"""Relative; shallow to deep."""
SMOOTH_L1_WEIGHT = 0.5
STD_FLOOR = 1e-3
"""Smallest deviation of a channel, relative to the largest of its level: silent channels stay quiet."""


def common_grids(n_tokens: int, teacher_steps: Sequence[int]) -> tuple[int, ...]:
    """Returns the length of the common time grid of every level, shallow to deep.

    A grid divides the student's tokens, is no finer than the teacher's map nor than the grid before it, and fits the
    teacher's map exactly unless that would cost more than half of its steps.
    """
    grids: list[int] = []
    for steps in teacher_steps:
        limit = min([n_tokens, steps, *grids])
        divisors = [n for n in range(limit, 0, -1) if n_tokens % n == 0]
        exact = next(n for n in divisors if steps % n == 0)
        grids.append(exact if 2 * exact >= divisors[0] else divisors[0])
    return tuple(grids)


def pool_time(features: Tensor, steps: int) -> Tensor:
    """Returns (B, channels, steps): means over equal, or nearly equal, stretches of (B, channels, T)."""
    n_batch, n_channels, length = features.shape
    if length % steps:
        return F.adaptive_avg_pool1d(features, steps)
    return features.reshape(n_batch, n_channels, steps, length // steps).mean(3)


def feature_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """Returns 1 − cosine over channels plus half the smooth L1, mean over batch and time.

    student, teacher: (B, channels, steps), projected and standardised.
    """
    student, teacher = student.float(), teacher.detach().float()
    cosine = F.cosine_similarity(student, teacher, dim=1)
    return (1 - cosine).mean() + SMOOTH_L1_WEIGHT * F.smooth_l1_loss(student, teacher)


class ChannelStatistics(nn.Module):
    """Mean and deviation of every teacher channel at every level, summed up over the training set.

    The sums are buffers: they are saved with a checkpoint, and adding those of several processes merges them.
    """

    def __init__(self, teacher_channels: Sequence[int]) -> None:
        super().__init__()
        self.n_levels = len(teacher_channels)
        self.register_buffer("count", torch.zeros(self.n_levels, dtype=torch.float64))
        for level, n_channels in enumerate(teacher_channels):
            self.register_buffer(f"total_{level}", torch.zeros(n_channels, dtype=torch.float64))
            self.register_buffer(f"squares_{level}", torch.zeros(n_channels, dtype=torch.float64))

    @torch.no_grad()
    def accumulate(self, features: Sequence[Tensor], grids: Sequence[int]) -> None:
        """Adds one batch of teacher maps (B, channels, T), pooled as the loss pools them."""
        for level, (maps, steps) in enumerate(zip(features, grids, strict=True)):
            pooled = pool_time(maps.float(), steps).double()
            self._buffer("count")[level] += pooled.shape[0] * pooled.shape[2]
            self._buffer(f"total_{level}").add_(pooled.sum((0, 2)))
            self._buffer(f"squares_{level}").add_(pooled.square().sum((0, 2)))

    def mean_std(self, level: int) -> tuple[Tensor, Tensor]:
        """Returns mean and deviation (channels,), float32; deviations floored at STD_FLOOR of the largest."""
        count = self._buffer("count")[level].clamp_min(1)
        mean = self._buffer(f"total_{level}") / count
        variance = (self._buffer(f"squares_{level}") / count - mean.square()).clamp_min(0)
        std = variance.sqrt()
        floor = (STD_FLOOR * std.max()).clamp_min(torch.finfo(torch.float32).tiny)
        return mean.float(), std.maximum(floor).float()

    def standardise(self, level: int, pooled: Tensor) -> Tensor:
        """Returns (B, channels, steps) with mean 0 and deviation 1 over the training set."""
        mean, std = self.mean_std(level)
        return (pooled.float() - mean[:, None]) / std[:, None]

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)


class FeatureProjectors(nn.Module):
    """One projection per level from the student's width to the teacher's channels; never exported.

    Layer norm, mean over time, then one linear layer, or two with twice the width between them where the teacher has
    more channels than the student (lifting: a narrow student cannot hold the teacher's channels side by side).
    """

    def __init__(self, student_width: int, teacher_channels: Sequence[int]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(student_width) for _ in teacher_channels)
        self.projections = nn.ModuleList(_projection(student_width, n) for n in teacher_channels)

    def forward(self, features: Sequence[Tensor], grids: Sequence[int]) -> list[Tensor]:
        """Returns (B, teacher channels, steps) per level for student maps (B, width, T)."""
        projected = []
        for maps, steps, norm, projection in zip(features, grids, self.norms, self.projections, strict=True):
            tokens = pool_time(norm(maps.transpose(1, 2)).transpose(1, 2), steps)
            projected.append(projection(tokens.transpose(1, 2)).transpose(1, 2))
        return projected


def hierarchical_alignment(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    projectors: nn.Module,
    statistics: ChannelStatistics,
    weights: Sequence[float] = LEVEL_WEIGHTS,
) -> Tensor:
    """Returns the weighted mean over levels of `feature_alignment` for raw maps (B, channels, T) of both sides.

    `projectors` is a FeatureProjectors, possibly wrapped for several processes.
    """
    grids = common_grids(student[0].shape[2], [maps.shape[2] for maps in teacher])
    total = student[0].new_zeros((), dtype=torch.float32)
    for level, projected in enumerate(projectors(student, grids)):
        target = statistics.standardise(level, pool_time(teacher[level].float(), grids[level]))
        total = total + weights[level] / sum(weights) * feature_alignment(projected, target)
    return total


def _projection(n_in: int, n_out: int) -> nn.Module:
    if n_out <= n_in:
        return nn.Linear(n_in, n_out)
    return nn.Sequential(nn.Linear(n_in, 2 * n_in), nn.GELU(), nn.Linear(2 * n_in, n_out))
