"""What a graph computes, in real numbers: the meaning of every operator, with NumPy alone.

Every tensor is held as the real numbers that it stands for, whatever its type. A tensor with quantisation is rounded
to its own grid after its operator, so that a quantised graph shows what exact arithmetic between the grids gives: the
integer kernels stay within a step or two of it. Windows run side by side: values are (n, *shape), constants
(1, *shape).
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Tensor

Floats = NDArray[np.float32]

BATCH = 64
"""Windows that run together: enough for the matrix products, few enough for the cache and for large sets."""
L2_EPSILON = 1e-6
"""Smallest length that L2_NORM divides by, as TFLite has it."""
RSQRT_LEAST = 1e-12
"""Smallest number that RSQRT is asked of; the int8 kernel gives its largest number for 0."""
ERF_STEPS = 128
"""Nodes of the error function's table in a unit; cubic between them, right to 1e-11."""
ERF_END = 6


def run_float(graph: Graph, windows: Floats, *, keep: Iterable[str] | None = None) -> dict[str, Floats]:
    """Returns the kept tensors (n, *shape), by name; without `keep` the graph's outputs.

    `windows` is (n, *shape of the graph's one input), or without the input's leading ones. Raises: GraphError where
    they do not fit, or where a name to keep is not computed.
    """
    if len(graph.inputs) != 1:
        raise GraphError(f"{len(graph.inputs)} inputs; expected one")
    entry = graph.tensors[graph.inputs[0]]
    if windows.ndim < 1 or math.prod(windows.shape[1:]) != math.prod(entry.shape):
        raise GraphError(f"windows of shape {windows.shape[1:]}; {entry.name} is {entry.shape}")
    kept = list(dict.fromkeys(graph.outputs if keep is None else keep))
    computed = {*graph.inputs, *(op.output for op in graph.ops)}
    for name in kept:
        if name not in computed:
            raise GraphError(f"{name} is not computed by this graph; it cannot be kept")
    constants = {t.name: _real(t, t.data)[None] for t in graph.tensors.values() if t.data is not None}
    parts: dict[str, list[Floats]] = {name: [np.zeros((0, *graph.tensors[name].shape), np.float32)] for name in kept}
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH]
        values = _run(graph, constants, batch.reshape(len(batch), *entry.shape), set(kept))
        for name in kept:
            parts[name].append(values[name])
    return {name: np.concatenate(rows) for name, rows in parts.items()}


def _run(graph: Graph, constants: dict[str, Floats], windows: Floats, kept: set[str]) -> dict[str, Floats]:
    """Returns the kept values of one batch; the others are dropped behind their last reader."""
    entry = graph.tensors[graph.inputs[0]]
    values = {entry.name: _on_grid(entry, windows.astype(np.float32))}
    last_reader = {name: position for position, op in enumerate(graph.ops) for name in op.inputs}
    for position, op in enumerate(graph.ops):
        tensor = graph.tensors[op.output]
        inputs = [values[name] if name in values else constants[name] for name in op.inputs]
        result = _activated(op, COMPUTE[op.kind](op, inputs, tensor.shape))
        result = np.broadcast_to(result, (len(windows), *tensor.shape)).astype(np.float32, copy=False)
        values[op.output] = _on_grid(tensor, result)
        for name in op.inputs:
            if name in values and last_reader[name] == position and name not in kept:
                del values[name]
    return values


def round_half_away(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns whole numbers; halves away from zero, as TFLite rounds."""
    exact = values.astype(np.float64)
    rounded: NDArray[np.float64] = np.copysign(np.floor(np.abs(exact) + 0.5), exact)
    return rounded


def _real(tensor: Tensor, data: NDArray[np.generic]) -> Floats:
    """Returns the numbers that a constant stands for."""
    if tensor.quant is None or tensor.dtype == DType.FLOAT32:
        return data.astype(np.float32)
    scale = tensor.quant.scale.astype(np.float64)
    if tensor.quant.axis is not None:
        scale = scale.reshape([-1 if axis == tensor.quant.axis else 1 for axis in range(data.ndim)])
    return ((data.astype(np.float64) - tensor.quant.zero_point) * scale).astype(np.float32)


def _on_grid(tensor: Tensor, values: Floats) -> Floats:
    """Returns values rounded to the steps of an integer tensor and held inside its range."""
    if tensor.quant is None or tensor.dtype == DType.FLOAT32:
        return values
    limits, scale = np.iinfo(np.dtype(tensor.dtype)), float(tensor.quant.scale[0])
    steps = round_half_away(values.astype(np.float64) / scale) + tensor.quant.zero_point
    return ((np.clip(steps, limits.min, limits.max) - tensor.quant.zero_point) * scale).astype(np.float32)


def _activated(op: Op, values: Floats) -> Floats:
    match op.attributes.get("activation", "none"):
        case "none":
            return values
        case "relu":
            return np.maximum(values, 0)
        case other:
            raise GraphError(f"{op.kind} {op.name}: unknown activation {other!r}; expected none or relu")


def _windows(x: Floats, size: int, op: Op, fill: float) -> Floats:
    """Returns (n, steps, channels, size): what every step of a convolution or pooling sees."""
    left, right = op.attributes["pad"]
    padded = np.pad(x[:, 0, 0], ((0, 0), (left, right), (0, 0)), constant_values=fill)
    return sliding_window_view(padded, size, axis=1)[:, :: op.attributes["stride"]]


def _conv(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    x, weights, bias = inputs
    n_out, _, size, n_in = weights.shape[1:]
    seen = _windows(x, size, op, 0.0).transpose(0, 1, 3, 2).reshape(-1, size * n_in)
    result: Floats = seen @ weights.reshape(n_out, size * n_in).T + bias[0]
    return result.reshape(len(x), *shape)


def _max_pool(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    seen = _windows(inputs[0], op.attributes["size"], op, -np.inf)
    result: Floats = seen.max(-1).reshape(-1, *shape)
    return result


def _fully_connected(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    x, weights, bias = inputs
    result: Floats = x.reshape(-1, x.shape[-1]) @ weights[0].T + bias[0]
    return result.reshape(len(x), *shape)


def _matmul(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    a, b = inputs
    return np.matmul(a, b.swapaxes(2, 3) if op.attributes["transpose_b"] else b)


def _softmax(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    powers = np.exp(inputs[0] - inputs[0].max(-1, keepdims=True))
    result: Floats = powers / powers.sum(-1, keepdims=True)
    return result


def _layer_norm(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    x, gain, shift = (value.astype(np.float64) for value in inputs)
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(-1, keepdims=True) + op.attributes["epsilon"])
    return (centred / deviation * _ranked(gain, x.ndim) + _ranked(shift, x.ndim)).astype(np.float32)


def _l2_norm(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    x = inputs[0].astype(np.float64)
    length = np.sqrt(np.square(x).sum(-1, keepdims=True))
    return (x / np.maximum(length, L2_EPSILON)).astype(np.float32)


_erf_nodes = np.arange(ERF_END * ERF_STEPS + 2) / ERF_STEPS
_erf_values = np.array([math.erf(node) for node in _erf_nodes])
_erf_slopes = 2 / math.sqrt(math.pi) / ERF_STEPS * np.exp(-np.square(_erf_nodes))


def erf(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the error function of every element, within 1e-10."""
    place = np.minimum(np.abs(x.astype(np.float64)), ERF_END) * ERF_STEPS
    node = place.astype(np.int64)
    t = place - node
    rise = _erf_values[node + 1] - _erf_values[node]
    first, last = _erf_slopes[node], _erf_slopes[node + 1]
    curve = _erf_values[node] + t * (first + t * (3 * rise - 2 * first - last + t * (first + last - 2 * rise)))
    result: NDArray[np.float64] = np.copysign(curve, x)
    return result


def _rsqrt(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return (1 / np.sqrt(np.maximum(inputs[0].astype(np.float64), RSQRT_LEAST))).astype(np.float32)


def _gelu(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    x = inputs[0]
    return (0.5 * x * (1 + erf(x * math.sqrt(0.5)))).astype(np.float32)


def _logistic(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return (0.5 + 0.5 * np.tanh(0.5 * inputs[0].astype(np.float64))).astype(np.float32)


def _elementwise(function: Callable[[Floats, Floats], Floats]) -> "Compute":
    def compute(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
        a, b = (_ranked(value, len(shape) + 1) for value in inputs)
        return function(a, b)

    return compute


def _ranked(values: NDArray[np.floating], rank: int) -> NDArray[np.floating]:
    """Returns (n, …) with ones behind the windows' axis until it has `rank` axes, so that broadcasting aligns."""
    return values.reshape(len(values), *(1,) * (rank - values.ndim), *values.shape[1:])


def _axes(op: Op, x: Floats) -> tuple[int, ...]:
    return tuple(axis % (x.ndim - 1) + 1 for axis in op.attributes["axes"])


def _mean(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    (x,) = inputs
    result: Floats = x.mean(_axes(op, x), np.float64, keepdims=op.attributes["keep"]).astype(np.float32)
    return result


def _reduce_max(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    (x,) = inputs
    result: Floats = x.max(_axes(op, x), keepdims=op.attributes["keep"])
    return result


def _concat(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    n = max(len(value) for value in inputs)
    whole = [np.broadcast_to(value, (n, *value.shape[1:])) for value in inputs]
    return np.concatenate(whole, op.attributes["axis"] + 1)


def _reshape(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return inputs[0].reshape(len(inputs[0]), *shape)


def _transpose(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return inputs[0].transpose(0, *(axis + 1 for axis in op.attributes["permutation"]))


def _slice(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    spans = zip(op.attributes["begin"], op.attributes["size"], strict=True)
    return inputs[0][(slice(None), *(slice(begin, begin + size) for begin, size in spans))]


def _same(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return inputs[0]


def _relu(op: Op, inputs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    return np.maximum(inputs[0], 0)


Compute = Callable[[Op, Sequence[Floats], tuple[int, ...]], Floats]

COMPUTE: dict[Kind, Compute] = {
    Kind.CONV: _conv,
    Kind.MAX_POOL: _max_pool,
    Kind.FULLY_CONNECTED: _fully_connected,
    Kind.MATMUL: _matmul,
    Kind.SOFTMAX: _softmax,
    Kind.LAYER_NORM: _layer_norm,
    Kind.L2_NORM: _l2_norm,
    Kind.RSQRT: _rsqrt,
    Kind.GELU: _gelu,
    Kind.LOGISTIC: _logistic,
    Kind.RELU: _relu,
    Kind.ADD: _elementwise(np.add),
    Kind.SUB: _elementwise(np.subtract),
    Kind.MUL: _elementwise(np.multiply),
    Kind.MEAN: _mean,
    Kind.REDUCE_MAX: _reduce_max,
    Kind.CONCAT: _concat,
    Kind.RESHAPE: _reshape,
    Kind.TRANSPOSE: _transpose,
    Kind.SLICE: _slice,
    Kind.QUANTISE: _same,
    Kind.DEQUANTISE: _same,
}
"""How each operator is computed: (operator, inputs, output's shape) to the output. Rounding happens outside."""
