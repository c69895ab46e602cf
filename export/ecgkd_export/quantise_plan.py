"""Which integers the tensors of a float graph become: scales, zero points, and what shares them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ecgkd_export.graph import Graph, Kind, Quant

DEMANDED: Mapping[Kind, tuple[float, int]] = {
    Kind.SOFTMAX: (1 / 256, -128),
    Kind.LOGISTIC: (1 / 256, -128),
    Kind.L2_NORM: (1 / 128, 0),
}
"""Scale and zero point of the output, as the kernels have them."""
KEEPS_SCALE = (Kind.RESHAPE, Kind.TRANSPOSE, Kind.SLICE, Kind.CONCAT, Kind.MAX_POOL, Kind.REDUCE_MAX)
SAME_STEPS = 1.3
"""Largest ratio of the ranges of sums that share their steps."""

Ranges = Mapping[str, tuple[float, float]]


class Stream(StrEnum):
    """How the sums that run through a transformer are kept."""

    INT8 = "int8"
    """Every sum is rounded, and the errors add up."""
    CARRY = "carry"
    """int8, and what rounding took from one sum is added to the next: errors do not add up. Four operators a sum."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Which integers every tensor becomes."""

    quants: Mapping[str, Quant]
    sums: Mapping[str, tuple[str, str]]
    """Rows and what is added to them, by output."""
    carried: frozenset[str]
    """The sums that hand on what rounding took."""


def make_plan(
    graph: Graph, ranges: Ranges, stream: Stream, input_step: float, output_step: float | None = None
) -> Plan:
    """Returns the plan for `graph`, whose ranges are all there."""
    sums = running_sums(graph) if stream == Stream.CARRY else {}
    carried = _carried(graph, ranges, sums)
    follows = {name: sums[name][0] for name in carried}
    steps = {graph.inputs[0]: input_step} | ({graph.outputs[0]: output_step} if output_step else {})
    quants = _activations(graph, ranges, steps, follows)
    return Plan(quants, sums, carried)


def running_sums(graph: Graph) -> dict[str, tuple[str, str]]:
    """Returns the sums of rows and a layer that nothing else reads, by output: the rows and the layer's output."""
    makers, readers = graph.makers(), graph.readers()
    found = {}
    for op in graph.ops:
        if op.kind != Kind.ADD or op.attributes["activation"] != "none":
            continue
        for rows, branch in (op.inputs, op.inputs[::-1]):
            layer = makers.get(branch)
            same = graph.tensors[rows].shape == graph.tensors[branch].shape and graph.tensors[rows].data is None
            if layer is not None and layer.kind == Kind.FULLY_CONNECTED and len(readers[branch]) == 1 and same:
                found[op.output] = (rows, branch)
                break
    return found


def _carried(graph: Graph, ranges: Ranges, sums: Mapping[str, tuple[str, str]]) -> frozenset[str]:
    """Returns the sums whose rounding is handed on: to another sum, and in the same steps as the rows before them.

    Where ranges grow, all sums in the widest one's steps would cost more than the carry gains; there it is dropped.
    """
    sliced = {op.output: op.inputs[0] for op in graph.ops if op.kind == Kind.SLICE}
    asked = {source for rows, _ in sums.values() for source in (rows, sliced.get(rows, rows))}
    width = {name: ranges[name][1] - ranges[name][0] for name in ranges}
    spread: dict[str, tuple[float, float]] = {}
    carried = set()
    for name, (rows, _) in sums.items():
        before = spread.get(sliced.get(rows, rows), (width.get(rows, 0.0),) * 2)
        both = min(before[0], width[name]), max(before[1], width[name])
        if name in asked and both[1] <= SAME_STEPS * both[0]:
            carried.add(name)
            spread[name] = both
    return frozenset(carried)


def _activations(
    graph: Graph, ranges: Ranges, steps: Mapping[str, float], follows: Mapping[str, str]
) -> dict[str, Quant]:
    """Returns the int8 quantisation of every tensor that is not a weight; tensors that are tied share one.

    `steps`: scales of tensors with zero point 0; `follows`: tensors in the same steps as another, besides those that
    the operators ask for. The second factors of products have zero point 0: XNNPACK has kernels for no other.
    """
    root = {name: name for name in graph.tensors}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    fixed = {find(name): Quant(np.full(1, step, np.float32)) for name, step in steps.items()}
    for op in graph.ops:
        if op.kind in DEMANDED:
            scale, zero_point = DEMANDED[op.kind]
            fixed[op.output] = Quant(np.full(1, scale, np.float32), zero_point)
    for op in graph.ops:
        tied = (follows[op.output],) if op.output in follows else op.inputs if op.kind in KEEPS_SCALE else ()
        for name in tied:
            mine, other = find(op.output), find(name)
            if mine == other or (mine in fixed and other in fixed and not same(fixed[mine], fixed[other])):
                continue
            root[mine] = other
            if mine in fixed:
                fixed[other] = fixed[mine]
    seen: dict[str, tuple[float, float]] = {}
    for name, tensor in graph.tensors.items():
        if tensor.data is not None:
            low, high = float(tensor.data.min()), float(tensor.data.max())
        else:
            low, high = ranges.get(name, (0.0, 0.0))
        before = seen.get(find(name), (0.0, 0.0))
        seen[find(name)] = (min(low, before[0]), max(high, before[1]))
    for op in graph.ops:
        if op.kind == Kind.RSQRT:
            name = find(op.inputs[0])
            seen[name] = (0.0, max(seen[name][1], float(np.finfo(np.float32).tiny)))
    balanced = {find(op.inputs[1]) for op in graph.ops if op.kind == Kind.MATMUL}
    for name in balanced:
        largest = max(abs(end) for end in seen.get(name, (0.0, 0.0)))
        seen[name] = (-largest * 128 / 127, largest)
    return {name: fixed.get(find(name)) or activation(*seen[find(name)]) for name in graph.tensors}


def activation(low: float, high: float) -> Quant:
    """Returns scale and zero point of an int8 tensor that shall hold [low, high]; zero is on the grid."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        return Quant(np.full(1, 1 / 128, np.float32))
    scale = np.float32((high - low) / 255)
    return Quant(np.full(1, scale), int(np.clip(np.rint(-128 - low / float(scale)), -128, 127)))


def limits(quant: Quant) -> tuple[float, float]:
    """Returns the smallest and the largest number that an int8 tensor holds."""
    scale = float(quant.scale[0])
    return scale * (-128 - quant.zero_point), scale * (127 - quant.zero_point)


def same(a: Quant, b: Quant) -> bool:
    return a.zero_point == b.zero_point and np.array_equal(a.scale, b.scale)
