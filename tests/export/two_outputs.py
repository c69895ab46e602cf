"""A small network with two outputs and windows that differ in what its second output tells."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgkd_export import parity
from ecgkd_export.graph import Graph
from ecgkd_export.tflite.emit import emit

NAMES = ("embedding", "activity")
CLASSES = 4


class TinyDual(nn.Module):
    """Convolutions, gates over channels, means beside maxima; an embedding and the logits of four classes."""

    def __init__(self, n_leads: int = 1) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv1d(n_leads, 12, 5, 2, 2), nn.Conv1d(12, 12, 3, 1, 1)
        self.squeeze, self.expand = nn.Linear(12, 4), nn.Linear(4, 12)
        self.head, self.hidden, self.logits = nn.Linear(24, 16), nn.Linear(24, 12), nn.Linear(12, CLASSES)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.stem(window))
        x = F.relu(x + self.block(x))
        x = x * torch.sigmoid(self.expand(F.relu(self.squeeze(x.mean(2))))).unsqueeze(2)
        pooled = torch.cat([x.mean(2), x.amax(2)], 1)
        neck = self.head(pooled)
        embedding = neck / torch.linalg.vector_norm(neck, dim=1, keepdim=True)
        return embedding, self.logits(F.relu(self.hidden(pooled)))


def dual(n_leads: int = 1) -> TinyDual:
    """Returns the network with scores that differ from window to window by more than rounding."""
    torch.manual_seed(3)
    network = TinyDual(n_leads).eval()
    with torch.no_grad():
        scores = network(torch.from_numpy(motions(40, n_leads)))[1]
        network.logits.weight *= 6 / scores.std(0).mean()
        network.logits.bias.zero_()
        network.logits.bias -= network(torch.from_numpy(motions(40, n_leads)))[1].mean(0)
    return network.requires_grad_(False)


def motions(n: int, n_leads: int = 1, seed: int = 0) -> NDArray[np.float32]:
    """Returns windows (n, n_leads, 60) on the input's grid: oscillations of many sizes and speeds, and noise."""
    draw = np.random.default_rng(seed)
    time = np.arange(60) / 60
    speed, size = draw.uniform(1, 25, (n, n_leads, 1)), draw.uniform(1, 7, (n, n_leads, 1))
    waves = size * np.sin(2 * np.pi * (speed * time + draw.random((n, n_leads, 1))))
    steps = np.rint(16 * (waves + draw.normal(size=(n, n_leads, 60)) * 0.3))
    return (np.clip(steps, -128, 127) / 16).astype(np.float32)


def told(reference: parity.Run, candidate: parity.Run) -> dict[str, Any]:
    """A caller's own gate: the share of windows with the same answer."""
    answers = [run(motions(32, seed=1)).argmax(1) for run in (reference, candidate)]
    return {"result": parity.PASSED, "same": float((answers[0] == answers[1]).mean())}


def content_of(graph: Graph) -> bytes:
    return emit(graph, metadata={}, description="")


def with_constant(graph: Graph, name: str, values: NDArray[Any]) -> Graph:
    tensor = graph.tensors[name]
    return replace(graph, tensors={**graph.tensors, name: replace(tensor, data=values.astype(tensor.dtype))})
