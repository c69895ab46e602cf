"""The C artefact from the outside: exported, checked, loaded and bundled like any other."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from ecgkd.bundle.artefacts import read_export
from ecgkd.cli.load import load_model
from ecgkd.errors import DataError, GateError
from ecgkd.signal.chain import WINDOW_SAMPLES
from ecgkd_export.c99.emit import emit
from ecgkd_export.errors import ArtefactError
from tests.ecgkd.bundle.test_commands import ecgkd
from tests.export.c99.test_session import some_graph

STEM = "tiny_4s_250hz_int8"
pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)


def export(source: Path, out: Path, *more: str) -> Result:
    return ecgkd("export", source, "--int8", "--no-timing", "--out", out, *more)


@pytest.fixture(scope="module")
def made(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with float ONNX, TFLite and C."""
    out = tmp_path_factory.mktemp("c") / "out"
    source = Path(shutil.copy(exported / "tiny_4s_250hz_fp32.onnx", out.parent / "tiny_4s_250hz_fp32.onnx"))
    result = export(source, out, "--formats", "onnx,tflite,c", "--with-kernels")
    assert result.exit_code == 0, result.exception
    return out


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def test_it_is_bound_to_the_same_templates_as_the_tflite_file(made: Path) -> None:
    c, tflite = (json.loads((made / f"{STEM}.{end}.json").read_text()) for end in ("c", "tflite"))

    assert c["embedding_space"] == tflite["embedding_space"]
    assert c["file"]["graph_sha256"] == tflite["file"]["graph_sha256"]
    assert f'.embedding_space = "{c["embedding_space"]}"' in (made / f"{STEM}.c").read_text()
    assert c["gates"]["integer_parity"]["lsb"] == 0
    assert c["gates"]["verdict"] == "passed"


def test_it_embeds_windows_as_the_tflite_file_does(made: Path) -> None:
    windows = np.random.default_rng(0).integers(-128, 128, (8, WINDOW_SAMPLES)).astype(np.int8)
    c, tflite = (load_model(made / f"{STEM}.{end}") for end in ("c", "tflite"))

    a, b = c.embed(windows), tflite.embed(windows)

    assert (c.kind, c.contract.precision, c.contract.model) == ("c", "int8", "tiny")
    assert np.allclose(np.linalg.norm(a, axis=1), 1, atol=1e-3)
    assert (a * b).sum(1).min() > 0.999


def test_exporting_again_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    result = export(made.parent / "tiny_4s_250hz_fp32.onnx", tmp_path / "out", "--formats", "onnx,tflite,c")

    assert result.exit_code == 0, result.exception
    assert "compile: cc -std=c99" in result.stdout
    for end in ("c", "h"):
        assert (tmp_path / "out" / f"{STEM}.{end}").read_bytes() == (made / f"{STEM}.{end}").read_bytes()


def test_c_alone_has_the_same_graph(made: Path, tmp_path: Path) -> None:
    result = export(made / "tiny_4s_250hz_fp32.onnx", tmp_path / "out", "--formats", "c", "--json")

    assert result.exit_code == 0, result.exception
    (file,) = json.loads(result.stdout)["artefacts"]
    assert file["graph_sha256"] == json.loads((made / f"{STEM}.c.json").read_text())["file"]["graph_sha256"]


def test_with_its_kernels_the_folder_compiles_alone(made: Path, tmp_path: Path) -> None:
    compiler = next(name for name in ("cc", "gcc", "clang") if shutil.which(name))
    sources = [str(path) for path in (made / f"{STEM}.c", *(made / "firmware" / "kernels").glob("*.c"))]
    includes = [f"-I{made / 'firmware' / folder}" for folder in ("include", "kernels")]

    done = subprocess.run([compiler, "-std=c99", *includes, "-c", *sources], cwd=tmp_path, capture_output=True)

    assert done.returncode == 0, done.stderr


def test_check_finds_a_damaged_header(copied: Path) -> None:
    header = copied / f"{STEM}.h"
    header.write_bytes(header.read_bytes().replace(b"ARENA_SIZE", b"ARENA_SIZF", 1))

    with pytest.raises(GateError, match=r"tiny_4s_250hz_int8\.h: damaged or exchanged"):
        read_export(copied)


def test_a_truncated_file_is_refused_by_its_name(copied: Path) -> None:
    source = copied / f"{STEM}.c"
    source.write_bytes(source.read_bytes()[:-4000])

    with pytest.raises(ArtefactError, match=r"tiny_4s_250hz_int8\.c: the source is truncated.*; export it again"):
        load_model(source)


def test_a_network_without_a_contract_is_refused(tmp_path: Path) -> None:
    files = emit(some_graph(), name="net")
    (tmp_path / "net.c").write_bytes(files.source)
    (tmp_path / "net.h").write_bytes(files.header)

    with pytest.raises(DataError, match="a file without ecgkd's contract"):
        load_model(tmp_path / "net.c")
