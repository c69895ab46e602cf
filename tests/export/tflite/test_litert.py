"""Sessions: three sets of kernels in two runtimes, and files that must not get through."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from ecgkd_export import tflite_structure
from ecgkd_export.errors import ArtefactError
from ecgkd_export.graph import DType, Kind
from ecgkd_export.run.interpreter import quantised
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.tflite.emit import emit
from ecgkd_export.tflite.read import read

I8 = DType.INT8
SESSIONS: list[Any] = [LiteRtSession]
if find_spec("tflite_runtime"):
    SESSIONS.append(TfliteRuntimeSession)
BOTH = pytest.mark.parametrize("session", SESSIONS)


@pytest.fixture(scope="module")
def windows() -> Any:
    return (np.random.default_rng(1).integers(-128, 128, (9, 1, 40)) / 16).astype(np.float32)


@BOTH
@pytest.mark.parametrize("kernels", ["xnnpack", "builtin", "reference"])
def test_all_kernels_of_all_runtimes_agree_to_two_steps(
    session: Any, kernels: str, content: bytes, windows: Any
) -> None:
    got = session(content, kernels=kernels).run(windows)
    want = LiteRtSession(content, kernels="reference").run(windows)
    assert got.shape == (9, 6)
    assert got.dtype == np.float32
    assert np.abs(got - want).max() <= 2 / 128
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=0.02)


@BOTH
def test_a_second_run_gives_the_same_and_windows_do_not_mix(session: Any, content: bytes, windows: Any) -> None:
    runner = session(content)
    first = runner.run(windows)
    np.testing.assert_array_equal(runner.run(windows[::-1])[::-1], first)
    np.testing.assert_array_equal(runner.run(windows.reshape(9, 1, 1, 40)), first)
    assert runner.run(windows[:0]).shape == (0, 6)


@BOTH
def test_integers_go_in_and_out_as_they_are(session: Any, content: bytes, windows: Any) -> None:
    runner = session(content, kernels="reference")
    integers = runner.run_integers(quantised(windows, 1 / 16, 0, np.dtype(np.int8)))
    assert integers.dtype == np.int8
    np.testing.assert_array_equal(integers.astype(np.float32) / 128, runner.run(windows))


@BOTH
def test_tensors_inside_can_be_read_with_their_names(session: Any, content: bytes, windows: Any) -> None:
    runner = session(content, kernels="reference", keep_all=True)
    integers = quantised(windows, 1 / 16, 0, np.dtype(np.int8))
    kept = runner.run_keeping(integers, ["signal", "conv", "embedding"])
    assert (kept["conv"].shape, kept["conv"].dtype) == ((9, 1, 1, 20, 8), np.int8)
    np.testing.assert_array_equal(kept["signal"].reshape(9, 1, 40), integers)
    np.testing.assert_array_equal(kept["embedding"][:, 0], runner.run_integers(integers))
    with pytest.raises(ArtefactError, match="no tensor other"):
        runner.run_keeping(integers, ["other"])
    with pytest.raises(ArtefactError, match="XNNPACK keeps no tensors inside"):
        session(content, keep_all=True)


def test_windows_off_the_grid_are_rounded_half_to_even_and_clipped() -> None:
    values = np.array([0.5, 1.5, -0.5, 200, -200], np.float32)
    assert quantised(values, 1.0, 0, np.dtype(np.int8)).tolist() == [0, 2, 0, 127, -128]


@BOTH
def test_windows_of_another_shape_or_type_are_refused(session: Any, content: bytes) -> None:
    runner = session(content)
    with pytest.raises(ArtefactError, match=r"windows of shape \(1, 41\); it takes \(1, 1, 40\)"):
        runner.run(np.zeros((2, 1, 41), np.float32))
    with pytest.raises(ArtefactError, match="windows of float32; it takes int8"):
        runner.run_integers(np.zeros((2, 1, 40), np.float32))


@BOTH
def test_a_file_is_read_from_its_path_and_an_absent_one_is_one_line(
    session: Any, content: bytes, windows: Any, tmp_path: Path
) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(content)
    np.testing.assert_array_equal(session(path).run(windows), session(content).run(windows))
    with pytest.raises(ArtefactError, match=r"cannot read .*absent\.tflite: No such file"):
        session(tmp_path / "absent.tflite")


@BOTH
def test_a_file_cut_short_anywhere_is_refused(session: Any, content: bytes) -> None:
    for length in range(0, len(content), 97):
        with pytest.raises(ArtefactError):
            session(content[:length])
        assert tflite_structure.int8_gate(content[:length])["result"] == "failed"


def test_the_file_passes_its_gate_on_every_profile(content: bytes) -> None:
    for profile in ("cpu", "mcu", "npu"):
        gate = tflite_structure.int8_gate(content, profile)
        assert (gate["result"], gate["problems"]) == ("passed", [])
    assert gate["operators"]["CONV_2D"] == 1
    assert gate["left_to_processor"] == {"L2_NORMALIZATION": 1}
    assert tflite_structure.float_gate(content)["result"] == "failed"
    assert tflite_structure.w8_gate(content)["result"] == "passed"


def _planted(content: bytes, change: Any) -> bytes:
    """Returns the file after `change` of its unpacked model."""
    model = schema.ModelT.InitFromPackedBuf(content)
    change(model)
    builder = schema.flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _external(model: Any) -> None:
    weights = next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"head.weights")
    model.buffers[weights.buffer].data = None
    model.buffers[weights.buffer].offset, model.buffers[weights.buffer].size = 4096, 48


def _emptied(model: Any) -> None:
    weights = next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"head.weights")
    model.buffers[weights.buffer].data = None


def _short(model: Any) -> None:
    weights = next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"head.weights")
    model.buffers[weights.buffer].data = model.buffers[weights.buffer].data[:-8]


def _custom(model: Any) -> None:
    code = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.L2_NORMALIZATION)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "FlexL2Normalize"


def _newer(model: Any) -> None:
    code = next(code for code in model.operatorCodes if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED)
    code.version = 13


def _renamed(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].name = "x"


def _dynamic(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].shapeSignature = [-1, 1, 40]


def _unsigned(model: Any) -> None:
    model.signatureDefs = []


FAULTS = [
    (_external, "head.weights lies outside the file", True),
    (_emptied, "head.weights is neither in the file nor made by an operator", True),
    (_short, "head.weights has 40 bytes; INT8 (6, 8) takes 48", True),
    (_custom, "FlexL2Normalize is no operator of ours", True),
    (_newer, "FULLY_CONNECTED version 13; tflite-runtime 2.14 knows 9", True),
    (_renamed, "inputs x; expected window alone", False),
    (_dynamic, "window has a dynamic shape", False),
    (_unsigned, "no signature that takes window and gives embedding", False),
]


@pytest.mark.parametrize(("fault", "problem", "fatal"), FAULTS)
def test_planted_faults_are_found_by_the_gate(content: bytes, fault: Any, problem: str, fatal: bool) -> None:
    planted = _planted(content, fault)
    assert problem in tflite_structure.int8_gate(planted)["problems"]
    if fatal and find_spec("tflite_runtime"):
        with pytest.raises(ArtefactError):
            TfliteRuntimeSession(planted)


def test_a_custom_operator_is_refused_by_litert(content: bytes) -> None:
    with pytest.raises(ArtefactError, match=r"the TFLite file in LiteRT: refused .*FlexL2Normalize"):
        LiteRtSession(_planted(content, _custom))


def test_float_tensors_in_an_int8_file_are_found(bench: Any) -> None:
    rng = np.random.default_rng(0)
    source = bench.tensor("window", (3, 8), DType.FLOAT32)
    graph = bench.graph(
        Kind.FULLY_CONNECTED,
        (source, *bench.weights(rng.normal(size=(5, 8)), source, rng)),
        bench.tensor("embedding", (1,), DType.FLOAT32),
        {"activation": "none"},
    )
    content = emit(graph, metadata={}, description="")
    problems = tflite_structure.int8_gate(content)["problems"]
    assert "weights weights are float32" in problems
    assert "window is float32" in problems
    assert tflite_structure.w8_gate(content)["problems"] == ["0 of 40 weights are int8; expected 90%"]
    assert tflite_structure.float_gate(content)["problems"] == []


def test_gelu_is_nothing_for_a_microcontroller(bench: Any) -> None:
    source, output = (bench.tensor(name, (3, 8), I8, 1 / 16) for name in ("window", "embedding"))
    content = emit(bench.graph(Kind.GELU, (source,), output, {}), metadata={}, description="")
    assert "GELU: mcu has no such operator" in tflite_structure.int8_gate(content, "mcu")["problems"]


def test_what_is_no_tflite_file_is_said_to_be_none() -> None:
    with pytest.raises(ArtefactError, match="no TFLite file"):
        read(b"PK\x03\x04 something else")
