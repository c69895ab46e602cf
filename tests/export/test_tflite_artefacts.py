"""From a network to TFLite artefacts behind their gates; planted faults and the gate that catches each."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd_export import parity, tflite_artefacts
from ecgkd_export.artefact import Artefact
from ecgkd_export.convert import convert, runner
from ecgkd_export.graph import Graph, Tensor

from .conftest import GRID

Windows = NDArray[np.float32]


@pytest.fixture(scope="module")
def made(convolution: list[Artefact], windows: Windows) -> dict[str, Artefact]:
    """The residual network's artefacts by precision."""
    found = convert(convolution[0].model, windows, formats=("tflite",), settings=GRID)
    return {one.precision: one for one in found}


def test_int8_and_w8_pass_their_gates(made: dict[str, Artefact]) -> None:
    assert list(made) == ["fp32", "int8", "w8"]
    assert [parity.failures(one.gates) for one in made.values()] == [[], [], []]
    assert made["int8"].gates["integer_parity"]["runtimes"]["LiteRT, reference"]["lsb"] == 0


def test_stored_ranges_make_the_same_graph_without_recordings(made: dict[str, Artefact], windows: Windows) -> None:
    again = convert(
        made["fp32"].model, np.zeros_like(windows[:2]), formats=("tflite",), settings=GRID, ranges=made["fp32"].ranges
    )
    assert again[1].graph_sha256 == made["int8"].graph_sha256
    assert again[1].quantisation["ranges_from"] == "contract"
    assert again[1].file("tflite", {"a": "b"}) == again[1].file("tflite", {"a": "b"})


def _largest(graph: Graph) -> Tensor:
    constants = [tensor for tensor in graph.tensors.values() if tensor.data is not None and tensor.data.ndim > 1]
    return max(constants, key=lambda tensor: tensor.data.size if tensor.data is not None else 0)


def _planted(graph: Graph, tensor: Tensor) -> Graph:
    return replace(graph, tensors={**graph.tensors, tensor.name: tensor})


def test_weights_shifted_by_one_fail_output_parity(made: dict[str, Artefact], windows: Windows) -> None:
    graph = made["int8"].model
    assert isinstance(graph, Graph)
    weights = _largest(graph)
    assert weights.data is not None
    shifted = replace(weights, data=np.roll(weights.data, 1))
    content = replace(made["int8"], model=_planted(graph, shifted)).file("tflite", {})
    reference = {"embedding": runner(made["fp32"])(windows)}
    assert tflite_artefacts.file_gates(content, "int8", windows, reference)["output_parity"]["result"] == "failed"


def test_a_runtime_with_another_zero_point_fails_integer_parity(made: dict[str, Artefact], windows: Windows) -> None:
    graph = made["int8"].model
    assert isinstance(graph, Graph)
    inner = graph.tensors[graph.ops[1].output]
    assert inner.quant is not None
    other = replace(inner, quant=replace(inner.quant, zero_point=inner.quant.zero_point + 40))
    content = replace(made["int8"], model=_planted(graph, other)).file("tflite", {})
    gate = tflite_artefacts.integer_gate(graph, content, windows)
    assert gate["result"] == "failed"
    assert gate["runtimes"]["LiteRT, reference"]["lsb"] > 0


def test_float_weights_in_an_int8_file_fail_its_structure(made: dict[str, Artefact], windows: Windows) -> None:
    reference = {"embedding": runner(made["fp32"])(windows)}
    gates = tflite_artefacts.file_gates(made["w8"].file("tflite", {}), "int8", windows, reference)
    assert gates["structure"]["result"] == "failed"
