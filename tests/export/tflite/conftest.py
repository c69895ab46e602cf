"""One operator in a graph of its own, run by every TFLite runtime here and by exact arithmetic; and a small network."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd_export.float_run import run_float
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor, check, output_shape
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.tflite.emit import emit

Array = NDArray[Any]
RUNTIMES: list[tuple[str, Callable[..., Any], str]] = [
    ("LiteRT", LiteRtSession, "reference"),
    ("LiteRT", LiteRtSession, "builtin"),
    ("LiteRT", LiteRtSession, "xnnpack"),
]
if find_spec("tflite_runtime"):
    RUNTIMES += [
        ("tflite-runtime", TfliteRuntimeSession, "reference"),
        ("tflite-runtime", TfliteRuntimeSession, "xnnpack"),
    ]


class Bench:
    """Makes graphs of one operator and compares what runs them."""

    def tensor(self, name: str, shape: Sequence[int], dtype: DType, step: float = 0.0, zero: int = 0) -> Tensor:
        """Returns an activation; `step` and `zero` are the scale and zero point of its integers."""
        quant = None if dtype == DType.FLOAT32 else Quant(np.array([step], np.float32), zero)
        return Tensor(name, tuple(shape), dtype, quant)

    def constant(self, like: Tensor, data: Array) -> Tensor:
        return Tensor(like.name, data.shape, like.dtype, like.quant, data.astype(np.dtype(like.dtype)))

    def weights(self, kernel: Array, source: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Returns weights and bias for `source`: float, or int8 by output channel with the bias in their steps."""
        bias = rng.normal(size=len(kernel))
        if source.quant is None:
            return (
                Tensor("weights", kernel.shape, DType.FLOAT32, None, kernel.astype(np.float32)),
                Tensor("bias", bias.shape, DType.FLOAT32, None, bias.astype(np.float32)),
            )
        rows = np.abs(kernel).reshape(len(kernel), -1).max(1)
        scale = (np.where(rows > 0, rows, 1) / 127).astype(np.float32)
        steps = np.rint(kernel / scale.reshape(-1, *[1] * (kernel.ndim - 1))).astype(np.int8)
        product = (scale * source.quant.scale).astype(np.float32)
        return (
            Tensor("weights", kernel.shape, DType.INT8, Quant(scale, axis=0), steps),
            Tensor("bias", bias.shape, DType.INT32, Quant(product, axis=0), np.rint(bias / product).astype(np.int32)),
        )

    def graph(self, kind: Kind, inputs: Sequence[Tensor], output: Tensor, attributes: Mapping[str, Any]) -> Graph:
        """Returns the graph of one operator; computed inputs are all the graph's `window`."""
        op = Op(kind, "operator", tuple(tensor.name for tensor in inputs), output.name, attributes)
        graph = Graph({tensor.name: tensor for tensor in (*inputs, output)}, (op,), ("window",), (output.name,))
        if kind != Kind.RESHAPE:
            shape = output_shape(graph, op)
            sized = Tensor(output.name, shape, output.dtype, output.quant)
            graph = Graph({**graph.tensors, output.name: sized}, (op,), graph.inputs, graph.outputs)
        return check(graph)

    def windows(self, graph: Graph, seed: int, spread: float = 1.0) -> Array:
        """Returns inputs: two random ones, lowest and highest values everywhere, and nothing but zeros."""
        rng, entry = np.random.default_rng(seed), graph.tensors["window"]
        if entry.quant is None:
            random: Array = rng.normal(size=(2, *entry.shape)) * spread
            ends = (-spread, spread, 0.0)
        else:
            limits = np.iinfo(np.dtype(entry.dtype))
            random = rng.integers(limits.min, limits.max + 1, (2, *entry.shape))
            ends = (limits.min, limits.max, entry.quant.zero_point)
        return np.stack([*random, *(np.full(entry.shape, end) for end in ends)]).astype(np.dtype(entry.dtype))

    def agree(self, graph: Graph, windows: Array, bound: float, skip: Sequence[str] = ()) -> None:
        """Asserts that all runtimes stay within `bound` of exact arithmetic: steps of the output, or floats."""
        entry, output = graph.tensors["window"], graph.tensors[graph.outputs[0]]
        real = windows.astype(np.float32)
        if entry.quant is not None:
            real = (real - entry.quant.zero_point) * entry.quant.scale
        want = run_float(graph, real)[output.name].astype(np.float64)
        if output.quant is not None:
            want = np.rint(want / float(output.quant.scale[0])) + output.quant.zero_point
        content = emit(graph, metadata={}, description="one operator")
        for title, session, kernels in RUNTIMES:
            if title in skip:
                continue
            got = session(content, kernels=kernels).run_integers(windows).reshape(want.shape)
            difference = np.abs(got.astype(np.float64) - want)
            worst = np.unravel_index(np.argmax(difference), difference.shape)
            assert difference.max() <= bound, f"{title} {kernels} at {worst}: got {got[worst]}, want {want[worst]}"


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


def _network() -> Graph:
    """Returns window (1, 1, 40) int8 → convolution → mean → layer → embedding (1, 6) int8 of length one."""
    rng = np.random.default_rng(0)

    def quant(step: float, zero: int = 0) -> Quant:
        return Quant(np.array([step], np.float32), zero)

    def layer(name: str, shape: tuple[int, ...], step: float) -> tuple[Tensor, Tensor]:
        scale = np.full(shape[0], 1 / 127, np.float32)
        bias = (scale * np.float32(step)).astype(np.float32)
        return (
            Tensor(
                f"{name}.weights",
                shape,
                DType.INT8,
                Quant(scale, axis=0),
                rng.integers(-127, 128, shape).astype(np.int8),
            ),
            Tensor(
                f"{name}.bias",
                shape[:1],
                DType.INT32,
                Quant(bias, axis=0),
                rng.integers(-999, 999, shape[:1]).astype(np.int32),
            ),
        )

    tensors = [
        Tensor("window", (1, 1, 40), DType.INT8, quant(1 / 16)),
        Tensor("signal", (1, 1, 40, 1), DType.INT8, quant(1 / 16)),
        *layer("conv", (8, 1, 5, 1), 1 / 16),
        Tensor("conv", (1, 1, 20, 8), DType.INT8, quant(1 / 8, -128)),
        Tensor("mean", (1, 8), DType.INT8, quant(1 / 16, -128)),
        *layer("head", (6, 8), 1 / 16),
        Tensor("head", (1, 6), DType.INT8, quant(1 / 8, 3)),
        Tensor("embedding", (1, 6), DType.INT8, quant(1 / 128)),
    ]
    conv = {"stride": 2, "pad": (2, 2), "activation": "relu"}
    ops = (
        Op(Kind.RESHAPE, "signal", ("window",), "signal"),
        Op(Kind.CONV, "conv", ("signal", "conv.weights", "conv.bias"), "conv", conv),
        Op(Kind.MEAN, "mean", ("conv",), "mean", {"axes": (1, 2), "keep": False}),
        Op(Kind.FULLY_CONNECTED, "head", ("mean", "head.weights", "head.bias"), "head", {"activation": "none"}),
        Op(Kind.L2_NORM, "norm", ("head",), "embedding"),
    )
    return check(Graph({tensor.name: tensor for tensor in tensors}, ops, ("window",), ("embedding",)))


@pytest.fixture(scope="session")
def network() -> Graph:
    """A small int8 network with a window of 40 samples and an embedding of 6 numbers."""
    return _network()


@pytest.fixture(scope="session")
def content(network: Graph) -> bytes:
    """The small network as a file."""
    return emit(network, metadata={"ecgkd": "{}"}, description="small")
