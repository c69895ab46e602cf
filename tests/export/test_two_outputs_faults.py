"""Faults planted in a network with an embedding and scores of classes; the gate that finds each; what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgkd_export import parity, structure, tflite_artefacts, tflite_structure
from ecgkd_export.artefact import Artefact
from ecgkd_export.convert import convert
from ecgkd_export.errors import ArtefactError, GraphError
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.lower import lower
from ecgkd_export.metadata import to_bytes
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.targets import tflm_gate
from ecgkd_export.torch_onnx import to_onnx

from .conftest import GRID
from .two_outputs import NAMES, content_of, dual, with_constant

Windows = NDArray[np.float32]
TFLM = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")


def scores_zeroed(graph: Graph) -> Graph:
    layer = next(op for op in graph.ops if op.output == "activity")
    return with_constant(graph, layer.inputs[1], np.zeros(graph.tensors[layer.inputs[1]].shape))


def test_a_head_of_zeros_fails_the_gate_of_its_scores_alone(
    int8: Graph, reference: parity.Outputs, given: Windows
) -> None:
    gates = tflite_artefacts.file_gates(content_of(scores_zeroed(int8)), "int8", given, reference)
    assert gates["activity_parity"]["result"] == parity.FAILED
    assert gates["output_parity"]["result"] == parity.PASSED


def test_scores_of_another_graph_fail_the_integer_gate(int8: Graph, given: Windows) -> None:
    gate = tflite_artefacts.integer_gate(int8, content_of(scores_zeroed(int8)), given[:8])
    line = gate["runtimes"]["LiteRT, reference"]
    assert (gate["result"], line["result"], line["lsb"]) == (parity.FAILED, parity.FAILED, 0)
    assert line["outputs"]["activity"]["lsb"] > tflite_artefacts.SCORE_LSB_BOUND
    assert line["why"].startswith("activity: its numbers are")


@TFLM
def test_scores_of_another_graph_fail_the_gate_of_microcontrollers(int8: Graph, given: Windows) -> None:
    steps_off = tflite_artefacts.simulated(int8, given[:8])
    gate = tflm_gate(content_of(scores_zeroed(int8)), steps_off, dict.fromkeys(NAMES, 0))
    assert (gate["result"], gate["lsb"], gate["outputs"]["activity"]["result"]) == ("failed", 0, "failed")


def test_outputs_in_another_order_fail_the_structure(int8: Graph) -> None:
    swapped = replace(int8, outputs=NAMES[::-1])
    problems = tflite_structure.int8_gate(content_of(swapped), outputs=NAMES)["problems"]
    assert "outputs activity, embedding; expected embedding, activity in this order" in problems


def test_outputs_whose_names_are_swapped_fail_both_parities(
    int8: Graph, reference: parity.Outputs, given: Windows
) -> None:
    content = content_of(renamed(int8, {"embedding": "activity", "activity": "embedding"}))
    gates = tflite_artefacts.file_gates(content, "int8", given, reference)
    assert gates["output_parity"]["why"] == "it gives (4,); expected (16,)"
    assert gates["activity_parity"]["result"] == parity.FAILED


def renamed(graph: Graph, new: Mapping[str, str]) -> Graph:
    tensors = {new.get(name, name): replace(one, name=new.get(name, name)) for name, one in graph.tensors.items()}
    ops = [
        replace(op, output=new.get(op.output, op.output), inputs=tuple(new.get(name, name) for name in op.inputs))
        for op in graph.ops
    ]
    return replace(graph, tensors=tensors, ops=tuple(ops))


def test_a_file_without_its_second_output_fails(int8: Graph, reference: parity.Outputs, given: Windows) -> None:
    content = content_of(replace(int8, outputs=("embedding",)))
    gates = tflite_artefacts.file_gates(content, "int8", given, reference)
    assert gates["structure"]["result"] == parity.FAILED
    assert gates["activity_parity"] == {"result": parity.FAILED, "why": "no output activity"}


def test_an_onnx_graph_with_other_outputs_than_agreed_fails_its_structure(
    made_dual: dict[tuple[str, str], Artefact],
) -> None:
    model: Any = made_dual["onnx-fp32", "onnx"].model
    assert structure.float_gate(model, NAMES)["problems"] == []
    assert structure.float_gate(model)["problems"] == ["outputs embedding, activity; expected embedding alone"]
    assert structure.int8_gate(made_dual["ort-int8", "onnx"].model, NAMES[::-1])["result"] == parity.FAILED  # type: ignore[arg-type]


def test_float_parity_is_asked_of_the_scores_too(reference: parity.Outputs) -> None:
    off = {**reference, "activity": reference["activity"] + np.float32(0.01)}
    gate = parity.over_outputs(parity.float_gate, reference, off)
    assert (gate["result"], gate["max_abs"], gate["outputs"]["activity"]["result"]) == ("failed", 0, "failed")
    assert parity.over_outputs(parity.float_gate, reference, reference)["result"] == "passed"
    lacking = parity.over_outputs(parity.float_gate, reference, {"embedding": reference["embedding"]})
    assert lacking == {"result": "failed", "why": "no output activity"}


class Pair(nn.Module):
    """Two outputs that are in ONNX's order and not in the graph's: flattened signals."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.one, self.other = nn.Conv1d(1, 3, 5, 4), nn.Conv1d(1, 2, 5, 6)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        return self.one(window).flatten(1), self.other(window).flatten(1)


class Same(nn.Module):
    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        flat = window.flatten(1) * 2
        return flat, flat


class Chained(nn.Module):
    """Scores made of the unit-length embedding."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.neck, self.scores = nn.Linear(60, 8), nn.Linear(8, 3)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        neck = self.neck(window.flatten(1))
        embedding = neck / torch.linalg.vector_norm(neck, dim=1, keepdim=True)
        return embedding, self.scores(embedding)


def test_outputs_in_another_layout_get_their_names(given: Windows) -> None:
    model = to_onnx(Pair(), given[:1], NAMES)
    want, graph = OrtSession(to_bytes(model, {})).run_all(given[:4]), lower(model)
    assert graph.outputs == NAMES
    found = LiteRtSession(content_of(graph)).run_all(given[:4])
    for name in NAMES:
        np.testing.assert_allclose(found[name], want[name], atol=1e-5)


def test_an_embedding_that_the_scores_are_made_of_keeps_its_norm(given: Windows) -> None:
    found = convert(Chained(), given, outputs=NAMES, formats=("tflite",), settings=GRID)
    graph = found[1].model
    assert isinstance(graph, Graph)
    assert graph.makers()["embedding"].kind == Kind.L2_NORM
    assert found[1].gates["activity_parity"]["result"] == parity.PASSED


def test_outputs_that_are_one_tensor_are_refused(given: Windows) -> None:
    with pytest.raises(GraphError):
        lower(to_onnx(Same(), given[:1], NAMES))


@pytest.mark.parametrize("names", [("activity", "embedding"), ("embedding", "embedding"), (), ("embedding", "window")])
def test_names_that_are_not_agreed_are_refused(names: tuple[str, ...], given: Windows) -> None:
    with pytest.raises(GraphError, match="expected embedding first, and each name once"):
        to_onnx(dual(), given[:1], names)


def test_another_number_of_outputs_is_refused(given: Windows) -> None:
    with pytest.raises(GraphError):
        to_onnx(dual(), given[:1], (*NAMES, "weight"))


def test_a_graph_with_other_outputs_than_asked_is_refused(
    made_dual: dict[tuple[str, str], Artefact], given: Windows
) -> None:
    with pytest.raises(GraphError, match="the graph gives embedding, activity; expected embedding"):
        convert(made_dual["onnx-fp32", "onnx"].model, given)  # type: ignore[arg-type]


def test_scores_must_be_a_row_of_two_or_more() -> None:
    assert structure.no_scores("activity", (1, 2)) == []
    for shape in ((1, 1), (2, 4), (1, 3, 4)):
        assert "expected (1, n)" in structure.no_scores("activity", shape)[0]


def test_a_network_with_one_output_has_no_gate_of_scores(exported: list[Artefact]) -> None:
    assert exported[1].outputs == ("embedding",)
    assert [name for name in exported[1].gates if name.endswith("_parity")] == ["output_parity"]
    assert "outputs" not in exported[0].gates["float_parity"]


def test_a_runtime_refuses_a_file_whose_outputs_have_one_name(int8: Graph) -> None:
    doubled = replace(int8, outputs=("embedding", "embedding"))
    with pytest.raises(ArtefactError, match="each output by a name"):
        LiteRtSession(content_of(doubled))
