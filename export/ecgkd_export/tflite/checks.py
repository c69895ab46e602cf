"""What TFLite's kernels accept, asked before a file is written: types, scales, zero points."""

from collections.abc import Mapping

import numpy as np

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor

F, I8, I16 = DType.FLOAT32, DType.INT8, DType.INT16
ACTIVATION_TYPES = (F, I8, I16)
TYPES: Mapping[Kind, tuple[DType, ...]] = {
    kind: (F, I8) if kind in (Kind.L2_NORM, Kind.GELU, Kind.RSQRT) else ACTIVATION_TYPES
    for kind in Kind
    if kind not in (Kind.QUANTISE, Kind.DEQUANTISE, Kind.LAYER_NORM)
}
"""One type for all activations of an operator, one of these."""
CONVERSIONS: Mapping[Kind, tuple[tuple[DType, DType], ...]] = {
    Kind.QUANTISE: tuple((a, b) for a in (*ACTIVATION_TYPES, DType.INT32) for b in (I8, I16)),
    Kind.DEQUANTISE: ((I8, F), (I16, F)),
}
SAME_SCALE = (Kind.MAX_POOL, Kind.REDUCE_MAX, Kind.CONCAT, Kind.RESHAPE, Kind.TRANSPOSE, Kind.SLICE)
"""Their kernels copy integers."""
FIXED_OUTPUT: Mapping[tuple[Kind, DType], tuple[float, int]] = {
    (Kind.SOFTMAX, I8): (1 / 256, -128),
    (Kind.SOFTMAX, I16): (1 / 32768, 0),
    (Kind.LOGISTIC, I8): (1 / 256, -128),
    (Kind.LOGISTIC, I16): (1 / 32768, 0),
    (Kind.L2_NORM, I8): (1 / 128, 0),
}
"""Scale and zero point that the kernel writes in, whatever the file says."""
WEIGHTED = (Kind.CONV, Kind.FULLY_CONNECTED)


def check_op(graph: Graph, op: Op) -> None:
    """Raises: GraphError where TFLite has no kernel for what `op` says, naming the operator."""
    problem = _problem(graph, op)
    if problem:
        raise GraphError(f"{op.kind} {op.name}: {problem}")


def _problem(graph: Graph, op: Op) -> str:
    inputs, output = [graph.tensors[name] for name in op.inputs], graph.tensors[op.output]
    if op.kind == Kind.LAYER_NORM:
        return "TFLite has no such operator; rewrite it first"
    activations = inputs[:1] if op.kind in WEIGHTED else inputs
    if op.kind in CONVERSIONS:
        if (inputs[0].dtype, output.dtype) not in CONVERSIONS[op.kind]:
            return f"TFLite does not turn {inputs[0].dtype} into {output.dtype}"
    elif any(tensor.dtype != output.dtype for tensor in activations) or output.dtype not in TYPES[op.kind]:
        types = ", ".join(tensor.dtype for tensor in (*activations, output))
        return f"TFLite has no kernel for {types}; one type of {', '.join(TYPES[op.kind])} is needed"
    for tensor in (*activations, output):
        problem = _activation(tensor)
        if problem:
            return problem
    if op.kind == Kind.RSQRT and inputs[0].quant and inputs[0].quant.zero_point != -128:
        return f"{inputs[0].name} must have zero point −128: the kernel stops at numbers below 0"
    if op.kind in SAME_SCALE and any(not same_scale(tensor.quant, output.quant) for tensor in inputs):
        return "scale and zero point must be the same in and out"
    fixed = FIXED_OUTPUT.get((op.kind, output.dtype))
    if fixed and output.quant and (float(output.quant.scale[0]), output.quant.zero_point) != fixed:
        return f"{output.name} must have scale {fixed[0]} and zero point {fixed[1]}"
    return _weights(inputs) if op.kind in WEIGHTED else ""


def _activation(tensor: Tensor) -> str:
    quant = tensor.quant
    if tensor.dtype == F:
        return f"{tensor.name} is float32 and has a scale" if quant else ""
    if quant is None:
        return f"{tensor.name} is {tensor.dtype} and has no scale"
    if quant.axis is not None:
        return f"{tensor.name} has a scale for each index of an axis; activations have one"
    if tensor.dtype == I8 and not -128 <= quant.zero_point <= 127:
        return f"{tensor.name} has zero point {quant.zero_point}, which is no int8"
    if tensor.dtype != I8 and quant.zero_point:
        return f"{tensor.name} is {tensor.dtype} and has zero point {quant.zero_point}; it must be 0"
    return ""


def _weights(inputs: list[Tensor]) -> str:
    source, weights, bias = inputs
    if weights.data is None or bias.data is None:
        return "weights and bias must be constants"
    if weights.dtype == F and source.dtype == F:
        return "" if bias.dtype == F else f"{bias.name} is {bias.dtype}; expected float32"
    if weights.dtype != I8:
        return f"{weights.name} is {weights.dtype}; expected int8"
    quant = weights.quant
    if quant is None or quant.zero_point or quant.axis not in (None, 0):
        return f"{weights.name} must have a scale, for all or for each output channel, and zero point 0"
    if source.dtype == F:
        return "" if bias.dtype == F else f"{bias.name} is {bias.dtype}; expected float32"
    if bias.dtype not in ((DType.INT32, DType.INT64) if source.dtype == I16 else (DType.INT32,)):
        return f"{bias.name} is {bias.dtype}; expected int32"
    if source.quant is None or bias.quant is None or bias.quant.zero_point:
        return f"{bias.name} must have a scale and zero point 0"
    expected = source.quant.scale.astype(np.float64) * quant.scale.astype(np.float64)
    if bias.quant.scale.shape != expected.shape or not np.allclose(bias.quant.scale, expected, rtol=1e-5, atol=0):
        return f"the scale of {bias.name} is not that of {source.name} times that of {weights.name}"
    return ""


def same_scale(a: Quant | None, b: Quant | None) -> bool:
    """Returns whether the same integers mean the same numbers."""
    if a is None or b is None:
        return a is b
    return a.zero_point == b.zero_point and np.array_equal(a.scale, b.scale)
