"""Every operator of the emitter at random shapes, ranks and ranges, and where a range is nothing at all.

`bench.windows` gives random inputs, the lowest and the highest integers everywhere (which saturate), and zeros.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd_export.graph import DType, Graph, Kind, Op, Tensor, check, output_shape
from ecgkd_export.quantise import Options, quantise
from ecgkd_export.ranges import Estimator, collect, estimate
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.tflite.emit import emit

F, I8, I16 = DType.FLOAT32, DType.INT8, DType.INT16
STEPS = {F: 0.0, I8: 1 / 32, I16: 1 / 8192}
FEW = settings(derandomize=True, max_examples=6, deadline=None)
TYPES = pytest.mark.parametrize("dtype", [F, I8, I16])
SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4)
FACTORS = st.sampled_from([0.1, 1.0, 6.0])
"""Of the step that the test would take otherwise."""
ZEROS = st.integers(-128, 127)
SEEDS = st.integers(0, 999)
FIXED = {(Kind.SOFTMAX, I8): (1 / 256, -128), (Kind.LOGISTIC, I8): (1 / 256, -128), (Kind.L2_NORM, I8): (1 / 128, 0)}
COARSE = {(Kind.SOFTMAX, I16): 160.0, (Kind.LOGISTIC, I16): 8.0}
"""Steps of 1/32768: these kernels interpolate in tables."""


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, dtype) for kind in (Kind.SOFTMAX, Kind.LOGISTIC) for dtype in (F, I8, I16)]
    + [(kind, dtype) for kind in (Kind.L2_NORM, Kind.GELU) for dtype in (F, I8)],
)
@FEW
@given(shape=SHAPES, width=st.integers(2, 20), factor=FACTORS, zero=ZEROS, seed=SEEDS)
def test_functions_of_any_rank_and_range(
    bench: Any, kind: Kind, dtype: DType, shape: list[int], width: int, factor: float, zero: int, seed: int
) -> None:
    zero = zero if dtype == I8 else 0
    source = bench.tensor(
        "window", (*shape[:3], width), dtype, factor * {F: 0.0, I8: 1 / 24, I16: 1 / 4096}[dtype], zero
    )
    scale, point = FIXED.get((kind, dtype), (factor / 32, zero // 2) if dtype == I8 else (1 / 32768, 0))
    graph = bench.graph(kind, (source,), bench.tensor("embedding", (1,), dtype, scale, point), {})
    bound = 4e-6 * max(1.0, factor) if dtype == F else COARSE.get((kind, dtype), 1.0)
    bench.agree(graph, bench.windows(graph, seed, spread=4 * factor), bound)


@pytest.mark.parametrize("dtype", [F, I8])
@FEW
@given(shape=SHAPES, step=st.sampled_from([1 / 500, 1 / 32, 2.0]), reach=st.sampled_from([0.5, 2.0, 30.0]), seed=SEEDS)
def test_one_over_the_root_of_any_positive_number(
    bench: Any, dtype: DType, shape: list[int], step: float, reach: float, seed: int
) -> None:
    source = bench.tensor("window", shape, dtype, step, -128)
    graph = bench.graph(Kind.RSQRT, (source,), bench.tensor("embedding", (1,), dtype, reach / 255, -128), {})
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 256, (4, *shape))
    windows = (steps - 128).astype(np.int8) if dtype == I8 else (steps * step).astype(np.float32)
    bench.agree(graph, windows, 1e-4 if dtype == F else 1)


@pytest.mark.parametrize("kind", [Kind.ADD, Kind.SUB, Kind.MUL])
@TYPES
@FEW
@given(shape=SHAPES, data=st.data(), factor=FACTORS, activation=st.sampled_from(["none", "relu"]), zero=ZEROS)
def test_arithmetic_of_any_rank_with_a_constant_that_is_repeated(
    bench: Any,
    kind: Kind,
    dtype: DType,
    shape: list[int],
    data: st.DataObject,
    factor: float,
    activation: str,
    zero: int,
) -> None:
    rng = np.random.default_rng(len(shape))
    zero = zero if dtype == I8 else 0
    source = bench.tensor("window", shape, dtype, STEPS[dtype], zero)
    short = data.draw(st.integers(0, len(shape) - 1))
    other = tuple(data.draw(st.sampled_from([1, size])) for size in shape[short:])
    low, high = (-3, 4) if dtype == F else (np.iinfo(np.dtype(dtype)).min, np.iinfo(np.dtype(dtype)).max + 1)
    like = bench.tensor("other", other, dtype, STEPS[dtype] * factor, -zero // 2)
    constant = bench.constant(like, rng.integers(low, high, other))
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * 2 * factor, zero // 3)
    graph = bench.graph(kind, (source, constant), output, {"activation": activation})
    bench.agree(graph, bench.windows(graph, zero + 200), 1e-5 if dtype == F else 1)


@TYPES
@FEW
@given(shape=SHAPES, factor=FACTORS, zero=ZEROS, seed=SEEDS)
def test_relu_of_any_rank_and_range(
    bench: Any, dtype: DType, shape: list[int], factor: float, zero: int, seed: int
) -> None:
    zero = zero if dtype == I8 else 0
    source = bench.tensor("window", shape, dtype, STEPS[dtype], zero)
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * factor, -128 if dtype == I8 else 0)
    graph = bench.graph(Kind.RELU, (source,), output, {})
    bench.agree(graph, bench.windows(graph, seed), 0 if dtype == F else 1)


@pytest.mark.parametrize(("given_type", "made"), [(F, I8), (F, I16), (I8, I8), (I16, I16), (I16, I8)])
@FEW
@given(shape=SHAPES, factor=FACTORS, zero=ZEROS, seed=SEEDS)
def test_quantisation_of_any_rank_and_range(
    bench: Any, given_type: DType, made: DType, shape: list[int], factor: float, zero: int, seed: int
) -> None:
    source = bench.tensor("window", shape, given_type, STEPS[given_type], -zero // 2 if given_type == I8 else 0)
    step = (STEPS[given_type] or 1 / 64) * factor
    graph = bench.graph(
        Kind.QUANTISE, (source,), bench.tensor("embedding", (1,), made, step, zero if made == I8 else 0), {}
    )
    bench.agree(graph, bench.windows(graph, seed), 1)


@pytest.mark.parametrize("dtype", [I8, I16])
@FEW
@given(shape=SHAPES, factor=FACTORS, zero=ZEROS, seed=SEEDS)
def test_dequantisation_of_any_rank_and_range(
    bench: Any, dtype: DType, shape: list[int], factor: float, zero: int, seed: int
) -> None:
    source = bench.tensor("window", shape, dtype, STEPS[dtype] * factor, zero if dtype == I8 else 0)
    graph = bench.graph(Kind.DEQUANTISE, (source,), bench.tensor("embedding", (1,), F), {})
    bench.agree(graph, bench.windows(graph, seed), 4e-5 * factor)


@TYPES
@FEW
@given(
    length=st.integers(6, 30),
    channels=st.integers(1, 9),
    size=st.integers(1, 5),
    stride=st.integers(1, 3),
    pads=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    zero=ZEROS,
    seed=SEEDS,
)
def test_maxima_over_any_stretch(
    bench: Any,
    dtype: DType,
    length: int,
    channels: int,
    size: int,
    stride: int,
    pads: tuple[int, int],
    zero: int,
    seed: int,
) -> None:
    zero = zero if dtype == I8 else 0
    source, output = (
        bench.tensor(name, (1, 1, length, channels), dtype, STEPS[dtype], zero) for name in ("window", "embedding")
    )
    pad = (min(pads[0], size - 1), min(pads[1], size - 1))
    graph = bench.graph(Kind.MAX_POOL, (source,), output, {"size": size, "stride": stride, "pad": pad})
    bench.agree(graph, bench.windows(graph, seed), 0)


@TYPES
@FEW
@given(
    heads=st.integers(1, 3),
    rows=st.integers(1, 7),
    depth=st.integers(1, 9),
    columns=st.integers(1, 7),
    zero=ZEROS,
    seed=SEEDS,
)
def test_a_matrix_times_columns_of_another(
    bench: Any, dtype: DType, heads: int, rows: int, depth: int, columns: int, zero: int, seed: int
) -> None:
    zero = zero if dtype == I8 else 0
    source = bench.tensor("window", (heads, rows, depth), dtype, STEPS[dtype], zero)
    other = bench.tensor("other", (heads, depth, columns), dtype, STEPS[dtype], zero // 2)
    values = np.random.default_rng(seed).normal(size=other.shape)
    steps = values if dtype == F else np.rint(values / STEPS[dtype]).clip(-127, 127)
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * 4, -zero // 2)
    graph = bench.graph(Kind.MATMUL, (source, bench.constant(other, steps)), output, {"transpose_b": False})
    bench.agree(graph, bench.windows(graph, seed), 2e-4 if dtype == F else 1)


@TYPES
@FEW
@given(shape=st.lists(st.integers(1, 6), min_size=2, max_size=4), data=st.data(), keep=st.booleans(), zero=ZEROS)
def test_means_and_maxima_over_any_axis(
    bench: Any, dtype: DType, shape: list[int], data: st.DataObject, keep: bool, zero: int
) -> None:
    zero = zero if dtype == I8 else 0
    axes = (data.draw(st.integers(1, len(shape) - 1)),)
    source = bench.tensor("window", shape, dtype, STEPS[dtype], zero)
    attributes = {"axes": axes, "keep": keep}
    for kind, bound, step in ((Kind.MEAN, 1, 0.7), (Kind.REDUCE_MAX, 0, 1.0)):
        output = bench.tensor("embedding", (1,), dtype, STEPS[dtype] * step, zero)
        graph = bench.graph(kind, (source,), output, attributes)
        bench.agree(graph, bench.windows(graph, 0), 1e-6 if dtype == F else bound)


def _floats(kind: Kind, inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Graph:
    """Returns a float graph of one operator, its output reshaped or not at all."""
    output = Tensor("embedding", (1,), F)
    op = Op(kind, "operator", tuple(one.name for one in inputs), "embedding", attributes)
    graph = Graph({one.name: one for one in (*inputs, output)}, (op,), ("window",), ("embedding",))
    shape = (3, 4) if kind == Kind.RESHAPE else output_shape(graph, op)
    return check(
        Graph({**graph.tensors, "embedding": Tensor("embedding", shape, F)}, (op,), graph.inputs, graph.outputs)
    )


def _constant(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, F, None, np.zeros(shape, np.float32))


ROWS, SIGNAL = Tensor("window", (2, 6), F), Tensor("window", (1, 1, 12, 3), F)
CASES: dict[Kind, tuple[tuple[Tensor, ...], dict[str, Any]]] = {
    Kind.CONV: (
        (SIGNAL, _constant("weights", 4, 1, 3, 3), _constant("bias", 4)),
        {"stride": 1, "pad": (1, 1), "activation": "none"},
    ),
    Kind.MAX_POOL: ((SIGNAL,), {"size": 2, "stride": 2, "pad": (0, 0)}),
    Kind.FULLY_CONNECTED: ((ROWS, _constant("weights", 5, 6), _constant("bias", 5)), {"activation": "none"}),
    Kind.MATMUL: ((Tensor("window", (1, 2, 6), F), _constant("other", 1, 6, 4)), {"transpose_b": False}),
    Kind.SOFTMAX: ((ROWS,), {}),
    Kind.L2_NORM: ((ROWS,), {}),
    Kind.GELU: ((ROWS,), {}),
    Kind.LOGISTIC: ((ROWS,), {}),
    Kind.RELU: ((ROWS,), {}),
    Kind.ADD: ((ROWS, _constant("other", 6)), {"activation": "none"}),
    Kind.SUB: ((ROWS, _constant("other", 6)), {"activation": "none"}),
    Kind.MUL: ((ROWS, _constant("other", 6)), {"activation": "none"}),
    Kind.MEAN: ((ROWS,), {"axes": (1,), "keep": True}),
    Kind.REDUCE_MAX: ((ROWS,), {"axes": (1,), "keep": True}),
    Kind.CONCAT: ((ROWS, _constant("other", 2, 6)), {"axis": 1}),
    Kind.RESHAPE: ((ROWS,), {}),
    Kind.TRANSPOSE: ((ROWS,), {"permutation": (1, 0)}),
    Kind.SLICE: ((ROWS,), {"begin": (0, 1), "size": (2, 3)}),
}


def test_no_operator_is_forgotten() -> None:
    """QUANTISE and DEQUANTISE have no range to measure, LAYER_NORM no kernel, RSQRT no zero."""
    assert set(Kind) - set(CASES) == {Kind.QUANTISE, Kind.DEQUANTISE, Kind.LAYER_NORM, Kind.RSQRT}


@pytest.mark.parametrize("kind", CASES)
def test_a_range_of_nothing_gives_a_file_that_runs(kind: Kind) -> None:
    inputs, attributes = CASES[kind]
    graph = _floats(kind, inputs, attributes)
    silence = np.zeros((2, *inputs[0].shape), np.float32)
    quantised = quantise(graph, estimate(collect(graph, silence), Estimator.PERCENTILE), Options())
    limits = np.iinfo(np.int8)
    rng = np.random.default_rng(0)
    windows = np.stack(
        [np.zeros(inputs[0].shape), np.full(inputs[0].shape, limits.max), rng.integers(-128, 128, inputs[0].shape)]
    )
    given = LiteRtSession(emit(quantised, metadata={}, description=""), kernels="reference").run_integers(
        windows.astype(np.int8)
    )
    expected = simulate(quantised, windows.astype(np.int8), arithmetic=Arithmetic.LITERT)["embedding"]
    np.testing.assert_array_equal(given.reshape(expected.shape), expected)
