"""Two small networks, each exported once for all tests: a transformer block and a residual convolution."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgkd_export.convert import Artefact, convert
from ecgkd_export.graph import Graph
from ecgkd_export.ort_int8 import Settings
from ecgkd_export.parity import Outputs
from ecgkd_export.run.ort import OrtSession

from .two_outputs import NAMES, dual, motions, told

GRID = Settings(input_range=(-8.0, 127 / 16))


class TinyTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm = nn.Linear(8, 16), nn.LayerNorm(16)
        self.query, self.key, self.value = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)
        self.expand, self.contract, self.head = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, 24)

    def forward(self, window: Tensor) -> Tensor:
        tokens = self.patch(window.reshape(5, 8))
        x = self.norm(tokens)
        tokens = tokens + torch.softmax(self.query(x) @ self.key(x).transpose(0, 1), 1) @ self.value(x)
        tokens = tokens + self.contract(F.gelu(self.expand(tokens)))
        embedding = self.head(tokens.mean(0, keepdim=True))
        return embedding / torch.linalg.vector_norm(embedding, dim=1, keepdim=True)


class TinyResidual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv1d(1, 8, 5, 2, 2), nn.Conv1d(8, 8, 3, 1, 1), nn.Linear(8, 24)

    def forward(self, window: Tensor) -> Tensor:
        x = F.relu(self.stem(window))
        embedding = self.head(F.relu(x + self.block(x)).mean(2))
        return embedding / torch.linalg.vector_norm(embedding, dim=1, keepdim=True)


@pytest.fixture(scope="session")
def windows() -> NDArray[np.float32]:
    """Inputs (32, 1, 40) on the grid of 1/16 that the networks see."""
    steps = np.random.default_rng(0).integers(-127, 128, (32, 1, 40))
    return (steps / 16).astype(np.float32)


@pytest.fixture(scope="session")
def transformer() -> nn.Module:
    torch.manual_seed(0)
    return TinyTransformer().eval()


@pytest.fixture(scope="session")
def exported(transformer: nn.Module, windows: NDArray[np.float32]) -> list[Artefact]:
    """The transformer's float and int8 artefact."""
    return convert(transformer, windows, settings=GRID)


@pytest.fixture(scope="session")
def convolution(windows: NDArray[np.float32]) -> list[Artefact]:
    """The residual convolution's float and int8 artefact."""
    torch.manual_seed(0)
    return convert(TinyResidual().eval(), windows, settings=GRID)


@pytest.fixture(scope="session")
def given() -> NDArray[np.float32]:
    """Windows of the network with two outputs."""
    return motions(96)


@pytest.fixture(scope="session")
def made_dual(given: NDArray[np.float32]) -> dict[tuple[str, str], Artefact]:
    """All artefacts of the network with two outputs, by runtime and first format."""
    found = convert(
        dual(),
        given,
        outputs=NAMES,
        formats=("onnx", "tflite", "c"),
        settings=GRID,
        float_tflite=True,
        class_gates={"told": ("activity", told)},
    )
    return {(one.runtime, one.formats[0]): one for one in found}


@pytest.fixture(scope="session")
def reference(made_dual: dict[tuple[str, str], Artefact], given: NDArray[np.float32]) -> Outputs:
    """What that network gives."""
    return OrtSession(made_dual["onnx-fp32", "onnx"].file("onnx", {})).run_all(given)


@pytest.fixture(scope="session")
def int8(made_dual: dict[tuple[str, str], Artefact]) -> Graph:
    """That network's integer graph."""
    graph = made_dual["int8", "tflite"].model
    assert isinstance(graph, Graph)
    return graph
