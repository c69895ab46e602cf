"""What a graph may not be, and the questions that it answers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import ATTRIBUTES, DType, Graph, Kind, Op, Quant, Shape, Tensor, check, output_shape


def constant(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, data=np.ones(shape, np.float32))


def sound() -> Graph:
    """Convolution, mean, fully connected: (1, 1, 8, 2) to (1, 3)."""
    tensors = [
        Tensor("window", (1, 1, 8, 2)),
        constant("taps", 4, 1, 3, 2),
        constant("bias", 4),
        Tensor("map", (1, 1, 4, 4)),
        Tensor("mean", (1, 4)),
        constant("matrix", 3, 4),
        constant("row", 3),
        Tensor("embedding", (1, 3)),
    ]
    conv = {"stride": 2, "pad": (1, 1), "activation": "relu"}
    ops = (
        Op(Kind.CONV, "conv", ("window", "taps", "bias"), "map", conv),
        Op(Kind.MEAN, "mean", ("map",), "mean", {"axes": (1, 2), "keep": False}),
        Op(Kind.FULLY_CONNECTED, "dense", ("mean", "matrix", "row"), "embedding", {"activation": "none"}),
    )
    return Graph({tensor.name: tensor for tensor in tensors}, ops, ("window",), ("embedding",))


def with_tensor(graph: Graph, tensor: Tensor) -> Graph:
    return replace(graph, tensors={**graph.tensors, tensor.name: tensor})


def with_op(graph: Graph, position: int, **fields: Any) -> Graph:
    ops = list(graph.ops)
    ops[position] = replace(ops[position], **fields)
    return replace(graph, ops=tuple(ops))


def test_a_sound_graph_comes_back():
    graph = sound()
    assert check(graph) is graph


def test_an_operator_that_runs_too_early_is_refused():
    graph = sound()
    with pytest.raises(GraphError, match="mean mean reads map before it is made"):
        check(replace(graph, ops=(graph.ops[1], graph.ops[0], graph.ops[2])))


def test_a_tensor_that_does_not_exist_is_refused():
    with pytest.raises(GraphError, match="conv conv: no tensor nothing"):
        check(with_op(sound(), 0, inputs=("nothing", "taps", "bias")))


def test_a_tensor_that_is_made_twice_is_refused():
    graph = sound()
    with pytest.raises(GraphError, match="mean mean makes mean a second time"):
        check(replace(graph, ops=(*graph.ops[:2], graph.ops[1], graph.ops[2])))


def test_an_operator_that_writes_over_a_constant_is_refused():
    with pytest.raises(GraphError, match="makes bias a second time"):
        check(with_op(sound(), 0, output="bias"))


@pytest.mark.parametrize(
    "attributes", [{}, {"stride": 2, "pad": (1, 1)}, {"stride": 2, "pad": (1, 1), "activation": "none", "group": 1}]
)
def test_missing_and_unknown_attributes_are_refused(attributes):
    with pytest.raises(GraphError, match="conv conv has attributes"):
        check(with_op(sound(), 0, attributes=attributes))


def test_a_shape_that_the_operator_does_not_give_is_refused():
    with pytest.raises(GraphError, match=r"conv conv gives \(1, 1, 4, 4\), but map is \(1, 1, 5, 4\)"):
        check(with_tensor(sound(), Tensor("map", (1, 1, 5, 4))))


def test_a_size_that_is_not_known_is_refused():
    with pytest.raises(GraphError, match="window has shape"):
        check(with_tensor(sound(), Tensor("window", (1, 1, 0, 2))))


def test_a_constant_that_is_not_what_it_says_is_refused():
    with pytest.raises(GraphError, match=r"bias says float32 \(4,\) and holds float64 \(4,\)"):
        check(with_tensor(sound(), Tensor("bias", (4,), data=np.ones(4))))
    with pytest.raises(GraphError, match=r"holds float32 \(5,\)"):
        check(with_tensor(sound(), Tensor("bias", (4,), data=np.ones(5, np.float32))))


@pytest.mark.parametrize("scale", [[0.0], [-1.0], [np.nan], [np.inf], [1.0, 1.0]])
def test_scales_that_measure_nothing_are_refused(scale):
    quant = Quant(np.array(scale, np.float32))
    with pytest.raises(GraphError, match="map has scales"):
        check(with_tensor(sound(), Tensor("map", (1, 1, 4, 4), DType.INT8, quant)))


def test_scales_per_channel_are_as_many_as_the_channels():
    data = np.ones((4, 1, 3, 2), np.int8)
    good = Tensor("taps", data.shape, DType.INT8, Quant(np.ones(4, np.float32), 0, 0), data)
    check(with_tensor(sound(), good))
    with pytest.raises(GraphError, match="expected 4"):
        check(with_tensor(sound(), replace(good, quant=Quant(np.ones(3, np.float32), 0, 0))))


def test_an_output_that_nothing_makes_is_refused():
    with pytest.raises(GraphError, match="output logits is not made"):
        check(replace(sound(), outputs=("logits",)))


BAD: list[tuple[Kind, list[Shape], Mapping[str, Any]]] = [
    (Kind.CONV, [(1, 8, 2), (4, 1, 3, 2), (4,)], {"stride": 1, "pad": (0, 0), "activation": "none"}),
    (Kind.CONV, [(1, 1, 8, 3), (4, 1, 3, 2), (4,)], {"stride": 1, "pad": (0, 0), "activation": "none"}),
    (Kind.CONV, [(1, 1, 8, 2), (4, 1, 3, 2), (5,)], {"stride": 1, "pad": (0, 0), "activation": "none"}),
    (Kind.CONV, [(1, 1, 8, 2), (4, 1, 3, 2)], {"stride": 1, "pad": (0, 0), "activation": "none"}),
    (Kind.MAX_POOL, [(1, 2, 8, 2)], {"size": 2, "stride": 2, "pad": (0, 0)}),
    (Kind.FULLY_CONNECTED, [(5, 8), (6, 7), (6,)], {"activation": "none"}),
    (Kind.FULLY_CONNECTED, [(1, 5, 8), (6, 8), (6,)], {"activation": "none"}),
    (Kind.MATMUL, [(2, 5, 8), (3, 8, 6)], {"transpose_b": False}),
    (Kind.MATMUL, [(2, 5, 8), (2, 8, 6)], {"transpose_b": True}),
    (Kind.MATMUL, [(5, 8), (8, 6)], {"transpose_b": False}),
    (Kind.LAYER_NORM, [(5, 8), (5,), (5,)], {"epsilon": 1e-6}),
    (Kind.ADD, [(5, 8), (5,)], {"activation": "none"}),
    (Kind.CONCAT, [(5, 8), (5, 7)], {"axis": 0}),
    (Kind.RESHAPE, [(5, 8)], {}),
    (Kind.TRANSPOSE, [(5, 8)], {"permutation": (0, 0)}),
    (Kind.SLICE, [(5, 8)], {"begin": (4, 0), "size": (2, 8)}),
    (Kind.SLICE, [(5, 8)], {"begin": (0,), "size": (2,)}),
    (Kind.SOFTMAX, [(5, 8), (5, 8)], {}),
]


@pytest.mark.parametrize(("kind", "shapes", "attributes"), BAD)
def test_operands_that_do_not_fit_are_refused_with_their_shapes(kind, shapes, attributes):
    names = [f"t{position}" for position in range(len(shapes))]
    tensors = {name: Tensor(name, shape) for name, shape in zip(names, shapes, strict=True)}
    op = Op(kind, "odd", tuple(names), "embedding", attributes)
    graph = Graph({**tensors, "embedding": Tensor("embedding", (7,))}, (op,), tuple(names), ("embedding",))
    with pytest.raises(GraphError, match=rf"{kind} odd does not take \("):
        check(graph)


def test_attributes_are_listed_for_known_kinds_only():
    assert set(ATTRIBUTES) <= set(Kind)


def test_axes_may_count_from_the_end():
    tensors = {"x": Tensor("x", (2, 5, 8)), "y": Tensor("y", (2, 8))}
    op = Op(Kind.MEAN, "mean", ("x",), "y", {"axes": (-2,), "keep": False})
    assert output_shape(Graph(tensors, (op,), ("x",), ("y",)), op) == (2, 8)


def test_a_computed_tensor_is_no_constant():
    graph = sound()
    assert graph.constant("row").tolist() == [1, 1, 1]
    with pytest.raises(GraphError, match="map is computed"):
        graph.constant("map")


def test_makers_and_readers_follow_the_tensors():
    graph = sound()
    assert graph.makers()["map"].name == "conv"
    assert [op.name for op in graph.readers()["map"]] == ["mean"]
    assert graph.readers()["embedding"] == []


def test_an_operator_that_reads_a_tensor_twice_is_one_reader():
    tensors = {name: Tensor(name, (2,)) for name in ("x", "y")}
    graph = check(Graph(tensors, (Op(Kind.MUL, "square", ("x", "x"), "y", {"activation": "none"}),), ("x",), ("y",)))
    assert len(graph.readers()["x"]) == 1
