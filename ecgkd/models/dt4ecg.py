"""DT4ECG: one residual network over time for two tasks, who it is and what they do.

The paper's abstract is all that is public (You et al. 2025, arXiv 2502.11023): a one-dimensional residual network,
a sequence-channel attention that joins attention over channels with attention over the sequence, one network for
identity and activity. Everything else is our reconstruction: layer table, widths, the form of the attention, the heads.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgkd.models.head import Classifier, EmbeddingHead, HeadKind
from ecgkd.models.outputs import ModelOutput
from ecgkd.models.resnet1d import BasicBlock

STEM_KERNEL = 15
BLOCK_KERNEL = 7
STAGE_BLOCKS = (1, 2, 2, 1)
STAGE_STRIDES = (1, 2, 2, 2)
ATTENTION_KERNEL = 15
"""Steps that the sequence gate looks at: half a second at the first of the three levels, two at the last."""
REDUCTION = 8
"""Channels to one hidden unit of the channel gate."""
MIN_HIDDEN = 8
SHARED_SIZE = 128
ACTIVITY_HIDDEN = 64


@dataclass(frozen=True)
class Dt4EcgShape:
    """What tells one DT4ECG preset from another."""

    stem: int
    """Channels of the stem."""
    channels: tuple[int, int, int, int]
    """Channels of the four stages, C2 … C5."""
    attention: bool = True
    """Whether the last three stages end with sequence-channel attention."""


class SequenceChannelAttention(nn.Module):
    """X + a_s ⊙ a_c ⊙ X over maps X (B, channels, 1, T): what matters, then when.

    The form is our reconstruction: the abstract names the two attentions, not their formulas. Source for this form:
    Woo et al. 2018 (CBAM), with one axis; the sum with X is ours, so that a fresh gate does not halve the signal.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        hidden = max(MIN_HIDDEN, n_channels // REDUCTION)
        self.squeeze = nn.Linear(n_channels, hidden, bias=False)
        self.expand = nn.Linear(hidden, n_channels, bias=False)
        self.context = nn.Conv2d(2, 1, (1, ATTENTION_KERNEL), padding=(0, ATTENTION_KERNEL // 2))

    def channel_gate(self, x: Tensor) -> Tensor:
        """Returns a_c (B, channels, 1, 1) in 0 … 1, from mean and maximum over time through one bottleneck."""
        hidden = F.relu(self.squeeze(x.mean((2, 3)))) + F.relu(self.squeeze(x.amax((2, 3))))
        return torch.sigmoid(self.expand(hidden))[:, :, None, None]

    def sequence_gate(self, gated: Tensor) -> Tensor:
        """Returns a_s (B, 1, 1, T) in 0 … 1, from mean and maximum over the channels of a_c ⊙ X."""
        summary = torch.cat([gated.mean(1, keepdim=True), gated.amax(1, keepdim=True)], 1)
        return torch.sigmoid(self.context(summary))

    def forward(self, x: Tensor) -> Tensor:
        gated = self.channel_gate(x) * x
        return x + self.sequence_gate(gated) * gated


class Dt4Ecg(nn.Module):
    """Stem, four stages, attention after the last three, one shared layer, a head for each task.

    As for the ResNet, kernels are (1, k) over a height of one. The identity head is the one that every network here
    carries, so that it trains and verifies like any other.
    """

    def __init__(self, shape: Dt4EcgShape, n_classes: int, head: HeadKind, n_leads: int, n_activities: int) -> None:
        super().__init__()
        self.shape = shape
        self.n_leads = n_leads
        pad = STEM_KERNEL // 2
        self.stem = nn.Conv2d(n_leads, shape.stem, (1, STEM_KERNEL), (1, 2), (0, pad), bias=False)
        self.stem_norm = nn.BatchNorm2d(shape.stem)
        self.stages = nn.ModuleList(_stages(shape))
        self.shared = nn.Linear(2 * shape.channels[-1], SHARED_SIZE)
        self.head = EmbeddingHead(SHARED_SIZE)
        self.classifier = Classifier(self.head.norm.num_features, n_classes, head) if n_classes else None
        self.activity: nn.Sequential | None = None
        if n_activities:
            self.activity = nn.Sequential(
                nn.Linear(SHARED_SIZE, ACTIVITY_HIDDEN), nn.ReLU(), nn.Linear(ACTIVITY_HIDDEN, n_activities)
            )
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, BasicBlock):
                for convolution in (part for part in module.modules() if isinstance(part, nn.Conv2d)):
                    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.norm2.weight)  # a block starts as its shortcut (Goyal et al. 2017)
        nn.init.kaiming_normal_(self.stem.weight, mode="fan_out", nonlinearity="relu")

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of the four feature levels."""
        return self.shape.channels

    def forward(self, x: Tensor, features: bool = False) -> ModelOutput:
        """Returns what both heads say of scaled windows (B, n_leads, 1000); with `features` the maps C2…C5 too."""
        shared, levels = self._shared(x, features)
        embedding, neck = self.head(shared)
        logits = None if self.classifier is None else self.classifier(neck)
        with torch.autocast(shared.device.type, enabled=False):
            activity = None if self.activity is None else self.activity(shared)
        return ModelOutput(embedding, logits, None, levels, activity)

    def _shared(self, x: Tensor, features: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns what both heads read, float32 (B, SHARED_SIZE), and the levels if asked for."""
        y = self.stem(x.unsqueeze(2)).contiguous(memory_format=torch.channels_last)
        y = F.relu(self.stem_norm(y), inplace=True)  # (B, stem, 1, 500)
        levels = []
        for stage in self.stages:
            y = stage(y)
            if features:
                levels.append(y.squeeze(2))
        pooled = torch.cat([y.mean((2, 3), dtype=torch.float32), y.amax((2, 3)).float()], 1)
        with torch.autocast(pooled.device.type, enabled=False):
            return self.shared(pooled), tuple(levels)


def _stages(shape: Dt4EcgShape) -> list[nn.Sequential]:
    stages = []
    n_in = shape.stem
    for level, (n_blocks, stride, n_out) in enumerate(zip(STAGE_BLOCKS, STAGE_STRIDES, shape.channels, strict=True)):
        parts: list[nn.Module] = []
        for position in range(n_blocks):
            parts.append(BasicBlock(n_in, n_out, BLOCK_KERNEL, stride if position == 0 else 1))
            n_in = n_out
        if level and shape.attention:
            parts.append(SequenceChannelAttention(n_out))
        stages.append(nn.Sequential(*parts))
    return stages
