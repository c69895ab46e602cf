"""Several operators as one pass over memory, with the same bits: functions of one int8, and sums with their carry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import simulate_pointwise as pointwise
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant
from ecgkd_export.simulate_linear import rescale

LOOKUP, CARRY = "lookup", "carry"
LAYERS = (Kind.CONV, Kind.FULLY_CONNECTED)
Table = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Node:
    """What one kernel does, or what moves nothing."""

    what: str
    """The kind of its operator, `lookup` or `carry`."""
    ops: tuple[Op | None, ...]
    """The operator. `carry`: what adds branch and carry (or None), the sum, what was taken and the carry (or None)."""
    inputs: tuple[str | None, ...]
    """Computed or constant; without weights and bias. `carry`: rows, branch, and the carry or None."""
    outputs: tuple[str, ...]
    table: Table | None = None
    """Of 256, −128 first; applied to the result of a layer, or to the input (`lookup`)."""

    @property
    def op(self) -> Op:
        """Returns the operator that it is called after."""
        found = self.ops[1] if self.what == CARRY else self.ops[0]
        assert found is not None
        return found


def fuse(graph: Graph) -> list[Node]:
    """Returns the operators of an int8 graph, in order, fused where that saves a pass.

    Raises: GraphError for a tensor that is not int8, where no kernel is.
    """
    carries = _carries(graph)
    inside = {op.name for node in carries.values() for op in node.ops if op is not None}
    nodes: dict[str, Node] = {}
    readers = graph.readers()
    for op in graph.ops:
        _demand_int8(graph, op)
        if op.name in carries:
            nodes[op.output] = carries[op.name]
        elif op.name not in inside:
            try:
                _add(graph, nodes, op, alone={name for name, found in readers.items() if len(found) == 1})
            except GraphError as error:
                raise GraphError(f"{op.kind} {op.name}: {error}") from error
    return list(nodes.values())


def _add(graph: Graph, nodes: dict[str, Node], op: Op, alone: set[str]) -> None:
    """Adds `op`, to the node before it where it is a function of that one's result and nobody else reads that."""
    table = unary_table(graph, op)
    if table is None:
        inputs = op.inputs[:1] if op.kind in LAYERS else op.inputs
        nodes[op.output] = Node(op.kind, (op,), inputs, (op.output,))
        return
    source = op.inputs[0]
    before = nodes.get(source)
    if before is None or before.what not in (LOOKUP, *LAYERS) or source not in alone or source in graph.outputs:
        nodes[op.output] = Node(LOOKUP, (op,), (source,), (op.output,), table)
        return
    del nodes[source]
    if before.table is not None:
        table = pointwise.lookup(before.table, table)
    nodes[op.output] = replace(before, outputs=(op.output,), table=table)


def unary_table(graph: Graph, op: Op) -> Table | None:
    """Returns the operator's result for every int8, −128 first; None where it is not a function of one int8."""
    x, to = graph.tensors[op.inputs[0]].quant, graph.tensors[op.output].quant
    if x is None or to is None:
        return None
    every = np.arange(-128, 128).astype(np.int8)
    match op.kind:
        case Kind.GELU:
            return pointwise.gelu_table(x, to)
        case Kind.LOGISTIC:
            return pointwise.logistic_table(x, to)
        case Kind.RSQRT:
            return pointwise.rsqrt_table(x, to)
        case Kind.RELU:
            return pointwise.requantise(every, x.zero_point, pointwise.relu_parameters(x, to, DType.INT8)).astype(
                np.int8
            )
        case Kind.QUANTISE:
            parameters = pointwise.requantise_parameters(x, to, DType.INT8)
            return pointwise.requantise(every, x.zero_point, parameters).astype(np.int8)
        case Kind.MUL if op.inputs[0] == op.inputs[1]:
            return _square(x, to, op.attributes["activation"])
    return None


def _square(x: Quant, to: Quant, activation: str) -> Table:
    whole = np.arange(-128, 128, dtype=np.int64) - x.zero_point
    parameters = pointwise.product_parameters(x, x, to, DType.INT8, activation)
    return rescale(whole * whole, parameters).astype(np.int8)


def _carries(graph: Graph) -> dict[str, Node]:
    """Returns the sums that can run together with what is added and taken before and behind, by the sum's name."""
    makers, readers = graph.makers(), graph.readers()
    found: dict[str, Node] = {}
    taken: set[str] = set()
    for op in graph.ops:
        if op.kind == Kind.ADD and op.name not in taken and (node := _carry(graph, op, makers, readers)):
            names = {one.name for one in node.ops if one is not None}
            if not names & taken:
                found[op.name] = node
                taken |= names
    return found


def _carry(graph: Graph, op: Op, makers: Mapping[str, Op], readers: Mapping[str, list[Op]]) -> Node | None:
    for rows, added in (op.inputs, op.inputs[::-1]):
        inner = makers.get(added)
        step = _reader(readers[op.output], Kind.SUB, (op.output, rows))
        rest = step and _reader(readers[step.output], Kind.SUB, (added, step.output))
        if step and (rest is None or len(readers[step.output]) != 1 or step.output in graph.outputs):
            step = rest = None
        if inner is not None and not _is_inside(graph, inner, readers, {op.name, *([rest.name] if rest else ())}):
            inner = None
        if inner is None and rest is None:
            continue
        branch, carry = inner.inputs if inner else (added, None)
        outputs = (op.output, rest.output) if rest else (op.output,)
        names = (rows, branch, carry, *outputs)
        if len({graph.tensors[name].shape for name in names if name}) == 1 and _computed(graph, names):
            return Node(CARRY, (inner, op, step, rest), (rows, branch, carry), outputs)
    return None


def _is_inside(graph: Graph, inner: Op, readers: Mapping[str, list[Op]], allowed: set[str]) -> bool:
    """Returns whether the sum `inner` is read by nothing else than `allowed`."""
    return (
        inner.kind == Kind.ADD
        and inner.inputs[0] != inner.inputs[1]
        and {reader.name for reader in readers[inner.output]} <= allowed
        and inner.output not in graph.outputs
    )


def _reader(readers: list[Op], kind: Kind, inputs: tuple[str, str]) -> Op | None:
    return next((op for op in readers if op.kind == kind and op.inputs == inputs), None)


def _computed(graph: Graph, names: tuple[str | None, ...]) -> bool:
    return all(graph.tensors[name].data is None for name in names if name)


def _demand_int8(graph: Graph, op: Op) -> None:
    layer = op.kind in LAYERS
    for name in (*op.inputs, op.output):
        tensor = graph.tensors[name]
        if tensor.dtype != DType.INT8 and not (layer and name == op.inputs[2] and tensor.dtype == DType.INT32):
            raise GraphError(f"{op.kind} {op.name}: {name} is {tensor.dtype}; the C kernels are int8")
        if tensor.quant is None:
            raise GraphError(f"{op.kind} {op.name}: {name} has no scale")
