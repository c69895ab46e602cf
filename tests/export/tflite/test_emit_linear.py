"""Convolution, fully connected layer and matrix product, float32, int8 and 16x8, in every runtime."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd_export.graph import DType, Kind

TYPES = st.sampled_from([DType.FLOAT32, DType.INT8, DType.INT16])
STEPS = {DType.FLOAT32: 0.0, DType.INT8: 1 / 32, DType.INT16: 1 / 8192}
FEW = settings(derandomize=True, max_examples=8, deadline=None)
FLOAT_BOUND = 2e-4
"""On sums of up to 300 products of size 1."""


def _bound(dtype: DType) -> float:
    return FLOAT_BOUND if dtype == DType.FLOAT32 else 1


@FEW
@given(
    dtype=TYPES,
    length=st.integers(7, 40),
    channels=st.integers(1, 9),
    outputs=st.integers(1, 12),
    taps=st.integers(1, 7),
    stride=st.integers(1, 3),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    activation=st.sampled_from(["none", "relu"]),
    zero=st.integers(-128, 127),
    seed=st.integers(0, 999),
)
def test_convolution_is_exact_arithmetic_to_one_step(
    bench: Any,
    dtype: DType,
    length: int,
    channels: int,
    outputs: int,
    taps: int,
    stride: int,
    pad: tuple[int, int],
    activation: str,
    zero: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    source = bench.tensor("window", (1, 1, length, channels), dtype, STEPS[dtype], zero if dtype == DType.INT8 else 0)
    weights, bias = bench.weights(rng.normal(size=(outputs, 1, taps, channels)), source, rng)
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * 4, -zero // 2 if dtype == DType.INT8 else 0)
    attributes = {"stride": stride, "pad": pad, "activation": activation}
    graph = bench.graph(Kind.CONV, (source, weights, bias), output, attributes)
    bench.agree(graph, bench.windows(graph, seed), _bound(dtype))


@FEW
@given(
    dtype=TYPES,
    rows=st.integers(1, 9),
    width=st.integers(1, 33),
    outputs=st.integers(1, 33),
    activation=st.sampled_from(["none", "relu"]),
    zero=st.integers(-128, 127),
    seed=st.integers(0, 999),
)
def test_fully_connected_is_exact_arithmetic_to_one_step(
    bench: Any, dtype: DType, rows: int, width: int, outputs: int, activation: str, zero: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    source = bench.tensor("window", (rows, width), dtype, STEPS[dtype], zero if dtype == DType.INT8 else 0)
    weights, bias = bench.weights(rng.normal(size=(outputs, width)), source, rng)
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * 4, -zero // 2 if dtype == DType.INT8 else 0)
    graph = bench.graph(Kind.FULLY_CONNECTED, (source, weights, bias), output, {"activation": activation})
    bench.agree(graph, bench.windows(graph, seed), _bound(dtype))


@FEW
@given(
    dtype=TYPES,
    heads=st.integers(1, 4),
    rows=st.integers(1, 9),
    depth=st.integers(1, 17),
    zero=st.integers(-128, 127),
    seed=st.integers(0, 999),
)
def test_rows_times_rows_is_exact_arithmetic_to_one_step(
    bench: Any, dtype: DType, heads: int, rows: int, depth: int, zero: int, seed: int
) -> None:
    source = bench.tensor("window", (heads, rows, depth), dtype, STEPS[dtype], zero if dtype == DType.INT8 else 0)
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * 8, -zero // 2 if dtype == DType.INT8 else 0)
    graph = bench.graph(Kind.MATMUL, (source, source), output, {"transpose_b": True})
    bench.agree(graph, bench.windows(graph, seed), _bound(dtype))


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.INT8, DType.INT16])
def test_a_matrix_product_takes_columns_of_another_matrix(bench: Any, dtype: DType) -> None:
    source = bench.tensor("window", (2, 5, 7), dtype, STEPS[dtype], 3 if dtype == DType.INT8 else 0)
    other = bench.tensor("other", (2, 7, 4), dtype, STEPS[dtype], -9 if dtype == DType.INT8 else 0)
    values = np.random.default_rng(1).normal(size=(2, 7, 4))
    constant = bench.constant(
        other, values if dtype == DType.FLOAT32 else np.rint(values / STEPS[dtype]).clip(-127, 127)
    )
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * 4)
    graph = bench.graph(Kind.MATMUL, (source, constant), output, {"transpose_b": False})
    bench.agree(graph, bench.windows(graph, 0), _bound(dtype))


@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16])
def test_weights_that_are_all_zero_leave_the_bias(bench: Any, dtype: DType) -> None:
    rng = np.random.default_rng(0)
    source = bench.tensor("window", (3, 8), dtype, STEPS[dtype])
    weights, bias = bench.weights(np.zeros((5, 8)), source, rng)
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype])
    graph = bench.graph(Kind.FULLY_CONNECTED, (source, weights, bias), output, {"activation": "none"})
    bench.agree(graph, bench.windows(graph, 0), 1)


@pytest.mark.parametrize("pad", [(1, 1), (0, 0), (3, 3), (0, 1), (2, 0)])
@pytest.mark.parametrize("stride", [1, 2])
def test_max_pooling_never_lets_padding_win(bench: Any, pad: tuple[int, int], stride: int) -> None:
    for dtype in (DType.FLOAT32, DType.INT8, DType.INT16):
        source = bench.tensor("window", (1, 1, 21, 5), dtype, STEPS[dtype], 100 if dtype == DType.INT8 else 0)
        output = bench.tensor("embedding", (1,), dtype, STEPS[dtype], 100 if dtype == DType.INT8 else 0)
        attributes = {"size": 4, "stride": stride, "pad": pad}
        graph = bench.graph(Kind.MAX_POOL, (source,), output, attributes)
        bench.agree(graph, bench.windows(graph, 0), 0)
