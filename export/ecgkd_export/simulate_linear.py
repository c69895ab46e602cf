"""Convolutions, fully connected layers and matrix products as TFLite's reference kernels compute them.

An accumulator is Σ weight · (x − zero_point) + bias, exact; `rescale` brings it to the output's scale. Sums are
formed in floating point where every partial sum is a whole number that the type holds exactly.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.fixed_point import (
    Integers,
    Multiplier,
    quantise_multiplier,
    round_half_away,
    scale,
    scale_wide,
)
from ecgkd_export.graph import DType, Quant

EXACT_FLOAT32, EXACT_FLOAT64 = 1 << 24, 1 << 53
LIMITS = {
    DType.INT8: (-(1 << 7), (1 << 7) - 1),
    DType.INT16: (-(1 << 15), (1 << 15) - 1),
    DType.INT32: (-(1 << 31), (1 << 31) - 1),
}


class Rounding(StrEnum):
    """How an accumulator is brought to the output's scale."""

    FIXED = "fixed"
    """`fixed_point.scale`: 31-bit multiplier, rounded twice."""
    WIDE = "wide"
    """`fixed_point.scale_wide`: 15-bit multiplier on a 64-bit accumulator."""
    REAL = "real"
    """A product in double precision, halves away from zero."""


@dataclass(frozen=True, eq=False)
class Rescale:
    """From accumulator to output: one number each, or one for each channel."""

    real: NDArray[np.float64]
    """Input scale · weight scale / output scale."""
    multiplier: Multiplier
    rounding: Rounding
    zero_point: int
    low: int
    high: int
    """Limits of the output: its type's, and the zero point from below after a ReLU."""
    dtype: DType


def rescale(accumulator: Integers, to: Rescale) -> NDArray[Any]:
    """Returns clamp(round(accumulator · real) + zero_point), the last axis over channels.

    accumulator · real must fit 32 bits: beyond them the kernels' results are undefined.
    """
    match to.rounding:
        case Rounding.FIXED:
            result = scale(accumulator, to.multiplier)
        case Rounding.WIDE:
            result = scale_wide(accumulator, to.multiplier)
        case Rounding.REAL:
            result = round_half_away(accumulator * to.real)
    result += to.zero_point
    return np.clip(result, to.low, to.high, out=result).astype(np.dtype(to.dtype))


def limits(dtype: DType, quant: Quant, activation: str) -> tuple[int, int]:
    """Returns the smallest and largest output. Source: CalculateActivationRangeQuantized."""
    low, high = LIMITS[dtype]
    return (max(low, quant.zero_point) if activation == "relu" else low), high


def layer_rescale(
    x: Quant, weights: Quant, output: Quant, dtype: DType, activation: str, rounding: Rounding
) -> Rescale:
    """Returns the rescaling of a layer whose weights have one scale, or one for each output channel.

    Source: PopulateConvolutionQuantizationParams; FullyConnected's Prepare: double precision.
    """
    real = x.scale.astype(np.float64) * weights.scale.astype(np.float64) / output.scale.astype(np.float64)
    return _rescale(real, output, dtype, activation, rounding)


def product_rescale(a: Quant, b: Quant, output: Quant, dtype: DType, activation: str, rounding: Rounding) -> Rescale:
    """Returns the rescaling of a product of two computed tensors: the scales are multiplied in single precision.

    Source: GetQuantizedConvolutionMultipler.
    """
    real = (a.scale * b.scale).astype(np.float64) / output.scale.astype(np.float64)
    return _rescale(real, output, dtype, activation, rounding)


def _rescale(real: NDArray[np.float64], output: Quant, dtype: DType, activation: str, rounding: Rounding) -> Rescale:
    low, high = limits(dtype, output, activation)
    return Rescale(real, quantise_multiplier(real), rounding, output.zero_point, low, high, dtype)


def fully_connected(
    x: NDArray[Any], zero_point: int, weights: NDArray[Any], bias: NDArray[Any], to: Rescale
) -> NDArray[Any]:
    """Returns rescale(Σ_i weights[o, i] · (x[…, i] − zero_point) + bias[o]).

    Source: reference_integer_ops::FullyConnectedPerChannel.
    """
    return rescale(_sums(x, zero_point, weights) + bias.astype(np.int64), to)


def conv(
    x: NDArray[Any],
    zero_point: int,
    weights: NDArray[Any],
    bias: NDArray[Any],
    to: Rescale,
    *,
    stride: int,
    pad: tuple[int, int],
) -> NDArray[Any]:
    """Returns `fully_connected` of the taps around every step; padding holds the zero point. x (n, T, C).

    Source: reference_integer_ops::ConvPerChannel.
    """
    out_channels, _, taps, channels = weights.shape
    padded = np.pad(x, ((0, 0), pad, (0, 0)), constant_values=zero_point)
    windows = sliding_window_view(padded, taps, axis=1)[:, ::stride]  # (n, T', C, K)
    rows = windows.transpose(0, 1, 3, 2).reshape(*windows.shape[:2], taps * channels)
    return fully_connected(rows, zero_point, weights.reshape(out_channels, taps * channels), bias, to)


def matmul(
    a: NDArray[Any], a_zero_point: int, b: NDArray[Any], b_zero_point: int, to: Rescale, *, transpose_b: bool
) -> NDArray[Any]:
    """Returns rescale(Σ_k (a[…, i, k] − a_zero_point) · (b[…, k, j] − b_zero_point)).

    Source: reference_ops::BatchMatMul with FullyConnectedParams.
    """
    bound = _bound(a, a_zero_point) * _bound(b, b_zero_point) * a.shape[-1]
    dtype = _exact(bound)
    left, right = _offset(a, a_zero_point, dtype), _offset(b, b_zero_point, dtype)
    if transpose_b:
        right = right.swapaxes(-1, -2)
    return rescale((left @ right).astype(np.int64), to)


def _sums(x: NDArray[Any], zero_point: int, weights: NDArray[Any]) -> Integers:
    """Returns Σ_i weights[o, i] · (x[…, i] − zero_point), exactly."""
    largest = int(np.abs(weights.astype(np.int64)).sum(1).max())
    dtype = _exact(_bound(x, zero_point) * largest)
    rows = _offset(x, zero_point, dtype).reshape(-1, x.shape[-1])
    sums = (rows @ weights.T.astype(dtype)).astype(np.int64)
    return sums.reshape(*x.shape[:-1], len(weights))


def _bound(x: NDArray[Any], zero_point: int) -> int:
    info = np.iinfo(x.dtype)
    return max(int(info.max) - zero_point, zero_point - int(info.min))


def _exact(bound: int) -> type[np.float32] | type[np.float64]:
    if bound <= EXACT_FLOAT32:
        return np.float32
    if bound > EXACT_FLOAT64:
        raise GraphError(f"sums reach {bound}, above what 53 bits hold")
    return np.float64


def _offset(x: NDArray[Any], zero_point: int, dtype: type[np.float32] | type[np.float64]) -> NDArray[Any]:
    values: NDArray[Any] = x.astype(dtype)
    if zero_point:
        np.subtract(values, zero_point, out=values)
    return values
