"""What rounding costs, measured on the quantised graph in real numbers: layer by layer, tensor by tensor."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.float_run import run_float
from ecgkd_export.graph import DType, Graph, Kind, Tensor

Floats = NDArray[np.float32]
Cost = Callable[[Floats, Floats], float]
"""Outputs (n, size) of the float graph and of the rounded one to a number: the larger, the worse."""
LAYERS = (Kind.CONV, Kind.FULLY_CONNECTED)
MOVES = (Kind.RESHAPE, Kind.TRANSPOSE, Kind.SLICE, Kind.CONCAT)
"""They round nothing that was not rounded before."""


@dataclass(frozen=True)
class Sensitivity:
    """What it costs that one tensor, alone in a float graph, is rounded."""

    tensor: str
    kind: str
    """The operator that makes it, or `weights`."""
    shape: tuple[int, ...]
    cost: float


def cosine_loss(reference: Floats, candidate: Floats) -> float:
    """Returns one minus the mean cosine of rows (n, size)."""
    a, b = (values.reshape(len(values), -1).astype(np.float64) for values in (reference, candidate))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(1 - np.mean((a * b).sum(1) / np.maximum(lengths, 1e-12)))


def sensitivity(
    graph: Graph,
    quantised: Graph,
    windows: Floats,
    *,
    cost: Cost = cosine_loss,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Sensitivity]:
    """Returns what rounding each tensor of `quantised` alone costs, worst first.

    `graph` is the float graph that it was made of. Weights and bias of a layer count as one; tensors that are only
    moved are left out, and so are what a running sum takes from its own rounding: they mean nothing without it.
    """
    reference = run_float(graph, windows)[graph.outputs[0]]
    kept = {name: exact(graph, quantised, name) for name in quantised.tensors}
    parts = groups(graph, quantised)
    found = []
    for number, (names, kind) in enumerate(parts):
        if progress is not None:
            progress(number, len(parts), names[0])
        tensors = {name: tensor if name in names else kept[name] for name, tensor in quantised.tensors.items()}
        rounded = run_float(replace(quantised, tensors=tensors), windows)[quantised.outputs[0]]
        found.append(Sensitivity(names[0], kind, quantised.tensors[names[0]].shape, cost(reference, rounded)))
    return sorted(found, key=lambda one: -one.cost)


def groups(graph: Graph, quantised: Graph) -> list[tuple[tuple[str, ...], str]]:
    """Returns what is rounded together, and what it is called."""
    found: list[tuple[tuple[str, ...], str]] = []
    for op in quantised.ops:
        if op.kind in LAYERS:
            found.append((op.inputs[1:], "weights"))
        if op.kind not in MOVES and (op.output in graph.tensors or op.kind == Kind.QUANTISE):
            found.append(((op.output,), op.kind.value))
    return found


def exact(graph: Graph, quantised: Graph, name: str) -> Tensor:
    """Returns the tensor unrounded; a constant with the numbers that it was made of."""
    tensor = quantised.tensors[name]
    data = tensor.data
    if data is not None:
        source = graph.tensors.get(name)
        while source is None and ":" in name:
            name = name.rpartition(":")[0]
            source = graph.tensors.get(name)
        same = source is not None and source.data is not None and source.shape == tensor.shape
        data = source.data if same and source is not None else real(tensor)
    return replace(tensor, dtype=DType.FLOAT32, quant=None, data=data)


def real(tensor: Tensor) -> Floats:
    """Returns the numbers that a constant stands for."""
    assert tensor.data is not None
    if tensor.quant is None:
        return tensor.data.astype(np.float32)
    scale = tensor.quant.scale.astype(np.float64)
    if tensor.quant.axis is not None:
        scale = scale.reshape([-1 if axis == tensor.quant.axis else 1 for axis in range(tensor.data.ndim)])
    return ((tensor.data.astype(np.float64) - tensor.quant.zero_point) * scale).astype(np.float32)


def table(found: Iterable[Sensitivity], most: int = 20) -> str:
    """Returns the costliest tensors as lines of text."""
    lines = [f"{'cost':>10}  {'operator':16} tensor"]
    lines += [f"{one.cost:10.6f}  {one.kind:16} {one.tensor} {one.shape}" for one in list(found)[:most]]
    return "\n".join(lines)
