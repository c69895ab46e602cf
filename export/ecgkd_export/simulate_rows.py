"""Operators over an axis as TFLite's reference kernels compute them: softmax, L2 norm, mean, maxima."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.fixed_point import (
    Integers,
    Multiplier,
    exp_negative,
    high_multiply,
    inverse_square_root,
    quantise_multiplier,
    reciprocal,
    rounding_shift,
    scale,
)
from ecgkd_export.graph import DType, Quant
from ecgkd_export.simulate_linear import LIMITS, Rescale, Rounding, rescale

SOFTMAX_WIDTH = 511
"""Longest row whose sum has a place in the kernel's arithmetic."""
_DIFFERENCE_BITS, _SUM_BITS = 5, 12


def softmax_table(x: Quant, width: int) -> Integers:
    """Returns exp(−scale · d) as Q0.31 for d = 0 … 255; 0 where the kernel leaves the value out.

    Raises: GraphError for rows that are too wide or a scale below 2^-26: TFLite stops the process.
    Source: reference_ops::Softmax, PreprocessSoftmaxScaling, CalculateInputRadius.
    """
    if width > SOFTMAX_WIDTH or x.scale[0] <= 2.0**-26:
        raise GraphError(
            f"rows of {width} with scale {x.scale[0]:.3g}; up to {SOFTMAX_WIDTH} and from 2^-26 are possible"
        )
    multiplier = quantise_multiplier(min(float(x.scale[0]) * 2.0 ** (31 - _DIFFERENCE_BITS), 2.0**31 - 1))
    radius = np.floor(((1 << _DIFFERENCE_BITS) - 1) * 2.0 ** (31 - _DIFFERENCE_BITS) / 2.0 ** float(multiplier.shift))
    distance = np.arange(256, dtype=np.int64)
    return np.where(distance <= radius, exp_negative(scale(-distance, multiplier)), 0)


def softmax(x: NDArray[np.int8], table: Integers) -> NDArray[np.int8]:
    """Returns the share of exp(x) in the sum over the last axis, scale 1/256, zero point −128.

    The sum is Q12.19, each term rounded; the share is exp · (1 / sum), rounded to 8 bits.
    Source: reference_ops::Softmax.
    """
    distance = x.max(-1, keepdims=True).astype(np.int16) - x
    power = table[distance]
    total = rounding_shift(table, _SUM_BITS)[distance].sum(-1, keepdims=True)
    inverse, bits = reciprocal(total, _SUM_BITS)
    share = rounding_shift(high_multiply(power, inverse), bits + 31 - 8)
    return np.clip(share - 128, -128, 127).astype(np.int8)


def l2_norm(x: NDArray[np.int8], zero_point: int) -> NDArray[np.int8]:
    """Returns x / sqrt(Σ x²) over the last axis, scale 1/128, zero point 0; a row of zeros stays zero.

    Source: reference_integer_ops::L2Normalization.
    """
    value = x.astype(np.int64) - zero_point
    inverse = inverse_square_root((value * value).sum(-1, keepdims=True))
    result = scale(value, Multiplier(inverse.mantissa, inverse.shift + 7))
    return np.clip(result, -128, 127).astype(np.int8)


def mean_parameters(x: Quant, output: Quant, dtype: DType, count: int) -> Rescale:
    """Returns the rescaling of a sum over `count` values to their mean; 1 / count goes into the multiplier.

    Source: reduce.cc, PrepareMeanOrSum; reference_ops::QuantizedMeanOrSum.
    """
    real = x.scale.astype(np.float64) / output.scale.astype(np.float64)
    whole = quantise_multiplier(real)
    room = int(min(count.bit_length() - 1, 32, 31 + int(whole.shift[0])))
    multiplier = Multiplier((whole.mantissa << room) // count, whole.shift - room)
    low, high = LIMITS[dtype]
    return Rescale(real / count, multiplier, Rounding.FIXED, output.zero_point, low, high, dtype)


def mean(x: NDArray[Any], zero_point: int, axes: tuple[int, ...], keep: bool, to: Rescale) -> NDArray[Any]:
    """Returns rescale(Σ (x − zero_point)). Source: reference_ops::QuantizedMeanOrSum."""
    count = int(np.prod([x.shape[axis] for axis in axes]))
    total = x.sum(axis=axes, keepdims=keep, dtype=np.int64) - zero_point * count
    return rescale(np.asarray(total), to)


def reduce_max(x: NDArray[Any], axes: tuple[int, ...], keep: bool) -> NDArray[Any]:
    """Returns the largest value over `axes`."""
    return np.asarray(x.max(axis=axes, keepdims=keep))


def max_pool(x: NDArray[Any], *, size: int, stride: int, pad: tuple[int, int]) -> NDArray[Any]:
    """Returns the largest of `size` steps; padding never wins. x (n, T, C)."""
    padded = np.pad(x, ((0, 0), pad, (0, 0)), constant_values=np.iinfo(x.dtype).min)
    return np.asarray(sliding_window_view(padded, size, axis=1)[:, ::stride].max(-1))
