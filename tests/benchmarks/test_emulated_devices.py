"""The emulated ARM machine through the ordinary ssh and adb devices: complete records, and links that die.

Minutes under emulation: marked `arm` and `slow`; skipped where Debian's emulation packages are not installed.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from ecgkd_bench import counted, static_runner, summary
from ecgkd_bench.counted import BOARDS
from ecgkd_bench.devices import Reach, open_device
from ecgkd_bench.emulated.boot import EmulatedMachine, boot
from ecgkd_bench.emulated.system import lay
from ecgkd_bench.errors import DeviceError, TransferError
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Clock, Session
from ecgkd_bench.runner import measure
from ecgkd_bench.transport.adb import open_adb
from ecgkd_bench.transport.ssh import open_ssh
from tests.benchmarks import budgets
from tests.ecgkd.bundle.tiny_bundle import tiny_bundle, tiny_members

TOOLS = ("qemu-system-aarch64", "mmdebstrap", "adb", "ssh")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.arm,
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}; make arm-tools"),
]


@pytest.fixture(scope="module")
def machine() -> Iterator[EmulatedMachine]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        os.environ["ANDROID_ADB_SERVER_PORT"] = str(one.getsockname()[1])  # not the user's own server
    try:
        system = lay()
    except DeviceError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with boot(system) as running:
        yield running
    subprocess.run(["adb", "kill-server"], capture_output=True)
    del os.environ["ANDROID_ADB_SERVER_PORT"]


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    """ONNX Runtime float and int8 (one matrix product), LiteRT int8, and the C engine where its compiler is there."""
    from onnxruntime.quantization import quantize_dynamic

    folder = tmp_path_factory.mktemp("models")
    weights = onnx.numpy_helper.from_array(np.random.default_rng(0).normal(size=(1000, 192)).astype(np.float32), "w")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("window", [1, 1000]), ("embedding", [1, 192]))
    ]
    node = onnx.helper.make_node("MatMul", ["window", "w"], ["embedding"])
    graph = onnx.helper.make_graph([node], "tiny", ends[:1], ends[1:], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "float.onnx")
    quantize_dynamic(folder / "float.onnx", folder / "int8.onnx")
    subjects = [Subject(name, folder / f"{name}.onnx") for name in ("float", "int8")]
    subjects.append(Subject("litert", budgets.SHIPPED / "deit_micro" / "deit_micro_4s_250hz_int8.tflite"))
    if shutil.which(static_runner.TARGETS["aarch64"].compiler):
        subjects.append(Subject("c", c99_sources(folder)))
    return subjects


def _ssh(machine: EmulatedMachine) -> str:
    return f"ssh:root@127.0.0.1:{machine.ssh_port}"


def _adb(machine: EmulatedMachine) -> str:
    return f"adb:127.0.0.1:{machine.adb_port}"


def _there(machine: EmulatedMachine, command: str) -> str:
    """Returns what `command` prints on the machine, over a connection of its own."""
    argv = ["ssh", "-F", str(machine.ssh_config), "-p", str(machine.ssh_port), "root@127.0.0.1", command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120).stdout


def _cleared(machine: EmulatedMachine, folder: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _there(machine, f"ls -d {folder} 2>/dev/null; echo asked").split() == ["asked"]:
            return True
        time.sleep(1)
    return False


def test_both_ways_give_complete_records_that_agree(machine: EmulatedMachine, subjects: list[Subject]) -> None:
    plan = Plan(rounds=4, block_ms=5)
    sessions: list[Session] = []
    for device, setup in ((_ssh(machine), True), (_adb(machine), False)):
        with open_device(device, Reach(ssh_config=machine.ssh_config, setup=setup)) as transport:
            sessions.append(measure(subjects, transport, plan))
    for session in sessions:
        assert session.reference is not None
        for record in session.records:
            assert record.clock is Clock.EMULATED
            assert record.device.soc == "QEMU Cortex-A53"
            assert "asimddp" not in record.device.features
            assert record.latency.count == len(record.latency.raw) >= 4
            assert record.operators or record.backend.requested != "onnxruntime"
            assert record.memory.peak_rss_bytes
            assert record.load_seconds > 0
            assert record.threads.effective == 1
    for over_ssh, over_adb in zip(sessions[0].records, sessions[1].records, strict=True):
        assert over_ssh.memory.peak_rss_bytes == pytest.approx(over_adb.memory.peak_rss_bytes, rel=0.05)
    assert _there(machine, "ls -d /tmp/ecgkd-bench.*").strip() == ""


def test_a_daemon_killed_in_mid_run_is_said_and_the_device_clears_itself(machine: EmulatedMachine) -> None:
    transport = open_adb(f"127.0.0.1:{machine.adb_port}")
    timer = threading.Timer(3, _there, (machine, "kill -KILL $(busybox pidof adbd)"))
    timer.start()
    try:
        with pytest.raises(DeviceError, match=r"adb:127\.0\.0\.1:\d+: the connection broke") as caught:
            transport.run(("sleep", "4321"), "", 120)
    finally:
        timer.join()
        transport.close()
    assert "\n" not in str(caught.value)
    assert _cleared(machine, transport.folder, 60)
    assert "sleep 4321" not in _there(machine, "ps")


def test_a_cable_pulled_in_mid_run_is_said_and_the_device_clears_itself(machine: EmulatedMachine) -> None:
    # A stopped sshd answers nothing and closes nothing: what a pulled cable looks like from both ends.
    transport = open_ssh("root@127.0.0.1", machine.ssh_port, machine.ssh_config)
    stop = "for p in $(busybox pidof sshd); do [ $(cut -d' ' -f4 /proc/$p/stat) = 1 ] || echo $p; done"
    sessions = _there(machine, stop).split()
    mine = [pid for pid in sessions if pid == min(sessions, key=int)]
    timer = threading.Timer(3, _there, (machine, f"kill -STOP {' '.join(mine)}"))
    timer.start()
    try:
        with pytest.raises(DeviceError, match=r"ssh:root@127\.0\.0\.1:\d+: ") as caught:
            transport.run(("sleep", "4321"), "", 300)
    finally:
        timer.join()
        transport.close()
    assert "\n" not in str(caught.value)
    assert _cleared(machine, transport.folder, 60)
    assert "sleep 4321" not in _there(machine, "ps")
    _there(machine, f"kill -KILL {' '.join(mine)}")


def test_a_device_out_of_space_is_said_and_left_clean(machine: EmulatedMachine, tmp_path: Path) -> None:
    (tmp_path / "large.onnx").write_bytes(bytes(5_000_000))
    _there(machine, "dd if=/dev/zero of=/tmp/fill bs=1M count=$(df -m /tmp | awk 'END {print $4 - 2}')")
    try:
        for connect in (
            lambda: open_ssh("root@127.0.0.1", machine.ssh_port, machine.ssh_config),
            lambda: open_adb(f"127.0.0.1:{machine.adb_port}"),
        ):
            transport = connect()
            try:
                with pytest.raises(
                    TransferError, match=r"no space left in /tmp/ecgkd-bench\.\w+; 5\.0 MB were to come"
                ):
                    transport.push(tmp_path / "large.onnx")
            finally:
                transport.close()
            assert _cleared(machine, transport.folder, 10)
    finally:
        _there(machine, "rm /tmp/fill")


def test_a_bundle_tests_itself_over_ssh_and_adb_and_leaves_the_device_clean(
    machine: EmulatedMachine, tmp_path: Path
) -> None:
    compiler = static_runner.TARGETS["aarch64"].compiler
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}; make arm-tools")
    ecgkd = str(Path(sys.executable).with_name("ecgkd"))
    verdict = tiny_members()["firmware/enrol/verdict.c"].replace(b"ECGKD_REFUSED", b"ECGKD_ACCEPTED")
    whole = tiny_bundle(tmp_path / "x.zip")
    tampered = tiny_bundle(tmp_path / "y.zip", {"firmware/enrol/verdict.c": verdict})
    for device, more in ((_ssh(machine), ("--ssh-config", str(machine.ssh_config))), (_adb(machine), ())):
        for bundle, code, passed in ((whole, 0, 6), (tampered, 1, 5)):
            command = [ecgkd, "bench", "--selftest", str(bundle), "--device", device, *more]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            assert (done.returncode, done.stdout.count(": passed")) == (code, passed), done.stderr
    assert _there(machine, "ls -d /tmp/ecgkd-bench.*").strip() == ""


def test_instructions_are_counted_alike_every_time_and_within_their_budgets() -> None:
    sessions = budgets.measured()
    for session in sessions:
        assert {record.clock for record in session.records} == {Clock.INSTRUCTIONS}
        assert {record.latency.unit for record in session.records} == {"instructions"}
    assert budgets.apart(sessions) < budgets.ALIKE
    stored = json.loads(budgets.STORED.read_text())
    assert not budgets.over(budgets.counts(sessions[0]), stored), f"renew: python {budgets.__file__} --renew"


def test_sigterm_in_mid_run_leaves_the_device_clean_and_stops_the_machine() -> None:
    folder = Path(tempfile.mkdtemp(prefix="e"))  # a short name: sockets lie in it
    ecgkd = Path(sys.executable).with_name("ecgkd")
    model = budgets.SHIPPED / budgets.MODELS[0]
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [str(ecgkd), "bench", str(model), "--device", "qemu:aarch64", "--setup"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        while "booted in" not in (line := process.stderr.readline()):
            assert line, "it ended before the machine booted"
        process.terminate()
        assert process.wait(60) == 130
    assert not list(folder.iterdir())
    folder.rmdir()


def test_a_board_counts_instructions_of_the_c_engine_the_same_every_time(tmp_path: Path) -> None:
    missing = [tool for tool in BOARDS["mps2-an386"].needs if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}; make arm-tools")
    sources = c99_sources(tmp_path)
    sessions = [counted.measure([Subject("tiny", sources)], name) for name in ("mps2-an386", "mps2-an386", "armhf")]
    records = [session.records[0] for session in sessions]
    assert records[0].latency.p50 == records[1].latency.p50 > 0
    assert records[0].operators == records[1].operators
    assert records[0].memory.arena_bytes == 0  # in place
    assert [record.device.reached for record in records[1:]] == ["qemu:mps2-an386", "qemu:armhf"]
    assert "not time" in summary.table(sessions[0])


def c99_sources(folder: Path) -> Path:
    """Returns the C of a network of one addition, written into `folder`."""
    graph_module = pytest.importorskip("ecgkd_export.graph")
    emit = pytest.importorskip("ecgkd_export.c99.emit").emit
    quant = graph_module.Quant(np.array([1 / 16], np.float32))
    tensors = {
        name: graph_module.Tensor(name, (1, 1000), graph_module.DType.INT8, quant) for name in ("window", "embedding")
    }
    relu = graph_module.Op(graph_module.Kind.RELU, "relu", ("window",), "embedding")
    sources = emit(graph_module.Graph(tensors, (relu,), ("window",), ("embedding",)), name="tiny")
    (folder / "tiny.c").write_bytes(sources.source)
    (folder / "tiny.h").write_bytes(sources.header)
    return folder / "tiny.c"
