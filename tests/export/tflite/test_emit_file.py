"""What the file around the operators is like, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.tflite.emit import emit
from ecgkd_export.tflite.padding import Placed, Window, place
from ecgkd_export.tflite.read import read
from ecgkd_export.tflite.schema import SAME, VALID

F, I8, I16 = DType.FLOAT32, DType.INT8, DType.INT16


def _layer(bench: Any, dtype: DType = I8, weights_dtype: DType = I8) -> Graph:
    rng = np.random.default_rng(0)
    source = bench.tensor("window", (3, 8), dtype, 1 / 32, 3)
    like = bench.tensor("window", (3, 8), weights_dtype, 1 / 32, 3)
    weights, bias = bench.weights(rng.normal(size=(5, 8)), like, rng)
    if dtype == F:
        bias = Tensor("bias", (5,), F, None, rng.normal(size=5).astype(np.float32))
    output = bench.tensor("embedding", (1,), dtype, 1 / 8)
    graph: Graph = bench.graph(Kind.FULLY_CONNECTED, (source, weights, bias), output, {"activation": "none"})
    return graph


def _changed(graph: Graph, name: str, **fields: Any) -> Graph:
    return replace(graph, tensors={**graph.tensors, name: replace(graph.tensors[name], **fields)})


def test_the_same_graph_gives_the_same_bytes(bench: Any) -> None:
    graph = _layer(bench)
    backwards = replace(graph, tensors=dict(reversed(list(graph.tensors.items()))))
    first = emit(graph, metadata={"b": "2", "a": "1"}, description="x")
    assert first == emit(backwards, metadata={"a": "1", "b": "2"}, description="x")


def test_names_signature_metadata_and_alignment_are_as_agreed(bench: Any) -> None:
    file = read(emit(_layer(bench), metadata={"ecgkd": '{"µV": 1}'}, description="a layer"))
    assert file.signatures == {"serving_default": (("window",), ("embedding",))}
    assert (file.names(file.inputs), file.names(file.outputs)) == (["window"], ["embedding"])
    assert (file.metadata, file.description, file.misaligned) == ({"ecgkd": '{"µV": 1}'}, "a layer", 0)


def test_quantisation_is_written_as_the_graph_has_it(bench: Any) -> None:
    graph = _layer(bench)
    file = read(emit(graph, metadata={}, description=""))
    found = {tensor.name: tensor for tensor in file.tensors}
    weights = graph.tensors["weights"]
    assert weights.quant is not None
    assert weights.data is not None
    np.testing.assert_array_equal(found["weights"].scale, weights.quant.scale)
    assert found["weights"].data == weights.data.tobytes()
    assert (found["window"].zero_point.tolist(), found["bias"].dtype) == ([3], "INT32")


def test_equal_constants_are_stored_once(bench: Any) -> None:
    source = bench.tensor("window", (40, 40), F)
    data = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    constants = [Tensor(name, (40, 40), F, None, data) for name in ("a", "b")]
    output = bench.tensor("embedding", (1,), F)
    one = emit(bench.graph(Kind.CONCAT, (source, constants[0]), output, {"axis": 0}), metadata={}, description="")
    two = emit(bench.graph(Kind.CONCAT, (source, *constants), output, {"axis": 0}), metadata={}, description="")
    assert len(two) - len(one) < 300


@pytest.mark.parametrize(
    ("window", "placed"),
    [
        (Window(10, 3, 1, (1, 1)), Placed(SAME)),
        (Window(10, 3, 1, (0, 0)), Placed(VALID)),
        (Window(1000, 7, 2, (3, 3)), Placed(VALID, (3, 2))),
        (Window(999, 7, 2, (3, 3)), Placed(SAME)),
        (Window(10, 1, 2, (0, 0)), Placed(VALID)),
        (Window(10, 3, 1, (2, 0)), Placed(VALID, (2, 0))),
        (Window(10, 3, 2, (0, 1)), Placed(SAME)),
    ],
)
def test_padding_is_tflites_own_where_that_is_the_same(window: Window, placed: Placed) -> None:
    assert place(window) == placed


def test_a_rectified_input_is_pooled_after_a_plain_pad(bench: Any) -> None:
    shapes = {"window": (1, 1, 20, 3), "middle": (1, 1, 20, 3), "embedding": (1, 1, 10, 3)}
    tensors = {name: bench.tensor(name, shape, I8, 1 / 32, -100) for name, shape in shapes.items()}
    ops = (
        Op(Kind.RELU, "rectified", ("window",), "middle"),
        Op(Kind.MAX_POOL, "pool", ("middle",), "embedding", {"size": 3, "stride": 2, "pad": (1, 1)}),
    )
    graph = Graph(tensors, ops, ("window",), ("embedding",))
    codes = [op.code for op in read(emit(graph, metadata={}, description="")).ops]
    assert codes == ["RELU", "PAD", "MAX_POOL_2D"]
    bench.agree(graph, bench.windows(graph, 0), 0)


@pytest.mark.parametrize("per_channel", [False, True])
def test_int8_weights_on_float_activations_run_in_int8(bench: Any, per_channel: bool) -> None:
    graph = _layer(bench, F)
    weights = graph.tensors["weights"]
    assert weights.quant is not None
    assert weights.data is not None
    if not per_channel:
        graph = _changed(graph, "weights", quant=Quant(weights.quant.scale[:1]))
    content = emit(graph, metadata={}, description="")
    assert read(content).ops[0].version == (12 if per_channel else 9)
    windows = np.random.default_rng(1).normal(size=(4, 3, 8)).astype(np.float32)
    scale = weights.quant.scale[:, None] if per_channel else weights.quant.scale[0]
    want = windows @ (weights.data * scale).T + graph.constant("bias")
    bench_outputs = [LiteRtSession(content, kernels=kernels).run(windows) for kernels in ("reference", "xnnpack")]
    for got in bench_outputs:
        assert 1e-5 < np.abs(got - want).max() < 0.02 * np.abs(want).max()  # rounded activations, and near


def test_a_convolution_with_int8_weights_on_float_activations_is_right_everywhere(bench: Any) -> None:
    rng = np.random.default_rng(0)
    like = bench.tensor("window", (1, 1, 30, 4), I8, 1 / 32)
    weights, _ = bench.weights(rng.normal(size=(6, 1, 3, 4)), like, rng)
    bias = Tensor("bias", (6,), F, None, rng.normal(size=6).astype(np.float32))
    source, output = bench.tensor("window", (1, 1, 30, 4), F), bench.tensor("embedding", (1,), F)
    attributes = {"stride": 1, "pad": (1, 1), "activation": "none"}
    graph = bench.graph(Kind.CONV, (source, weights, bias), output, attributes)
    bench.agree(graph, bench.windows(graph, 0)[:2], 0.2)


def test_a_layer_norm_is_refused_by_name(bench: Any) -> None:
    source = bench.tensor("window", (3, 8), F)
    gains = [Tensor(name, (8,), F, None, np.ones(8, np.float32)) for name in ("gain", "shift")]
    graph = bench.graph(Kind.LAYER_NORM, (source, *gains), bench.tensor("embedding", (1,), F), {"epsilon": 1e-6})
    with pytest.raises(GraphError, match="layer_norm operator: TFLite has no such operator; rewrite it first"):
        emit(graph, metadata={}, description="")


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("window", {"quant": None}, "window is int8 and has no scale"),
        ("window", {"dtype": F, "quant": None}, "TFLite has no kernel for float32, int8"),
        ("window", {"quant": Quant(np.array([1 / 8], np.float32))}, "the scale of bias is not that of window times"),
        ("window", {"quant": Quant(np.array([1 / 32], np.float32), 200)}, "zero point 200, which is no int8"),
        ("embedding", {"quant": Quant(np.full(5, 0.1, np.float32), 0, 1)}, "activations have one"),
        ("weights", {"quant": None}, "weights must have a scale"),
        ("bias", {"quant": None}, "bias must have a scale"),
    ],
)
def test_what_no_kernel_takes_is_refused_with_the_operators_name(
    bench: Any, name: str, fields: dict[str, Any], message: str
) -> None:
    graph = _changed(_layer(bench), name, **fields)
    with pytest.raises(GraphError, match=f"fully_connected operator: .*{message}"):
        emit(graph, metadata={}, description="")


def test_a_pooling_that_rescales_is_refused(bench: Any) -> None:
    source, output = (
        bench.tensor(name, (1, 1, 9, 2), I8, step) for name, step in (("window", 0.1), ("embedding", 0.2))
    )
    graph = bench.graph(Kind.MAX_POOL, (source,), output, {"size": 3, "stride": 1, "pad": (1, 1)})
    with pytest.raises(GraphError, match="scale and zero point must be the same in and out"):
        emit(graph, metadata={}, description="")


def test_a_softmax_with_a_scale_of_its_own_is_refused(bench: Any) -> None:
    source, output = bench.tensor("window", (3, 8), I8, 0.1), bench.tensor("embedding", (1,), I8, 0.01)
    graph = bench.graph(Kind.SOFTMAX, (source,), output, {})
    with pytest.raises(GraphError, match=r"embedding must have scale 0\.00390625 and zero point -128"):
        emit(graph, metadata={}, description="")


@pytest.mark.parametrize("kind", [Kind.GELU, Kind.L2_NORM])
def test_int16_is_refused_where_tflite_has_no_kernel(bench: Any, kind: Kind) -> None:
    source, output = bench.tensor("window", (3, 8), I16, 0.1), bench.tensor("embedding", (1,), I16, 0.1)
    graph = bench.graph(kind, (source,), output, {})
    with pytest.raises(GraphError, match="TFLite has no kernel for int16, int16; one type of float32, int8 is needed"):
        emit(graph, metadata={}, description="")
