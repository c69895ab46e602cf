"""Every operator of the graph in real numbers, beside PyTorch or arithmetic by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.float_run import BATCH, COMPUTE, erf, run_float
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor, check

N = 3
"""Windows that run side by side."""


def numbers(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def one(kind: Kind, shape: tuple[int, ...], *constants: Any, out: tuple[int, ...], **attributes: Any) -> Graph:
    """A graph of one operator on a window of `shape` and constants."""
    names = [f"c{n}" for n in range(len(constants))]
    arrays = [np.asarray(data, np.float32) for data in constants]
    tensors = {name: Tensor(name, data.shape, data=data) for name, data in zip(names, arrays, strict=True)}
    tensors |= {"window": Tensor("window", shape), "embedding": Tensor("embedding", out)}
    op = Op(kind, "op", ("window", *names), "embedding", attributes)
    return check(Graph(tensors, (op,), ("window",), ("embedding",)))


def run(graph: Graph, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    result = run_float(graph, windows)["embedding"]
    assert result.dtype == np.float32
    assert result.shape == (len(windows), *graph.tensors["embedding"].shape)
    return result


def assert_close(got: NDArray[np.float32], want: Any, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(got, np.asarray(want), atol=atol, rtol=1e-5)


@pytest.mark.parametrize(("stride", "pad"), [(1, (0, 0)), (2, (3, 3)), (3, (0, 2))])
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_conv_is_torchs_with_channels_last(stride, pad, activation):
    x, weights, bias = numbers(N, 4, 21), numbers(6, 4, 5, seed=1), numbers(6, seed=2)
    want = F.conv1d(F.pad(torch.from_numpy(x), pad), torch.from_numpy(weights), torch.from_numpy(bias), stride)
    want = F.relu(want) if activation == "relu" else want
    attributes: dict[str, Any] = {"stride": stride, "pad": pad, "activation": activation}
    kernel = weights.transpose(0, 2, 1)[:, None]
    graph = one(Kind.CONV, (1, 1, 21, 4), kernel, bias, out=(1, 1, want.shape[2], 6), **attributes)
    got = run(graph, x.transpose(0, 2, 1)[:, None, None])
    assert_close(got[:, 0, 0], want.transpose(1, 2))


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 2, (1, 1)), (2, 2, (0, 0)), (4, 1, (0, 2))])
def test_padding_never_wins_a_maximum(size, stride, pad):
    x = numbers(N, 4, 21) - 10
    want = F.max_pool1d(F.pad(torch.from_numpy(x), pad, value=-math.inf), size, stride)
    graph = one(Kind.MAX_POOL, (1, 1, 21, 4), out=(1, 1, want.shape[2], 4), size=size, stride=stride, pad=pad)
    assert_close(run(graph, x.transpose(0, 2, 1)[:, None, None])[:, 0, 0], want.transpose(1, 2))


@pytest.mark.parametrize("activation", ["none", "relu"])
def test_fully_connected_works_on_every_row(activation):
    x, weights, bias = numbers(N, 5, 8), numbers(6, 8, seed=1), numbers(6, seed=2)
    graph = one(Kind.FULLY_CONNECTED, (5, 8), weights, bias, out=(5, 6), activation=activation)
    want = x @ weights.T + bias
    assert_close(run(graph, x), np.maximum(want, 0) if activation == "relu" else want)


@pytest.mark.parametrize("transposed", [False, True])
def test_matmul_by_a_constant(transposed):
    x, b = numbers(N, 2, 5, 8), numbers(2, 8, 6, seed=1)
    operand = b.swapaxes(1, 2) if transposed else b
    assert_close(run(one(Kind.MATMUL, (2, 5, 8), operand, out=(2, 5, 6), transpose_b=transposed), x), x @ b)


def test_matmul_of_two_computed_operands_stays_within_each_window():
    x = numbers(N, 2, 5, 8)
    tensors = {"window": Tensor("window", (2, 5, 8)), "embedding": Tensor("embedding", (2, 5, 5))}
    op = Op(Kind.MATMUL, "op", ("window", "window"), "embedding", {"transpose_b": True})
    assert_close(run(Graph(tensors, (op,), ("window",), ("embedding",)), x), x @ x.swapaxes(2, 3))


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        (Kind.SOFTMAX, lambda x: torch.softmax(x, -1)),
        (Kind.L2_NORM, lambda x: F.normalize(x, dim=-1)),
        (Kind.GELU, F.gelu),
        (Kind.LOGISTIC, torch.sigmoid),
        (Kind.RELU, F.relu),
        (Kind.QUANTISE, lambda x: x),
        (Kind.DEQUANTISE, lambda x: x),
    ],
)
@pytest.mark.parametrize("scale", [0.01, 3, 100])
def test_one_operand_operators(kind, want, scale):
    x = scale * numbers(N, 2, 5, 8)
    assert_close(run(one(kind, (2, 5, 8), out=(2, 5, 8)), x), want(torch.from_numpy(x)))


def test_zeros_have_no_direction():
    assert not run(one(Kind.L2_NORM, (1, 8), out=(1, 8)), np.zeros((N, 1, 8), np.float32)).any()


def test_layer_norm_is_torchs():
    x, gain, shift = 5 + numbers(N, 5, 8), numbers(8, seed=1), numbers(8, seed=2)
    want = F.layer_norm(torch.from_numpy(x), (8,), torch.from_numpy(gain), torch.from_numpy(shift), 1e-3)
    assert_close(run(one(Kind.LAYER_NORM, (5, 8), gain, shift, out=(5, 8), epsilon=1e-3), x), want)


@pytest.mark.parametrize("function", [(Kind.ADD, np.add), (Kind.SUB, np.subtract), (Kind.MUL, np.multiply)])
@pytest.mark.parametrize("other", [(1,), (8,), (5, 1), (1, 1, 5, 8), (1, 1, 1, 8)])
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_arithmetic_broadcasts_as_numpy_does(function, other, activation):
    kind, meaning = function
    x, b = numbers(N, 1, 1, 5, 8), numbers(*other, seed=1)
    want = meaning(x, b)
    got = run(one(kind, (1, 1, 5, 8), b, out=(1, 1, 5, 8), activation=activation), x)
    assert_close(got, np.maximum(want, 0) if activation == "relu" else want)


def test_operands_of_different_rank_meet_at_their_last_axes_and_not_at_the_windows():
    x = numbers(N, 1, N)
    tensors = {
        "window": Tensor("window", (1, N)),
        "row": Tensor("row", (N,)),
        "embedding": Tensor("embedding", (1, N)),
    }
    ops = (
        Op(Kind.RESHAPE, "row", ("window",), "row"),
        Op(Kind.ADD, "sum", ("window", "row"), "embedding", {"activation": "none"}),
    )
    assert_close(run(check(Graph(tensors, ops, ("window",), ("embedding",))), x), 2 * x)


@pytest.mark.parametrize(
    ("axes", "keep", "out"), [((2,), True, (1, 1, 1, 8)), ((1, -2), False, (1, 8)), ((3,), True, (1, 1, 5, 1))]
)
@pytest.mark.parametrize(("kind", "name"), [(Kind.MEAN, "mean"), (Kind.REDUCE_MAX, "max")])
def test_reductions_count_axes_without_the_windows(kind, name, axes, keep, out):
    x = numbers(N, 1, 1, 5, 8)
    want = getattr(x, name)(tuple(axis % 4 + 1 for axis in axes), keepdims=keep)
    assert_close(run(one(kind, (1, 1, 5, 8), out=out, axes=axes, keep=keep), x), want)


def test_concat_repeats_constants_for_every_window():
    x, tail = numbers(N, 2, 8), numbers(3, 8, seed=1)
    got = run(one(Kind.CONCAT, (2, 8), tail, out=(5, 8), axis=0), x)
    assert_close(got, np.concatenate([x, np.repeat(tail[None], N, 0)], 1))


def test_operators_that_move_numbers():
    x = numbers(N, 2, 5, 8)
    assert_close(run(one(Kind.RESHAPE, (2, 5, 8), out=(10, 8)), x), x.reshape(N, 10, 8))
    turned = run(one(Kind.TRANSPOSE, (2, 5, 8), out=(5, 8, 2), permutation=(1, 2, 0)), x)
    assert_close(turned, x.transpose(0, 2, 3, 1))
    cut = run(one(Kind.SLICE, (2, 5, 8), out=(2, 2, 8), begin=(0, 1, 0), size=(2, 2, 8)), x)
    assert_close(cut, x[:, :, 1:3])


def test_every_kind_has_a_meaning():
    assert set(COMPUTE) == set(Kind)


def test_erf_is_that_of_the_standard_library():
    x = np.concatenate([np.linspace(-7, 7, 4001), [-1e9, 0.0, 1e9]])
    assert np.abs(erf(x) - [math.erf(value) for value in x]).max() < 1e-10


def test_integer_tensors_are_rounded_to_their_grid_and_held_in_their_range():
    quant = Quant(np.array([0.5], np.float32), 10)
    tensors = {"window": Tensor("window", (6,)), "embedding": Tensor("embedding", (6,), DType.INT8, quant)}
    graph = Graph(tensors, (Op(Kind.QUANTISE, "op", ("window",), "embedding"),), ("window",), ("embedding",))
    x = np.array([[0.24, 0.25, -0.25, 1.1, 1000, -1000]], np.float32)
    assert run(graph, x).tolist() == [[0, 0.5, -0.5, 1, 58.5, -69]]


def test_integer_constants_are_read_as_the_numbers_they_stand_for():
    weights = Tensor(
        "w", (2, 2), DType.INT8, Quant(np.array([0.5, 2], np.float32), 0, 0), np.array([[1, 2], [3, 4]], np.int8)
    )
    bias = Tensor("b", (2,), DType.INT32, Quant(np.array([0.25], np.float32)), np.array([4, -4], np.int32))
    tensors = {t.name: t for t in (Tensor("window", (1, 2)), weights, bias, Tensor("embedding", (1, 2)))}
    op = Op(Kind.FULLY_CONNECTED, "op", ("window", "w", "b"), "embedding", {"activation": "none"})
    graph = check(Graph(tensors, (op,), ("window",), ("embedding",)))
    assert run(graph, np.array([[[1, 10]]], np.float32)).tolist() == [[[0.5 + 10 + 1, 6 + 80 - 1]]]


def test_batches_and_kept_tensors_come_back_whole():
    tensors = {name: Tensor(name, (2,)) for name in ("window", "middle", "embedding")}
    ops = (Op(Kind.RELU, "first", ("window",), "middle"), Op(Kind.LOGISTIC, "second", ("middle",), "embedding"))
    graph = Graph(tensors, ops, ("window",), ("embedding",))
    x = numbers(2 * BATCH + 1, 2)
    kept = run_float(graph, x, keep=["middle", "window"])
    assert list(kept) == ["middle", "window"]
    assert_close(kept["middle"], np.maximum(x, 0))
    assert_close(kept["window"], x)
    assert run_float(graph, x[:0])["embedding"].shape == (0, 2)


def test_windows_may_lack_the_leading_ones_of_the_input():
    graph = one(Kind.RELU, (1, 1, 6), out=(1, 1, 6))
    x = numbers(N, 1, 6)
    assert np.array_equal(run(graph, x), run(graph, x[:, None]))


@pytest.mark.parametrize("shape", [(2, 7), (6,), ()])
def test_windows_of_another_size_are_refused(shape):
    with pytest.raises(GraphError, match=r"window is \(1, 6\)"):
        run_float(one(Kind.RELU, (1, 6), out=(1, 6)), np.zeros(shape, np.float32))


def test_a_tensor_that_is_not_computed_cannot_be_kept():
    with pytest.raises(GraphError, match="c0 is not computed"):
        run_float(one(Kind.ADD, (6,), numbers(6), out=(6,), activation="none"), numbers(1, 6), keep=["c0"])


def test_an_unknown_activation_is_refused():
    with pytest.raises(GraphError, match="add op: unknown activation 'tanh'"):
        run_float(one(Kind.ADD, (6,), numbers(6), out=(6,), activation="tanh"), numbers(1, 6))
