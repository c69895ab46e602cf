"""TFLite's fixed-point arithmetic on arrays of integers, bit for bit.

Values are int64 arrays that hold 32-bit integers; Qm.n is a number with m integer and n fractional bits and a sign,
m + n = 31. Every shift is of a two's complement integer and keeps its sign. Nothing here is floating point but
`quantise_multiplier`, which runs once for each graph.
Source: gemmlowp/fixedpoint/fixedpoint.h; tflite/kernels/internal/{common,quantization_util}.{h,cc}, double rounding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

_EXP_MINUS_EIGHTH = 1895147668
_ONE_THIRD = 715827883
_EXP_OF_BIT = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(−1/4), exp(−1/2), … exp(−16) as Q0.31."""
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540
_THREE_HALVES = 3 << 27
_HALF_SQRT_2 = 1518500250


@dataclass(frozen=True, eq=False)
class Multiplier:
    """real ≈ mantissa · 2^(shift − 31), one number or one for each channel."""

    mantissa: Integers
    """0 or in [2^30, 2^31)."""
    shift: Integers
    """In [−31, 31], positive to the left."""

    def __post_init__(self) -> None:
        assert self.mantissa.shape == self.shift.shape


def quantise_multiplier(real: float | NDArray[np.float64]) -> Multiplier:
    """Returns the nearest 31-bit mantissa and its shift; what is below about 2^-32 becomes 0.

    Source: QuantizeMultiplier.
    """
    fraction, exponent = np.frexp(np.asarray(real, np.float64))
    mantissa = round_half_away(fraction * 2.0**31).astype(np.int64)
    shift = exponent.astype(np.int64)
    full = mantissa == 1 << 31
    mantissa, shift = np.where(full, 1 << 30, mantissa), np.where(full, shift + 1, shift)
    tiny = (shift < -31) | (mantissa == 0)
    return Multiplier(np.where(tiny, 0, mantissa), np.where(tiny, 0, shift))


def round_half_away(x: NDArray[Any]) -> NDArray[Any]:
    """Returns the nearest whole numbers, halves away from zero. Source: std::round."""
    whole = np.trunc(x)
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x).astype(x.dtype)


def high_multiply(a: Integers, b: Integers | int) -> Integers:
    """Returns a·b / 2^31, halves upwards; −2^31 · −2^31 gives 2^31 − 1.

    Source: SaturatingRoundingDoublingHighMul.
    """
    return np.minimum((a * b + (1 << 30)) >> 31, INT32_MAX)


def rounding_shift(x: Integers, exponent: Integers | int) -> Integers:
    """Returns x / 2^exponent, halves away from zero; exponent in [0, 31]. Source: RoundingDivideByPOT."""
    shift = np.asarray(exponent)
    half = np.left_shift(1, shift) >> 1
    down = (x < 0) & (shift > 0)
    return np.asarray((x + half - down) >> shift)


def saturating_shift(x: Integers, exponent: int) -> Integers:
    """Returns x · 2^exponent, held within 32 bits. Source: SaturatingRoundingMultiplyByPOT, exponent > 0."""
    threshold = (1 << (31 - exponent)) - 1
    return np.where(x > threshold, INT32_MAX, np.where(x < -threshold, INT32_MIN, x << exponent))


def wrap(x: Integers) -> Integers:
    """Returns x modulo 2^32 as a signed number, as 32-bit registers hold it."""
    return x.astype(np.int32).astype(np.int64)


def scale(x: Integers, multiplier: Multiplier) -> Integers:
    """Returns x · real, rounded twice: x · 2^left (32 bits, wraps), `high_multiply`, then `rounding_shift` by right.

    Source: MultiplyByQuantizedMultiplier(int32, …) without TFLITE_SINGLE_ROUNDING.
    """
    left, right = np.maximum(multiplier.shift, 0), np.maximum(-multiplier.shift, 0)
    if np.any(left):
        x = wrap(x << left)
    product = x * multiplier.mantissa
    product += 1 << 30
    product >>= 31
    if not np.any(right):
        return product
    half = np.left_shift(1, right) >> 1
    negative = product >> 63
    negative *= right > 0
    product += negative
    product += half
    product >>= right
    return product


def scale_wide(x: Integers, multiplier: Multiplier) -> Integers:
    """Returns x · real for an x of up to 48 bits: the mantissa cut to 15 bits, halves upwards; shift in [−31, 7].

    Source: MultiplyByQuantizedMultiplier(int64, …).
    """
    mantissa = np.where(multiplier.mantissa < 0x7FFF0000, (multiplier.mantissa + (1 << 15)) >> 16, 0x7FFF)
    total = 15 - multiplier.shift
    return (x * mantissa + np.left_shift(1, total - 1)) >> total


def exp_negative(x: Integers) -> Integers:
    """Returns exp(x) as Q0.31 for x ≤ 0 as Q5.26.

    Source: gemmlowp exp_on_negative_values: a Taylor series on [−1/4, 0), then a product for each bit of the rest.
    """
    quarter = 1 << 24
    part = (x & (quarter - 1)) - quarter
    result = _exp_small(saturating_shift(part, 5))
    rest = part - x
    for bit, factor in enumerate(_EXP_OF_BIT):
        result = np.where(rest & (quarter << bit), high_multiply(result, factor), result)
    return np.where(x == 0, INT32_MAX, result)


def _exp_small(a: Integers) -> Integers:
    """Returns exp(a) as Q0.31 for a in [−1/4, 0) as Q0.31."""
    x = a + (1 << 28)
    x2 = high_multiply(x, x)
    x3 = high_multiply(x2, x)
    x4 = high_multiply(x2, x2)
    tail = rounding_shift(high_multiply(rounding_shift(x4, 2) + x3, _ONE_THIRD) + x2, 1)
    return _EXP_MINUS_EIGHTH + high_multiply(x + tail, _EXP_MINUS_EIGHTH)


def one_over_one_plus(a: Integers) -> Integers:
    """Returns 1 / (1 + a) as Q0.31 for a in [0, 1) as Q0.31, by three Newton steps.

    Source: gemmlowp one_over_one_plus_x_for_x_in_0_1.
    """
    half_denominator = (a + INT32_MAX + 1) >> 1
    x = _48_OVER_17 + high_multiply(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - high_multiply(half_denominator, x)
        x = x + saturating_shift(high_multiply(x, error), 2)
    return saturating_shift(x, 1)


def leading_zeros(x: Integers) -> Integers:
    """Returns how many of the 32 bits above the highest one are 0, for 0 < x < 2^32."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)


def reciprocal(x: Integers, integer_bits: int) -> tuple[Integers, Integers]:
    """Returns (r, bits) with 1 / x = r · 2^-(31 + bits), for x > 0 as Q<integer_bits>. Source: GetReciprocal."""
    headroom = leading_zeros(x)
    return one_over_one_plus((x << headroom) - (1 << 31)), integer_bits - headroom


def inverse_square_root(x: Integers) -> Multiplier:
    """Returns 1 / sqrt(x) for whole x in [0, 2^31), by five Newton steps; 0 counts as 1.

    Source: GetInvSqrtQuantizedMultiplierExp. The mantissa may lie outside [2^30, 2^31).
    """
    small = x <= 1
    value, right = np.where(small, 2, x), np.full(x.shape, 11, np.int64)
    while np.any(large := value >= 1 << 29):
        value, right = np.where(large, value // 4, value), right + large
    pairs = (leading_zeros(value) - 1) // 2 - 1
    value, right = value << (2 * pairs), right - pairs
    half_input = rounding_shift(value >> 1, 1)
    root = np.full(x.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = saturating_shift(high_multiply(high_multiply(root, root), root), 6)
        root = saturating_shift(high_multiply(root, _THREE_HALVES) - high_multiply(half_input, cube), 3)
    root = high_multiply(root, _HALF_SQRT_2) << np.maximum(-right, 0)
    return Multiplier(np.where(small, INT32_MAX, root), np.where(small, 0, -np.maximum(right, 0)))
