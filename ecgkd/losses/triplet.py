"""Batch-hard triplet loss on the unit sphere."""

from typing import NamedTuple

import torch
from torch import Tensor

DISTANCE_EPS = 1e-12
"""Smallest squared distance under the root, whose gradient is infinite at zero."""


class TripletLoss(NamedTuple):
    """The loss and how much of the batch still feeds it."""

    loss: Tensor
    active: Tensor
    """Share of the anchors, 0 … 1, whose hinge is open; detached. Stuck at 1 with a loss of exactly the margin means
    that all embeddings fell onto one point."""


def batch_hard_triplet(
    embedding: Tensor,
    labels: Tensor,
    margin: float = 0.3,
    gathered: Tensor | None = None,
    gathered_labels: Tensor | None = None,
) -> TripletLoss:
    """Returns the mean over anchors of [margin + farthest positive − nearest negative]₊, Euclidean distances.

    embedding: (B, D), unit norm, the anchors; labels: (B,). Candidates are the anchors themselves or, across
    processes, `gathered` (N, D) with its labels, the anchors among them. Anchors without a positive or without a
    negative do not count; if none is left the loss is zero. Source: Hermans et al. 2017, equation 5.
    """
    candidates = embedding if gathered is None else gathered
    candidate_labels = labels if gathered_labels is None else gathered_labels
    with torch.autocast(embedding.device.type, enabled=False):
        distance = _distances(embedding.float(), candidates.float())
    same = labels[:, None] == candidate_labels[None, :]
    # The anchor stands among its own positives at distance zero: it is never the farthest of two or more.
    farthest = distance.masked_fill(~same, -torch.inf).amax(1)
    nearest = distance.masked_fill(same, torch.inf).amin(1)
    valid = (same.sum(1) > 1) & ~same.all(1)
    hinge = (margin + farthest[valid] - nearest[valid]).clamp_min(0)
    n_valid = max(int(valid.sum()), 1)
    return TripletLoss(hinge.sum() / n_valid, (hinge.detach() > 0).sum() / n_valid)


def _distances(rows: Tensor, columns: Tensor) -> Tensor:
    """Returns Euclidean distances (B, N) between unit vectors."""
    return (2 - 2 * rows @ columns.T).clamp_min(DISTANCE_EPS).sqrt()
