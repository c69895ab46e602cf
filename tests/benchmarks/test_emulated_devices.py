"""The emulated ARM machine through the ordinary ssh and adb devices: complete records, and links that die.

Minutes under emulation: marked `arm` and `slow`; skipped where Debian's emulation packages are not installed.
"""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from ecgkd_bench.devices import Reach, open_device
from ecgkd_bench.emulated.boot import Board, EmulatedMachine, boot
from ecgkd_bench.emulated.system import lay
from ecgkd_bench.errors import DeviceError, TransferError
from ecgkd_bench.interpreter import prepare
from ecgkd_bench.result import Clock, Session
from ecgkd_bench.runner import Plan, Subject, measure
from ecgkd_bench.transport.adb import open_adb
from ecgkd_bench.transport.base import ask
from ecgkd_bench.transport.qemu import QemuTransport
from ecgkd_bench.transport.ssh import open_ssh

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
    """Two networks of one matrix product: float, and dynamically quantised to int8."""
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
    return [Subject(name, folder / f"{name}.onnx") for name in ("float", "int8")]


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
        for record in session.records:
            assert record.clock is Clock.EMULATED
            assert record.device.soc == "QEMU Cortex-A53"
            assert "asimddp" not in record.device.features
            assert record.latency.count == len(record.latency.raw) >= 4
            assert record.operators
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


def test_instructions_are_counted_alike_every_time() -> None:
    work = "import time\ndef f(): return sum(i * i for i in range(20000))\nf(); f()\nraw = []\n"
    work += "for _ in range(8):\n a = time.perf_counter_ns(); f(); raw.append(time.perf_counter_ns() - a)\nprint(raw)"
    transport = QemuTransport(Board(icount=True))
    try:
        counts = [np.median(json.loads(transport.run(("python3", "-c", work), "", 300))) for _ in range(2)]
        prepare(transport)
        assert ask(transport, {"action": "describe"}, 300)["clock"] == Clock.INSTRUCTIONS
    finally:
        transport.close()
    assert counts[0] == pytest.approx(counts[1], rel=0.001)
