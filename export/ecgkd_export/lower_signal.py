"""ONNX operators on signals: convolution, pooling, batch norm."""

import numpy as np

from ecgkd_export.graph import Kind
from ecgkd_export.lowering import Layout, Lowering, Node


def convolution(state: Lowering, node: Node) -> None:
    weights = node.constant(state, 1, "weights tensor")
    if weights.ndim != 3:
        raise node.refuse(f"weights of {weights.ndim} axes; only convolutions over one axis are known")
    node.demand(group=1, dilations=[1])
    bias = node.constant(state, 2, "bias") if node.input(2) else np.zeros(len(weights))
    bias_name = node.input(2) or f"{node.name}:bias"
    stride, pad = _stride_pad(node)
    _, n_channels, n_steps = state.shapes[node.output]
    inputs = (
        state.signal(node.input(0)),
        state.add_constant(node.input(1), weights.transpose(0, 2, 1)[:, None]),
        state.add_constant(bias_name, bias),
    )
    shape = (1, 1, n_steps, n_channels)
    state.define(
        node.output,
        state.emit(Kind.CONV, node.name, inputs, node.output, shape, stride=stride, pad=pad),
        Layout.SIGNAL,
    )


def max_pool(state: Lowering, node: Node) -> None:
    kernel = node.attributes.get("kernel_shape", [])
    if len(kernel) != 1:
        raise node.refuse(f"a window of {len(kernel)} axes; only pooling over one axis is known")
    node.demand(dilations=[1], ceil_mode=0, storage_order=0)
    stride, pad = _stride_pad(node)
    _, n_channels, n_steps = state.shapes[node.output]
    inputs, shape = (state.signal(node.input(0)),), (1, 1, n_steps, n_channels)
    state.define(
        node.output,
        state.emit(Kind.MAX_POOL, node.name, inputs, node.output, shape, size=int(kernel[0]), stride=stride, pad=pad),
        Layout.SIGNAL,
    )


def _stride_pad(node: Node) -> tuple[int, tuple[int, int]]:
    node.demand(auto_pad="NOTSET")
    (stride,) = node.attributes.get("strides", [1])
    left, right = node.attributes.get("pads", [0, 0])
    return int(stride), (int(left), int(right))


def global_pool(state: Lowering, node: Node) -> None:
    """(1, C, T) to (1, C, 1)."""
    kind = Kind.MEAN if node.kind == "GlobalAveragePool" else Kind.REDUCE_MAX
    source = state.signal(node.input(0))
    shape = (1, 1, 1, state.shapes[node.output][1])
    state.define(
        node.output, state.emit(kind, node.name, (source,), node.output, shape, axes=(2,), keep=True), Layout.SIGNAL
    )


def batch_norm(state: Lowering, node: Node) -> None:
    """Into the convolution or matrix product before it where that has no other reader, else a product and a sum."""
    node.demand(training_mode=0)
    gain, shift, mean, variance = (
        node.constant(state, position, what).astype(np.float64)
        for position, what in enumerate(("gain", "shift", "mean", "variance"), 1)
    )
    factor = gain / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    offset = shift - mean * factor
    source = node.input(0)
    position = state.maker(source)
    if position is not None:
        op = state.ops[position]
        if op.kind in (Kind.CONV, Kind.FULLY_CONNECTED) and op.attributes["activation"] == "none":
            _, weights, bias = (state.tensors[name].data for name in op.inputs)
            assert weights is not None
            assert bias is not None
            folded = weights * factor.reshape(-1, *(1,) * (weights.ndim - 1))
            inputs = (
                op.inputs[0],
                state.add_constant(f"{node.name}:weights", folded),
                state.add_constant(f"{node.name}:bias", bias * factor + offset),
            )
            state.change(position, node.output, inputs=inputs)
            return
    signal = len(state.shapes[source]) == 3
    layout = Layout.SIGNAL if signal else Layout.PLAIN
    name = state.signal(source) if signal else state.plain(source)
    shape = state.tensors[name].shape
    scaled = state.emit(
        Kind.MUL,
        f"{node.name}:scaled",
        (name, state.add_constant(f"{node.name}:gain", factor)),
        f"{node.output}:scaled",
        shape,
    )
    shifted = (scaled, state.add_constant(f"{node.name}:shift", offset))
    state.define(node.output, state.emit(Kind.ADD, node.name, shifted, node.output, shape), layout)
