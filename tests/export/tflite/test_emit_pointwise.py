"""Operators that change values one by one or row by row, float32, int8 and int16, in every runtime."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd_export.graph import DType, Kind

F, I8, I16 = DType.FLOAT32, DType.INT8, DType.INT16
FEW = settings(derandomize=True, max_examples=6, deadline=None)
FIXED = {(Kind.SOFTMAX, I8): (1 / 256, -128), (Kind.LOGISTIC, I8): (1 / 256, -128), (Kind.L2_NORM, I8): (1 / 128, 0)}
BOUNDS = {(Kind.SOFTMAX, I16): 40.0, (Kind.LOGISTIC, I16): 8.0}
"""Steps of 1/32768: these kernels interpolate in tables of 513 entries, the softmax also 1/x (139 steps at worst)."""


def _bound(kind: Kind, dtype: DType) -> float:
    return 2e-6 if dtype == F else BOUNDS.get((kind, dtype), 1.0)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, dtype) for kind in (Kind.SOFTMAX, Kind.LOGISTIC) for dtype in (F, I8, I16)]
    + [(kind, dtype) for kind in (Kind.L2_NORM, Kind.GELU) for dtype in (F, I8)],
)
@FEW
@given(rows=st.integers(1, 7), width=st.integers(2, 40), zero=st.integers(-128, 127), seed=st.integers(0, 999))
def test_functions_are_exact_arithmetic_to_one_step(
    bench: Any, kind: Kind, dtype: DType, rows: int, width: int, zero: int, seed: int
) -> None:
    step = {F: 0.0, I8: 1 / 24, I16: 1 / 4096}[dtype]
    source = bench.tensor("window", (rows, width), dtype, step, zero if dtype == I8 else 0)
    scale, point = FIXED.get((kind, dtype), (1 / 32, -(zero // 2)) if dtype == I8 else (1 / 32768, 0))
    output = bench.tensor("embedding", (1,), dtype, scale, point)
    graph = bench.graph(kind, (source,), output, {})
    bench.agree(graph, bench.windows(graph, seed, spread=4), _bound(kind, dtype))


@pytest.mark.parametrize("kind", [Kind.ADD, Kind.SUB, Kind.MUL])
@pytest.mark.parametrize("dtype", [F, I8, I16])
@FEW
@given(
    shape=st.sampled_from([(7,), (3, 7), (1, 7), (1,), (3, 1)]),
    wide=st.sampled_from([0.25, 1.0, 16.0]),
    activation=st.sampled_from(["none", "relu"]),
    zero=st.integers(-128, 127),
    seed=st.integers(0, 999),
)
def test_arithmetic_with_a_constant_is_exact_to_one_step(
    bench: Any, kind: Kind, dtype: DType, shape: tuple[int, ...], wide: float, activation: str, zero: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    step, zero = {F: 0.0, I8: 1 / 32, I16: 1 / 8192}[dtype], zero if dtype == I8 else 0
    source = bench.tensor("window", (3, 7), dtype, step, zero)
    other = bench.tensor("other", shape, dtype, step / 3, -zero // 2)
    limits = (-3, 4) if dtype == F else (np.iinfo(np.dtype(dtype)).min, np.iinfo(np.dtype(dtype)).max + 1)
    constant = bench.constant(other, rng.integers(*limits, shape))
    output = bench.tensor("embedding", (1,), dtype, step * wide, zero // 3)
    graph = bench.graph(kind, (source, constant), output, {"activation": activation})
    bench.agree(graph, bench.windows(graph, seed), 1e-5 if dtype == F else 1)


@pytest.mark.parametrize("dtype", [F, I8, I16])
def test_relu_alone_cuts_at_zero_and_rescales(bench: Any, dtype: DType) -> None:
    source = bench.tensor("window", (3, 7), dtype, 1 / 32, 5 if dtype == I8 else 0)
    output = bench.tensor("embedding", (1,), dtype, 1 / 50, -128 if dtype == I8 else 0)
    graph = bench.graph(Kind.RELU, (source,), output, {})
    bench.agree(graph, bench.windows(graph, 0), 0 if dtype == F else 1)


CONVERSIONS = [(F, I8), (F, I16), (I8, I8), (I16, I16), (I16, I8), (I8, I16)]


@pytest.mark.parametrize(("given_type", "made"), CONVERSIONS)
@pytest.mark.parametrize("step", [1 / 32, 1 / 40, 1 / 1000])
def test_quantisation_goes_from_every_type_to_every_integer(
    bench: Any, given_type: DType, made: DType, step: float
) -> None:
    source = bench.tensor("window", (3, 7), given_type, 1 / 32, 0)
    output = bench.tensor("embedding", (1,), made, step, 7 if made == I8 else 0)
    graph = bench.graph(Kind.QUANTISE, (source,), output, {})
    bench.agree(graph, bench.windows(graph, 0), 1)


def test_int8_with_a_zero_point_becomes_int16_in_litert_only(bench: Any) -> None:
    source = bench.tensor("window", (3, 7), I8, 1 / 32, 3)
    output = bench.tensor("embedding", (1,), I16, 1 / 1000, 0)
    graph = bench.graph(Kind.QUANTISE, (source,), output, {})
    bench.agree(graph, bench.windows(graph, 0), 1, skip=["tflite-runtime"])


@pytest.mark.parametrize("dtype", [I8, I16])
def test_dequantisation_is_exact(bench: Any, dtype: DType) -> None:
    source = bench.tensor("window", (3, 7), dtype, 1 / 48, -11 if dtype == I8 else 0)
    graph = bench.graph(Kind.DEQUANTISE, (source,), bench.tensor("embedding", (1,), F), {})
    bench.agree(graph, bench.windows(graph, 0), 1e-4 if dtype == I16 else 1e-6)
