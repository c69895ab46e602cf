"""ONNX files as documents."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from ecgkd_export import metadata
from ecgkd_export.convert import Artefact
from ecgkd_export.errors import ArtefactError
from ecgkd_export.run.ort import OrtSession


def test_metadata_come_back_from_file_and_runtime(exported: list[Artefact], tmp_path: Path) -> None:
    entries = {"b": json.dumps({"µV": 1}), "a": "x"}
    path = tmp_path / "a.onnx"
    path.write_bytes(exported[1].file("onnx", entries))
    assert metadata.metadata_of(metadata.read_onnx(path)) == entries
    assert OrtSession(path).metadata == entries


def test_metadata_do_not_change_the_hash_of_the_graph_but_a_weight_does(exported: list[Artefact]) -> None:
    model = onnx.load_from_string(exported[0].file("onnx", {"contract": "{}"}))
    assert metadata.graph_sha256(model) == exported[0].graph_sha256
    tensor = next(t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = np.nextafter(values.flat[0], np.float32(9))
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    assert metadata.graph_sha256(model) != exported[0].graph_sha256


def test_float_and_int8_graphs_have_different_hashes(exported: list[Artefact]) -> None:
    assert exported[0].graph_sha256 != exported[1].graph_sha256


@pytest.mark.parametrize("content", [b"", b"not an onnx file", b"\x08\x0a\x12"])
def test_a_file_that_is_no_onnx_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"a\.onnx: ") as caught:
        metadata.read_onnx(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ArtefactError, match=r"a\.onnx: ONNX Runtime refuses it") as caught:
        OrtSession(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_refused(exported: list[Artefact], tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(exported[1].file("onnx", {})[:2000])
    with pytest.raises(ArtefactError):
        OrtSession(path)
    with pytest.raises(ArtefactError):
        metadata.read_onnx(path)


def test_a_file_of_two_gigabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(ArtefactError, match="at most 2 GB"):
        metadata.read_onnx(path)


def test_windows_of_another_shape_are_refused(exported: list[Artefact]) -> None:
    with pytest.raises(ArtefactError, match=r"the graph takes \(1, 40\)"):
        OrtSession(exported[0].file("onnx", {})).run(np.zeros((2, 1, 41), np.float32))


def test_no_windows_give_no_rows(exported: list[Artefact]) -> None:
    assert OrtSession(exported[0].file("onnx", {})).run(np.zeros((0, 1, 40), np.float32)).shape == (0, 24)
