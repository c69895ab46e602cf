"""`ecgkd bench --selftest`: a bundle's golden recordings through its own C, built for the device and run there."""

import json
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ecgkd.bundle.device_test import compare, device_tests, fnv
from ecgkd.bundle.selftest import open_bundle
from ecgkd.cli.bench import register
from ecgkd.errors import GateError, UsageError
from ecgkd_bench import owner
from ecgkd_bench.errors import DeviceError
from tests.ecgkd.bundle.tiny_bundle import NAME, tiny_bundle, tiny_members

needs_gcc = pytest.mark.skipif(
    shutil.which("x86_64-linux-gnu-gcc") is None, reason="no x86_64-linux-gnu-gcc on this machine; apt install gcc"
)
pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)
VERDICT = "firmware/enrol/verdict.c"


def bench(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)
    return CliRunner().invoke(app, [str(one) for one in arguments])


@needs_gcc
def test_this_machine_decides_as_the_bundle_keeps_it(tmp_path: Path) -> None:
    result = bench("--selftest", tiny_bundle(tmp_path / "x.zip"))

    assert result.exit_code == 0, result.exception
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith(f"{NAME}.c, ") and line.endswith(": passed") for line in lines)
    assert "owner: accepted" in result.stdout
    assert "stranger: refused" in result.stdout


@needs_gcc
def test_a_program_that_decides_otherwise_is_found(tmp_path: Path) -> None:
    source = tiny_members()[VERDICT].decode()
    tampered = source.replace("ECGKD_REFUSED", "ECGKD_ACCEPTED")
    assert tampered != source

    result = bench("--selftest", tiny_bundle(tmp_path / "x.zip", {VERDICT: tampered.encode()}), "--json")

    assert isinstance(result.exception, GateError)
    assert re.search(r"stranger: refused.*: accepted .* there$", str(result.exception))
    results = [row["result"] for row in json.loads(result.stdout)["checks"]]
    assert [one == "passed" for one in results] == [True, True, True, True, True, False]


@needs_gcc
def test_a_program_that_gives_up_is_found_with_its_own_words(tmp_path: Path) -> None:
    place = "firmware/ports/owner/owner.c"
    giving_up = tiny_members()[place].replace(b"begin(take(4));", b'put("too little memory\\n"), ecgkd_port_exit(70);')

    result = bench("--selftest", tiny_bundle(tmp_path / "x.zip", {place: giving_up}))

    assert isinstance(result.exception, GateError)
    assert "'too little memory', which is no line of the owner check" in str(result.exception)


@needs_gcc
def test_golden_decisions_that_are_not_this_programs_are_found(tmp_path: Path) -> None:
    document = json.loads(tiny_members()["golden/golden.json"])
    document["decisions"][f"{NAME}.c"]["owner"]["score"] += 2**-16
    changes = {"golden/golden.json": json.dumps(document).encode()}

    result = bench("--selftest", tiny_bundle(tmp_path / "x.zip", changes))

    assert isinstance(result.exception, GateError)
    assert str(result.exception).count(" there") == 1
    assert "owner: accepted" in str(result.exception)


def test_golden_recordings_that_are_not_those_of_the_windows_are_refused(tmp_path: Path) -> None:
    changes = {"golden/owner.i16": tiny_members()["golden/stranger.i16"]}

    result = bench("--selftest", tiny_bundle(tmp_path / "x.zip", changes))

    assert isinstance(result.exception, GateError)
    assert "do not belong together" in str(result.exception)


def test_a_bundle_without_the_program_or_without_c_says_so(tmp_path: Path) -> None:
    bundle = open_bundle(tiny_bundle(tmp_path / "x.zip"))

    del bundle.members["firmware/ports/owner/owner.c"]
    with pytest.raises(GateError, match=r"owner\.c is missing: made by an older ecgkd"):
        device_tests(bundle)
    bundle.contracts["tiny.tflite"] = bundle.contracts.pop(f"{NAME}.c")
    with pytest.raises(UsageError, match="no C artefact in the bundle"):
        device_tests(bundle)


def test_a_missing_compiler_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match=r"aarch64-linux-gnu-gcc is missing.*apt install") as caught:
        monkeypatch.setenv("PATH", str(tmp_path))
        owner.build(tmp_path, NAME, "aarch64")
    assert caught.value.exit_code == 3


def test_a_board_without_linux_and_what_is_for_measuring_are_refused(tmp_path: Path) -> None:
    refused = [(("--device", "qemu:mps2-an386"), "needs Linux"), (("model.c",), "it measures nothing")]
    refused.append((("--out", "r.json"), "it measures nothing"))
    for more, words in refused:
        result = bench("--selftest", tmp_path / "x.zip", *more)
        assert isinstance(result.exception, UsageError)
        assert words in str(result.exception)


def test_lines_that_end_early_or_differ_are_told_apart(tmp_path: Path) -> None:
    (test,) = device_tests(open_bundle(tiny_bundle(tmp_path / "x.zip")))
    enrol = test.expected[0]
    lines = [f"w 3 0 {one}" for one in enrol.windows] + ["w 2 5 1", f"e 0 {len(enrol.windows)} 7 1 1 1"]

    told = [row["result"] for row in compare(test, lines)]
    assert told == ["passed", "passed", "0 windows there", "no verdict there", "0 windows there", "no verdict there"]
    assert compare(test, ["w 3 0 1", *lines[1:]])[0]["result"] == "window 1 has other bits there"
    assert compare(test, lines[1:])[0]["result"] == f"{len(enrol.windows) - 1} windows there"
    with pytest.raises(GateError, match="no line of the owner check"):
        compare(test, ["w x"])


def test_the_hash_is_fnv_1a() -> None:
    assert fnv(b"foobar") == 0xBF9CF968  # Source: the algorithm's authors, isthe.com/chongo/tech/comp/fnv, test_fnv.c
