"""The C engine's static runner as a backend: what it prints, how it fails, and one that is really built."""

import shutil
import stat
from pathlib import Path

import pytest

from ecgkd_bench import static_runner
from ecgkd_bench.backends import load
from ecgkd_bench.errors import DeviceError

SAID = '{"ecgkd_runner": 1, "target": "aarch64", "model": "m", "window_bytes": 8, "arena_bytes": 64, '
SAID += '"ticks_per_second": 1000000000, "peak_memory_bytes": 400000'


def _program(folder: Path, script: str) -> str:
    path = folder / "runner"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_ticks_become_milliseconds() -> None:
    said = static_runner.parse(SAID + ', "ticks": [1500000, 2000000]}\n')
    assert said["ms"] == [1.5, 2.0]
    assert said["arena_bytes"] == 64


@pytest.mark.parametrize("output", ["", "hello\n", "{}", "[1]", "{broken"])
def test_a_runner_that_prints_garbage_is_one_clear_line(output: str) -> None:
    with pytest.raises(DeviceError, match="the runner printed something else than its figures"):
        static_runner.parse(output)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -ILL $$", "runner was ended by SIGILL; its processor lacks an instruction"),
        ("echo no arena; exit 70", "runner ended with exit status 70; last it printed: no arena"),
    ],
)
def test_a_runner_that_fails_is_one_clear_line(script: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=words) as caught:
        load("c99", _program(tmp_path, script), 1)
    assert "\n" not in str(caught.value)


def test_a_runner_for_another_machine_is_named_as_one(tmp_path: Path) -> None:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (2).to_bytes(2, "little")  # SPARC
    (tmp_path / "runner").write_bytes(header + bytes(100))
    with pytest.raises(DeviceError, match=r"cannot run there .*is it built for another architecture"):
        load("c99", str(tmp_path / "runner"), 1)


def test_a_runner_gives_its_own_times_and_its_arena(tmp_path: Path) -> None:
    script = f"[ $1 = info ] && {{ echo '{SAID}}}'; exit; }}\n[ $1$2 = bench1 ] && cat >/dev/null && "
    script += f"echo '{SAID}, \"ticks\": [1000000, 1000000, 3000000]}}'"
    model = load("c99", _program(tmp_path, script), 1)
    assert model.times(3) == [1.0, 1.0, 3.0]
    assert model.arena_bytes == 64
    assert model.effective == "ecgkd C99 aarch64"


def test_a_processor_with_dot_products_gets_them() -> None:
    assert static_runner.target_of("aarch64", ("asimd",)) == "aarch64"
    assert static_runner.target_of("aarch64", ("asimd", "asimddp")) == "aarch64-dotprod"
    assert static_runner.target_of("armv8l", ()) == "armv7l"
    with pytest.raises(DeviceError, match="not built for riscv64"):
        static_runner.target_of("riscv64", ())


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"aarch64-linux-gnu-gcc is missing.*apt install gcc-aarch64-linux-gnu"):
        static_runner.build(tmp_path / "a.c", "aarch64", tmp_path)


@pytest.mark.skipif(shutil.which("x86_64-linux-gnu-gcc") is None, reason="needs gcc; apt install gcc")
def test_a_broken_network_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("this is no C\n")
    (tmp_path / "a.h").write_text("")
    with pytest.raises(DeviceError, match=r"a\.c: x86_64-linux-gnu-gcc refuses it"):
        static_runner.build(tmp_path / "a.c", "x86_64", tmp_path)
