"""Export folders: what stands in them, and what is found when they are damaged."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from torch import nn

from ecgkd.bundle.artefacts import check_free, file_name, read_export, write_export
from ecgkd.bundle.make import Evidence, make
from ecgkd.bundle.recheck import recheck
from ecgkd.contract import METADATA_KEY, Contract
from ecgkd.errors import DataError, GateError, UsageError
from ecgkd.files import sha256_file


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def test_names_say_student_seconds_rate_and_precision() -> None:
    assert file_name("deit_micro", "int8", "onnx") == "deit_micro_4s_250hz_int8.onnx"
    assert file_name("deit_micro", "int8", "tflite", "mcu") == "deit_micro_4s_250hz_int8-mcu.tflite"


def test_every_artefact_has_a_sidecar_and_nothing_else_is_there(exported: Path) -> None:
    stems = [f"tiny_4s_250hz_{precision}.{format}" for precision in ("fp32", "int8") for format in ("onnx", "ort")]
    lists = [f"tiny_4s_250hz_{precision}.config" for precision in ("fp32", "int8")]
    there = [*stems, *(f"{stem}.json" for stem in stems), *lists]
    assert sorted(path.name for path in exported.iterdir()) == sorted(there)


def test_the_operators_of_a_reduced_build_stand_beside_the_ort_file(exported: Path, folder: Path) -> None:
    text = (exported / "tiny_4s_250hz_int8.config").read_text()
    assert "com.microsoft;1;QGemm" in text
    assert str(exported) not in text
    assert "# - tiny_4s_250hz_int8.ort" in text
    (folder / "tiny_4s_250hz_int8.config").write_text(text.replace("QGemm", "QMatMul"))
    gate = recheck(read_export(folder), None, None)["tiny_4s_250hz_int8.ort"]["required_operators"]
    assert (gate["result"], gate["why"]) == (
        "failed",
        "tiny_4s_250hz_int8.config is not what the file needs; export again",
    )


def test_the_contract_inside_is_the_one_beside(exported: Path) -> None:
    from ecgkd_export.run.ort import OrtSession

    for shipped in read_export(exported):
        inside = Contract.from_json(OrtSession(shipped.path).metadata[METADATA_KEY])
        assert inside == shipped.contract
        assert inside.gates["verdict"] == "passed"
        assert inside.inputs[0].shape == (1, 1, 1000)


def test_float_and_int8_have_embedding_spaces_of_their_own_and_formats_share_them(exported: Path) -> None:
    spaces = {shipped.path.name: shipped.contract.embedding_space for shipped in read_export(exported)}
    assert len(set(spaces.values())) == 2
    assert spaces["tiny_4s_250hz_int8.onnx"] == spaces["tiny_4s_250hz_int8.ort"]


def test_a_flipped_byte_is_found_by_the_hash(folder: Path) -> None:
    path = folder / "tiny_4s_250hz_int8.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(GateError, match=r"int8\.onnx: damaged or exchanged"):
        read_export(folder)


def test_a_missing_artefact_is_found(folder: Path) -> None:
    (folder / "tiny_4s_250hz_int8.onnx").unlink()
    with pytest.raises(GateError, match="missing, though its sidecar is there"):
        read_export(folder)


@pytest.mark.parametrize("content", ["{", "{}", '{"file": 3}'])
def test_a_broken_sidecar_is_refused(folder: Path, content: str) -> None:
    (folder / "tiny_4s_250hz_int8.onnx.json").write_text(content)
    with pytest.raises(DataError, match="sidecar"):
        read_export(folder)


def test_a_sidecar_with_another_contract_is_found(folder: Path, evidence: Evidence) -> None:
    path = folder / "tiny_4s_250hz_int8.onnx.json"
    document = json.loads(path.read_text())
    document["threshold"]["value"] = 0.1
    path.write_text(json.dumps(document))
    gates = recheck(read_export(folder), None, None)["tiny_4s_250hz_int8.onnx"]
    assert gates["contract"]["problems"] == ["the contract inside the file is not the one beside it"]


def test_another_networks_int8_artefact_is_found_by_output_parity(
    folder: Path, graph: onnx.ModelProto, contract: Contract, tmp_path: Path
) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(graph)
    weights = next(tensor for tensor in other.graph.initializer if tensor.name == "patch.weight")
    weights.CopyFrom(onnx.numpy_helper.from_array(np.roll(onnx.numpy_helper.to_array(weights), 1), weights.name))
    write_export(tmp_path / "other", make(other, contract, None), ["onnx"])
    for name in ("tiny_4s_250hz_int8.onnx", "tiny_4s_250hz_int8.onnx.json"):
        shutil.copy(tmp_path / "other" / name, folder / name)
    gates = recheck(read_export(folder), None, None)
    assert gates["tiny_4s_250hz_int8.onnx"]["output_parity"]["result"] == "failed"
    assert gates["tiny_4s_250hz_int8.ort"]["same_as_onnx"]["result"] == "failed"


def test_what_was_exported_passes_when_checked_again(exported: Path, evidence: Evidence, network: nn.Module) -> None:
    from ecgkd_export.convert import run_torch_all
    from ecgkd_export.parity import failures

    gates = recheck(read_export(exported), evidence, lambda windows: run_torch_all(network, windows))
    assert {name: failures(found) for name, found in gates.items()} == {name: [] for name in gates}
    assert gates["tiny_4s_250hz_fp32.onnx"]["float_parity"]["result"] == "passed"
    assert gates["tiny_4s_250hz_int8.onnx"]["biometric"]["result"] == "undecided"
    assert gates["tiny_4s_250hz_int8.ort"]["same_as_onnx"]["max_abs"] == 0


def test_exporting_again_gives_the_same_files(
    exported: Path, network: nn.Module, contract: Contract, evidence: Evidence, tmp_path: Path
) -> None:
    write_export(tmp_path / "again", make(network, contract, evidence), ["onnx"])
    for path in (tmp_path / "again").iterdir():
        assert sha256_file(path) == sha256_file(exported / path.name)


def test_a_fresh_install_makes_the_released_int8_graph_and_quotes_its_evidence(
    exported: Path, contract: Contract
) -> None:
    from ecgkd_export.metadata import read_onnx

    released = json.loads((exported / "tiny_4s_250hz_int8.onnx.json").read_text())
    shipped = read_export(exported)[0].contract
    made = make(read_onnx(exported / "tiny_4s_250hz_fp32.onnx"), shipped, None, released=[released])
    (_, float_contract), (artefact, int8_contract) = made
    assert artefact.graph_sha256 == released["file"]["graph_sha256"]
    assert "release" in int8_contract.gates["biometric"]["quoted"]
    assert float_contract.gates["float_parity"]["result"] == "passed"


def test_without_recordings_or_release_the_biometric_result_is_absent(
    graph: onnx.ModelProto, contract: Contract
) -> None:
    made = make(graph, contract, None)
    gate = made[1][1].gates["biometric"]
    assert gate["result"] == "absent"
    assert "--data" in gate["why"]
    assert made[1][1].quantisation["ranges_from"] == "synthetic windows"
    assert made[1][1].gates["verdict"] == "passed"


def test_a_failed_gate_is_written_into_the_contract(graph: onnx.ModelProto, contract: Contract) -> None:
    (_, first), _ = make(graph, contract, None)
    narrow = {name: (low / 50, high / 50) for name, (low, high) in first.activation_ranges.items()}
    (_, _), (_, bad) = make(graph, replace(contract, activation_ranges=narrow), None, force=True)
    assert (bad.gates["verdict"], bad.gates["failed"], bad.gates["forced"]) == ("failed", ["output_parity"], True)


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path, exported: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        check_free(tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        check_free(tmp_path / "notes.txt")
    check_free(exported)
    check_free(tmp_path / "new")


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no artefact with a sidecar"):
        read_export(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        read_export(tmp_path / "none")
