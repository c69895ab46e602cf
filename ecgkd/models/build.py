"""Networks by preset name, and what they cost."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ecgkd.errors import UsageError
from ecgkd.models.deit1d import INPUT_SAMPLES, Deit1d, DeitShape
from ecgkd.models.dt4ecg import Dt4Ecg, Dt4EcgShape
from ecgkd.models.head import HeadKind
from ecgkd.models.resnet1d import ResNet1d, ResNetShape

PRESETS: dict[str, ResNetShape | DeitShape | Dt4EcgShape] = {
    "resnet34": ResNetShape(base=64),
    "resnet34_k7": ResNetShape(base=64, kernel=7),
    "resnet34_half": ResNetShape(base=32),
    "resnet34_base24": ResNetShape(base=24),
    "resnet34_quarter": ResNetShape(base=16),
    "deit_tiny": DeitShape(width=192, depth=12, heads=3, patch=20),
    "deit_micro": DeitShape(width=96, depth=6, heads=3, patch=40),
    "deit_nano": DeitShape(width=64, depth=4, heads=2, patch=40),
    "dt4ecg": Dt4EcgShape(stem=16, channels=(16, 32, 64, 64)),
    "dt4ecg_plain": Dt4EcgShape(stem=16, channels=(16, 32, 64, 64), attention=False),
    "dt4ecg_wide": Dt4EcgShape(stem=32, channels=(32, 64, 128, 128)),
}

CLASSIFIER_PREFIXES = ("classifier.", "distil_classifier.")
LEADS = (1, 3)
"""Leads that a DT4ECG takes; the other networks take one."""


def build_model(
    preset: str,
    n_classes: int = 0,
    *,
    head: HeadKind = "linear",
    drop_path: float = 0.1,
    distil_head: bool = False,
    n_leads: int = 1,
    n_activities: int = 0,
) -> ResNet1d | Deit1d | Dt4Ecg:
    """Returns a fresh network of `preset`; without classes it gives embeddings only.

    `head` chooses the classifier on the embedding: `linear` for plain cross-entropy, `cosine` for an angular margin.
    `drop_path` is the stochastic depth of a DeiT's last block; `distil_head` gives a DeiT the second classifier that
    logit distillation trains. The others ignore both. `n_leads` (1 or 3) and `n_activities` (0 for no activity head)
    are a DT4ECG's.

    Raises: UsageError for an unknown preset or head, or for leads or activities that the network does not take.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown model preset {preset!r}; known: {', '.join(PRESETS)}")
    if head not in ("linear", "cosine"):
        raise UsageError(f"unknown classifier head {head!r}; expected linear or cosine")
    if n_classes < 0:
        raise UsageError(f"{preset}: {n_classes} classes; expected 0 (embeddings only) or more")
    shape = PRESETS[preset]
    if isinstance(shape, Dt4EcgShape):
        if n_leads not in LEADS:
            raise UsageError(f"{preset}: {n_leads} leads; expected 1 or 3")
        if n_activities < 0:
            raise UsageError(f"{preset}: {n_activities} activities; expected 0 (no activity head) or more")
        return Dt4Ecg(shape, n_classes, head, n_leads, n_activities)
    if n_leads != 1 or n_activities:
        asked = f"{n_leads} lead(s) and {n_activities} activities were asked for"
        raise UsageError(f"{preset} takes one lead and has no activity head; {asked}, which dt4ecg takes")
    if isinstance(shape, ResNetShape):
        return ResNet1d(shape, n_classes, head)
    return Deit1d(shape, n_classes, head, drop_path, distil_head)


def without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the entries of a state dictionary that a network without classes has."""
    return {name: value for name, value in state.items() if not name.startswith(CLASSIFIER_PREFIXES)}


def count_parameters(model: nn.Module) -> int:
    """Returns the number of weights, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module) -> int:
    """Returns multiply-accumulates of one window: convolutions and matrix products, the classifiers included."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, getattr(model, "n_leads", 1), INPUT_SAMPLES, device=device))
    model.train(was_training)
    return int(counter.get_total_flops()) // 2
