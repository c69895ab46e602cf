"""An integer graph run bit for bit as TFLite's reference kernels run it, with NumPy alone, many windows at once.

`Arithmetic` names whose bits. The two differ in one thing: how the sums of fully connected layers are brought to the
output's scale.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import simulate_linear as linear
from ecgkd_export import simulate_pointwise as pointwise
from ecgkd_export import simulate_rows as rows
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.simulate_linear import Rounding

BATCH = 16
"""Windows that run together: their intermediate tensors should stay in the cache."""

Array = NDArray[Any]
Step = Callable[[list[Array]], Array]


class Arithmetic(StrEnum):
    """Whose arithmetic."""

    LITERT = "litert"
    """LiteRT 2.3 with BUILTIN_REF: fully connected layers rescale in double precision."""
    FIXED = "fixed"
    """tflite-runtime 2.14 with BUILTIN_REF: integers throughout. What C99 code can follow."""


def simulate(
    graph: Graph, windows: Array, *, keep: Iterable[str] | None = None, arithmetic: Arithmetic = Arithmetic.LITERT
) -> dict[str, Array]:
    """Returns the kept tensors (n, *shape), by name; without `keep` the graph's outputs.

    `windows` is (n, *shape of the graph's one input), or without the input's leading ones, in the input's type.
    Raises: GraphError where they do not fit, where a name is not computed, or for what TFLite has no kernel.
    """
    if len(graph.inputs) != 1:
        raise GraphError(f"{len(graph.inputs)} inputs; expected one")
    entry = graph.tensors[graph.inputs[0]]
    if np.prod(windows.shape[1:]) != np.prod(entry.shape) or windows.dtype != np.dtype(entry.dtype):
        raise GraphError(
            f"windows are {windows.dtype} {windows.shape[1:]}; {entry.name} is {entry.dtype} {entry.shape}"
        )
    kept = tuple(dict.fromkeys(graph.outputs if keep is None else keep))
    for name in kept:
        if name != entry.name and all(op.output != name for op in graph.ops):
            raise GraphError(f"{name} is not computed by this graph; it cannot be kept")
    steps = [(op, prepare(graph, op, arithmetic)) for op in graph.ops]
    found = {
        name: np.empty((len(windows), *graph.tensors[name].shape), np.dtype(graph.tensors[name].dtype)) for name in kept
    }
    for start in range(0, len(windows), BATCH):
        batch = slice(start, start + BATCH)
        part = windows[batch].reshape(-1, *entry.shape)
        for name, values in _run(graph, steps, part, set(kept)).items():
            found[name][batch] = values
    return found


def _run(graph: Graph, steps: list[tuple[Op, Step]], windows: Array, kept: set[str]) -> dict[str, Array]:
    """Returns the kept values of one batch; the others are dropped behind their last reader."""
    values = {tensor.name: tensor.data[None] for tensor in graph.tensors.values() if tensor.data is not None}
    values[graph.inputs[0]] = windows
    last_reader = {name: number for number, (op, _) in enumerate(steps) for name in op.inputs}
    for number, (op, step) in enumerate(steps):
        result = step([values[name] for name in op.inputs])
        values[op.output] = result.reshape(len(result), *graph.tensors[op.output].shape)
        for name in set(op.inputs) - kept:
            if last_reader[name] == number:
                del values[name]
    return {name: values[name] for name in kept}


def prepare(graph: Graph, op: Op, arithmetic: Arithmetic) -> Step:
    """Returns the function from the operator's inputs (n, *shape) to its output; parameters and tables are made once.

    Raises: GraphError naming the operator where TFLite has no such kernel.
    """
    inputs = [graph.tensors[name] for name in op.inputs]
    try:
        return _prepare(op, inputs, graph.tensors[op.output], arithmetic)
    except GraphError as error:
        raise GraphError(f"{op.kind} {op.name}: {error}") from error


def _prepare(op: Op, inputs: list[Tensor], output: Tensor, arithmetic: Arithmetic) -> Step:
    x = inputs[0]
    match op.kind:
        case Kind.CONV | Kind.FULLY_CONNECTED:
            return _layer(op, inputs, output, arithmetic)
        case Kind.MATMUL:
            return _matmul(op, inputs, output)
        case Kind.ADD | Kind.SUB | Kind.MUL:
            return _elementwise(op, inputs, output)
        case Kind.QUANTISE if x.dtype == DType.FLOAT32:
            return lambda values: pointwise.quantise(values[0], _quant(output), output.dtype)
        case Kind.QUANTISE:
            to = pointwise.requantise_parameters(_quant(x), _quant(output), output.dtype)
            return lambda values: pointwise.requantise(values[0], _quant(x).zero_point, to)
        case Kind.DEQUANTISE:
            return lambda values: pointwise.dequantise(values[0], _quant(x))
        case Kind.RELU:
            _demand_types(inputs, output, (DType.INT8, DType.INT16))
            to = pointwise.relu_parameters(_quant(x), _quant(output), output.dtype)
            return lambda values: pointwise.requantise(values[0], _quant(x).zero_point, to)
        case Kind.GELU | Kind.LOGISTIC | Kind.SOFTMAX | Kind.L2_NORM | Kind.RSQRT:
            return _fixed_output(op, inputs, output)
        case Kind.MEAN:
            return _mean(op, x, output)
        case _:
            _demand_same_scale(inputs, output)
            return _moved(op, inputs, output)


def _layer(op: Op, inputs: list[Tensor], output: Tensor, arithmetic: Arithmetic) -> Step:
    x, weights, bias = inputs
    _demand_types([x], output, (DType.INT8, DType.INT16))
    if weights.dtype != DType.INT8 or weights.data is None or bias.data is None:
        raise GraphError("weights and bias must be constants, weights int8")
    wide = x.dtype == DType.INT16
    in_double = arithmetic == Arithmetic.LITERT and op.kind == Kind.FULLY_CONNECTED
    rounding = Rounding.REAL if in_double else Rounding.WIDE if wide else Rounding.FIXED
    parameters = _quant(x), _quant(weights), _quant(output), output.dtype, op.attributes["activation"], rounding
    alone = op.kind == Kind.FULLY_CONNECTED and len(_quant(weights).scale) == 1 and rounding != Rounding.REAL
    to = linear.product_rescale(*parameters) if alone else linear.layer_rescale(*parameters)
    zero_point, data, shift = _quant(x).zero_point, weights.data, bias.data
    if op.kind == Kind.FULLY_CONNECTED:
        return lambda values: linear.fully_connected(values[0], zero_point, data, shift, to)
    stride, pad = op.attributes["stride"], tuple(op.attributes["pad"])
    return lambda values: linear.conv(values[0][:, 0, 0], zero_point, data, shift, to, stride=stride, pad=pad)


def _matmul(op: Op, inputs: list[Tensor], output: Tensor) -> Step:
    a, b = inputs
    _demand_types(inputs, output, (DType.INT8, DType.INT16))
    rounding = Rounding.WIDE if a.dtype == DType.INT16 else Rounding.FIXED
    to = linear.product_rescale(_quant(a), _quant(b), _quant(output), output.dtype, "none", rounding)
    zero_points, transpose_b = (_quant(a).zero_point, _quant(b).zero_point), op.attributes["transpose_b"]
    return lambda values: linear.matmul(
        values[0], zero_points[0], values[1], zero_points[1], to, transpose_b=transpose_b
    )


def _elementwise(op: Op, inputs: list[Tensor], output: Tensor) -> Step:
    a, b = (_quant(tensor) for tensor in inputs)
    _demand_types(inputs, output, (DType.INT8, DType.INT16))
    rank, activation = len(output.shape) + 1, op.attributes["activation"]
    if op.kind == Kind.MUL:
        to = pointwise.product_parameters(a, b, _quant(output), output.dtype, activation)
        return lambda values: pointwise.multiply(
            _ranked(values[0], rank), a.zero_point, _ranked(values[1], rank), b.zero_point, to
        )
    parameters = pointwise.sum_parameters(a, b, _quant(output), output.dtype, activation)
    function = pointwise.add if op.kind == Kind.ADD else pointwise.subtract
    return lambda values: function(_ranked(values[0], rank), _ranked(values[1], rank), parameters)


def _fixed_output(op: Op, inputs: list[Tensor], output: Tensor) -> Step:
    _demand_types(inputs, output, (DType.INT8,))
    x, quant = _quant(inputs[0]), _quant(output)
    scale, zero_point = FIXED_OUTPUTS.get(op.kind, (float(quant.scale[0]), quant.zero_point))
    if (float(quant.scale[0]), quant.zero_point) != (scale, zero_point):
        raise GraphError(f"{output.name} must have scale {scale} and zero point {zero_point}")
    match op.kind:
        case Kind.SOFTMAX:
            exponents = rows.softmax_table(x, inputs[0].shape[-1])
            return lambda values: rows.softmax(values[0], exponents)
        case Kind.L2_NORM:
            return lambda values: rows.l2_norm(values[0], x.zero_point)
        case Kind.GELU:
            table = pointwise.gelu_table(x, quant)
        case Kind.RSQRT:
            table = pointwise.rsqrt_table(x, quant)
        case _:
            table = pointwise.logistic_table(x, quant)
    return lambda values: pointwise.lookup(values[0], table)


FIXED_OUTPUTS: Mapping[Kind, tuple[float, int]] = {
    Kind.SOFTMAX: (1 / 256, -128),
    Kind.LOGISTIC: (1 / 256, -128),
    Kind.L2_NORM: (1 / 128, 0),
}
"""Scale and zero point that TFLite's int8 kernels demand of their output."""


def _mean(op: Op, x: Tensor, output: Tensor) -> Step:
    _demand_types([x], output, (DType.INT8, DType.INT16))
    axes, keep = _axes(op, x), op.attributes["keep"]
    count = int(np.prod([x.shape[axis - 1] for axis in axes]))
    to = rows.mean_parameters(_quant(x), _quant(output), output.dtype, count)
    return lambda values: rows.mean(values[0], _quant(x).zero_point, axes, keep, to)


def _moved(op: Op, inputs: list[Tensor], output: Tensor) -> Step:
    """Operators that choose or move values and change none."""
    attributes = op.attributes
    match op.kind:
        case Kind.MAX_POOL:
            size, stride, pad = attributes["size"], attributes["stride"], tuple(attributes["pad"])
            return lambda values: rows.max_pool(values[0][:, 0, 0], size=size, stride=stride, pad=pad)
        case Kind.REDUCE_MAX:
            axes, keep = _axes(op, inputs[0]), attributes["keep"]
            return lambda values: rows.reduce_max(values[0], axes, keep)
        case Kind.CONCAT:
            axis = attributes["axis"] % len(output.shape) + 1
            return lambda values: np.concatenate(_batched(values), axis)
        case Kind.RESHAPE:
            return lambda values: values[0].reshape(len(values[0]), *output.shape)
        case Kind.TRANSPOSE:
            order = (0, *(axis + 1 for axis in attributes["permutation"]))
            return lambda values: np.ascontiguousarray(values[0].transpose(order))
        case Kind.SLICE:
            begin, size = attributes["begin"], attributes["size"]
            part = (slice(None), *(slice(b, b + s) for b, s in zip(begin, size, strict=True)))
            return lambda values: values[0][part]
        case _:
            raise GraphError("has no integer kernel; rewrite it before quantising")


def _batched(values: list[Array]) -> list[Array]:
    n = max(len(value) for value in values)
    return [np.broadcast_to(value, (n, *value.shape[1:])) for value in values]


def _ranked(values: Array, rank: int) -> Array:
    """Returns (n, …) with ones behind the windows' axis until it has `rank` axes, so that broadcasting aligns."""
    return values.reshape(len(values), *(1,) * (rank - values.ndim), *values.shape[1:])


def _axes(op: Op, x: Tensor) -> tuple[int, ...]:
    return tuple(axis % len(x.shape) + 1 for axis in op.attributes["axes"])


def _quant(tensor: Tensor) -> Quant:
    if tensor.quant is None:
        raise GraphError(f"{tensor.name} has no scale")
    return tensor.quant


def _demand_types(inputs: list[Tensor], output: Tensor, allowed: tuple[DType, ...]) -> None:
    types = {tensor.dtype for tensor in (*inputs, output)}
    if len(types) != 1 or not types <= set(allowed):
        raise GraphError(f"no kernel for {', '.join(tensor.dtype for tensor in inputs)} to {output.dtype}")
    for tensor in (*inputs, output):
        quant = _quant(tensor)
        if len(quant.scale) != 1:
            raise GraphError(f"{tensor.name} has {len(quant.scale)} scales; activations have one")
        if tensor.dtype == DType.INT16 and quant.zero_point != 0:
            raise GraphError(f"{tensor.name} is int16 and has zero point {quant.zero_point}; expected 0")


def _demand_same_scale(inputs: list[Tensor], output: Tensor) -> None:
    for tensor in inputs:
        if tensor.dtype != output.dtype:
            raise GraphError(f"{tensor.name} is {tensor.dtype}, {output.name} {output.dtype}")
        if tensor.quant is None and output.quant is None:
            continue
        mine, other = _quant(tensor), _quant(output)
        if mine.scale[0] != other.scale[0] or mine.zero_point != other.zero_point:
            raise GraphError(f"{tensor.name} and {output.name} must have one scale and zero point")
