"""The teacher: ResNet-34 over time.

Kernels are (1, k) two-dimensional ones over a height of one, with channels-last activations: the same arithmetic as
one-dimensional convolution, but up to twice as fast in training on a CPU. The export form is one-dimensional.
Source: He et al. 2016, with one axis.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgkd.models.head import Classifier, EmbeddingHead, HeadKind
from ecgkd.models.outputs import ModelOutput

STAGE_BLOCKS = (3, 4, 6, 3)
STAGE_WIDENING = (1, 2, 4, 8)
STEM_KERNEL = 7


@dataclass(frozen=True)
class ResNetShape:
    """What tells one ResNet preset from another."""

    base: int
    """Channels of C2; C3, C4 and C5 have 2, 4 and 8 times as many."""
    kernel: int = 3
    """Taps of the blocks' convolutions, odd."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of C2, C3, C4, C5."""
        return tuple(self.base * widening for widening in STAGE_WIDENING)


def _convolution(n_in: int, n_out: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, (1, kernel), (1, stride), (0, kernel // 2), bias=False)


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(n_in, n_out, kernel, stride)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = _convolution(n_out, n_out, kernel, 1)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Sequential | None = None
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(_convolution(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return F.relu(y, inplace=True)


class ResNet1d(nn.Module):
    """ResNet-34 over a window, with the embedding head on its time average."""

    def __init__(self, shape: ResNetShape, n_classes: int, head: HeadKind) -> None:
        super().__init__()
        self.shape = shape
        self.stem = _convolution(1, shape.base, STEM_KERNEL, 2)
        self.stem_norm = nn.BatchNorm2d(shape.base)
        self.stages = nn.ModuleList(_stages(shape))
        self.head = EmbeddingHead(shape.channels[-1])
        self.classifier = Classifier(self.head.norm.num_features, n_classes, head) if n_classes else None
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):
                nn.init.zeros_(module.norm2.weight)  # a block starts as its shortcut (Goyal et al. 2017)

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of the four feature levels."""
        return self.shape.channels

    def forward(self, x: Tensor, features: bool = False) -> ModelOutput:
        """Returns embedding and logits of scaled windows (B, 1, 1000); with `features` the maps C2…C5 too."""
        y = self.stem(x.unsqueeze(2)).contiguous(memory_format=torch.channels_last)
        y = F.max_pool2d(F.relu(self.stem_norm(y), inplace=True), (1, 3), (1, 2), (0, 1))
        levels = []
        for stage in self.stages:
            y = stage(y)
            if features:
                levels.append(y.squeeze(2))
        embedding, neck = self.head(y.mean((2, 3), dtype=torch.float32))
        logits = None if self.classifier is None else self.classifier(neck)
        return ModelOutput(embedding, logits, None, tuple(levels))


def _stages(shape: ResNetShape) -> list[nn.Sequential]:
    stages = []
    n_in = shape.base
    for level, (n_blocks, n_out) in enumerate(zip(STAGE_BLOCKS, shape.channels, strict=True)):
        blocks = []
        for position in range(n_blocks):
            stride = 2 if level > 0 and position == 0 else 1
            blocks.append(BasicBlock(n_in, n_out, shape.kernel, stride))
            n_in = n_out
        stages.append(nn.Sequential(*blocks))
    return stages
