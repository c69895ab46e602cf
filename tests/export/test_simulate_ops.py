"""Each operator on random shapes, scales and inputs, bit by bit against both runtimes' reference kernels.

Two tables come from single-precision functions of the C library, which differ from one library to the next in the last
bit: GELU and logistic are held to one step. Everything else is exact.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.simulate import Arithmetic, prepare
from ecgkd_export.tflite.emit import emit

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")
RUNTIMES: dict[Arithmetic, Any] = {Arithmetic.LITERT: litert}
try:
    from tflite_runtime import interpreter as tflite_runtime
except ModuleNotFoundError:
    print("tflite-runtime is not installed (it ends at Python 3.11): not compared")
else:
    RUNTIMES[Arithmetic.FIXED] = tflite_runtime

I8, I16 = DType.INT8, DType.INT16
NOTHING: Mapping[str, Any] = {}
Arrays = dict[str, NDArray[Any]]


def some(examples: int) -> settings:
    return settings(derandomize=True, deadline=None, max_examples=examples, database=None)


class Draw:
    """Random numbers of one example, all from one seed, so that an example is a number."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def scale(self, low: float = -9, high: float = 0, count: int = 1) -> NDArray[np.float32]:
        return (2 ** self.rng.uniform(low, high, count)).astype(np.float32)

    def quant(self, dtype: DType, low: float = -9, high: float = 0) -> Quant:
        return Quant(self.scale(low, high), self.zero_point(dtype))

    def zero_point(self, dtype: DType) -> int:
        return int(self.rng.choice([-128, 127, self.rng.integers(-128, 128)])) if dtype == I8 else 0

    def values(self, tensor: Tensor) -> NDArray[Any]:
        """Returns anything, only the ends of the range, or one value everywhere (often the zero)."""
        limits = np.iinfo(np.dtype(tensor.dtype))
        match self.rng.integers(4):
            case 0:
                found = self.rng.choice([limits.min, limits.max], tensor.shape)
            case 1:
                zero = tensor.quant.zero_point if tensor.quant else 0
                found = np.full(tensor.shape, self.rng.choice([zero, zero, limits.min, limits.max]))
            case _:
                found = self.rng.integers(limits.min, limits.max + 1, tensor.shape)
        return found.astype(np.dtype(tensor.dtype))

    def activation(self) -> str:
        return str(self.rng.choice(["none", "relu"]))


seeds = st.integers(0, 2**32 - 1).map(Draw)


def one_op(kind: Kind, inputs: list[Tensor], output: Tensor, attributes: Mapping[str, Any] = NOTHING) -> Graph:
    names = tuple(tensor.name for tensor in inputs)
    op = Op(kind, "op", names, output.name, attributes)
    given_names = tuple(tensor.name for tensor in inputs if tensor.data is None)
    return Graph({tensor.name: tensor for tensor in (*inputs, output)}, (op,), given_names, (output.name,))


def simulated(graph: Graph, inputs: Arrays, arithmetic: Arithmetic) -> NDArray[Any]:
    op = graph.ops[0]
    constants = {tensor.name: tensor.data for tensor in graph.tensors.values() if tensor.data is not None}
    values = {**constants, **inputs}
    result = prepare(graph, op, arithmetic)([values[name][None] for name in op.inputs])
    return result.reshape(graph.tensors[op.output].shape)


def reference(graph: Graph, inputs: Arrays, runtime: Any) -> NDArray[Any]:
    content = emit(graph, metadata={}, description="test")
    session = runtime.Interpreter(
        model_content=content, experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF
    )
    session.allocate_tensors()
    for place in session.get_input_details():
        session.set_tensor(place["index"], inputs[place["name"]])
    session.invoke()
    result: NDArray[Any] = session.get_tensor(session.get_output_details()[0]["index"])
    return result


def agree(graph: Graph, inputs: Arrays, *, bound: int = 0) -> None:
    for arithmetic, runtime in RUNTIMES.items():
        ours, theirs = simulated(graph, inputs, arithmetic), reference(graph, inputs, runtime)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if bound:
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= bound, arithmetic
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=str(arithmetic))


def agree_on_random_input(draw: Draw, graph: Graph) -> None:
    agree(graph, {name: draw.values(graph.tensors[name]) for name in graph.inputs})


def layer(draw: Draw, x: Tensor, shape: tuple[int, ...], spread: float) -> tuple[Tensor, Tensor, Quant]:
    """Returns weights, bias and a scale for the output that `spread` times the random sums fill."""
    assert x.quant is not None
    wide, outputs = x.dtype == I16, shape[0]
    per_channel = bool(draw.rng.integers(2))
    steps = draw.scale(-12, -4, outputs if per_channel else 1)
    data = draw.rng.integers(-127, 128, shape).astype(np.int8)
    bias = draw.rng.integers(-3000, 3000, outputs).astype(np.int64 if wide else np.int32)
    product = x.quant.scale * steps
    axis = 0 if per_channel else None
    weights = Tensor("weights", shape, I8, Quant(steps, 0, axis), data)
    shift = Tensor("bias", (outputs,), DType.INT64 if wide else DType.INT32, Quant(product, 0, axis), bias)
    real = spread * math.sqrt(math.prod(shape[1:])) * 73 * 74 * float(np.median(product)) / 127
    return weights, shift, Quant(np.full(1, real, np.float32), draw.zero_point(x.dtype))


@pytest.mark.parametrize("dtype", [I8, I16])
@some(30)
@given(draw=seeds, spread=st.sampled_from([0.02, 1.0, 1.0, 50.0]))
def test_fully_connected(dtype: DType, draw: Draw, spread: float) -> None:
    rows, n_in, n_out = draw.size(1, 20), draw.size(1, 200), draw.size(1, 40)
    x = Tensor("x", (rows, n_in), dtype, draw.quant(dtype))
    weights, bias, quant = layer(draw, x, (n_out, n_in), spread)
    attributes = {"activation": draw.activation()}

    agree_on_random_input(
        draw, one_op(Kind.FULLY_CONNECTED, [x, weights, bias], Tensor("y", (rows, n_out), dtype, quant), attributes)
    )


@pytest.mark.parametrize("dtype", [I8, I16])
@some(30)
@given(draw=seeds, spread=st.sampled_from([0.02, 1.0, 1.0, 50.0]))
def test_convolution(dtype: DType, draw: Draw, spread: float) -> None:
    taps, stride, n_in, n_out = draw.size(1, 9), draw.size(1, 3), draw.size(1, 12), draw.size(1, 12)
    length, pad = draw.size(taps, 60), (draw.size(0, taps - 1), draw.size(0, taps - 1))
    steps = (length + sum(pad) - taps) // stride + 1
    x = Tensor("x", (1, 1, length, n_in), dtype, draw.quant(dtype))
    weights, bias, quant = layer(draw, x, (n_out, 1, taps, n_in), spread)
    attributes = {"stride": stride, "pad": pad, "activation": draw.activation()}

    agree_on_random_input(
        draw, one_op(Kind.CONV, [x, weights, bias], Tensor("y", (1, 1, steps, n_out), dtype, quant), attributes)
    )


@pytest.mark.parametrize("dtype", [I8, I16])
@some(30)
@given(draw=seeds, transpose_b=st.booleans(), spread=st.sampled_from([0.02, 1.0, 50.0]))
def test_matmul(dtype: DType, draw: Draw, transpose_b: bool, spread: float) -> None:
    batch, rows, inner, columns = draw.size(1, 4), draw.size(1, 20), draw.size(1, 90), draw.size(1, 20)
    a = Tensor("a", (batch, rows, inner), dtype, draw.quant(dtype))
    b_shape = (batch, columns, inner) if transpose_b else (batch, inner, columns)
    b = Tensor("b", b_shape, dtype, draw.quant(dtype))
    assert a.quant is not None
    assert b.quant is not None
    top = np.iinfo(np.dtype(dtype)).max
    step = spread * float(a.quant.scale[0] * b.quant.scale[0]) * top * math.sqrt(inner) / 2
    y = Tensor("y", (batch, rows, columns), dtype, Quant(np.full(1, step, np.float32), draw.zero_point(dtype)))

    agree_on_random_input(draw, one_op(Kind.MATMUL, [a, b], y, {"transpose_b": transpose_b}))


@pytest.mark.parametrize("dtype", [I8, I16])
@pytest.mark.parametrize("kind", [Kind.ADD, Kind.SUB, Kind.MUL])
@some(25)
@given(draw=seeds, broadcast=st.sampled_from(["no", "rows", "ones", "first"]))
def test_elementwise(kind: Kind, dtype: DType, draw: Draw, broadcast: str) -> None:
    whole = (draw.size(1, 9), draw.size(1, 70))
    shapes = {"no": (whole, whole), "rows": (whole, whole[1:]), "ones": (whole, (whole[0], 1)), "first": ((1,), whole)}
    a, b = (Tensor(n, s, dtype, draw.quant(dtype, -9, -2)) for n, s in zip("ab", shapes[broadcast], strict=True))
    assert a.quant is not None
    assert b.quant is not None
    steps = float(a.quant.scale[0]), float(b.quant.scale[0])
    natural = steps[0] * steps[1] * np.iinfo(np.dtype(dtype)).max if kind == Kind.MUL else max(steps)
    step = np.full(1, natural * 2 ** draw.rng.uniform(-4, 3), np.float32)
    y = Tensor("y", whole, dtype, Quant(step, draw.zero_point(dtype)))

    agree_on_random_input(draw, one_op(kind, [a, b], y, {"activation": draw.activation()}))


@pytest.mark.parametrize("kind", [Kind.GELU, Kind.LOGISTIC])
@some(60)
@given(draw=seeds)
def test_tables(kind: Kind, draw: Draw) -> None:
    x = Tensor("x", (256,), I8, draw.quant(I8, -14, 4))
    quant = draw.quant(I8, -14, 4) if kind == Kind.GELU else Quant(np.full(1, 1 / 256, np.float32), -128)

    agree(one_op(kind, [x], Tensor("y", (256,), I8, quant)), {"x": np.arange(-128, 128).astype(np.int8)}, bound=1)


@some(60)
@given(draw=seeds)
def test_rsqrt(draw: Draw) -> None:
    step = draw.quant(I8, -14, 4).scale
    x = Tensor("x", (256,), I8, Quant(step, -128))

    agree(
        one_op(Kind.RSQRT, [x], Tensor("y", (256,), I8, draw.quant(I8, -14, 4))),
        {"x": np.arange(-128, 128).astype(np.int8)},
    )


@some(60)
@given(draw=seeds, width=st.integers(1, 511))
def test_softmax(draw: Draw, width: int) -> None:
    x = Tensor("x", (draw.size(1, 9), width), I8, draw.quant(I8, -14, 4))
    y = Tensor("y", x.shape, I8, Quant(np.full(1, 1 / 256, np.float32), -128))

    agree_on_random_input(draw, one_op(Kind.SOFTMAX, [x], y))


@some(60)
@given(draw=seeds, width=st.integers(1, 400), spread=st.sampled_from([0, 1, 2, 20, 255]))
def test_l2_norm(draw: Draw, width: int, spread: int) -> None:
    x = Tensor("x", (draw.size(1, 30), width), I8, draw.quant(I8))
    y = Tensor("y", x.shape, I8, Quant(np.full(1, 1 / 128, np.float32)))
    assert x.quant is not None
    near_zero = x.quant.zero_point + draw.rng.integers(-spread, spread + 1, x.shape)

    agree(one_op(Kind.L2_NORM, [x], y), {"x": np.clip(near_zero, -128, 127).astype(np.int8)})


@pytest.mark.parametrize("dtype", [I8, I16])
@some(30)
@given(draw=seeds, axes=st.sampled_from([(0,), (1,), (-1,), (0, 1), (1, 2)]), keep=st.booleans())
def test_mean(dtype: DType, draw: Draw, axes: tuple[int, ...], keep: bool) -> None:
    x = Tensor("x", (draw.size(1, 4), draw.size(1, 300), draw.size(1, 9)), dtype, draw.quant(dtype))
    shape = np.zeros(x.shape).mean(axis=axes, keepdims=keep).shape
    y = Tensor("y", shape, dtype, draw.quant(dtype))

    agree_on_random_input(draw, one_op(Kind.MEAN, [x], y, {"axes": axes, "keep": keep}))


@pytest.mark.parametrize("dtype", [I8, I16])
@some(20)
@given(draw=seeds)
def test_max_pool(dtype: DType, draw: Draw) -> None:
    size, stride, channels = draw.size(1, 5), draw.size(1, 3), draw.size(1, 5)
    length, pad = draw.size(size, 60), (draw.size(0, size - 1), draw.size(0, size - 1))
    x = Tensor("x", (1, 1, length, channels), dtype, draw.quant(dtype))
    y = Tensor("y", (1, 1, (length + sum(pad) - size) // stride + 1, channels), dtype, x.quant)

    agree_on_random_input(draw, one_op(Kind.MAX_POOL, [x], y, {"size": size, "stride": stride, "pad": pad}))


MOVED: list[tuple[Kind, tuple[int, ...], Mapping[str, Any]]] = [
    (Kind.REDUCE_MAX, (4, 6), {"axes": (1,), "keep": False}),
    (Kind.REDUCE_MAX, (1, 5, 1), {"axes": (0, -1), "keep": True}),
    (Kind.RESHAPE, (5, 24), NOTHING),
    (Kind.TRANSPOSE, (6, 4, 5), {"permutation": (2, 0, 1)}),
    (Kind.SLICE, (3, 1, 6), {"begin": (1, 2, 0), "size": (3, 1, 6)}),
]


@pytest.mark.parametrize("dtype", [I8, I16])
@pytest.mark.parametrize(("kind", "shape", "attributes"), MOVED, ids=lambda value: str(value))
def test_what_only_moves_values(
    kind: Kind, shape: tuple[int, ...], attributes: Mapping[str, Any], dtype: DType
) -> None:
    draw = Draw(3)
    x = Tensor("x", (4, 5, 6), dtype, draw.quant(dtype))

    agree_on_random_input(draw, one_op(kind, [x], Tensor("y", shape, dtype, x.quant), attributes))


@pytest.mark.parametrize("dtype", [I8, I16])
def test_concatenation(dtype: DType) -> None:
    draw = Draw(4)
    quant = draw.quant(dtype)
    parts = [Tensor(name, (3, width), dtype, quant) for name, width in (("a", 2), ("b", 5))]

    agree_on_random_input(draw, one_op(Kind.CONCAT, parts, Tensor("y", (3, 7), dtype, quant), {"axis": 1}))


def every(dtype: DType) -> NDArray[Any]:
    limits = np.iinfo(np.dtype(dtype))
    return np.arange(limits.min, limits.max + 1).astype(np.dtype(dtype))


@pytest.mark.parametrize("dtype", [I8, I16])
@some(20)
@given(draw=seeds, ratio=st.floats(-2, 2))
def test_relu_of_every_value(dtype: DType, draw: Draw, ratio: float) -> None:
    values, quant = every(dtype), draw.quant(dtype)
    y = Quant((quant.scale * 2**ratio).astype(np.float32), draw.zero_point(dtype))
    shape = values.shape

    agree(one_op(Kind.RELU, [Tensor("x", shape, dtype, quant)], Tensor("y", shape, dtype, y)), {"x": values})


@pytest.mark.parametrize("kind", [Kind.MUL, Kind.MATMUL])
@some(12)
@given(draw=seeds)
def test_every_product_of_two_int8(kind: Kind, draw: Draw) -> None:
    a, b = Tensor("a", (1, 256, 1), I8, draw.quant(I8)), Tensor("b", (1, 1, 256), I8, draw.quant(I8))
    assert a.quant is not None
    assert b.quant is not None
    y = Quant((a.quant.scale * b.quant.scale * draw.scale(6, 8)).astype(np.float32), draw.zero_point(I8))
    attributes: dict[str, Any] = {"activation": "none"} if kind == Kind.MUL else {"transpose_b": False}
    inputs = {"a": every(I8).reshape(a.shape), "b": every(I8).reshape(b.shape)}

    agree(one_op(kind, [a, b], Tensor("y", (1, 256, 256), I8, y), attributes), inputs)


@pytest.mark.parametrize(("source", "target"), [(I8, I8), (I16, I8), (I16, I16), (DType.INT32, I16), (DType.INT32, I8)])
@some(25)
@given(draw=seeds)
def test_requantisation(source: DType, target: DType, draw: Draw) -> None:
    x = Tensor("x", (500,), source, draw.quant(source, -12, 2))

    agree_on_random_input(draw, one_op(Kind.QUANTISE, [x], Tensor("y", (500,), target, draw.quant(target, -12, 2))))


@some(25)
@given(draw=seeds)
def test_widening_to_int16_which_only_litert_takes(draw: Draw) -> None:
    x, y = Tensor("x", (256,), I8, draw.quant(I8, -9, 0)), Tensor("y", (256,), I16, draw.quant(I16, -15, -7))
    graph, inputs = one_op(Kind.QUANTISE, [x], y), {"x": np.arange(-128, 128).astype(np.int8)}

    np.testing.assert_array_equal(simulated(graph, inputs, Arithmetic.LITERT), reference(graph, inputs, litert))


@pytest.mark.parametrize("dtype", [I8, I16])
@some(25)
@given(draw=seeds, coarse=st.booleans())
def test_quantisation_of_floats(dtype: DType, draw: Draw, coarse: bool) -> None:
    y = Tensor("y", (500,), dtype, Quant(np.full(1, 1 / 16, np.float32)) if coarse else draw.quant(dtype, -9, 0))
    values = draw.rng.integers(-600, 600, 500) / 32 if coarse else draw.rng.normal(0, 20, 500)  # coarse: many halves

    agree(one_op(Kind.QUANTISE, [Tensor("x", (500,))], y), {"x": values.astype(np.float32)})


@pytest.mark.parametrize("dtype", [I8, I16])
@some(15)
@given(draw=seeds)
def test_dequantisation(dtype: DType, draw: Draw) -> None:
    x = Tensor("x", (500,), dtype, draw.quant(dtype, -12, 2))

    agree_on_random_input(draw, one_op(Kind.DEQUANTISE, [x], Tensor("y", (500,))))


def test_the_two_runtimes_differ_in_fully_connected_layers_and_by_one_step() -> None:
    draw = Draw(5)
    x = Tensor("x", (200, 96), I8, draw.quant(I8))
    weights, bias, quant = layer(draw, x, (64, 96), 1.0)
    graph = one_op(Kind.FULLY_CONNECTED, [x, weights, bias], Tensor("y", (200, 64), I8, quant), {"activation": "none"})
    inputs = {"x": draw.rng.integers(-128, 128, x.shape).astype(np.int8)}
    litert_s, fixed = (simulated(graph, inputs, arithmetic).astype(int) for arithmetic in Arithmetic)

    assert 0 < np.mean(litert_s != fixed) < 0.01
    assert np.abs(litert_s - fixed).max() == 1


I8_HALF = Tensor("x", (2, 600), I8, Quant(np.full(1, 0.5, np.float32)))
I8_FINE = Tensor("y", (2, 600), I8, Quant(np.full(1, 2.0**-21, np.float32)))
REFUSED = {
    "rows of 600": one_op(Kind.SOFTMAX, [I8_HALF], Tensor("y", (2, 600), I8, Quant(np.full(1, 1 / 256, "f4"), -128))),
    "must have scale": one_op(Kind.L2_NORM, [I8_HALF], Tensor("y", (2, 600), I8, I8_HALF.quant)),
    "has no integer kernel": one_op(Kind.LAYER_NORM, [I8_HALF], Tensor("y", (2, 600), I8, I8_HALF.quant)),
    "one scale and zero point": one_op(
        Kind.RESHAPE, [I8_HALF], Tensor("y", (1200,), I8, Quant(np.full(1, 0.25, np.float32)))
    ),
    "no kernel for int8, int8 to int16": one_op(
        Kind.ADD, [I8_HALF, I8_HALF], Tensor("y", (2, 600), I16, I8_HALF.quant), {"activation": "none"}
    ),
    "cannot be written with scale": one_op(Kind.ADD, [I8_HALF, I8_HALF], I8_FINE, {"activation": "none"}),
}


@pytest.mark.parametrize(("message", "graph"), REFUSED.items(), ids=list(REFUSED))
def test_what_no_kernel_takes_is_refused_by_the_operators_name(message: str, graph: Graph) -> None:
    with pytest.raises(GraphError, match=f"{graph.ops[0].kind} op: .*{message}"):
        prepare(graph, graph.ops[0], Arithmetic.LITERT)
