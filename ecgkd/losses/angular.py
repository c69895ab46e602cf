"""Cross-entropy with a margin between identities, on the logits of a cosine head."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SCALE = 24.0
"""What the cosine head multiplies cosines by (ecgkd.models.COSINE_SCALE)."""
MARGIN = 0.2
COSINE_LIMIT = 1 - 1e-6
"""Keeps the slope of arccos finite."""


def additive_margin(logits: Tensor, labels: Tensor, margin: float = MARGIN, scale: float = SCALE) -> Tensor:
    """Returns the cross-entropy after taking `margin` off the true class's cosine.

    logits: (B, n_classes) = scale · cosine; labels: (B,). Margin 0 is plain cross-entropy. Source: Wang et al. 2018
    (AM-softmax), equation 6.
    """
    penalty = torch.zeros_like(logits, dtype=torch.float32)
    penalty.scatter_(1, labels[:, None], scale * margin)
    return F.cross_entropy(logits.float() - penalty, labels)


def angular_margin(logits: Tensor, labels: Tensor, margin: float = MARGIN, scale: float = SCALE) -> Tensor:
    """Returns the cross-entropy after adding `margin` radians to the angle to the true class.

    logits: (B, n_classes) = scale · cosine; labels: (B,). Where the angle would pass π, the cosine is lowered by
    margin · sin(margin) instead, so that it keeps falling. Source: Deng et al. 2019 (ArcFace), equation 3.
    """
    cosine = logits.float().gather(1, labels[:, None]) / scale
    angle = torch.acos(cosine.clamp(-COSINE_LIMIT, COSINE_LIMIT))
    lowered = cosine - margin * math.sin(margin)
    with_margin = torch.where(angle + margin < torch.pi, torch.cos(angle + margin), lowered)
    return F.cross_entropy(logits.float().scatter(1, labels[:, None], scale * with_margin), labels)
