"""Faults planted in TFLite exports, each with hashes mended, so that no other gate than its own can say no."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema

from ecgkd.bundle.artefacts import read_export, write_export
from ecgkd.bundle.make import Evidence, make
from ecgkd.bundle.recheck import recheck
from ecgkd.contract import Contract
from ecgkd.protocols.protocol import Protocol
from ecgkd_export import tflite_artefacts
from ecgkd_export.parity import failures
from ecgkd_export.rewrite import Profile
from ecgkd_export.run.interpreter import Kernels
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.simulate import Arithmetic

TFLITE = "tiny_4s_250hz_int8.tflite"
Plant = Callable[[Any], Any]


@pytest.fixture(scope="module")
def shipped(
    graph: onnx.ModelProto, contract: Contract, evidence: Evidence, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A float ONNX and an int8 TFLite file; copy the folder before changing anything in it."""
    folder = tmp_path_factory.mktemp("tflite") / "artefacts"
    write_export(folder, make(graph, contract, evidence, formats=["tflite"]), ["onnx", "tflite"])
    return folder


def _put(folder: Path, content: bytes) -> dict[str, Any]:
    """Returns the gates of the TFLite file with another content, which its sidecar swears by."""
    (folder / TFLITE).write_bytes(content)
    sidecar = folder / f"{TFLITE}.json"
    document = json.loads(sidecar.read_text())
    document["file"] |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    sidecar.write_text(json.dumps(document))
    return recheck(read_export(folder), None, None)[TFLITE]


def _weights(model: Any) -> tuple[Any, Any]:
    """Returns the tensor and the buffer of the largest weights."""
    tensors = [tensor for tensor in model.subgraphs[0].tensors if model.buffers[tensor.buffer].data is not None]
    tensor = max(tensors, key=lambda one: len(model.buffers[one.buffer].data))
    return tensor, model.buffers[tensor.buffer]


def _shifted(weights: Any) -> Any:
    return np.roll(weights, 1)


def _swapped(weights: Any) -> Any:
    return np.ascontiguousarray(weights.T)


def _outside(model: Any) -> None:
    _, buffer = _weights(model)
    buffer.size, buffer.offset, buffer.data = len(buffer.data), 4096, None


def _custom(model: Any) -> None:
    code = next(one for one in model.operatorCodes if one.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "FlexMatMul"


def test_what_was_exported_passes(shipped: Path) -> None:
    gates = recheck(read_export(shipped), None, None)
    assert {name: failures(found) for name, found in gates.items()} == {name: [] for name in gates}
    assert gates[TFLITE]["calibration"]["result"] == "passed"


@pytest.mark.parametrize("change", [_shifted, _swapped])
def test_weights_in_another_order_fail_output_parity(shipped: Path, tmp_path: Path, change: Plant) -> None:
    folder = Path(shutil.copytree(shipped, tmp_path / "planted"))
    content = (folder / TFLITE).read_bytes()
    tensor, buffer = _weights(schema.ModelT.InitFromPackedBuf(content))
    weights = np.reshape(buffer.data, tensor.shape)
    assert content.count(weights.tobytes()) == 1
    gates = _put(folder, content.replace(weights.tobytes(), change(weights).tobytes()))
    assert failures(gates) == ["output_parity"]
    assert gates["output_parity"]["cosine_mean"] < 0.995


@pytest.mark.parametrize(
    ("plant", "problem"), [(_outside, "lies outside the file"), (_custom, "FlexMatMul is no operator of ours")]
)
def test_what_old_runtimes_get_wrong_in_silence_fails_the_structure(
    shipped: Path, tmp_path: Path, plant: Plant, problem: str
) -> None:
    folder = Path(shutil.copytree(shipped, tmp_path / "planted"))
    model = schema.ModelT.InitFromPackedBuf((folder / TFLITE).read_bytes())
    plant(model)
    builder = schema.flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    gates = _put(folder, bytes(builder.Output()))
    assert "structure" in failures(gates)
    assert any(problem in one for one in gates["structure"]["problems"])


def test_a_zero_point_that_one_runtime_reads_wrongly_fails_integer_parity_in_that_line(
    shipped: Path, graph: onnx.ModelProto, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OffByOne(LiteRtSession):
        """LiteRT, but for the zero point of what the first layer reads."""

        def __init__(self, source: bytes, *, kernels: str = Kernels.REFERENCE) -> None:
            model = schema.ModelT.InitFromPackedBuf(source)
            layer = next(op for op in model.subgraphs[0].operators if len(op.inputs) == 3)
            source = model.subgraphs[0].tensors[layer.inputs[0]].quantization
            source.zeroPoint = [int(source.zeroPoint[0]) + 1]
            builder = schema.flatbuffers.Builder(1024)
            builder.Finish(model.Pack(builder), b"TFL3")
            super().__init__(bytes(builder.Output()), kernels=kernels)

    wrong = {"LiteRT, off by one": (OffByOne, Kernels.REFERENCE, Arithmetic.LITERT)}
    monkeypatch.setattr(tflite_artefacts, "RUNTIMES", {**tflite_artefacts.RUNTIMES, **wrong})
    made = make(graph, contract, None, formats=["tflite"])
    gate = next(artefact.gates for artefact, _ in made if artefact.runtime == "int8")["integer_parity"]
    assert gate["result"] == "failed"
    assert [name for name, one in gate["runtimes"].items() if one["result"] == "failed"] == ["LiteRT, off by one"]


def test_ranges_of_another_graph_fail_the_calibration_gate(
    shipped: Path, graph: onnx.ModelProto, contract: Contract
) -> None:
    stale = read_export(shipped)[0].contract
    other = onnx.ModelProto()
    other.CopyFrom(graph)
    weights = next(tensor for tensor in other.graph.initializer if tensor.name == "patch.weight")
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) * 1.01, weights.name))
    known = replace(contract, activation_ranges=stale.activation_ranges, quantisation=stale.quantisation)
    gates = [make(model, known, None, formats=["tflite"])[1][0].gates for model in (other, graph)]
    assert [one["calibration"]["result"] for one in gates] == ["failed", "passed"]
    assert "measured on another graph" in gates[0]["calibration"]["why"]


def test_a_contract_that_names_other_calibration_windows_is_found(
    shipped: Path, evidence: Evidence, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(shipped, tmp_path / "stale"))
    sidecar = folder / f"{TFLITE}.json"
    document = json.loads(sidecar.read_text())
    assert document["quantisation"]["windows_of"] == evidence.protocol.sha256
    document["quantisation"]["windows_sha256"] = "0" * 64
    sidecar.write_text(json.dumps(document))
    gate = recheck(read_export(folder), evidence, None)[TFLITE]["calibration"]
    assert (gate["result"], "calibrated on other windows" in gate["why"]) == ("failed", True)


def test_both_int8_runtimes_state_the_calibration_windows(
    graph: onnx.ModelProto, contract: Contract, evidence: Evidence, protocol: Protocol
) -> None:
    made = make(graph, contract, evidence, formats=["onnx", "tflite"])
    stated = {artefact.runtime: artefact.quantisation.get("windows_sha256") for artefact, _ in made}
    assert stated["ort-int8"] == stated["int8"] == stated["onnx-fp32"] != None  # noqa: E711
    assert {artefact.quantisation.get("windows_of") for artefact, _ in made if artefact.precision != "w8"} == {
        protocol.sha256
    }


def test_a_profile_has_a_file_of_its_own_and_the_gates_of_its_tools(
    graph: onnx.ModelProto, contract: Contract, tmp_path: Path
) -> None:
    made = make(graph, contract, None, formats=["onnx", "tflite"], profile=Profile.NPU)
    names = [file["name"] for file in write_export(tmp_path / "npu", made, ["onnx", "tflite"])]
    assert names == ["tiny_4s_250hz_fp32.onnx", "tiny_4s_250hz_int8-npu.tflite"]
    gates = made[1][0].gates
    assert gates["tflm"]["result"] in ("passed", "absent")
    assert gates["vela"]["result"] in ("passed", "absent")
    if gates["tflm"]["result"] == "passed":
        assert gates["tflm"]["lsb"] == 0
    if gates["vela"]["result"] == "passed":
        assert gates["vela"]["share_on_npu"] >= 0.9
        assert gates["vela"]["estimated_cycles"] > 0
    again = recheck(read_export(tmp_path / "npu"), None, None)[names[1]]
    assert (again["structure"]["profile"], failures(again)) == ("npu", [])
