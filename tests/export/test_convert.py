"""Networks in, artefacts out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgkd_export import ort_int8, parity, structure
from ecgkd_export.convert import Artefact, convert
from ecgkd_export.errors import GraphError
from ecgkd_export.ort_int8 import Settings
from ecgkd_export.run.ort import OrtSession

Windows = NDArray[np.float32]


@pytest.mark.parametrize("network", ["exported", "convolution"])
def test_both_artefacts_pass_their_gates(network: str, request: pytest.FixtureRequest) -> None:
    artefacts: list[Artefact] = request.getfixturevalue(network)
    assert [artefact.precision for artefact in artefacts] == ["fp32", "int8"]
    for artefact in artefacts:
        assert parity.failures(artefact.gates) == []
        assert json.loads(json.dumps(artefact.gates)) == artefact.gates


@pytest.mark.parametrize("network", ["exported", "convolution"])
def test_every_operator_with_weights_runs_in_int8(network: str, request: pytest.FixtureRequest) -> None:
    structure = request.getfixturevalue(network)[1].gates["structure"]
    assert structure["int8_kernels"] == structure["weighted"] == {"exported": 6, "convolution": 2}[network]


def test_the_layer_on_a_single_row_stays_float(exported: list[Artefact]) -> None:
    weights = {tensor.name for tensor in exported[1].model.graph.initializer}
    assert {"head.weight", "patch.weight_quantized"} <= weights
    assert not {"head.weight_quantized", "patch.weight"} & weights


def test_a_product_before_a_relu_is_not_left_to_run_in_float() -> None:
    numbers = np.random.default_rng(0)
    weights = {
        "w": numbers.normal(size=(8, 16)),
        "v": numbers.normal(size=(16, 4)),
        "b": np.zeros(16),
        "c": np.zeros(4),
    }
    nodes = [("Gemm", ["window", "w", "b"], "x"), ("Relu", ["x"], "y"), ("Gemm", ["y", "v", "c"], "embedding")]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("window", [5, 8]), ("embedding", [5, 4]))
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, inputs, [output], f"node_{output}") for kind, inputs, output in nodes],
        "relu",
        ends[:1],
        ends[1:],
        [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    ranges = dict.fromkeys(ort_int8.calibrated(model), (-9.0, 9.0))
    gate = structure.int8_gate(ort_int8.quantise(model, ranges, Settings()))
    assert (gate["result"], gate["int8_kernels"]) == ("passed", 2)


def test_the_float_graph_is_pytorch_to_the_fifth_decimal(exported: list[Artefact]) -> None:
    gate = exported[0].gates["float_parity"]
    assert gate["max_abs"] <= 1e-6
    assert gate["windows"] == 32


def test_int8_on_the_exact_input_grid_keeps_the_direction_of_the_embedding(exported: list[Artefact]) -> None:
    assert exported[1].gates["output_parity"]["cosine_mean"] > 0.9995


def test_the_same_network_gives_the_same_bytes_twice(
    exported: list[Artefact], transformer: nn.Module, windows: Windows
) -> None:
    again = convert(transformer, windows, settings=Settings(input_range=(-8.0, 127 / 16)))
    for one, other in zip(exported, again, strict=True):
        assert one.file("onnx", {"k": "v"}) == other.file("onnx", {"k": "v"})


def test_stored_ranges_give_the_same_int8_graph_without_data(exported: list[Artefact], windows: Windows) -> None:
    settings = Settings(input_range=(-8.0, 127 / 16))
    ranges = {name: (low, high) for name, (low, high) in json.loads(json.dumps(exported[0].ranges)).items()}
    again = convert(exported[0].model, np.zeros_like(windows[:2]), settings=settings, ranges=ranges)
    assert again[1].graph_sha256 == exported[1].graph_sha256
    assert again[1].quantisation["ranges_from"] == "contract"
    assert again[0].gates["float_parity"]["result"] == parity.ABSENT


def test_ranges_of_another_graph_are_not_used(exported: list[Artefact], windows: Windows) -> None:
    again = convert(exported[0].model, windows, ranges={"elsewhere": (0.0, 1.0)})
    assert again[1].quantisation["ranges_from"] == "windows"
    assert again[1].quantisation["windows"] == 32


def test_a_gate_of_the_caller_sees_both_networks_run(exported: list[Artefact], windows: Windows) -> None:
    def gate(reference: parity.Run, candidate: parity.Run) -> dict[str, Any]:
        difference = np.abs(reference(windows) - candidate(windows)).max()
        return {"result": "failed", "difference": float(difference)}

    artefacts = convert(exported[0].model, windows, extra_gates={"own": gate})
    assert parity.failures(artefacts[1].gates) == ["own"]
    assert 0 < artefacts[1].gates["own"]["difference"] < 0.1


def test_without_int8_there_is_one_artefact(exported: list[Artefact], windows: Windows) -> None:
    assert [one.precision for one in convert(exported[0].model, windows, int8=False)] == ["fp32"]


def test_progress_is_told_from_start_to_end(exported: list[Artefact], windows: Windows) -> None:
    told: list[tuple[int, int]] = []
    convert(exported[0].model, windows, progress=lambda done, total, what: told.append((done, total)))
    assert told[0][0] == 0
    assert len({total for _, total in told}) == 1
    assert told[-1][0] == told[-1][1]


def test_the_ort_file_carries_the_metadata_and_the_same_numbers(
    exported: list[Artefact], windows: Windows, tmp_path: Path
) -> None:
    path = tmp_path / "a.ort"
    path.write_bytes(exported[1].file("ort", {"key": "value"}))
    session = OrtSession(path)
    assert session.metadata == {"key": "value"}
    assert (session.run(windows) == OrtSession(exported[1].file("onnx", {})).run(windows)).all()


def test_an_unknown_format_is_refused(exported: list[Artefact]) -> None:
    with pytest.raises(GraphError, match="format 'tflite': the onnx-fp32 graph is written as onnx, ort"):
        exported[0].file("tflite", {})


def test_no_windows_are_refused(exported: list[Artefact], windows: Windows) -> None:
    with pytest.raises(GraphError, match="no windows"):
        convert(exported[0].model, windows[:0])


def test_a_network_that_looks_at_its_input_to_branch_is_refused_in_one_line(windows: Windows) -> None:
    class Branching(nn.Module):
        def forward(self, window: Tensor) -> Tensor:
            return window[:, 0] if window.sum() > 0 else -window[:, 0]

    with pytest.raises(GraphError, match="Branching: PyTorch cannot export it") as caught:
        convert(Branching(), windows)
    assert "\n" not in str(caught.value)


def test_a_graph_without_weights_has_nothing_to_quantise(windows: Windows) -> None:
    class Plain(nn.Module):
        def forward(self, window: Tensor) -> Tensor:
            return window.reshape(1, 40) * 2

    with pytest.raises(GraphError, match="nothing to quantise"):
        convert(Plain(), windows)
