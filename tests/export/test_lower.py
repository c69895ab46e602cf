"""ONNX to the graph: the same numbers as ONNX Runtime, channels last, no needless operator; refusals by name."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ecgkd_export.convert import Artefact
from ecgkd_export.errors import ArtefactError, GraphError
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.lower import lower
from ecgkd_export.metadata import read_onnx
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.torch_onnx import to_onnx

node = helper.make_node
WIDTH = 6
"""Of every embedding here."""


def numbers(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.asarray(np.random.default_rng(seed).normal(size=shape), np.float32)


def model(shape: tuple[int, ...], nodes: list[onnx.NodeProto], /, **constants: NDArray[Any]) -> onnx.ModelProto:
    """An ONNX model from `window` of `shape` to `embedding`, named operators, shapes left to inference."""
    for number, entry in enumerate(nodes):
        entry.name = entry.name or f"node{number}"
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(data, name) for name, data in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    inferred = onnx.shape_inference.infer_shapes(made).graph.output[0]
    made.graph.output[0].CopyFrom(inferred)
    return made


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def agreed(source: onnx.ModelProto, bound: float = 1e-5) -> Graph:
    """Returns the graph of `source` after comparing both on a few windows."""
    graph = lower(source)
    shape = graph.tensors["window"].shape
    windows = numbers(5, *shape[1:], seed=9)
    want = OrtSession(source.SerializeToString()).run(windows)
    got = run_float(graph, windows)["embedding"]
    assert got.shape == (5, *graph.tensors["embedding"].shape)
    assert np.abs(got.reshape(want.shape) - want).max() <= bound
    return graph


def kinds(graph: Graph) -> Counter[str]:
    return Counter(op.kind.value for op in graph.ops)


def head(source: str, width: int) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    """Operators and constants from a (1, width) tensor to the embedding."""
    nodes = [
        node("Gemm", [source, "head_w"], ["neck"], name="head", transB=1),
        node("ReduceL2", ["neck", "head_axes"], ["length"], name="length", keepdims=1),
        node("Div", ["neck", "length"], ["embedding"], name="divide"),
    ]
    return nodes, {"head_w": numbers(WIDTH, width, seed=5), "head_axes": ints(1)}


# --- the networks


@pytest.fixture(scope="module")
def networks() -> Any:
    """Untrained networks of this project as ONNX, each exported once."""
    from ecgkd.models import build_model, export_form

    made: dict[str, onnx.ModelProto] = {}

    def export(preset: str) -> onnx.ModelProto:
        if preset not in made:
            torch.manual_seed(1)
            form = export_form(build_model(preset).eval())
            made[preset] = to_onnx(form, np.zeros((1, 1, 1000), np.float32))
        return made[preset]

    return export


PRESETS = ["resnet34_quarter", "deit_nano"]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet34_base24", "deit_micro", "deit_tiny")]


@pytest.mark.parametrize("preset", [*PRESETS, *SLOW])
def test_a_network_keeps_its_embeddings(preset, networks):
    graph = agreed(networks(preset))
    assert graph.inputs == ("window",)
    assert graph.outputs == ("embedding",)
    assert graph.tensors["window"].shape == (1, 1, 1000)
    assert graph.tensors["embedding"].shape == (1, 192)


def test_the_residual_network_becomes_what_it_is_made_of(networks):
    found = kinds(lower(networks("resnet34_quarter")))
    expected = {"reshape": 1, "conv": 36, "max_pool": 1, "add": 16, "mean": 1, "fully_connected": 1, "l2_norm": 1}
    assert found == expected


def test_every_activation_of_the_residual_network_is_fused(networks):
    graph = lower(networks("resnet34_quarter"))
    fused = Counter((op.kind.value, op.attributes.get("activation")) for op in graph.ops)
    assert fused["conv", "relu"] == 17
    assert fused["conv", "none"] == 19
    assert fused["add", "relu"] == 16


def test_the_transformer_multiplies_queries_by_keys_transposed(networks):
    graph = lower(networks("deit_nano"))
    assert Counter(op.attributes["transpose_b"] for op in graph.ops if op.kind == Kind.MATMUL) == {True: 4, False: 4}
    turns = [op.attributes["permutation"] for op in graph.ops if op.kind == Kind.TRANSPOSE]
    assert turns == [(1, 0, 2)] * 16


def test_a_matrix_product_of_two_axes_is_a_batch_of_one(exported: list[Artefact]):
    graph = agreed(exported[0].model)
    products = [op for op in graph.ops if op.kind == Kind.MATMUL]
    assert [op.attributes["transpose_b"] for op in products] == [True, False]
    assert Kind.TRANSPOSE not in {op.kind for op in graph.ops}


def test_the_small_residual_network_needs_no_transpose(convolution: list[Artefact]):
    assert kinds(agreed(convolution[0].model)) == {
        "reshape": 1,
        "conv": 2,
        "add": 1,
        "mean": 1,
        "fully_connected": 1,
        "l2_norm": 1,
    }


# --- operators on signals


def test_three_leads_are_turned_once():
    nodes, constants = head("mean", 4)
    conv = node("Conv", ["window", "w", "b"], ["map"], strides=[2], pads=[3, 1], kernel_shape=[5])
    mean = node("ReduceMean", ["map", "axes"], ["mean"], keepdims=0)
    constants |= {"w": numbers(4, 3, 5), "b": numbers(4), "axes": ints(-1)}
    graph = agreed(model((1, 3, 40), [conv, mean, *nodes], **constants))
    assert [op.kind for op in graph.ops[:3]] == [Kind.TRANSPOSE, Kind.RESHAPE, Kind.CONV]
    assert kinds(graph)["transpose"] == 1


def test_convolution_without_bias_gets_one_of_zeros():
    nodes, constants = head("rows", 4 * 8)
    conv = node("Conv", ["window", "w"], ["map"], name="conv", kernel_shape=[3])
    flat = node("Flatten", ["map"], ["rows"])
    graph = agreed(model((1, 1, 10), [conv, flat, *nodes], w=numbers(4, 1, 3), **constants))
    assert not graph.constant("conv:bias").any()


def test_a_flattened_signal_costs_no_transpose():
    nodes, constants = head("rows", 4 * 8)
    conv = node("Conv", ["window", "w"], ["map"], kernel_shape=[3])
    flat = node("Reshape", ["map", "shape"], ["rows"])
    weights = {"w": numbers(4, 1, 3), "shape": ints(1, 32)}
    graph = agreed(model((1, 1, 10), [conv, flat, *nodes], **weights, **constants))
    assert "transpose" not in kinds(graph)


def test_a_flattened_signal_that_others_read_is_put_in_order():
    nodes, constants = head("gate", 4 * 8)
    conv = node("Conv", ["window", "w"], ["map"], kernel_shape=[3])
    flat = node("Flatten", ["map"], ["rows"])
    gate = node("Softmax", ["rows"], ["gate"])
    graph = agreed(model((1, 1, 10), [conv, flat, gate, *nodes], w=numbers(4, 1, 3), **constants))
    assert kinds(graph)["transpose"] == 1


def test_gates_over_channels_and_over_time_need_no_transpose():
    nodes, constants = head("mean", 4)
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[3]),
        node("GlobalAveragePool", ["map"], ["level"]),
        node("GlobalMaxPool", ["map"], ["peak"]),
        node("Add", ["level", "peak"], ["both"]),
        node("Squeeze", ["both", "two"], ["row"]),
        node("Gemm", ["row", "m"], ["hidden"]),
        node("Sigmoid", ["hidden"], ["gate"]),
        node("Unsqueeze", ["gate", "two"], ["column"]),
        node("Mul", ["map", "column"], ["gated"]),
        node("ReduceMean", ["gated", "one"], ["level_t"], keepdims=1),
        node("ReduceMax", ["gated", "one"], ["peak_t"], keepdims=1),
        node("Concat", ["level_t", "peak_t"], ["pair"], axis=1),
        node("Conv", ["pair", "k"], ["context"], kernel_shape=[5], pads=[2, 2]),
        node("Sigmoid", ["context"], ["when"]),
        node("Mul", ["when", "gated"], ["twice"]),
        node("Add", ["map", "twice"], ["sum"]),
        node("ReduceMean", ["sum", "two"], ["mean"], keepdims=0),
    ]
    weights = {"w": numbers(4, 1, 3), "m": numbers(4, 4), "k": numbers(1, 2, 5), "one": ints(1), "two": ints(2)}
    graph = agreed(model((1, 1, 10), [*body, *nodes], **weights, **constants))
    assert "transpose" not in kinds(graph)
    assert kinds(graph)["mean"] == 3


@pytest.mark.parametrize("pads", [[0, 0], [1, 1], [0, 1]])
def test_max_pool(pads):
    nodes, constants = head("mean", 4)
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[3]),
        node("MaxPool", ["map"], ["pool"], kernel_shape=[3], strides=[2], pads=pads),
        node("ReduceMax", ["pool", "axes"], ["mean"], keepdims=0),
    ]
    agreed(model((1, 2, 10), [*body, *nodes], w=numbers(4, 2, 3), axes=ints(2), **constants))


def norm_constants(width: int) -> dict[str, NDArray[Any]]:
    names = ("gain", "shift", "middle", "spread")
    return {name: np.abs(numbers(width, seed=n)) + 0.1 for n, name in enumerate(names, 20)}


NORM = ["gain", "shift", "middle", "spread"]


def test_batch_norm_vanishes_in_the_convolution_before_it():
    nodes, constants = head("mean", 4)
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[3]),
        node("BatchNormalization", ["map", *NORM], ["normed"], epsilon=1e-3),
        node("Relu", ["normed"], ["bent"]),
        node("ReduceMean", ["bent", "axes"], ["mean"], keepdims=0),
    ]
    weights = {"w": numbers(4, 2, 3), "axes": ints(2), **norm_constants(4)}
    graph = agreed(model((1, 2, 10), [*body, *nodes], **weights, **constants))
    assert kinds(graph)["mul"] == kinds(graph)["add"] == 0
    assert [op.attributes["activation"] for op in graph.ops if op.kind == Kind.CONV] == ["relu"]


def test_batch_norm_without_a_convolution_of_its_own_is_a_product_and_a_sum():
    nodes, constants = head("mean", 2)
    body = [
        node("BatchNormalization", ["window", *NORM], ["normed"]),
        node("ReduceMean", ["normed", "axes"], ["mean"], keepdims=0),
    ]
    graph = agreed(model((1, 2, 10), [*body, *nodes], axes=ints(2), **norm_constants(2), **constants))
    assert kinds(graph)["mul"] == kinds(graph)["add"] == 1


@pytest.mark.parametrize("axes", [[1], [2], [1, 2], [0, 2], [0]])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceMax"])
def test_reductions_of_a_signal_over_any_axes(kind, axes, keep):
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[3]),
        node(kind, ["map", "axes"], ["embedding"], keepdims=keep),
    ]
    agreed(model((1, 1, 10), body, w=numbers(4, 1, 3), axes=ints(*axes)))


def test_a_slice_of_a_signal_keeps_its_layout():
    nodes, constants = head("mean", 2)
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[3]),
        node("Slice", ["map", "starts", "ends", "axes"], ["cut"]),
        node("ReduceMean", ["cut", "two"], ["mean"], keepdims=0),
    ]
    spans = {"starts": ints(1, 2), "ends": ints(-1, 1000), "axes": ints(1, 2), "two": ints(2)}
    graph = agreed(model((1, 1, 10), [*body, *nodes], w=numbers(4, 1, 3), **spans, **constants))
    assert "transpose" not in kinds(graph)


def test_a_convolution_on_samples_gives_tokens_and_takes_them_back_without_a_transpose():
    nodes, constants = head("mean", 3)
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[4], strides=[4]),
        node("Transpose", ["map"], ["tokens"], perm=[0, 2, 1]),
        node("LayerNormalization", ["tokens", "gain", "shift"], ["normed"], axis=-1),
        node("Transpose", ["normed"], ["again"], perm=[0, 2, 1]),
        node("Conv", ["again", "v"], ["last"], kernel_shape=[1]),
        node("ReduceMean", ["last", "two"], ["mean"], keepdims=0),
    ]
    weights = {"w": numbers(5, 1, 4), "v": numbers(3, 5, 1), "gain": numbers(5), "shift": numbers(5), "two": ints(2)}
    graph = agreed(model((1, 1, 20), [*body, *nodes], **weights, **constants))
    assert "transpose" not in kinds(graph)


def test_softmax_over_channels_and_over_time():
    nodes, constants = head("mean", 4)
    body = [
        node("Conv", ["window", "w"], ["map"], kernel_shape=[3]),
        node("Softmax", ["map"], ["over_channels"], axis=1),
        node("Softmax", ["over_channels"], ["over_time"], axis=2),
        node("Mul", ["over_time", "map"], ["weighed"]),
        node("ReduceMean", ["weighed", "two"], ["mean"], keepdims=0),
    ]
    agreed(model((1, 1, 10), [*body, *nodes], w=numbers(4, 1, 3), two=ints(2), **constants))


# --- arithmetic


def test_gemm_with_factors_and_weights_the_other_way_round():
    body = [node("Gemm", ["window", "w", "b"], ["embedding"], alpha=0.5, beta=2.0)]
    agreed(model((1, 8), body, w=numbers(8, WIDTH), b=numbers(WIDTH)))
    agreed(model((1, 8), [node("Gemm", ["window", "w"], ["embedding"])], w=numbers(8, WIDTH)))


def test_a_row_added_to_a_product_becomes_its_bias():
    body = [
        node("MatMul", ["window", "w"], ["product"]),
        node("Add", ["row", "product"], ["sum"]),
        node("Relu", ["sum"], ["embedding"]),
    ]
    graph = agreed(model((1, 8), body, w=numbers(8, WIDTH), row=numbers(WIDTH)))
    assert [(op.kind, op.attributes["activation"]) for op in graph.ops] == [(Kind.FULLY_CONNECTED, "relu")]


def test_tokens_in_a_batch_of_one_become_rows():
    body = [
        node("Reshape", ["window", "shape"], ["tokens"]),
        node("MatMul", ["tokens", "w"], ["product"]),
        node("Add", ["product", "table"], ["sum"]),
        node("ReduceMean", ["sum", "one"], ["embedding"], keepdims=0),
    ]
    weights = {"w": numbers(8, WIDTH), "table": numbers(5, WIDTH), "shape": ints(1, 5, 8), "one": ints(1)}
    agreed(model((1, 1, 40), body, **weights))


def test_an_activation_with_a_second_reader_beside_it_is_not_fused():
    body = [
        node("Gemm", ["window", "w"], ["product"]),
        node("Relu", ["product"], ["bent"]),
        node("Sub", ["bent", "product"], ["embedding"]),
    ]
    graph = agreed(model((1, 8), body, w=numbers(8, WIDTH)))
    assert kinds(graph) == {"fully_connected": 1, "relu": 1, "sub": 1}


def test_an_activation_behind_a_second_name_is_not_fused():
    body = [
        node("Gemm", ["window", "w"], ["product"]),
        node("Identity", ["product"], ["alias"]),
        node("Relu", ["alias"], ["bent"]),
        node("Mul", ["bent", "product"], ["embedding"]),
    ]
    agreed(model((1, 8), body, w=numbers(8, WIDTH)))


def test_a_bias_added_where_the_product_is_read_twice_stays_a_sum():
    body = [
        node("MatMul", ["window", "w"], ["product"]),
        node("Add", ["product", "row"], ["sum"]),
        node("Mul", ["sum", "product"], ["embedding"]),
    ]
    assert kinds(agreed(model((1, 8), body, w=numbers(8, WIDTH), row=numbers(WIDTH))))["add"] == 1


def test_quick_gelu_stays_a_gate_and_gelu_one_operator():
    body = [
        node("Mul", ["window", "slope"], ["steep"]),
        node("Sigmoid", ["steep"], ["gate"]),
        node("Mul", ["window", "gate"], ["quick"]),
        node("Gelu", ["quick"], ["embedding"]),
    ]
    graph = agreed(model((1, 8), body, slope=np.array(1.702, np.float32)))
    assert [op.kind for op in graph.ops] == [Kind.MUL, Kind.LOGISTIC, Kind.MUL, Kind.GELU]


def test_division_by_a_constant_is_a_product():
    graph = agreed(model((1, 8), [node("Div", ["window", "d"], ["embedding"])], d=np.abs(numbers(8)) + 1))
    assert kinds(graph) == {"mul": 1}


def test_keys_that_two_products_read_are_transposed_once_and_for_all():
    body = [
        node("Reshape", ["window", "shape"], ["x"]),
        node("Transpose", ["x"], ["turned"], perm=[1, 0]),
        node("MatMul", ["x", "turned"], ["first"]),
        node("MatMul", ["turned", "x"], ["second"]),
        node("Add", ["first", "second"], ["embedding"]),
    ]
    agreed(model((1, 1, 25), body, shape=ints(5, 5)), 1e-4)


def test_layer_norm_without_shift():
    body = [node("LayerNormalization", ["window", "gain"], ["embedding"], epsilon=1e-3)]
    agreed(model((1, 8), body, gain=numbers(8)))


def test_one_row_of_weights_may_serve_two_operators():
    body = [
        node("LayerNormalization", ["window", "gain", "gain"], ["first"]),
        node("LayerNormalization", ["first", "gain", "gain"], ["embedding"]),
    ]
    graph = agreed(model((1, 8), body, gain=numbers(8)))
    assert [name for name, tensor in graph.tensors.items() if tensor.data is not None] == ["gain"]


def test_the_output_has_its_name_even_where_it_is_another_tensor_in_another_shape():
    body = [
        node("Gelu", ["window"], ["inner"]),
        node("Reshape", ["inner", "shape"], ["embedding"]),
    ]
    assert agreed(model((1, 8), body, shape=ints(1, 8))).outputs == ("embedding",)


def test_what_leads_nowhere_is_left_out():
    body = [node("Gelu", ["window"], ["unused"]), node("Relu", ["window"], ["embedding"])]
    assert kinds(lower(model((1, 8), body))) == {"relu": 1}


# --- refusals

RELU = node("Relu", ["window"], ["embedding"])
X = ["window"]
REFUSED: list[tuple[str, onnx.NodeProto, dict[str, Any]]] = [
    ("Tanh odd: an operator that cannot be converted", node("Tanh", X, ["y"]), {}),
    ("Conv odd: group is 2", node("Conv", ["window", "w"], ["y"], group=2), {"w": numbers(2, 1, 3)}),
    ("Conv odd: dilations", node("Conv", ["window", "w"], ["y"], dilations=[2]), {"w": numbers(2, 2, 3)}),
    ("Conv odd: auto_pad", node("Conv", ["window", "w"], ["y"], auto_pad="SAME_UPPER"), {"w": numbers(2, 2, 3)}),
    ("Conv odd: its weights tensor is computed", node("Conv", ["window", "window"], ["y"]), {}),
    ("MaxPool odd: ceil_mode", node("MaxPool", X, ["y"], kernel_shape=[3], ceil_mode=1), {}),
    ("Gelu odd: approximate is tanh", node("Gelu", X, ["y"], approximate="tanh"), {}),
    ("Softmax odd: over axis 0", node("Softmax", X, ["y"], axis=0), {}),
    ("LayerNormalization odd: over", node("LayerNormalization", ["window", "g"], ["y"], axis=1), {"g": numbers(2, 8)}),
    ("Slice odd: steps", node("Slice", ["window", "n", "m", "m", "m"], ["y"]), {"n": ints(0), "m": ints(2)}),
    ("Div odd: divides by a computed tensor", node("Div", ["window", "window"], ["y"]), {}),
    ("Clip odd: only the lower bound of a length", node("Clip", ["window", "n"], ["y"]), {"n": numbers()}),
    ("LpNormalization odd: p is 1", node("LpNormalization", X, ["y"], p=1), {}),
    ("LpNormalization odd: over axis 1", node("LpNormalization", X, ["y"], axis=1), {}),
    ("ReduceL2 odd: a length over axes", node("ReduceL2", ["window", "a"], ["y"]), {"a": ints(1)}),
    ("ReduceMean odd: leaves a single number", node("ReduceMean", X, ["y"], keepdims=0), {}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "odd", "constants"), REFUSED, ids=[entry[0] for entry in REFUSED])
def test_an_operator_out_of_bounds_is_refused_by_name(message, odd, constants):
    odd = onnx.NodeProto.FromString(odd.SerializeToString())
    odd.name = "odd"
    odd.output[0] = "embedding"
    with pytest.raises(GraphError, match=f"^{message}") as caught:
        lower(model((1, 2, 8), [odd], **constants))
    assert "\n" not in str(caught.value)


def test_gemm_refuses_what_it_cannot_mean():
    two = node("Gemm", ["window", "window"], ["embedding"], name="odd", transB=1)
    with pytest.raises(GraphError, match="Gemm odd: its second operand is computed"):
        lower(model((1, 8), [two]))
    turned = node("Gemm", ["window", "w"], ["embedding"], name="odd", transA=1)
    with pytest.raises(GraphError, match="Gemm odd: transA is 1"):
        lower(model((8, 1), [turned], w=numbers(8, 2)))
    table = node("Gemm", ["window", "w", "b"], ["embedding"], name="odd")
    with pytest.raises(GraphError, match=r"Gemm odd: a bias of shape \(5, 2\)"):
        lower(model((5, 8), [table], w=numbers(8, 2), b=numbers(5, 2)))


@pytest.mark.parametrize(("bound", "known"), [(1e-6, True), (1e-12, True), (1e-3, False)])
def test_a_length_is_held_above_next_to_nothing_only(bound, known):
    body = [
        node("ReduceL2", ["window", "axes"], ["length"], name="length"),
        node("Clip", ["length", "lo"], ["held"], name="clip"),
        node("Div", ["window", "held"], ["embedding"], name="divide"),
    ]
    source = model((1, 8), body, axes=ints(-1), lo=np.array(bound, np.float32))
    if known:
        assert kinds(agreed(source)) == {"l2_norm": 1}
    else:
        with pytest.raises(GraphError, match=r"Clip clip: a lower bound of 0\.001"):
            lower(source)


def test_a_length_is_of_use_for_its_own_tensor_only():
    length = node("ReduceL2", ["window", "axes"], ["length"], name="length")
    with pytest.raises(GraphError, match="Mul odd: reads a tensor's length"):
        lower(model((1, 8), [length, node("Mul", ["window", "length"], ["embedding"], name="odd")], axes=ints(1)))
    other = [node("Relu", ["window"], ["bent"]), node("Div", ["bent", "length"], ["embedding"], name="odd")]
    with pytest.raises(GraphError, match="Div odd: divides by a computed tensor"):
        lower(model((1, 8), [length, *other], axes=ints(1)))


def test_a_foreign_graph_is_refused_by_its_names():
    foreign = model((1, 8), [RELU])
    foreign.graph.input[0].name = "input.1"
    with pytest.raises(GraphError, match=r"from input\.1 to embedding; expected window to embedding"):
        lower(foreign)
    second = model((1, 8), [RELU])
    second.graph.output.append(helper.make_tensor_value_info("window", TensorProto.FLOAT, (1, 8)))
    with pytest.raises(GraphError, match="outputs embedding, window; expected embedding first, and each name once"):
        lower(second)


def test_an_operator_of_a_foreign_domain_is_refused():
    foreign = model((1, 8), [RELU])
    foreign.graph.node[0].domain = "com.example"
    foreign.graph.node[0].name = "odd"
    with pytest.raises(GraphError, match=r"com\.example\.Relu odd: an operator that cannot be converted"):
        lower(foreign)


def test_an_old_opset_is_refused():
    old = model((1, 8), [RELU])
    old.opset_import[0].version = 13
    with pytest.raises(GraphError, match="opset 13; expected 18 or later"):
        lower(old)


def test_dynamic_shapes_are_refused():
    dynamic = model((1, 8), [RELU])
    dynamic.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(GraphError, match="window has a dynamic shape"):
        lower(dynamic)


def test_images_are_refused():
    with pytest.raises(GraphError, match="window has 4 axes; expected at most 3"):
        lower(model((1, 3, 8, 8), [RELU]))


def test_shapes_that_contradict_each_other_are_refused():
    broken = model((1, 8), [node("Gemm", ["window", "w"], ["embedding"])], w=numbers(8, 2))
    broken.graph.initializer[0].CopyFrom(numpy_helper.from_array(numbers(7, 2), "w"))
    with pytest.raises(GraphError) as caught:
        lower(broken)
    assert "\n" not in str(caught.value)


def test_lost_weights_and_lost_operators_are_noticed():
    body = [node("Gemm", ["window", "w"], ["hidden"], name="first"), node("Relu", ["hidden"], ["embedding"])]
    source = model((1, 8), body, w=numbers(8, 2))
    for part in (source.graph.initializer, source.graph.node):
        kept = onnx.ModelProto.FromString(source.SerializeToString())
        del (kept.graph.initializer if part is source.graph.initializer else kept.graph.node)[0]
        with pytest.raises(GraphError):
            lower(kept)


def test_weights_in_another_file_are_refused():
    source = model((1, 8), [node("Gemm", ["window", "w"], ["embedding"])], w=numbers(8, 2))
    source.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(GraphError, match="w lies in another file"):
        lower(source)


def test_a_file_cut_anywhere_is_refused_in_one_line(exported: list[Artefact], tmp_path: Path):
    content = exported[0].model.SerializeToString()
    path = tmp_path / "cut.onnx"
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises((ArtefactError, GraphError)) as caught:
            lower(read_onnx(path))
        assert "\n" not in str(caught.value)


def test_a_file_with_changed_bytes_is_refused_or_read_but_never_crashes(exported: list[Artefact], tmp_path: Path):
    content = exported[0].model.SerializeToString()
    path, random = tmp_path / "changed.onnx", np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        changed = bytearray(content)
        changed[random.integers(len(changed))] = random.integers(256)
        path.write_bytes(changed)
        try:
            lower(read_onnx(path))
        except (ArtefactError, GraphError):
            refused += 1
    assert 0 < refused < 200


def test_a_file_of_more_than_two_gigabytes_is_refused_unread(tmp_path: Path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ArtefactError, match=r"3\.2 GB; an ONNX file holds at most 2 GB"):
        lower(read_onnx(path))
