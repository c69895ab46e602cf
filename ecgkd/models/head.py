"""The embedding head and the classifier that every network carries."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMBEDDING_SIZE = 192
NORM_EPS = 1e-6
"""Smallest length that an embedding is divided by."""
COSINE_SCALE = 24.0
"""Logits of a cosine head are cosines times this."""

HeadKind = Literal["linear", "cosine"]


class EmbeddingHead(nn.Module):
    """Linear(width → 192) and batch norm; its unit-length output is the embedding.

    The batch norm's shift stays zero: people then lie around the origin, where cosines tell them apart and where a
    classifier without bias can separate them. Source: Luo et al. 2019 (BNNeck).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, EMBEDDING_SIZE, bias=False)
        self.norm = nn.BatchNorm1d(EMBEDDING_SIZE)
        self.norm.bias.requires_grad_(False)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the unit embedding and the neck before normalisation, both float32 (B, 192); pooled: (B, width)."""
        with torch.autocast(pooled.device.type, enabled=False):
            neck = self.norm(self.project(pooled.float()))
            return F.normalize(neck, dim=1, eps=NORM_EPS), neck


class Classifier(nn.Module):
    """Logits without bias: inner products (`linear`) or COSINE_SCALE times cosines (`cosine`), in float32."""

    def __init__(self, width: int, n_classes: int, kind: HeadKind) -> None:
        super().__init__()
        self.cosine = kind == "cosine"
        self.weight = nn.Parameter(torch.empty(n_classes, width))
        # Cosine rows start at length one, so that a step of the optimiser turns them by a sensible angle.
        nn.init.normal_(self.weight, std=width**-0.5 if self.cosine else 0.01)

    def forward(self, neck: Tensor) -> Tensor:
        """Returns logits (B, n_classes) for (B, width)."""
        with torch.autocast(neck.device.type, enabled=False):
            if not self.cosine:
                return F.linear(neck.float(), self.weight.float())
            rows = F.normalize(self.weight.float(), dim=1, eps=NORM_EPS)
            return COSINE_SCALE * F.linear(F.normalize(neck.float(), dim=1, eps=NORM_EPS), rows)
