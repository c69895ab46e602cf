"""A network with an embedding and scores of classes leaves by every door with both."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from ecgkd_export import c99_artefacts, doctor, parity, tflite_artefacts, tflite_structure
from ecgkd_export.artefact import Artefact
from ecgkd_export.convert import convert, run_torch, run_torch_all, runner
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind
from ecgkd_export.released import with_integers_of
from ecgkd_export.rewrite import Profile
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.run.tflm import TflmSession
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.torch_graph import TorchGraph

from .conftest import GRID
from .two_outputs import CLASSES, NAMES, content_of, dual, with_constant

Windows = NDArray[np.float32]
TFLM = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")


def test_every_format_passes_its_gates_with_both_outputs(made_dual: dict[tuple[str, str], Artefact]) -> None:
    assert list(made_dual) == [
        ("onnx-fp32", "onnx"), ("ort-int8", "onnx"), ("int8", "tflite"), ("w8", "tflite"), ("tflite-fp32", "tflite"),
        ("int8", "c"),
    ]  # fmt: skip
    for one in made_dual.values():
        assert parity.failures(one.gates) == []
        assert one.outputs == NAMES
    for key in (("ort-int8", "onnx"), ("int8", "tflite"), ("w8", "tflite"), ("int8", "c")):
        assert made_dual[key].gates["activity_parity"]["agreement"] >= 0.95
        assert made_dual[key].gates["output_parity"]["cosine_mean"] > 0.995


def test_files_name_their_outputs_in_the_agreed_order(made_dual: dict[tuple[str, str], Artefact]) -> None:
    for one in made_dual.values():
        if one.formats[0] == "onnx":
            assert OrtSession(one.file("onnx", {})).output_names == NAMES
            assert OrtSession(one.file("ort", {})).output_names == NAMES
        elif one.formats[0] == "tflite":
            gate = tflite_structure.file_gate(one.file("tflite", {}), one.precision, outputs=NAMES)
            assert gate["problems"] == []


def test_integer_gates_hold_both_outputs_against_the_simulation(made_dual: dict[tuple[str, str], Artefact]) -> None:
    lines = made_dual["int8", "tflite"].gates["integer_parity"]["runtimes"]
    for name in ("LiteRT, reference", "tflite-runtime, reference"):
        assert (lines[name]["lsb"], lines[name]["outputs"]["activity"]["lsb"]) == (0, 0)
    assert lines["LiteRT, XNNPACK"]["outputs"]["activity"]["lsb_bound"] == tflite_artefacts.SCORE_LSB_BOUND
    assert made_dual["int8", "c"].gates["integer_parity"]["result"] in (parity.PASSED, parity.ABSENT)


SESSIONS: list[Any] = [
    pytest.param(lambda content: LiteRtSession(content, kernels="reference"), Arithmetic.LITERT, id="LiteRT"),
    pytest.param(lambda content: TfliteRuntimeSession(content, kernels="reference"), Arithmetic.FIXED, id="old"),
    pytest.param(TflmSession, Arithmetic.FIXED, id="TFLM", marks=TFLM),
]


@pytest.mark.parametrize(("session", "arithmetic"), SESSIONS)
def test_integer_runtimes_give_both_outputs_of_the_simulation_bit_for_bit(
    session: Callable[[bytes], Any], arithmetic: Arithmetic, int8: Graph, given: Windows
) -> None:
    opened = session(content_of(int8))
    integers = (given * 16).astype(np.int8)
    expected, found = simulate(int8, integers, arithmetic=arithmetic), opened.run_all_integers(integers)
    assert tuple(found) == opened.output_names == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(found[name], expected[name].reshape(len(given), -1))
    np.testing.assert_array_equal(opened.run_integers(integers), found["embedding"])
    np.testing.assert_array_equal(opened.run(given), opened.run_all(given)["embedding"])


def test_only_the_embedding_loses_its_norm_and_fills_its_steps(
    int8: Graph, reference: parity.Outputs, given: Windows
) -> None:
    quants = {name: int8.tensors[name].quant for name in NAMES}
    assert quants["embedding"] is not None
    assert quants["activity"] is not None
    assert (float(quants["embedding"].scale[0]), quants["embedding"].zero_point) == (1 / 128, 0)
    assert Kind.L2_NORM not in {op.kind for op in int8.ops}
    found = LiteRtSession(content_of(int8)).run_all(given)
    span = float(np.ptp(reference["activity"]))
    assert np.isclose(float(quants["activity"].scale[0]), span / 255, rtol=0.1)
    assert np.abs(found["activity"] - reference["activity"]).max() < 0.1 * span
    assert np.abs(found["embedding"]).max() > 0.9


def test_both_heads_read_means_and_maxima_by_layers_of_their_own(int8: Graph) -> None:
    assert Kind.CONCAT not in {op.kind for op in int8.ops}


def test_w8_keeps_both_heads_in_float_and_the_rest_in_int8(made_dual: dict[tuple[str, str], Artefact]) -> None:
    graph = made_dual["w8", "tflite"].model
    assert isinstance(graph, Graph)
    layers = {op.name: graph.tensors[op.inputs[1]].dtype for op in graph.ops if op.kind == Kind.FULLY_CONNECTED}
    assert sorted(layers.values()) == [DType.FLOAT32] * 3 + [DType.INT8] * 2
    assert all(graph.tensors[op.inputs[1]].dtype == DType.INT8 for op in graph.ops if op.kind == Kind.CONV)


def test_the_callers_gate_is_asked_of_the_output_that_it_names(made_dual: dict[tuple[str, str], Artefact]) -> None:
    assert "told" not in made_dual["onnx-fp32", "onnx"].gates
    for (runtime, _), one in made_dual.items():
        assert runtime == "onnx-fp32" or one.gates["told"]["same"] > 0.9
    assert "quoted" in made_dual["int8", "c"].gates["told"]


def test_an_artefact_runs_by_the_name_of_an_output(
    made_dual: dict[tuple[str, str], Artefact], reference: parity.Outputs, given: Windows
) -> None:
    for one in made_dual.values():
        assert runner(one)(given).shape == reference["embedding"].shape
        assert runner(one, "activity")(given).shape == reference["activity"].shape
    with pytest.raises(GraphError, match="no output weight; the w8 graph has embedding, activity"):
        runner(made_dual["w8", "tflite"], "weight")


def test_pytorchs_own_outputs_are_told_by_name(given: Windows) -> None:
    network = dual()
    found = run_torch_all(network, given[:3], NAMES)
    assert {name: rows.shape for name, rows in found.items()} == {"embedding": (3, 16), "activity": (3, CLASSES)}
    np.testing.assert_array_equal(found["embedding"], run_torch(network, given[:3]))


def test_stored_ranges_and_a_released_file_make_the_same_graph(
    made_dual: dict[tuple[str, str], Artefact], int8: Graph, given: Windows
) -> None:
    network = made_dual["onnx-fp32", "onnx"]
    model: Any = network.model
    again = convert(model, given[:2] * 0, outputs=NAMES, formats=("tflite",), settings=GRID, ranges=network.ranges)
    assert again[1].graph_sha256 == made_dual["int8", "tflite"].graph_sha256
    layer = next(op for op in int8.ops if op.output == "activity")
    weights = int8.tensors[layer.inputs[1]].data
    assert weights is not None
    other = with_constant(int8, layer.inputs[1], np.roll(weights, 1))
    back = with_integers_of(other, content_of(int8))
    restored = back.tensors[layer.inputs[1]].data
    assert restored is not None
    np.testing.assert_array_equal(restored, weights)


def test_files_alone_are_asked_for_both_outputs(
    made_dual: dict[tuple[str, str], Artefact], reference: parity.Outputs, given: Windows
) -> None:
    for key, precision in ((("int8", "tflite"), "int8"), (("w8", "tflite"), "w8"), (("tflite-fp32", "tflite"), "fp32")):
        gates = tflite_artefacts.file_gates(made_dual[key].file("tflite", {}), precision, given, reference)
        assert parity.failures(gates) == []
        assert ("activity_parity" in gates) == (precision != "fp32")
    lines = tflite_artefacts.file_gates(made_dual["int8", "tflite"].file("tflite", {}), "int8", given, reference)[
        "runtimes"
    ]
    assert lines["runtimes"]["LiteRT, XNNPACK"]["outputs"]["activity"]["result"] == parity.PASSED


@pytest.mark.parametrize("profile", [Profile.MCU, Profile.NPU])
def test_other_profiles_pass_their_gates_with_both_outputs(profile: Profile, given: Windows) -> None:
    found = convert(dual(), given, outputs=NAMES, formats=("tflite",), settings=GRID, profile=profile)
    assert [one.runtime for one in found] == ["onnx-fp32", "int8"]
    gates = found[1].gates
    assert parity.failures(gates) == (["vela"] if gates.get("vela", {}).get("result") == parity.FAILED else [])
    if gates["tflm"]["result"] != parity.ABSENT:
        assert gates["tflm"]["outputs"]["activity"]["lsb"] == 0


def test_pytorchs_graph_gives_both_outputs(
    made_dual: dict[tuple[str, str], Artefact], reference: parity.Outputs, given: Windows
) -> None:
    model: Any = made_dual["onnx-fp32", "onnx"].model
    found = TorchGraph(tflite_artefacts.prepared(model, 1 / 16)).run_all(torch.from_numpy(given))
    assert tuple(found) == NAMES
    scores = found["activity"].detach().numpy()[:, 0]
    np.testing.assert_allclose(scores, reference["activity"], atol=1e-4, rtol=1e-4)


def test_the_doctor_looks_at_what_the_embedding_is_made_of(
    made_dual: dict[tuple[str, str], Artefact], int8: Graph
) -> None:
    model = made_dual["onnx-fp32", "onnx"].model
    assert isinstance(model, onnx.ModelProto)
    graph = tflite_artefacts.prepared(model, 1 / 16)
    behind = int8.behind("embedding")
    parts = doctor.tensors(graph, int8)
    assert parts
    assert all(set(part.tensors) <= behind for part in parts)
    assert not any("activity" in part.tensors for part in parts)


def test_c_without_a_compiler_gives_both_outputs(int8: Graph, given: Windows) -> None:
    found = c99_artefacts.simulated(int8, given[:4])
    assert set(found) == set(NAMES)
