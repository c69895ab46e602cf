"""The small typed graph between ONNX and what runs on devices: TFLite's meaning of every operator, float or integer.

Channels come last, as TFLite has them: a signal is (1, 1, time, channels), a convolution's weights are
(out, 1, taps, in), a matrix of tokens is (tokens, width), attention is (heads, tokens, depth).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError

Shape = tuple[int, ...]


class DType(StrEnum):
    FLOAT32 = "float32"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"


class Kind(StrEnum):
    """Operators. In brackets: inputs; then attributes. Activation is `none` or `relu`, applied to the output."""

    CONV = "conv"
    """[x (1, 1, T, C), weights (O, 1, K, C), bias (O,)]; stride, pad (left, right), activation."""
    MAX_POOL = "max_pool"
    """[x (1, 1, T, C)]; size, stride, pad (left, right): padding never wins."""
    FULLY_CONNECTED = "fully_connected"
    """[x (n, I), weights (O, I), bias (O,)]; activation."""
    MATMUL = "matmul"
    """[a (b, n, k), b (b, k, m)], with `transpose_b` (b, m, k)."""
    SOFTMAX = "softmax"
    """[x]; over the last axis."""
    LAYER_NORM = "layer_norm"
    """[x, gain (D,), shift (D,)]; epsilon. Over the last axis; float only: rewritten before it is written anywhere."""
    L2_NORM = "l2_norm"
    """[x]; over the last axis. int8 output has scale 1/128 and zero point 0."""
    RSQRT = "rsqrt"
    """[x above 0]; one over the square root. int8 input: zero point −128, since the kernel refuses what is below 0."""
    GELU = "gelu"
    """[x]; by the error function."""
    LOGISTIC = "logistic"
    """[x]; int8 output has scale 1/256 and zero point −128."""
    RELU = "relu"
    """[x]; only where it could not be fused."""
    ADD = "add"
    """[a, b], broadcast; activation."""
    SUB = "sub"
    """[a, b], broadcast; activation."""
    MUL = "mul"
    """[a, b], broadcast; activation."""
    MEAN = "mean"
    """[x]; axes, keep."""
    REDUCE_MAX = "reduce_max"
    """[x]; axes, keep."""
    CONCAT = "concat"
    """[x, …]; axis."""
    RESHAPE = "reshape"
    """[x]; the output's shape says to what."""
    TRANSPOSE = "transpose"
    """[x]; permutation."""
    SLICE = "slice"
    """[x]; begin, size."""
    QUANTISE = "quantise"
    """[x]; float to integer, or from one integer scale to another."""
    DEQUANTISE = "dequantise"
    """[x]; integer to float."""


ATTRIBUTES: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONV: ("stride", "pad", "activation"),
    Kind.MAX_POOL: ("size", "stride", "pad"),
    Kind.FULLY_CONNECTED: ("activation",),
    Kind.MATMUL: ("transpose_b",),
    Kind.LAYER_NORM: ("epsilon",),
    Kind.ADD: ("activation",),
    Kind.SUB: ("activation",),
    Kind.MUL: ("activation",),
    Kind.MEAN: ("axes", "keep"),
    Kind.REDUCE_MAX: ("axes", "keep"),
    Kind.CONCAT: ("axis",),
    Kind.TRANSPOSE: ("permutation",),
    Kind.SLICE: ("begin", "size"),
}
"""Attributes that an operator must have; kinds that are not named have none."""


@dataclass(frozen=True, eq=False)
class Quant:
    """real = scale · (integer − zero_point)."""

    scale: NDArray[np.float32]
    """(1,), or one for each index of `axis`."""
    zero_point: int = 0
    axis: int | None = None


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph; with `data` a constant."""

    name: str
    shape: Shape
    dtype: DType = DType.FLOAT32
    quant: Quant | None = None
    data: NDArray[Any] | None = None


@dataclass(frozen=True)
class Op:
    """One operator, its tensors by name."""

    kind: Kind
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """Operators in the order they run in. Never changed: a rewrite returns another graph."""

    tensors: Mapping[str, Tensor]
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def constant(self, name: str) -> NDArray[Any]:
        """Returns a constant's values. Raises: GraphError where the tensor is computed."""
        data = self.tensors[name].data
        if data is None:
            raise GraphError(f"{name} is computed; expected a constant")
        return data

    def makers(self) -> dict[str, Op]:
        """Returns the operator behind every computed tensor."""
        return {op.output: op for op in self.ops}

    def behind(self, name: str) -> set[str]:
        """Returns the tensors that a tensor is made of, itself and constants included."""
        found = {name}
        for op in reversed(self.ops):
            if op.output in found:
                found.update(op.inputs)
        return found

    def readers(self) -> dict[str, list[Op]]:
        """Returns the operators that read each tensor, in order."""
        found: dict[str, list[Op]] = {name: [] for name in self.tensors}
        for op in self.ops:
            for name in dict.fromkeys(op.inputs):
                found[name].append(op)
        return found


def check(graph: Graph) -> Graph:
    """Returns `graph` after asking whether it makes sense: order, attributes, shapes, constants, quantisation.

    Raises: GraphError naming the operator or tensor.
    """
    for tensor in graph.tensors.values():
        _check_tensor(tensor)
    known = set(graph.inputs) | {name for name, tensor in graph.tensors.items() if tensor.data is not None}
    for op in graph.ops:
        absent = [name for name in (*op.inputs, op.output) if name not in graph.tensors]
        if absent:
            raise GraphError(f"{op.kind} {op.name}: no tensor {absent[0]}")
        early = [name for name in op.inputs if name not in known]
        if early:
            raise GraphError(f"{op.kind} {op.name} reads {early[0]} before it is made")
        if op.output in known:
            raise GraphError(f"{op.kind} {op.name} makes {op.output} a second time")
        if sorted(op.attributes) != sorted(ATTRIBUTES.get(op.kind, ())):
            raise GraphError(f"{op.kind} {op.name} has attributes {', '.join(op.attributes) or 'none'}")
        expected = output_shape(graph, op)
        if graph.tensors[op.output].shape != expected:
            raise GraphError(
                f"{op.kind} {op.name} gives {expected}, but {op.output} is {graph.tensors[op.output].shape}"
            )
        known.add(op.output)
    for name in graph.outputs:
        if name not in known:
            raise GraphError(f"output {name} is not made by any operator")
    return graph


def _check_tensor(tensor: Tensor) -> None:
    if any(size < 1 for size in tensor.shape):
        raise GraphError(f"{tensor.name} has shape {tensor.shape}; every size must be known and positive")
    if tensor.data is not None and (tensor.data.shape != tensor.shape or tensor.data.dtype != np.dtype(tensor.dtype)):
        raise GraphError(
            f"{tensor.name} says {tensor.dtype} {tensor.shape} and holds {tensor.data.dtype} {tensor.data.shape}"
        )
    quant = tensor.quant
    if quant is not None:
        expected = 1 if quant.axis is None else tensor.shape[quant.axis]
        if quant.scale.shape != (expected,) or not np.all(np.isfinite(quant.scale) & (quant.scale > 0)):
            raise GraphError(f"{tensor.name} has scales {quant.scale.shape}; expected {expected}, finite and above 0")


def output_shape(graph: Graph, op: Op) -> Shape:
    """Returns the shape that `op` gives. Raises: GraphError where its inputs do not fit together."""
    shapes = [graph.tensors[name].shape for name in op.inputs]
    try:
        return _shape(op, shapes, graph.tensors[op.output].shape)
    except (ValueError, IndexError) as error:
        given = ", ".join(str(shape) for shape in shapes)
        raise GraphError(f"{op.kind} {op.name} does not take {given}" + (f": {error}" if str(error) else "")) from error


def _shape(op: Op, shapes: list[Shape], output: Shape) -> Shape:
    first = shapes[0]
    match op.kind:
        case Kind.CONV:
            _, weights, bias = shapes
            _demand(len(first) == 4 and first[:2] == (1, 1) and len(weights) == 4 and weights[1] == 1)
            _demand(weights[3] == first[3] and bias == weights[:1])
            return (1, 1, _steps(first[2], weights[2], op), weights[0])
        case Kind.MAX_POOL:
            _demand(len(first) == 4 and first[:2] == (1, 1))
            return (1, 1, _steps(first[2], op.attributes["size"], op), first[3])
        case Kind.FULLY_CONNECTED:
            _, weights, bias = shapes
            _demand(len(first) == 2 and weights[1:] == first[1:] and bias == weights[:1])
            return (first[0], weights[0])
        case Kind.MATMUL:
            batch, rows, inner = first
            other_batch, *last = shapes[1]
            _demand(len(last) == 2)
            columns, other_inner = last if op.attributes["transpose_b"] else last[::-1]
            _demand(batch == other_batch and inner == other_inner)
            return (batch, rows, columns)
        case Kind.ADD | Kind.SUB | Kind.MUL:
            return np.broadcast_shapes(*shapes)
        case Kind.MEAN | Kind.REDUCE_MAX:
            axes = {axis % len(first) for axis in op.attributes["axes"]}
            kept = [(1 if n in axes else size) for n, size in enumerate(first)]
            return tuple(kept if op.attributes["keep"] else [s for n, s in enumerate(kept) if n not in axes])
        case Kind.CONCAT:
            axis = op.attributes["axis"]
            _demand(len({shape[:axis] + shape[axis + 1 :] for shape in shapes}) == 1)
            return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
        case Kind.RESHAPE:
            _demand(int(np.prod(first)) == int(np.prod(output)))
            return output
        case Kind.TRANSPOSE:
            _demand(sorted(op.attributes["permutation"]) == list(range(len(first))))
            return tuple(first[axis] for axis in op.attributes["permutation"])
        case Kind.SLICE:
            begin, size = op.attributes["begin"], op.attributes["size"]
            _demand(len(begin) == len(size) == len(first))
            _demand(all(b >= 0 and b + s <= whole for b, s, whole in zip(begin, size, first, strict=True)))
            return tuple(size)
        case Kind.LAYER_NORM:
            _demand(shapes[1] == shapes[2] == first[-1:])
            return first
        case _:
            _demand(len(shapes) == 1)
            return first


def _demand(holds: bool) -> None:
    if not holds:
        raise ValueError


def _steps(length: int, taps: int, op: Op) -> int:
    left, right = op.attributes["pad"]
    return int((length + left + right - taps) // op.attributes["stride"] + 1)
