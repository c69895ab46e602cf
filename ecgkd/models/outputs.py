"""What a network returns."""

from typing import NamedTuple

from torch import Tensor


class ModelOutput(NamedTuple):
    """One forward pass over a batch of B windows."""

    embedding: Tensor
    """(B, 192), unit norm, float32."""
    logits: Tensor | None
    """(B, n_classes), float32; None without a classifier.

    With a cosine head: scale · cosine. In evaluation mode of a network with a distillation head: the mean of both
    heads.
    """
    distil_logits: Tensor | None
    """(B, n_classes) of the distillation token; None where the network has no such head."""
    features: tuple[Tensor, ...]
    """Four levels (B, channels, steps), shallow to deep: stages C2…C5 of a ResNet, patch tokens after the blocks at
    1/4, 2/4, 3/4 and 4/4 of a transformer's depth. Empty unless asked for."""
    activity: Tensor | None = None
    """(B, n_activities) logits, float32; None for a network without an activity head."""
