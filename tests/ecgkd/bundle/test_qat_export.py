"""`ecgkd export --int8 --qat`, and the fine-tuned graph once more on a machine without recordings."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ecgkd.bundle.make import Evidence
from ecgkd.cli import export
from ecgkd.errors import UsageError

FLOAT, TFLITE = "tiny_4s_250hz_fp32.onnx", "tiny_4s_250hz_int8.tflite"
app = typer.Typer()
app.callback()(lambda: None)
export.register(app)


def ecgkd(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def tuned(exported: Path, evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `export --qat` wrote."""
    folder = tmp_path_factory.mktemp("tuned")
    evidence.protocol.save(folder / "protocol.json")
    given = ("--data", evidence.sets[0].path, "--protocol", folder / "protocol.json")
    how = ("--int8", "--qat", "--qat-steps", 20, "--formats", "onnx,tflite", "--no-timing", "--out", folder / "out")
    result = ecgkd("export", exported / FLOAT, *how, *given, "--json")
    assert result.exit_code == 0, result.exception
    return folder / "out"


def sidecar(folder: Path) -> dict[str, dict[str, object]]:
    document: dict[str, dict[str, object]] = json.loads((folder / f"{TFLITE}.json").read_text())
    return document


def test_the_contract_says_how_the_int8_graph_was_fine_tuned(tuned: Path) -> None:
    record = sidecar(tuned)["quantisation"]["qat"]
    assert isinstance(record, dict)
    assert record["steps"] == 20
    assert record["loss_before"] > 0
    assert len(record["windows_sha256"]) == 64


def test_the_fine_tuned_graph_comes_back_without_recordings(tuned: Path, tmp_path: Path) -> None:
    released = shutil.copytree(tuned, tmp_path / "released")
    how = ("--int8", "--formats", "onnx,tflite", "--no-timing", "--out", tmp_path / "again")
    result = ecgkd("export", released / FLOAT, *how, "--json")
    assert result.exit_code == 0, result.exception
    before, after = sidecar(tuned), sidecar(tmp_path / "again")
    assert after["file"]["graph_sha256"] == before["file"]["graph_sha256"]
    assert after["embedding_space"] == before["embedding_space"]
    assert after["quantisation"]["integers_from"] == "release"
    assert after["quantisation"]["qat"] == before["quantisation"]["qat"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--int8", "--qat"), "fine-tunes on recordings"),
        (("--qat",), "belongs to --int8"),
        (("--int8", "--qat", "--formats", "onnx"), "the formats tflite and c"),
    ],
)
def test_fine_tuning_without_what_it_needs_is_refused(words: tuple[str, ...], message: str, exported: Path) -> None:
    result = ecgkd("export", exported / FLOAT, *words)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
