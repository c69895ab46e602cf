"""What rounding costs, measured on the quantised graph in real numbers: layer by layer, tensor by tensor."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.float_run import COMPUTE, round_half_away, run_float
from ecgkd_export.graph import DType, Graph, Kind, Op, Tensor

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
    exact = {name: _exact(graph, quantised, name) for name in quantised.tensors}
    groups = _groups(graph, quantised)
    found = []
    for number, (names, kind) in enumerate(groups):
        if progress is not None:
            progress(number, len(groups), names[0])
        tensors = {name: tensor if name in names else exact[name] for name, tensor in quantised.tensors.items()}
        rounded = run_float(replace(quantised, tensors=tensors), windows)[quantised.outputs[0]]
        found.append(Sensitivity(names[0], kind, quantised.tensors[names[0]].shape, cost(reference, rounded)))
    return sorted(found, key=lambda one: -one.cost)


def _groups(graph: Graph, quantised: Graph) -> list[tuple[tuple[str, ...], str]]:
    """Returns what is rounded together, and what it is called."""
    groups: list[tuple[tuple[str, ...], str]] = []
    for op in quantised.ops:
        if op.kind in LAYERS:
            groups.append((op.inputs[1:], "weights"))
        if op.kind not in MOVES and (op.output in graph.tensors or op.kind == Kind.QUANTISE):
            groups.append(((op.output,), op.kind.value))
    return groups


def _exact(graph: Graph, quantised: Graph, name: str) -> Tensor:
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


def correct_biases(graph: Graph, quantised: Graph, windows: Floats) -> Graph:
    """Returns the quantised graph with biases moved so that each layer's mean output is the float layer's.

    Layer by layer in order, each behind the corrected ones before it. `windows` (n, …) are in memory together.
    Source: Nagel et al. 2019, section 4.2, with measured in place of computed means.
    """
    layers = [op.output for op in quantised.ops if op.kind in LAYERS and op.output in graph.tensors]
    wanted = {name: _mean(value) for name, value in run_float(graph, windows, keep=layers).items()}
    tensors = dict(quantised.tensors)
    entry = tensors[quantised.inputs[0]]
    values = {entry.name: _on_grid(entry, windows.reshape(len(windows), *entry.shape))}
    constants = {name: real(tensor)[None] for name, tensor in tensors.items() if tensor.data is not None}
    last = {name: position for position, op in enumerate(quantised.ops) for name in op.inputs}
    for position, op in enumerate(quantised.ops):
        result = _run(op, values, constants, tensors[op.output])
        if op.output in wanted:
            bias = tensors[op.inputs[2]]
            assert bias.data is not None
            assert bias.quant is not None
            steps = (wanted[op.output] - _mean(result)) / bias.quant.scale.astype(np.float64)
            limits = np.iinfo(np.int32)
            moved = np.clip(np.rint(bias.data + steps), limits.min, limits.max).astype(bias.data.dtype)
            tensors[bias.name] = replace(bias, data=moved)
            constants[bias.name] = real(tensors[bias.name])[None]
            result = _run(op, values, constants, tensors[op.output])
        values[op.output] = result
        for name in op.inputs:
            if last[name] == position:
                values.pop(name, None)
    return replace(quantised, tensors=tensors)


def _mean(values: Floats) -> NDArray[np.float64]:
    result: NDArray[np.float64] = values.reshape(-1, values.shape[-1]).mean(0, dtype=np.float64)
    return result


def _run(op: Op, values: Mapping[str, Floats], constants: Mapping[str, Floats], output: Tensor) -> Floats:
    inputs = [values[name] if name in values else constants[name] for name in op.inputs]
    result = COMPUTE[op.kind](op, inputs, output.shape)
    if op.attributes.get("activation") == "relu":
        result = np.maximum(result, 0)
    return _on_grid(output, result)


def _on_grid(tensor: Tensor, values: Floats) -> Floats:
    if tensor.quant is None:
        return values
    limits, scale, zero_point = np.iinfo(np.dtype(tensor.dtype)), float(tensor.quant.scale[0]), tensor.quant.zero_point
    steps = np.clip(round_half_away(values / scale) + zero_point, limits.min, limits.max)
    return ((steps - zero_point) * scale).astype(np.float32)


def table(found: Iterable[Sensitivity], most: int = 20) -> str:
    """Returns the costliest tensors as lines of text."""
    lines = [f"{'cost':>10}  {'operator':16} tensor"]
    lines += [f"{one.cost:10.6f}  {one.kind:16} {one.tensor} {one.shape}" for one in list(found)[:most]]
    return "\n".join(lines)
