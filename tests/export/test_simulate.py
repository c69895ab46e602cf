"""Whole graphs, bit by bit: all tensors inside against LiteRT's reference kernels, the output against both runtimes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd_export import ranges
from ecgkd_export import simulate as module
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.lower import lower
from ecgkd_export.quantise import quantise
from ecgkd_export.rewrite.norm import fold_layer_norms
from ecgkd_export.rewrite.tidy import tidy
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.tflite.emit import emit

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
Windows = NDArray[np.int8]


class Net:
    """Writes a float graph with random weights, one operator after the other."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors = {"window": Tensor("window", shape)}
        self.ops: list[Op] = []

    def op(self, kind: Kind, shape: tuple[int, ...], *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.ops)}"
        self.tensors[name] = Tensor(name, shape)
        self.ops.append(Op(kind, name, inputs, name, attributes))
        return name

    def constant(self, *shape: int) -> str:
        name = f"constant_{len(self.tensors)}"
        data = (self.rng.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        self.tensors[name] = Tensor(name, shape, data=data)
        return name

    def linear(self, x: str, width: int, activation: str = "none") -> str:
        rows, n_in = self.tensors[x].shape
        weights, bias = self.constant(width, n_in), self.constant(width)
        return self.op(Kind.FULLY_CONNECTED, (rows, width), x, weights, bias, activation=activation)

    def convolution(self, x: str, channels: int, taps: int, stride: int) -> str:
        _, _, length, n_in = self.tensors[x].shape
        weights, bias, pad = self.constant(channels, 1, taps, n_in), self.constant(channels), taps // 2
        shape = (1, 1, (length + 2 * pad - taps) // stride + 1, channels)
        return self.op(
            Kind.CONV, shape, x, weights, bias, stride=stride, pad=(pad, taps - 1 - taps // 2), activation="relu"
        )

    def quantised(self, windows: Windows) -> Graph:
        graph = Graph(self.tensors, tuple(self.ops), ("window",), (self.ops[-1].output,))
        seen = ranges.collect(graph, (windows / 16).astype(np.float32))
        return quantise(graph, ranges.estimate(seen))


def a_transformer() -> Net:
    """Five tokens of eight samples, one block with two heads, and its norms as L2 norms."""
    net, tokens, width, depth = Net((1, 1, 40), 0), 5, 16, 8
    stream = net.linear(net.op(Kind.RESHAPE, (tokens, 8), "window"), width)
    stream = net.op(Kind.ADD, (tokens, width), stream, net.constant(tokens, width), activation="none")
    normal = net.op(Kind.L2_NORM, (tokens, width), stream)
    heads = []
    for _ in range(3):
        rows = net.op(Kind.RESHAPE, (tokens, 2, depth), net.linear(normal, width))
        heads.append(net.op(Kind.TRANSPOSE, (2, tokens, depth), rows, permutation=(1, 0, 2)))
    likeness = net.op(Kind.MATMUL, (2, tokens, tokens), heads[0], heads[1], transpose_b=True)
    share = net.op(Kind.SOFTMAX, (2, tokens, tokens), likeness)
    mixed = net.op(Kind.MATMUL, (2, tokens, depth), share, heads[2], transpose_b=False)
    rows = net.op(Kind.TRANSPOSE, (tokens, 2, depth), mixed, permutation=(1, 0, 2))
    rows = net.linear(net.op(Kind.RESHAPE, (tokens, width), rows), width)
    stream = net.op(Kind.ADD, (tokens, width), stream, rows, activation="none")
    hidden = net.op(Kind.GELU, (tokens, 32), net.linear(net.op(Kind.L2_NORM, (tokens, width), stream), 32))
    stream = net.op(Kind.ADD, (tokens, width), stream, net.linear(hidden, width), activation="none")
    pooled = net.op(Kind.MEAN, (1, width), stream, axes=(0,), keep=True)
    net.op(Kind.L2_NORM, (1, 24), net.linear(pooled, 24))
    return net


def a_residual_network() -> Net:
    """A stem, one block with a gate, and the mean over time."""
    net = Net((1, 1, 40), 1)
    x = net.convolution(net.op(Kind.RESHAPE, (1, 1, 40, 1), "window"), 8, 5, 2)
    x = net.op(Kind.MAX_POOL, (1, 1, 10, 8), x, size=3, stride=2, pad=(1, 1))
    gate = net.op(Kind.LOGISTIC, (1, 1, 10, 8), net.convolution(x, 8, 3, 1))
    product = net.op(Kind.MUL, (1, 1, 10, 8), x, gate, activation="none")
    x = net.op(Kind.ADD, (1, 1, 10, 8), x, product, activation="relu")
    pooled = net.op(Kind.REDUCE_MAX, (1, 8), x, axes=(1, 2), keep=False)
    net.op(Kind.L2_NORM, (1, 24), net.linear(pooled, 24))
    return net


@pytest.fixture(scope="module")
def windows() -> Windows:
    """(40, 1, 1, 40), the last eight constant or at the ends of the range."""
    rng = np.random.default_rng(2)
    found = rng.normal(0, 30, (40, 1, 1, 40)).round().clip(-128, 127)
    found[32:] = np.array([0, 1, -1, 127, -128, 64, -64, 2]).reshape(8, 1, 1, 1)
    found[36:38] = rng.choice([-128, 127], (2, 1, 1, 40))
    return found.astype(np.int8)


@pytest.fixture(scope="module")
def graph(windows: Windows) -> Graph:
    return a_transformer().quantised(windows)


def agree(graph: Graph, windows: Windows) -> None:
    content = emit(graph, metadata={}, description="test")
    names = [op.output for op in graph.ops]
    inside = LiteRtSession(content, kernels="reference", keep_all=True).run_keeping(windows, names)
    for name, ours in simulate(graph, windows, keep=names).items():
        np.testing.assert_array_equal(ours, inside[name], err_msg=name)


def agree_with_the_old_runtime(graph: Graph, windows: Windows) -> None:
    """Its output alone: sums and softmax overwrite their inputs there, even when asked to keep them."""
    pytest.importorskip("tflite_runtime", reason="tflite-runtime is not installed (it ends at Python 3.11)")
    content = emit(graph, metadata={}, description="test")
    theirs = TfliteRuntimeSession(content, kernels="reference").run_integers(windows)
    ours = simulate(graph, windows, arithmetic=Arithmetic.FIXED)[graph.outputs[0]]

    np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs)


@pytest.mark.parametrize("net", [a_transformer, a_residual_network])
def test_every_tensor_has_litert_s_bits(net: Callable[[], Net], windows: Windows) -> None:
    agree(net().quantised(windows), windows)


@pytest.mark.parametrize("net", [a_transformer, a_residual_network])
def test_embedding_has_the_old_runtime_s_bits(net: Callable[[], Net], windows: Windows) -> None:
    agree_with_the_old_runtime(net().quantised(windows), windows)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["deit_nano", "resnet34_quarter"])
def test_networks_of_the_package_have_both_runtimes_bits(preset: str) -> None:
    import torch

    from ecgkd.models import build_model, export_form
    from ecgkd_export.torch_onnx import to_onnx

    torch.manual_seed(0)
    form = export_form(build_model(preset, 10).eval())
    windows = np.random.default_rng(1).normal(0, 30, (12, 1, 1, 1000)).clip(-128, 127).astype(np.int8)
    graph = tidy(lower(to_onnx(form, np.zeros((1, 1, 1000), np.float32))))
    if any(op.kind == Kind.LAYER_NORM for op in graph.ops):
        graph = tidy(fold_layer_norms(graph))
    windows = windows.reshape(-1, *graph.tensors["window"].shape)
    graph = quantise(graph, ranges.estimate(ranges.collect(graph, (windows / 16).astype(np.float32))))

    agree(graph, windows)
    agree_with_the_old_runtime(graph, windows)


def test_windows_do_not_see_each_other(graph: Graph, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    name = graph.outputs[0]
    together = simulate(graph, windows)[name]
    monkeypatch.setattr(module, "BATCH", 5)

    assert np.array_equal(simulate(graph, windows)[name], together)
    assert np.array_equal(simulate(graph, windows[7:8].reshape(1, 40))[name], together[7:8])


def test_no_windows_give_no_rows(graph: Graph) -> None:
    name = graph.outputs[0]

    assert simulate(graph, np.zeros((0, 40), np.int8))[name].shape == (0, *graph.tensors[name].shape)


def test_kept_tensors_come_with_their_type_and_shape(graph: Graph, windows: Windows) -> None:
    names = [graph.inputs[0], graph.ops[3].output]

    found = simulate(graph, windows[:3], keep=names)

    assert list(found) == names
    for name, values in found.items():
        tensor = graph.tensors[name]
        assert (values.shape, values.dtype) == ((3, *tensor.shape), np.dtype(tensor.dtype))


def test_constants_take_part_as_if_they_were_in_every_window() -> None:
    quant = Quant(np.full(1, 0.5, np.float32))
    x, fixed, y = (Tensor(name, shape, DType.INT8, quant) for name, shape in (("x", (2,)), ("c", (1,)), ("y", (3,))))
    constant = Tensor("c", fixed.shape, DType.INT8, quant, np.array([7], np.int8))
    op = Op(Kind.CONCAT, "join", ("x", "c"), "y", {"axis": 0})
    graph = Graph({"x": x, "c": constant, "y": y}, (op,), ("x",), ("y",))

    assert simulate(graph, np.array([[1, 2], [3, 4]], np.int8))["y"].tolist() == [[1, 2, 7], [3, 4, 7]]


@pytest.mark.parametrize(
    ("given", "keep", "message"),
    [
        (np.zeros((2, 1, 41), np.int8), None, r"windows are int8 \(1, 41\)"),
        (np.zeros((2, 1, 40), np.float32), None, "windows are float32"),
        (np.zeros((2, 1, 40), np.int8), ["nothing"], "nothing is not computed"),
    ],
)
def test_what_does_not_fit_is_refused(graph: Graph, given: Windows, keep: list[str] | None, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        simulate(graph, given, keep=keep)


def test_a_float_graph_is_refused() -> None:
    net = a_residual_network()
    float_graph = Graph(net.tensors, tuple(net.ops), ("window",), (net.ops[-1].output,))

    with pytest.raises(GraphError, match="no kernel for float32 to float32"):
        simulate(float_graph, np.zeros((1, 40), np.float32))
