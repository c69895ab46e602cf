"""ONNX operators that move numbers, and those that take one number from many."""

from ecgkd_export.graph import Kind
from ecgkd_export.lowering import Layout, Lowering, Node

SIGNAL_AXES = {0: 0, 1: 3, 2: 2}
"""Where the axes of (1, channels, time) lie in (1, 1, time, channels)."""
SIGNAL_READERS = ("Conv", "MaxPool", "GlobalAveragePool", "GlobalMaxPool")


def reshape(state: Lowering, node: Node) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze; ONNX's own shape inference has worked out to what."""
    source, target = node.input(0), state.shapes[node.output]
    if state.is_signal(source):
        _, n_channels, n_steps = state.shapes[source]
        if target == (1, n_channels, n_steps):
            state.values[node.output] = state.values[source]
            return
        if target == (1, n_channels * n_steps) and 1 not in (n_channels, n_steps):
            name = state.emit(Kind.RESHAPE, node.name, (state.values[source].name,), node.output, target)
            state.define(node.output, name, Layout.FLAT, n_channels)
            return
        name = state.values[source].name if 1 in (n_channels, n_steps) else state.plain(source)
    else:
        name = state.plain(source)
    if state.tensors[name].shape == target:
        state.define(node.output, name)
    else:
        state.define(node.output, state.emit(Kind.RESHAPE, node.name, (name,), node.output, target))


def identity(state: Lowering, node: Node) -> None:
    source = node.input(0)
    if source in state.constants:
        state.constants[node.output] = state.constants[source]
    else:
        state.values[node.output] = state.values[source]


def transpose(state: Lowering, node: Node) -> None:
    source, target = node.input(0), state.shapes[node.output]
    axes = len(target)
    permutation = tuple(node.attributes.get("perm", reversed(range(axes))))
    turn = permutation == (0, 2, 1) and target[0] == 1
    if state.is_signal(source) and turn:
        name = state.emit(Kind.RESHAPE, node.name, (state.values[source].name,), node.output, target)
        state.define(node.output, name)
        return
    name = state.plain(source)
    if turn and node.output in state.for_signals:
        _, n_channels, n_steps = target
        name = state.emit(Kind.RESHAPE, node.name, (name,), node.output, (1, 1, n_steps, n_channels))
        state.define(node.output, name, Layout.SIGNAL)
        return
    if permutation == tuple(range(axes)):
        state.define(node.output, name)
        return
    emitted = state.emit(Kind.TRANSPOSE, node.name, (name,), node.output, target, permutation=permutation)
    state.define(node.output, emitted)


def slice_(state: Lowering, node: Node) -> None:
    source = node.input(0)
    shape = state.shapes[source]
    starts, ends = (node.constant(state, n, what).tolist() for n, what in ((1, "starts"), (2, "ends")))
    axes = node.constant(state, 3, "axes").tolist() if node.input(3) else list(range(len(starts)))
    steps = node.constant(state, 4, "steps").tolist() if node.input(4) else [1] * len(starts)
    if any(step != 1 for step in steps):
        raise node.refuse(f"steps of {steps}; only 1 is known")
    begin, size = [0] * len(shape), list(shape)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        span = range(shape[axis])[start:end]
        begin[axis], size[axis] = span.start, len(span)
    if state.is_signal(source):
        name, layout = state.values[source].name, Layout.SIGNAL
        begin, size = ([values[0], fill, values[2], values[1]] for values, fill in ((begin, 0), (size, 1)))
    else:
        name, layout = state.plain(source), Layout.PLAIN
    if tuple(size) == state.tensors[name].shape:
        state.define(node.output, name, layout)
        return
    shape = tuple(size)
    emitted = state.emit(Kind.SLICE, node.name, (name,), node.output, shape, begin=tuple(begin), size=shape)
    state.define(node.output, emitted, layout)


def concat(state: Lowering, node: Node) -> None:
    target = state.shapes[node.output]
    axis = node.attributes["axis"] % len(target)
    signal = any(state.is_signal(name) for name in node.inputs)
    if signal:
        _, n_channels, n_steps = target
        axis, target = SIGNAL_AXES[axis], (1, 1, n_steps, n_channels)
    inputs = tuple(state.signal(name) if signal else state.plain(name) for name in node.inputs)
    layout = Layout.SIGNAL if signal else Layout.PLAIN
    state.define(node.output, state.emit(Kind.CONCAT, node.name, inputs, node.output, target, axis=axis), layout)


def reduce(state: Lowering, node: Node) -> None:
    """ReduceMean and ReduceMax, axes as an input (opset 18 on)."""
    kind = Kind.MEAN if node.kind == "ReduceMean" else Kind.REDUCE_MAX
    source, target = node.input(0), state.shapes[node.output]
    rank = len(state.shapes[source])
    given = node.constant(state, 1, "axes").tolist() if node.input(1) else []
    if not given and node.attributes.get("noop_with_empty_axes", 0):
        raise node.refuse("reduces no axis")
    axes = sorted(axis % rank for axis in given) or list(range(rank))
    keep = bool(node.attributes.get("keepdims", 1))
    if not target:
        raise node.refuse("leaves a single number without axes")
    name, layout = state.plain(source) if not state.is_signal(source) else "", Layout.PLAIN
    if state.is_signal(source):
        left = [axis for axis in (1, 2) if axis not in axes]
        if not keep and len(left) == 2:
            name = state.plain(source)
        else:
            name = state.values[source].name
            axes = sorted([SIGNAL_AXES[axis] for axis in axes] + ([] if keep else [1]))
            if keep:
                layout, target = Layout.SIGNAL, (1, 1, target[2], target[1])
    emitted = state.emit(kind, node.name, (name,), node.output, target, axes=tuple(axes), keep=keep)
    state.define(node.output, emitted, layout)
