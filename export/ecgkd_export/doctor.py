"""Float graphs in which a part of an int8 graph is rounded and nothing else: what the quantisation doctor runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.fake_quant import LAYERS, exact, groups, real
from ecgkd_export.graph import DType, Graph, Kind, Op, Tensor, check
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.tflite.emit import emit

Floats = NDArray[np.float32]
SUMS = (":total",)
"""Layers of ones inside a norm: parts of the layer before them."""


@dataclass(frozen=True)
class Part:
    """What is rounded together."""

    name: str
    kind: str
    """The operator that makes it, `weights`, or `layer`."""
    tensors: tuple[str, ...]


def tensors(graph: Graph, quantised: Graph, outputs: Sequence[str] | None = None) -> list[Part]:
    """Returns the tensors of `quantised` that rounding changes, one by one; weights and bias of a layer count as one.

    Those that `outputs`, by default the first, are made of. `graph` is the float graph that it was made of.
    """
    behind = set().union(*(quantised.behind(name) for name in outputs or quantised.outputs[:1]))
    return [Part(names[0], kind, names) for names, kind in groups(graph, quantised) if behind.issuperset(names)]


def layers(graph: Graph, quantised: Graph, outputs: Sequence[str] | None = None) -> list[Part]:
    """Returns the layers: weights, and all that is computed with them up to the next layer's; `outputs` as above."""
    starts = {op.inputs[1]: op.name for op in quantised.ops if op.kind in LAYERS and not op.name.endswith(SUMS)}
    found: dict[str, list[str]] = {}
    layer = "before the first layer"
    for part in tensors(graph, quantised, outputs):
        layer = starts.get(part.name, layer)
        found.setdefault(layer, []).extend(part.tensors)
    return [Part(name, "layer", tuple(names)) for name, names in found.items()]


def rounded(graph: Graph, quantised: Graph, names: Collection[str]) -> Graph:
    """Returns `quantised` in float, but for the tensors `names`: those take the steps that int8 has for them."""
    kept = {name: exact(graph, quantised, name) for name in quantised.tensors}
    ops: list[Op] = []
    same: dict[str, str] = {}
    for op in quantised.ops:
        inputs = tuple(same.get(name, name) for name in op.inputs)
        if op.kind == Kind.QUANTISE and op.output not in names:
            same[op.output] = inputs[0]
            continue
        if op.output not in names:
            ops.append(replace(op, inputs=inputs))
            continue
        steps, before = f"{op.output}:steps", f"{op.output}:exact"
        source = inputs[0]
        if op.kind != Kind.QUANTISE:
            source = before
            kept[before] = replace(kept[op.output], name=before)
            ops.append(replace(op, name=before, inputs=inputs, output=before))
        kept[steps] = replace(quantised.tensors[op.output], name=steps)
        ops.append(Op(Kind.QUANTISE, steps, (source,), steps))
        ops.append(Op(Kind.DEQUANTISE, op.output, (steps,), op.output))
    for name in names:
        tensor = quantised.tensors[name]
        if tensor.data is not None:
            kept[name] = Tensor(name, tensor.shape, DType.FLOAT32, None, real(tensor))
    used = {name for op in ops for name in (*op.inputs, op.output)} | {*quantised.inputs, *quantised.outputs}
    return check(Graph({name: kept[name] for name in used}, tuple(ops), quantised.inputs, quantised.outputs))


def run(graph: Graph, windows: Floats) -> dict[str, Floats]:
    """Returns the outputs (n, size) of a float graph, by name, by LiteRT."""
    return LiteRtSession(emit(graph, metadata={}, description="a part rounded")).run_all(windows)
