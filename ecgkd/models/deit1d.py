"""The student: timm's distilled DeiT over one-dimensional patches.

Source: Touvron et al. 2021 (DeiT); transformer blocks by timm.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from ecgkd.errors import MissingToolError
from ecgkd.models.head import Classifier, EmbeddingHead, HeadKind
from ecgkd.models.outputs import ModelOutput

INPUT_SAMPLES = 1000
N_LEVELS = 4
N_PREFIX = 2
"""Class and distillation token, before the patch tokens."""

_vision_schemas: list[torch.library.Library] = []
"""Schemas last only as long as the object that defined them."""


@dataclass(frozen=True)
class DeitShape:
    """What tells one DeiT preset from another."""

    width: int
    depth: int
    """Blocks, at least four."""
    heads: int
    patch: int
    """Samples of a patch; divides 1000."""

    @property
    def n_patches(self) -> int:
        return INPUT_SAMPLES // self.patch

    @property
    def level_blocks(self) -> tuple[int, ...]:
        """The blocks, counted from one, after which features are taken."""
        return tuple(-(-self.depth * level // N_LEVELS) for level in range(1, N_LEVELS + 1))


class Deit1d(nn.Module):
    """DeiT over a window; the embedding comes from the mean of the class and the distillation token.

    Class logits are read off the embedding head, so that the task trains what verification compares; the optional
    distillation head reads the distillation token alone.
    """

    def __init__(self, shape: DeitShape, n_classes: int, head: HeadKind, drop_path: float, distil_head: bool) -> None:
        super().__init__()
        self.shape = shape
        self.transformer = import_timm().create_model(
            "deit_tiny_distilled_patch16_224",
            img_size=(1, INPUT_SAMPLES),
            patch_size=(1, shape.patch),
            in_chans=1,
            embed_dim=shape.width,
            depth=shape.depth,
            num_heads=shape.heads,
            num_classes=0,
            drop_path_rate=drop_path,
        )
        for block in self.transformer.blocks:
            block.attn.fused_attn = False  # with 27 or 52 tokens the plain products train faster on a CPU
        self.head = EmbeddingHead(shape.width)
        self.classifier = Classifier(self.head.norm.num_features, n_classes, head) if n_classes else None
        with_distil = bool(n_classes) and distil_head
        self.distil_classifier = Classifier(shape.width, n_classes, head) if with_distil else None

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of the four feature levels."""
        return (self.shape.width,) * N_LEVELS

    def forward(self, x: Tensor, features: bool = False) -> ModelOutput:
        """Returns embedding and logits of scaled windows (B, 1, 1000); with `features` four levels of patch tokens."""
        tokens, levels = self._tokens(x.unsqueeze(2), features)
        prefix = tokens[:, :N_PREFIX].float()
        embedding, neck = self.head(prefix.mean(1))
        logits = None if self.classifier is None else self.classifier(neck)
        distil_logits = None if self.distil_classifier is None else self.distil_classifier(prefix[:, 1])
        if logits is not None and distil_logits is not None and not self.training:
            logits = (logits + distil_logits) / 2
        return ModelOutput(embedding, logits, distil_logits, levels)

    def _tokens(self, image: Tensor, features: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns normalised tokens (B, N_PREFIX + n_patches, width) and the levels (B, width, n_patches)."""
        if not features:
            return self.transformer.forward_features(image), ()
        tokens, levels = self.transformer.forward_intermediates(
            image, indices=[block - 1 for block in self.shape.level_blocks], output_fmt="NLC"
        )
        return tokens, tuple(level.transpose(1, 2) for level in levels)


def import_timm() -> ModuleType:
    """Returns timm, also where torchvision cannot load its compiled operators.

    Raises: MissingToolError where timm or torchvision is not installed.
    """
    try:
        _ensure_vision_operators()
        import timm
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"the DeiT presets need {error.name}, which is not installed; type: pip install 'ecgkd[train]'"
        ) from error
    return timm


def _ensure_vision_operators() -> None:
    """Declares torchvision's two operators that importing it asks for, if its own library does not load.

    A torchvision built for another torch would else stop `import timm` although no model here uses the operators.
    """
    spec = find_spec("torchvision")
    if _vision_schemas or spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            continue
    if hasattr(torch.ops.torchvision, "nms"):
        return
    schemas = torch.library.Library("torchvision", "DEF")
    schemas.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    schemas.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _vision_schemas.append(schemas)
