"""The integer arithmetic, against whole numbers of any size and against the functions it stands for."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgkd_export.fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Multiplier,
    exp_negative,
    high_multiply,
    inverse_square_root,
    leading_zeros,
    one_over_one_plus,
    quantise_multiplier,
    reciprocal,
    round_half_away,
    rounding_shift,
    saturating_shift,
    scale,
    scale_wide,
    wrap,
)

many = settings(derandomize=True, deadline=None, max_examples=150, database=None)
words = st.integers(INT32_MIN, INT32_MAX)
reals = st.floats(2.0**-30, 2.0**7)


def array(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def half_away(value: Fraction) -> int:
    return floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


@many
@given(reals)
def test_multiplier_is_within_half_a_unit_of_the_real_number(real: float) -> None:
    found = quantise_multiplier(real)
    mantissa, shift = int(found.mantissa), int(found.shift)

    assert 1 << 30 <= mantissa < 1 << 31
    assert abs(Fraction(mantissa) * Fraction(2) ** (shift - 31) - Fraction(real)) <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize("real", [0.0, 2.0**-33, 2.0**-60])
def test_multiplier_of_next_to_nothing_is_zero(real: float) -> None:
    found = quantise_multiplier(real)

    assert (int(found.mantissa), int(found.shift)) == (0, 0)


def test_multiplier_that_rounds_up_to_one_takes_the_next_shift() -> None:
    found = quantise_multiplier(1 - 2.0**-40)

    assert (int(found.mantissa), int(found.shift)) == (1 << 30, 1)


@pytest.mark.parametrize(("value", "expected"), [(0.5, 1), (-0.5, -1), (1.5, 2), (0.49999999999999994, 0), (-2.4, -2)])
def test_halves_go_away_from_zero(value: float, expected: int) -> None:
    assert round_half_away(np.array([value]))[0] == expected


@many
@given(words, words)
def test_high_multiply_rounds_the_product_with_halves_upwards(a: int, b: int) -> None:
    expected = min(floor(Fraction(a * b, 1 << 31) + Fraction(1, 2)), INT32_MAX)

    assert high_multiply(array(a), b)[0] == expected


def test_high_multiply_of_minus_one_by_itself_saturates() -> None:
    assert high_multiply(array(INT32_MIN), INT32_MIN)[0] == INT32_MAX


@many
@given(words, st.integers(0, 31))
def test_rounding_shift_rounds_halves_away_from_zero(x: int, exponent: int) -> None:
    expected = half_away(Fraction(x, 1 << exponent))

    assert rounding_shift(array(x), exponent)[0] == expected
    assert rounding_shift(array(x), array(exponent))[0] == expected


@many
@given(words, st.integers(1, 8))
def test_saturating_shift_stays_within_32_bits(x: int, exponent: int) -> None:
    assert saturating_shift(array(x), exponent)[0] == pytest.approx(
        min(max(x << exponent, INT32_MIN), INT32_MAX), abs=(1 << exponent) - 1
    )


def test_wrap_is_what_a_32_bit_register_keeps() -> None:
    assert wrap(array(INT32_MAX + 1, INT32_MIN - 1, 5, -5)).tolist() == [INT32_MIN, INT32_MAX, 5, -5]


@many
@given(st.integers(-(2**22), 2**22), reals)
def test_scale_rounds_twice_as_the_reference_does(x: int, real: float) -> None:
    multiplier = quantise_multiplier(real)
    mantissa, shift = int(multiplier.mantissa), int(multiplier.shift)
    first = floor(Fraction((x << max(shift, 0)) * mantissa, 1 << 31) + Fraction(1, 2))
    expected = half_away(Fraction(first, 1 << max(-shift, 0)))

    assert scale(array(x), multiplier)[0] == expected
    assert abs(expected - x * real) <= 1


def test_scale_takes_a_multiplier_for_each_channel() -> None:
    multiplier = quantise_multiplier(np.array([0.25, 3.0, 1e-3]))
    x = np.arange(-30, 30, dtype=np.int64).reshape(20, 3)

    alone = [scale(x[:, c], Multiplier(multiplier.mantissa[c], multiplier.shift[c])) for c in range(3)]

    assert np.array_equal(scale(x, multiplier), np.stack(alone, 1))


@many
@given(st.integers(-(2**46), 2**46), st.floats(2.0**-30, 2.0**-16))
def test_wide_scale_is_right_to_fifteen_bits(x: int, real: float) -> None:
    found = int(scale_wide(array(x), quantise_multiplier(real))[0])

    assert abs(found - x * real) <= 0.5 + abs(x) * real * 2.0**-14


@many
@given(st.integers(-(2**31), 0))
def test_exp_is_right_to_twenty_one_bits(x: int) -> None:
    assert exp_negative(array(x))[0] / 2**31 == pytest.approx(np.exp(x / 2**26), abs=2.0**-21)


@many
@given(st.integers(0, INT32_MAX))
def test_one_over_one_plus_is_right_to_twenty_eight_bits(a: int) -> None:
    assert one_over_one_plus(array(a))[0] / 2**31 == pytest.approx(1 / (1 + a / 2**31), abs=2.0**-28)


@many
@given(st.integers(1 << 19, INT32_MAX))
def test_reciprocal_gives_mantissa_and_bits(x: int) -> None:
    mantissa, bits = reciprocal(array(x), 12)

    assert mantissa[0] * 2.0 ** -(31 + float(bits[0])) == pytest.approx(2.0**19 / x, rel=2.0**-26)


@many
@given(st.integers(1, 2**32 - 1))
def test_leading_zeros_count_from_bit_31(x: int) -> None:
    assert leading_zeros(array(x))[0] == 32 - x.bit_length()


@many
@given(st.integers(1, INT32_MAX))
def test_inverse_square_root_is_right_to_nineteen_bits(x: int) -> None:
    found = inverse_square_root(array(x))

    assert found.mantissa[0] * 2.0 ** (float(found.shift[0]) - 31) == pytest.approx(x**-0.5, rel=2.0**-19)


def test_inverse_square_root_of_zero_counts_as_that_of_one() -> None:
    found = inverse_square_root(array(0, 1))

    assert found.mantissa.tolist() == [INT32_MAX, INT32_MAX]
    assert found.shift.tolist() == [0, 0]
