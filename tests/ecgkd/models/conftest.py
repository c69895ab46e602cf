"""Networks whose batch norms say something: fresh ones would let a forgotten fold pass."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from ecgkd.models import build_model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors on several threads of a busy machine wait more than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def seasoned() -> Callable[..., Any]:
    def build(preset: str, n_classes: int = 0, **options: Any) -> Any:
        torch.manual_seed(7)
        model = build_model(preset, n_classes, **options)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2.0)
            elif isinstance(module, nn.LayerNorm):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
        return model.eval()

    return build
