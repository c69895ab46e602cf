"""Faults planted in graphs, each found by the gate that should."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from ecgkd_export import parity, structure
from ecgkd_export.convert import Artefact
from ecgkd_export.metadata import to_bytes
from ecgkd_export.run.ort import OrtSession


def _copy(model: Any) -> Any:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def test_a_float_graph_is_no_int8_graph(exported: list[Artefact]) -> None:
    gate = structure.int8_gate(exported[0].model)
    assert gate["result"] == "failed"
    assert any("has float weights" in problem for problem in gate["problems"])
    assert any("ONNX Runtime runs" in problem for problem in gate["problems"])


def test_another_input_name_is_found(exported: list[Artefact]) -> None:
    model = _copy(exported[0].model)
    model.graph.input[0].name = "x"
    for node in model.graph.node:
        node.input[:] = ["x" if name == "window" else name for name in node.input]
    assert "inputs x; expected window alone" in structure.float_gate(model)["problems"]


def test_a_dynamic_batch_is_found(exported: list[Artefact]) -> None:
    model = _copy(exported[0].model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    assert "window has a dynamic shape" in structure.float_gate(model)["problems"]


def test_an_old_opset_is_found(exported: list[Artefact]) -> None:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["window"], ["embedding"])],
        "old",
        [onnx.helper.make_tensor_value_info("window", onnx.TensorProto.FLOAT, [1, 4])],
        [onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, 4])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    assert "opset 13; expected 20 or newer" in structure.float_gate(model)["problems"]


def test_weights_outside_the_file_are_found(exported: list[Artefact]) -> None:
    model = _copy(exported[0].model)
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    assert any("lies outside the file" in problem for problem in structure.float_gate(model)["problems"])


def test_a_custom_operator_is_found(exported: list[Artefact]) -> None:
    model = _copy(exported[0].model)
    model.opset_import.add(domain="own", version=1)
    node = next(node for node in model.graph.node if node.op_type == "Softmax")
    node.domain = "own"
    with pytest.raises(Exception, match=r".*"):
        OrtSession(to_bytes(model, {}))
    assert any("is a custom operator" in problem for problem in structure.float_gate(model)["problems"])


@pytest.mark.parametrize("fault", ["shifted", "swapped", "zero_point"])
def test_damaged_int8_weights_fail_output_parity(
    exported: list[Artefact], windows: NDArray[np.float32], fault: str
) -> None:
    model = _copy(exported[1].model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    name = next(name for name, tensor in tensors.items() if name.startswith("patch.weight") and len(tensor.dims) == 2)
    weights = onnx.numpy_helper.to_array(tensors[name])
    assert weights.dtype == np.int8
    damaged = {
        "shifted": lambda: np.roll(weights, 1),
        "swapped": lambda: np.ascontiguousarray(weights.T).reshape(weights.shape),
        "zero_point": lambda: (weights.astype(int) // 2 + 60).astype(np.int8),
    }[fault]()
    tensors[name].CopyFrom(onnx.numpy_helper.from_array(damaged, name))
    outputs = OrtSession(to_bytes(model, {})).run(windows)
    gate = parity.int8_gate(OrtSession(to_bytes(exported[0].model, {})).run(windows), outputs)
    assert gate["result"] == "failed"
