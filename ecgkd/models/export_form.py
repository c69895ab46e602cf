"""Networks rewritten for export: one window in, one embedding out, nothing that a converter stumbles over.

Input (1, leads, 1000) float32, scaled as in training; output (1, 192), unit norm, and behind it the logits of
activities (1, n) where a DT4ECG is asked for them. No tensor has more than three axes, batch norms are folded into the
layer before them, patches are cut by a reshape, classifiers are gone, and the last transformer block is computed for
the two tokens that are read. Same numbers as the network in evaluation mode.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ecgkd.errors import UsageError
from ecgkd.models.deit1d import N_PREFIX, Deit1d
from ecgkd.models.dt4ecg import Dt4Ecg, SequenceChannelAttention
from ecgkd.models.head import NORM_EPS, EmbeddingHead
from ecgkd.models.resnet1d import BasicBlock, ResNet1d


def export_form(model: nn.Module, with_activity: bool = False) -> nn.Module:
    """Returns a frozen float32 copy of a network of this package, on the CPU and in evaluation mode.

    `with_activity` gives a DT4ECG its second output, the activity's logits (1, n_activities). Raises: UsageError for a
    network without that head.
    """
    if with_activity and getattr(model, "activity", None) is None:
        raise UsageError(f"{type(model).__name__}: no activity head to export; train one with loss.activity above 0")
    form: nn.Module
    with torch.no_grad():
        if isinstance(model, ResNet1d):
            form = ResNetExport(model)
        elif isinstance(model, Deit1d):
            form = DeitExport(model)
        elif isinstance(model, Dt4Ecg):
            form = Dt4EcgExport(model, with_activity)
        else:
            raise TypeError(f"no export form for {type(model).__name__}")
    return form.cpu().float().eval().requires_grad_(False)


class EmbeddingExport(nn.Module):
    """The embedding head as one linear layer, and the division by the length."""

    def __init__(self, head: EmbeddingHead) -> None:
        super().__init__()
        gain, shift = _norm_gain_shift(head.norm)
        self.linear = _linear((head.project.weight.double().T * gain).T, shift)

    def forward(self, pooled: Tensor) -> Tensor:
        neck = self.linear(pooled)  # (1, 192)
        return neck / torch.linalg.vector_norm(neck, dim=1, keepdim=True).clamp_min(NORM_EPS)


class BlockExport(nn.Module):
    """A basic block of two or three one-dimensional convolutions."""

    def __init__(self, block: BasicBlock) -> None:
        super().__init__()
        self.conv1 = _folded_convolution(block.conv1, block.norm1)
        self.conv2 = _folded_convolution(block.conv2, block.norm2)
        self.shortcut: nn.Conv1d | None = None
        if block.shortcut is not None:
            convolution, norm = block.shortcut
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            self.shortcut = _folded_convolution(convolution, norm)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.conv2(F.relu(self.conv1(x))) + shortcut)


class ResNetExport(nn.Module):
    """Convolutions with their batch norms folded in."""

    def __init__(self, model: ResNet1d) -> None:
        super().__init__()
        self.stem = _folded_convolution(model.stem, model.stem_norm)
        blocks = [module for module in model.stages.modules() if isinstance(module, BasicBlock)]
        self.blocks = nn.ModuleList(BlockExport(block) for block in blocks)
        self.head = EmbeddingExport(model.head)

    def forward(self, window: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(self.stem(window)), 3, 2, 1)  # (1, base, 250)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(2))


class SequenceChannelAttentionExport(nn.Module):
    """Gates over channels, then over time, on maps (1, channels, T)."""

    def __init__(self, source: SequenceChannelAttention) -> None:
        super().__init__()
        self.squeeze = _linear(source.squeeze.weight, torch.zeros(source.squeeze.out_features))
        self.expand = _linear(source.expand.weight, torch.zeros(source.expand.out_features))
        self.context = _convolution(source.context, source.context.weight, source.context.bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.squeeze(x.mean(2))) + F.relu(self.squeeze(x.amax(2)))
        gated = torch.sigmoid(self.expand(hidden)).unsqueeze(2) * x
        summary = torch.cat([gated.mean(1, keepdim=True), gated.amax(1, keepdim=True)], 1)  # (1, 2, T)
        return x + torch.sigmoid(self.context(summary)) * gated


class ActivityExport(nn.Module):
    """The shared layer and the activity head's first as one, ReLU, and the logits."""

    def __init__(self, shared: nn.Linear, head: nn.Sequential) -> None:
        super().__init__()
        expand, _, contract = head
        assert isinstance(contract, nn.Linear)
        self.expand = _product(expand, shared)
        self.contract = _linear(contract.weight, contract.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.contract(F.relu(self.expand(pooled)))  # (1, n_activities)


class Dt4EcgExport(nn.Module):
    """The shared layer and the embedding's, with nothing between them, are one; so for the activity."""

    def __init__(self, model: Dt4Ecg, with_activity: bool = False) -> None:
        super().__init__()
        self.n_leads = model.n_leads
        self.stem = _folded_convolution(model.stem, model.stem_norm)
        known = (BasicBlock, SequenceChannelAttention)
        parts = [module for module in model.stages.modules() if isinstance(module, known)]
        self.parts = nn.ModuleList(
            BlockExport(part) if isinstance(part, BasicBlock) else SequenceChannelAttentionExport(part)
            for part in parts
        )
        self.head = EmbeddingExport(model.head)
        self.head.linear = _product(self.head.linear, model.shared)
        self.activity: ActivityExport | None = None
        if with_activity:
            assert model.activity is not None
            self.activity = ActivityExport(model.shared, model.activity)

    def forward(self, window: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = F.relu(self.stem(window))  # (1, stem, 500)
        for part in self.parts:
            x = part(x)
        pooled = torch.cat([x.mean(2), x.amax(2)], 1)
        return self.head(pooled) if self.activity is None else (self.head(pooled), self.activity(pooled))


class AttentionExport(nn.Module):
    """Self-attention over tokens (T, width), heads as one batched matrix product of three axes."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads = int(attention.num_heads)
        query, key, value = attention.qkv.weight.double().chunk(3)
        query_bias, key_bias, value_bias = attention.qkv.bias.double().chunk(3)
        self.query = _linear(query * attention.scale, query_bias * attention.scale)
        self.key = _linear(key, key_bias)
        self.value = _linear(value, value_bias)
        self.project = _linear(attention.proj.weight, attention.proj.bias)

    def forward(self, x: Tensor, n_queries: int) -> Tensor:
        """Returns (n_queries, width): what the first tokens gather from all."""
        n_tokens, width = x.shape
        depth = width // self.heads
        query = self.query(x[:n_queries]).reshape(n_queries, self.heads, depth).permute(1, 0, 2)
        key = self.key(x).reshape(n_tokens, self.heads, depth).permute(1, 2, 0)
        value = self.value(x).reshape(n_tokens, self.heads, depth).permute(1, 0, 2)
        affinity = torch.softmax(query @ key, dim=2)  # (heads, n_queries, n_tokens)
        return self.project((affinity @ value).permute(1, 0, 2).reshape(n_queries, width))


class TransformerBlockExport(nn.Module):
    """A pre-norm block that computes its first `n_out` tokens only."""

    def __init__(self, block: Any, n_out: int) -> None:
        super().__init__()
        self.n_out = n_out
        self.norm1 = _layer_norm(block.norm1)
        self.attention = AttentionExport(block.attn)
        self.norm2 = _layer_norm(block.norm2)
        self.expand = _linear(block.mlp.fc1.weight, block.mlp.fc1.bias)
        self.contract = _linear(block.mlp.fc2.weight, block.mlp.fc2.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x[: self.n_out] + self.attention(self.norm1(x), self.n_out)
        return x + self.contract(F.gelu(self.expand(self.norm2(x))))


class DeitExport(nn.Module):
    """Tokens as rows of a matrix (N_PREFIX + n_patches, width)."""

    prefix: Tensor
    position: Tensor

    def __init__(self, model: Deit1d) -> None:
        super().__init__()
        source: Any = model.transformer
        self.n_patches, self.patch = model.shape.n_patches, model.shape.patch
        self.embed = _linear(source.patch_embed.proj.weight.flatten(1), source.patch_embed.proj.bias)
        position = source.pos_embed.detach()[0]
        tokens = torch.cat([source.cls_token[0], source.dist_token[0]]).detach()
        self.register_buffer("prefix", (tokens + position[:N_PREFIX]).clone())
        self.register_buffer("position", position[N_PREFIX:].clone())
        n_tokens = N_PREFIX + self.n_patches
        last = len(source.blocks) - 1
        self.blocks = nn.ModuleList(
            TransformerBlockExport(block, N_PREFIX if index == last else n_tokens)
            for index, block in enumerate(source.blocks)
        )
        self.norm = _layer_norm(source.norm)
        self.head = EmbeddingExport(model.head)

    def forward(self, window: Tensor) -> Tensor:
        patches = self.embed(window.reshape(self.n_patches, self.patch)) + self.position
        x = torch.cat([self.prefix, patches])  # (N_PREFIX + n_patches, width)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(0, keepdim=True))


def _norm_gain_shift(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Returns the gain and the shift (channels,), float64, that a batch norm applies in evaluation mode."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return gain, norm.bias.double() - norm.running_mean.double() * gain


def _folded_convolution(source: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv1d:
    """Returns a (1, k) convolution and the batch norm after it as one one-dimensional convolution."""
    gain, shift = _norm_gain_shift(norm)
    return _convolution(source, source.weight.double() * gain[:, None, None, None], shift)


def _convolution(source: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> nn.Conv1d:
    """Returns a (1, k) convolution with these numbers as a one-dimensional one."""
    assert bias is not None
    layer = nn.Conv1d(
        source.in_channels,
        source.out_channels,
        source.kernel_size[1],
        source.stride[1],
        int(source.padding[1]),
    )
    layer.weight = nn.Parameter(weight.detach().squeeze(2).float().clone())
    layer.bias = nn.Parameter(bias.detach().float().clone())
    return layer


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight = nn.Parameter(weight.detach().float().clone())
    layer.bias = nn.Parameter(bias.detach().float().clone())
    return layer


def _product(after: Any, before: Any) -> nn.Linear:
    """Returns two linear layers with nothing between them as one."""
    weight, bias = after.weight.double(), after.bias.double()
    return _linear(weight @ before.weight.double(), bias + weight @ before.bias.double())


def _layer_norm(source: Any) -> nn.LayerNorm:
    norm = nn.LayerNorm(source.normalized_shape, eps=source.eps)
    norm.weight = nn.Parameter(source.weight.detach().float().clone())
    norm.bias = nn.Parameter(source.bias.detach().float().clone())
    return norm
