"""ONNX operators that calculate: matrix products, sums and products, activations, norms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.graph import Kind
from ecgkd_export.lowering import Layout, Lowering, Node

FUSES_RELU = (Kind.CONV, Kind.FULLY_CONNECTED, Kind.ADD, Kind.SUB, Kind.MUL)
CLIP_BOUND = 1e-6
"""Largest lower bound of a length that L2_NORM's own stands for."""


def gemm(state: Lowering, node: Node) -> None:
    node.demand(transA=0)
    weights = node.constant(state, 1, "second operand") * np.float32(node.attributes.get("alpha", 1.0))
    if not node.attributes.get("transB", 0):
        weights = weights.T
    bias = np.zeros(len(weights), np.float32)
    if node.input(2):
        bias = bias + node.constant(state, 2, "bias") * np.float32(node.attributes.get("beta", 1.0))
    if bias.shape not in (weights.shape[:1], (1, len(weights))):
        raise node.refuse(f"a bias of shape {bias.shape}; expected one number for each of {len(weights)} columns")
    _fully_connected(state, node, weights, bias.reshape(-1))


def matmul(state: Lowering, node: Node) -> None:
    """By a constant matrix: fully connected. Of two computed matrices: batched."""
    a, b = node.input(0), node.input(1)
    if b in state.constants and len(state.shapes[b]) == 2:
        weights = state.constants[b].T
        _fully_connected(state, node, weights, np.zeros(len(weights), np.float32))
        return
    ranks = {len(state.shapes[name]) for name in (a, b)}
    if ranks - {2, 3} or len(ranks) != 1:
        raise node.refuse(f"operands {state.shapes[a]} and {state.shapes[b]}; expected two of two or three axes")
    left, (right, transposed) = state.batched(a), _second_operand(state, b)
    batch, rows, _ = state.tensors[left].shape
    target = state.shapes[node.output]
    shape = (batch, rows, target[-1])
    output = node.output if shape == target else f"{node.output}:batch"
    name = state.emit(Kind.MATMUL, node.name, (left, right), output, shape, transpose_b=transposed)
    if shape != target:
        name = state.emit(Kind.RESHAPE, f"{node.name}:matrix", (name,), node.output, target)
    state.define(node.output, name)


def _second_operand(state: Lowering, name: str) -> tuple[str, bool]:
    """Returns the second operand of a batched product, and whether it is used transposed.

    A transpose before it that moves the last axis away is turned into one that does not, or into none.
    """
    maker = state.maker(name)
    if maker is None or state.ops[maker].kind != Kind.TRANSPOSE:
        return state.batched(name), False
    op = state.ops[maker]
    permutation = op.attributes["permutation"]
    turned = (*permutation[:-2], permutation[-1], permutation[-2])
    if turned[-1] != len(permutation) - 1:
        return state.batched(name), False
    (source,) = op.inputs
    state.remove(maker)
    if turned != tuple(range(len(turned))):
        shape = tuple(state.tensors[source].shape[axis] for axis in turned)
        source = state.emit(Kind.TRANSPOSE, op.name, (source,), name, shape, permutation=turned)
    if len(turned) == 2:
        shape = (1, *state.tensors[source].shape)
        source = state.emit(Kind.RESHAPE, f"{name}:batch", (source,), f"{name}:batch", shape)
    return source, True


def _fully_connected(state: Lowering, node: Node, weights: NDArray[Any], bias: NDArray[Any]) -> None:
    """Adds a product by weights (out, in); of operands with more than two axes the leading ones are rows."""
    source, target = node.input(0), state.shapes[node.output]
    value = state.values.get(source)
    if value is not None and value.layout == Layout.FLAT:
        weights = weights.reshape(len(weights), value.n_channels, -1).swapaxes(1, 2).reshape(weights.shape)
        name, suffix = value.name, ":time_first"
    else:
        name, suffix = state.plain(source), ""
    columns = target[-1]
    if state.shapes[source][-1] != weights.shape[1] or columns != len(weights):
        raise node.refuse(f"{state.shapes[source]} times {weights.shape[::-1]} does not give {target}")
    rows = int(np.prod(target[:-1]))
    if len(state.tensors[name].shape) != 2:
        shape = (rows, weights.shape[1])
        name = state.emit(Kind.RESHAPE, f"{node.name}:rows", (name,), f"{node.output}:rows", shape)
    inputs = (
        name,
        state.add_constant(node.input(1) + suffix, weights),
        state.add_constant(node.input(2) or f"{node.name}:bias", bias),
    )
    output = node.output if len(target) == 2 else f"{node.output}:matrix"
    name = state.emit(Kind.FULLY_CONNECTED, node.name, inputs, output, (rows, columns))
    if len(target) != 2:
        name = state.emit(Kind.RESHAPE, f"{node.name}:back", (name,), node.output, target)
    state.define(node.output, name)


ARITHMETIC = {"Add": Kind.ADD, "Sub": Kind.SUB, "Mul": Kind.MUL}


def arithmetic(state: Lowering, node: Node) -> None:
    if node.kind == "Add" and _into_bias(state, node):
        return
    _elementwise(state, node, ARITHMETIC[node.kind], (node.input(0), node.input(1)))


def divide(state: Lowering, node: Node) -> None:
    """By a constant: a product. By the operand's own length: L2_NORM. Else refused."""
    dividend, divisor = node.input(0), node.input(1)
    if divisor in state.constants:
        inverse = f"{divisor}:inverse"
        state.constants[inverse] = 1 / state.constants[divisor]
        state.shapes[inverse] = state.shapes[divisor]
        _elementwise(state, node, Kind.MUL, (dividend, inverse))
        return
    if state.lengths.get(divisor) != dividend:
        raise node.refuse("divides by a computed tensor that is not its operand's length along the last axis")
    _last_axis(state, node, Kind.L2_NORM, dividend)


def unit_length(state: Lowering, node: Node) -> None:
    """LpNormalization, which onnxsim makes of a division by an unbounded length."""
    node.demand(p=2)
    axis = node.attributes.get("axis", -1)
    rank = len(state.shapes[node.output])
    if axis % rank != rank - 1:
        raise node.refuse(f"over axis {axis} of {rank}; only over the last is known")
    _last_axis(state, node, Kind.L2_NORM, node.input(0))


def length(state: Lowering, node: Node) -> None:
    """ReduceL2: known only as what the same tensor is divided by."""
    source = node.input(0)
    axes = node.constant(state, 1, "axes").tolist()
    if [axis % len(state.shapes[source]) for axis in axes] != [len(state.shapes[source]) - 1]:
        raise node.refuse(f"a length over axes {axes}; only over the last is known")
    node.demand(keepdims=1)
    state.lengths[node.output] = source


def clip(state: Lowering, node: Node) -> None:
    """A length's lower bound."""
    source = node.input(0)
    if source not in state.lengths or node.input(2):
        raise node.refuse("only the lower bound of a length is known")
    bound = float(node.constant(state, 1, "lower bound"))
    if not 0 <= bound <= CLIP_BOUND:
        raise node.refuse(f"a lower bound of {bound:g}; expected at most {CLIP_BOUND:g}")
    state.lengths[node.output] = state.lengths[source]


def _elementwise(state: Lowering, node: Node, kind: Kind, operands: tuple[str, str]) -> None:
    target = state.shapes[node.output]
    if any(state.is_signal(name) for name in operands) and len(target) == 3 and target[0] == 1:
        inputs, layout = tuple(state.signal(name) for name in operands), Layout.SIGNAL
        target = (1, 1, target[2], target[1])
    else:
        inputs, layout = tuple(state.plain(name) for name in operands), Layout.PLAIN
    a, b = inputs
    state.define(node.output, state.emit(kind, node.name, (a, b), node.output, target), layout)


def _into_bias(state: Lowering, node: Node) -> bool:
    """Adds a constant row to the bias of the product before it, where that product has no other reader."""
    for source, other in (node.inputs, node.inputs[::-1]):
        position = state.maker(source)
        if position is None or other not in state.constants:
            continue
        op, row = state.ops[position], state.constants[other]
        shape = state.tensors[op.output].shape
        if op.kind != Kind.FULLY_CONNECTED or op.attributes["activation"] != "none" or row.size != shape[-1]:
            continue
        if row.shape[-1] != row.size or len(row.shape) > len(shape):
            continue
        bias = state.tensors[op.inputs[2]].data
        assert bias is not None
        name = state.add_constant(f"{node.name}:bias", bias + row.reshape(-1))
        state.change(position, node.output, inputs=(*op.inputs[:2], name))
        return True
    return False


def relu(state: Lowering, node: Node) -> None:
    source = node.input(0)
    position = state.maker(source)
    if position is not None and state.ops[position].kind in FUSES_RELU:
        attributes = {**state.ops[position].attributes, "activation": "relu"}
        state.change(position, node.output, attributes=attributes)
        return
    _unary(state, node, Kind.RELU)


def gelu(state: Lowering, node: Node) -> None:
    node.demand(approximate="none")
    _unary(state, node, Kind.GELU)


def sigmoid(state: Lowering, node: Node) -> None:
    _unary(state, node, Kind.LOGISTIC)


def _unary(state: Lowering, node: Node, kind: Kind) -> None:
    source = node.input(0)
    signal = state.is_signal(source)
    name = state.values[source].name if signal else state.plain(source)
    layout = Layout.SIGNAL if signal else Layout.PLAIN
    state.define(node.output, state.emit(kind, node.name, (name,), node.output, state.tensors[name].shape), layout)


def softmax(state: Lowering, node: Node) -> None:
    rank = len(state.shapes[node.input(0)])
    axis = node.attributes.get("axis", -1) % rank
    if state.is_signal(node.input(0)) and axis == 1:
        _unary(state, node, Kind.SOFTMAX)
        return
    if axis != rank - 1:
        raise node.refuse(f"over axis {axis} of {rank}; only over the last is known")
    _last_axis(state, node, Kind.SOFTMAX, node.input(0))


def layer_norm(state: Lowering, node: Node) -> None:
    source = node.input(0)
    shape = state.shapes[source]
    axis = node.attributes.get("axis", -1) % len(shape)
    if axis != len(shape) - 1:
        raise node.refuse(f"over the axes from {axis} of {len(shape)}; only over the last is known")
    shift = node.constant(state, 2, "shift") if node.input(2) else np.zeros(shape[-1], np.float32)
    gain = state.add_constant(node.input(1), node.constant(state, 1, "gain"))
    inputs = (gain, state.add_constant(node.input(2) or f"{node.name}:shift", shift))
    _last_axis(state, node, Kind.LAYER_NORM, source, inputs, epsilon=float(node.attributes.get("epsilon", 1e-5)))


def _last_axis(
    state: Lowering, node: Node, kind: Kind, source: str, more: tuple[str, ...] = (), **attributes: Any
) -> None:
    shape = state.shapes[node.output]
    name = state.emit(kind, node.name, (state.plain(source), *more), node.output, shape, **attributes)
    state.define(node.output, name)
