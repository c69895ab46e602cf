"""Native runners on devices without Python: what they print, and a run through a stand-in for the device's shell."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ecgkd_bench import native, static_runner
from ecgkd_bench.errors import DeviceError, MismatchError
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Clock

# LiteRT's benchmark_model on a Raspberry Pi: https://github.com/google/XNNPACK/issues/999 (shortened)
BENCHMARK_MODEL = """\
STARTING!
Graph: [yolo_best_recall_int8_static.tflite]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
The input model file size (MB): 3.67827
Initialized session in 18.777ms.
count=50 first=58154 curr=53809 min=53077 max=60727 avg=55043.2 std=1562

Inference timings in us: Init: 18777, First inference: 64791, Warmup (avg): 57758.2, Inference (avg): 55043.2
Memory footprint delta from the start of the tool (MB): init=8.97656 overall=18.7227
"""
# The same with the INFO prefix of newer builds: https://github.com/tensorflow/tensorflow/issues/73862 (shortened)
NEWER = """\
INFO: Initialized session in 12.75ms.
INFO: Inference timings in us: Init: 12750, First inference: 14744, Warmup (avg): 13764.3, Inference (avg): 13520.2
"""
# ONNX Runtime's perf test on a phone: https://github.com/ARM-software/ComputeLibrary/issues/850
PERF_TEST = """\
Session creation time cost: 0.06094 s
Total inference time cost: 0.843236 s
Total inference requests: 10
Average inference time cost: 84.3236 ms
Total inference run time: 0.84367 s
Avg CPU usage: 68 %
Peak working set size: 158171136 bytes
"""
# Rows of its result file: model, seconds, [seconds again,] peak, CPU, run. Source: onnxruntime, DumpToFile in
# onnxruntime/test/perftest/performance_runner.cc; https://github.com/microsoft/onnxruntime/pull/26313
ROWS = "squeezenet,0.0851,158171136,68,0\nsqueezenet,0.0834,158171136,68,1\n"
NEWER_ROWS = "squeezenet,0.0851,0.0852,158171136,68,0\n"


class Shell:
    """A device that has a shell and no Python: this machine's own, in a folder."""

    reached = "adb:stand-in"
    python: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def push(self, path: Path) -> str:
        (self.folder / path.name).write_bytes(path.read_bytes())
        return str(self.folder / path.name)

    def pull(self, remote: str, path: Path) -> None:
        raise AssertionError("nothing is pulled")

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        pass


def test_benchmark_model_gives_means_and_the_memory_that_it_grew_by() -> None:
    block = native.parse_benchmark_model(BENCHMARK_MODEL)
    assert (block.ms, block.of) == ((55.0432,), "block mean")
    assert block.load_seconds == pytest.approx(0.018777)
    assert block.model_bytes == round(18.7227 * 2**20)
    newer = native.parse_benchmark_model(NEWER)
    assert newer.ms == (13.5202,)
    assert newer.model_bytes is None


@pytest.mark.parametrize("rows", [ROWS, NEWER_ROWS])
def test_the_perf_test_gives_every_run_in_its_rows(rows: str) -> None:
    block = native.parse_perf_test(PERF_TEST, rows)
    assert block.ms[0] == pytest.approx(85.1)
    assert (len(block.ms), block.of) == (rows.count("\n"), "inference")
    assert block.load_seconds == pytest.approx(0.06094)
    assert block.peak_bytes == 158171136


def test_what_a_runner_does_not_tell_is_absent() -> None:
    quiet = "\n".join(line for line in PERF_TEST.splitlines() if "Peak" not in line)
    assert native.parse_perf_test(quiet, ROWS).peak_bytes is None


@pytest.mark.parametrize("text", ["", "ERROR: Failed to load model\n", "Inference timings in us: Init: ?\n"])
def test_garbage_of_a_runner_is_one_clear_line(text: str) -> None:
    with pytest.raises(DeviceError, match="benchmark_model printed something else than its figures"):
        native.parse_benchmark_model(text)
    with pytest.raises(DeviceError, match="onnxruntime_perf_test printed something else"):
        native.parse_perf_test(text, ROWS)
    with pytest.raises(DeviceError, match="onnxruntime_perf_test printed something else"):
        native.parse_perf_test(PERF_TEST, text)


def _runner(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    return path


def test_a_run_without_python_gives_records_and_ratios(tmp_path: Path) -> None:
    (tmp_path / "device").mkdir()
    runner = _runner(tmp_path / "benchmark_model", f"cat <<'E'\n{BENCHMARK_MODEL}\nE")
    subjects = []
    for name in ("a", "b"):
        (tmp_path / f"{name}.tflite").write_bytes(name.encode())
        subjects.append(Subject(name, tmp_path / f"{name}.tflite"))
    session = native.measure(subjects, Shell(tmp_path / "device"), Plan(rounds=3), runner)
    record = session.records[0]
    assert record.latency.raw == (55.0432,) * 3
    assert (record.latency.of, record.latency.launches) == ("block mean", 3)
    assert record.clock is Clock.WALL
    assert record.device.cores >= 1
    assert record.device.memory_bytes
    assert record.threads.effective is None
    assert session.ratios[0].value == 1.0
    assert session.reference is None


def test_the_c_engines_runner_needs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"ecgkd_runner": 1, "target": "t", "window_bytes": 1000, "arena_bytes": 64, "ticks_per_second": 10**9}
    info = json.dumps({**facts, "peak_memory_bytes": 400_000})
    bench = json.dumps({**facts, "peak_memory_bytes": 500_000, "ticks": [1_000_000] * 20})
    script = f"[ $1 = info ] && echo '{info}'\n[ $1 = bench ] && [ $(wc -c <$4) = 1000 ] && echo '{bench}'\ntrue"
    built = lambda source, target, folder: _runner(folder / "runner", script)  # noqa: E731
    monkeypatch.setattr(static_runner, "build", built)
    (tmp_path / "device").mkdir()
    (tmp_path / "net.c").write_text("")
    session = native.measure([Subject("net", tmp_path / "net.c")], Shell(tmp_path / "device"), Plan(rounds=2), None)
    record = session.records[0]
    assert record.latency.p50 == 1.0
    assert (record.memory.model_bytes, record.memory.arena_bytes) == (100_000, 64)
    assert record.threads.effective == 1


@pytest.mark.parametrize(
    ("file", "runner", "words"),
    [
        ("a.onnx", None, "point to a native runner for it with --runner"),
        ("a.onnx", "benchmark_model", r"a\.onnx: benchmark_model runs \.tflite files"),
        ("a.tflite", "my_tool", "expected a program called benchmark_model or onnxruntime_perf_test"),
    ],
)
def test_a_runner_that_does_not_fit_is_refused(file: str, runner: str | None, words: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(b"a")
    with pytest.raises(MismatchError, match=words):
        native.measure(
            [Subject("a", tmp_path / file)], Shell(tmp_path), Plan(rounds=2), tmp_path / runner if runner else None
        )


# `cat /proc/cpuinfo` of a 64-bit phone and `getprop`, as a 32-bit shell sees them. Sources: Linux, arch/arm64/kernel/
# cpuinfo.c (compat processes: the 32-bit names of features) and https://developer.android.com/tools/adb
PHONE = """
ecgkd-bench: file /proc/cpuinfo
processor\t: 0
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae aes crc32
CPU implementer\t: 0x41
CPU part\t: 0xd03

processor\t: 1
CPU part\t: 0xd03

ecgkd-bench: file /proc/meminfo
MemTotal:         980360 kB

ecgkd-bench: file getprop
[ro.product.manufacturer]: [Mobvoi]
[ro.product.model]: [TicWatch Pro 3]
[ro.build.version.release]: [11]

ecgkd-bench: file uname -s; uname -r; uname -m
Linux
4.14.180
armv8l
"""


def test_a_watch_without_python_is_described_by_its_shell(tmp_path: Path) -> None:
    from ecgkd_bench.remote_facts import RemoteFacts

    class Watch(Shell):
        def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
            return PHONE

    facts = RemoteFacts(Watch(tmp_path))
    described = facts.describe()
    assert (described["soc"], described["cores"], described["features"]) == ("Mobvoi TicWatch Pro 3", 2, ("neon",))
    assert (described["abi"], described["memory_bytes"]) == ("armv8l", 980360 * 1024)
    assert described["os"] == "Android 11, Linux 4.14.180"
    assert facts.state()["temperature_c"] is None
