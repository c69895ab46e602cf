"""Operators on single values as TFLite's reference kernels compute them: sums, products, tables, requantisation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.fixed_point import (
    Integers,
    Multiplier,
    inverse_square_root,
    quantise_multiplier,
    round_half_away,
    scale,
)
from ecgkd_export.graph import DType, Quant
from ecgkd_export.simulate_linear import LIMITS, Rescale, Rounding, limits, rescale

_RSQRT_BITS = 20
"""By which the kernel holds a root finer than its output."""


@dataclass(frozen=True, eq=False)
class SumParameters:
    """Both inputs are brought to half the larger input scale and `left_shift` bits finer, added, brought to output."""

    left_shift: int
    """20 for 8 bits, 15 for 16."""
    a: Multiplier
    b: Multiplier
    output: Multiplier
    a_zero_point: int
    b_zero_point: int
    output_zero_point: int
    low: int
    high: int
    dtype: DType


def sum_parameters(a: Quant, b: Quant, output: Quant, dtype: DType, activation: str) -> SumParameters:
    """Returns the integers of an addition or subtraction.

    Raises: GraphError where the output's scale is so fine that TFLite stops the process.
    Source: add.cc and sub.cc, Prepare; int16 by general scales.
    """
    left_shift = 15 if dtype == DType.INT16 else 20
    twice = 2 * max(float(a.scale[0]), float(b.scale[0]))
    to_output = twice / ((1 << left_shift) * float(output.scale[0]))
    if to_output >= 1:
        raise GraphError(f"a sum of scale {twice / 2:.3g} cannot be written with scale {float(output.scale[0]):.3g}")
    low, high = limits(dtype, output, activation)
    return SumParameters(
        left_shift,
        quantise_multiplier(float(a.scale[0]) / twice),
        quantise_multiplier(float(b.scale[0]) / twice),
        quantise_multiplier(to_output),
        a.zero_point,
        b.zero_point,
        output.zero_point,
        low,
        high,
        dtype,
    )


def add(a: NDArray[Any], b: NDArray[Any], p: SumParameters) -> NDArray[Any]:
    """Returns clamp(scale(scale(a', p.a) + scale(b', p.b), p.output) + zero point), a' = (a − zero point) · 2^left.

    Source: reference_integer_ops::AddFunc; reference_ops::AddElementwise (int16).
    """
    return _to_output(_to_common(a, p.a_zero_point, p.a, p) + _to_common(b, p.b_zero_point, p.b, p), p)


def subtract(a: NDArray[Any], b: NDArray[Any], p: SumParameters) -> NDArray[Any]:
    """Returns `add` with a minus between. Source: reference_ops::SubElementwise."""
    return _to_output(_to_common(a, p.a_zero_point, p.a, p) - _to_common(b, p.b_zero_point, p.b, p), p)


def _to_common(x: NDArray[Any], zero_point: int, multiplier: Multiplier, p: SumParameters) -> Integers:
    if x.dtype == np.int8:
        every = np.arange(-128, 128, dtype=np.int64)
        return scale((every - zero_point) << p.left_shift, multiplier)[x.astype(np.int16) + 128]
    return scale((x.astype(np.int64) - zero_point) << p.left_shift, multiplier)


def _to_output(total: Integers, p: SumParameters) -> NDArray[Any]:
    result = scale(total, p.output)
    result += p.output_zero_point
    return np.clip(result, p.low, p.high, out=result).astype(np.dtype(p.dtype))


def product_parameters(a: Quant, b: Quant, output: Quant, dtype: DType, activation: str) -> Rescale:
    """Returns the rescaling of an elementwise product; scales are combined in single precision.

    Source: mul.cc, Prepare.
    """
    return _rescale(a.scale * b.scale / output.scale, output, dtype, activation)


def multiply(a: NDArray[Any], a_zero_point: int, b: NDArray[Any], b_zero_point: int, to: Rescale) -> NDArray[Any]:
    """Returns rescale((a − zero point) · (b − zero point)). Source: reference_integer_ops::MulElementwise."""
    return rescale((a.astype(np.int64) - a_zero_point) * (b.astype(np.int64) - b_zero_point), to)


def relu_parameters(x: Quant, output: Quant, dtype: DType) -> Rescale:
    """Returns the rescaling of a ReLU of its own; scales are divided in single precision.

    Source: activations.cc, ReluPrepare and QuantizedReluX.
    """
    return _rescale(x.scale / output.scale, output, dtype, "relu")


def requantise_parameters(x: Quant, output: Quant, dtype: DType) -> Rescale:
    """Returns the rescaling from one integer scale to another. Source: quantize.cc, Prepare."""
    return _rescale(x.scale.astype(np.float64) / output.scale.astype(np.float64), output, dtype, "none")


def _rescale(real: NDArray[Any], output: Quant, dtype: DType, activation: str) -> Rescale:
    low, high = limits(dtype, output, activation)
    real = real.astype(np.float64)
    return Rescale(real, quantise_multiplier(real), Rounding.FIXED, output.zero_point, low, high, dtype)


def requantise(x: NDArray[Any], zero_point: int, to: Rescale) -> NDArray[Any]:
    """Returns rescale(x − zero_point). Source: reference_ops::Requantize; optimized_ops::ReluX."""
    return rescale(x.astype(np.int64) - zero_point, to)


def quantise(x: NDArray[np.float32], output: Quant, dtype: DType) -> NDArray[Any]:
    """Returns clamp(round(x / scale) + zero_point), divided in single precision, halves away from zero.

    Source: reference_ops::AffineQuantize.
    """
    low, high = LIMITS[dtype]
    whole = round_half_away(x / output.scale).astype(np.float64) + output.zero_point
    return np.clip(whole, low, high).astype(np.dtype(dtype))


def dequantise(x: NDArray[Any], quant: Quant) -> NDArray[np.float32]:
    """Returns scale · (x − zero_point), rounded once. Source: reference_ops::Dequantize."""
    return (quant.scale.astype(np.float64) * (x.astype(np.int64) - quant.zero_point)).astype(np.float32)


def lookup(x: NDArray[np.int8], table: NDArray[np.int8]) -> NDArray[np.int8]:
    """Returns table[x + 128]."""
    return table[x.astype(np.int16) + 128]


def gelu_table(x: Quant, output: Quant) -> NDArray[np.int8]:
    """Returns GELU for every int8, −128 first. Source: reference_ops::GeluTransform (x/2 · erfc(−x/√2))."""

    def gelu(value: NDArray[np.float32]) -> NDArray[np.float32]:
        argument = value * np.float32(-math.sqrt(0.5))
        return np.float32(0.5) * value * np.array([math.erfc(each) for each in argument.tolist()], np.float32)

    return _table(x, output, gelu)


def logistic_table(x: Quant, output: Quant) -> NDArray[np.int8]:
    """Returns 1 / (1 + exp(−x)) for every int8, −128 first. Source: activations.cc, SigmoidPrepare."""

    def logistic(value: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            power = np.exp(-value.astype(np.float64)).astype(np.float32)
        return np.float32(1) / (np.float32(1) + power)

    return _table(x, output, logistic)


def rsqrt_table(x: Quant, output: Quant) -> NDArray[np.int8]:
    """Returns 1 / sqrt of every int8 number, the largest for 0, in order from −128.

    Raises: GraphError where numbers below 0 are possible: the kernel stops there. Source: elementwise.cc, Rsqrt.
    """
    if x.zero_point != -128:
        raise GraphError(f"zero point {x.zero_point}; expected -128, as there is no root of what is below 0")
    root = inverse_square_root(np.arange(1, 256, dtype=np.int64))
    fine = scale(np.ones(255, np.int64), Multiplier(root.mantissa, root.shift + _RSQRT_BITS))
    step = np.float32(1.0 / (np.sqrt(np.float64(x.scale[0])) * float(output.scale[0])))
    to = quantise_multiplier(float(step))
    result = scale(fine, Multiplier(to.mantissa, to.shift - _RSQRT_BITS)) + output.zero_point
    return np.concatenate([[127], np.clip(result, -128, 127)]).astype(np.int8)


def _table(x: Quant, output: Quant, function: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> NDArray[np.int8]:
    """Returns clamp(round(function(scale · (i − zero_point)) · (1 / output scale)) + zero_point), single precision.

    Source: LUTPopulateInt8.
    """
    value = x.scale * np.arange(-128 - x.zero_point, 128 - x.zero_point).astype(np.float32)
    rounded = round_half_away(function(value) * (np.float32(1) / output.scale))
    return np.clip(rounded.astype(np.float64) + output.zero_point, -128, 127).astype(np.int8)
