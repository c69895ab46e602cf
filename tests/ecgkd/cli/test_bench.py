"""`ecgkd bench`: what it measures, what it refuses, and its exit codes."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import ecgkd
from ecgkd.cli.bench_models import contract_of, evidence_of, subjects_of

SHIPPED = Path(ecgkd.__file__).parent / "weights" / "deit_micro"
INT8 = SHIPPED / "deit_micro_4s_250hz_int8.onnx"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "ecgkd.cli", "bench", *arguments)
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_a_shipped_network_stands_for_all_its_artefacts_with_their_evidence(tmp_path: Path) -> None:
    subjects = subjects_of(["deit_micro"], tmp_path, dry_run=True)
    assert {subject.path.suffix for subject in subjects} == {".onnx", ".tflite"}
    for subject in subjects:
        assert subject.evidence is not None
        assert 0 < subject.evidence.eer < 0.1
        assert subject.windows_to_accept is not None
        assert 1 <= subject.windows_to_accept <= 6


def test_a_contract_that_is_not_of_this_file_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / INT8.name).write_bytes(b"another file")
    (tmp_path / f"{INT8.name}.json").write_bytes(INT8.with_name(f"{INT8.name}.json").read_bytes())
    assert contract_of(tmp_path / INT8.name) is None
    assert evidence_of(None, tmp_path / INT8.name) is None


def test_a_local_run_gives_a_record_that_report_and_compare_read(tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    ran = run(str(INT8), "--rounds", "2", "--out", str(record), "--json")
    assert ran.returncode == 0, ran.stderr
    session = json.loads(ran.stdout)
    assert session["reference"]["model"]["name"] == "reference"
    assert session["records"][0]["streaming"]["windows_to_accept"] > 1
    assert json.loads(record.read_text()) == session
    assert run("compare", str(record), str(record), "--fail-if-slower", "5%").returncode == 0
    report = run("report", str(record), "--json")
    assert json.loads(report.stdout)["rows"][0]["model"] == INT8.name


@pytest.mark.network
def test_a_device_that_is_not_there_is_one_line_and_exit_code_3() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        ran = run(str(INT8), "--device", f"ssh:127.0.0.1:{one.getsockname()[1]}")
    assert ran.returncode == 3
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("ecgkd: error: ssh:127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "qemu:vax", str(INT8)), "no such kind of device; expected one of local, ssh:"),
        (("--device", "qemu:mps2-an386", str(INT8)), "runs the C engine alone; give it .c files"),
        (("--cores", "x", str(INT8)), "--cores x: expected processor numbers such as 2,3"),
        (("report",), "report takes records"),
        (("nowhere.onnx",), "nowhere.onnx: no such run or artefact"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    ran = run(*arguments)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_cores_that_are_not_there_are_named() -> None:
    ran = run(str(INT8), "--cores", "4095", "--rounds", "2")
    assert "cannot be bound to the cores [4095]; there are 0" in ran.stderr
