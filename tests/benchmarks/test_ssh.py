"""ssh devices: a real sshd on 127.0.0.1 with keys of its own, and what OpenSSH's messages mean."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecgkd_bench import native
from ecgkd_bench.errors import BenchError, DeviceError, TransferError
from ecgkd_bench.interpreter import probe
from ecgkd_bench.remote_facts import RemoteFacts
from ecgkd_bench.transport.base import SENTINEL, ask
from ecgkd_bench.transport.remote import RemoteTransport, how_it_ended
from ecgkd_bench.transport.ssh import open_ssh, reason

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
needs_sshd = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None, reason="needs sshd and ssh; apt install openssh-server openssh-client"
)


@dataclass(frozen=True)
class Host:
    """A running sshd."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def connect(self) -> RemoteTransport:
        return open_ssh("127.0.0.1", self.port, self.config)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _start(folder: Path, path: str = "/usr/local/bin:/usr/bin:/bin") -> Host:
    port = _free_port()
    for name in ("host", "key"):
        _key(folder / name)
    shutil.copy(folder / "key.pub", folder / "authorized")
    lines = ["ListenAddress 127.0.0.1", f"Port {port}", f"HostKey {folder}/host", f"PidFile {folder}/pid"]
    lines += [f"AuthorizedKeysFile {folder}/authorized", "StrictModes no", "UsePAM no", "PasswordAuthentication no"]
    lines += [f"SetEnv PATH={path} HOME={folder}"]  # not what this user's shell adds to them
    (folder / "sshd").write_text("\n".join(lines))
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    config = f"IdentityFile {folder}/key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\n"
    (folder / "config").write_text(config)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # what the service makes before it starts sshd
    assert SSHD is not None
    log = (folder / "log").open("wb")
    with log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd")], stdin=subprocess.DEVNULL, stderr=log)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return Host(folder, port, process)
        time.sleep(0.05)
    process.kill()
    process.wait()
    pytest.skip(f"sshd does not run here: {(folder / 'log').read_text()[-200:]}")


def _end(host: Host) -> None:
    host.process.terminate()
    host.process.wait()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    running = _start(tmp_path_factory.mktemp("sshd"))
    yield running
    _end(running)


def _left() -> set[str]:
    return {path.name for path in Path("/tmp").glob("ecgkd-bench.*")}


@needs_sshd
@pytest.mark.network
def test_files_and_commands_cross_and_nothing_is_left(host: Host, tmp_path: Path) -> None:
    before = _left()
    content = bytes(range(256)) * 1000
    (tmp_path / "it's a model.onnx").write_bytes(content)
    transport = host.connect()
    try:
        assert Path(transport.folder).stat().st_mode & 0o077 == 0
        remote = transport.push(tmp_path / "it's a model.onnx")
        transport.pull(remote, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content
        assert transport.run(("cat",), "one\n'two' $HOME\n", 20) == "one\n'two' $HOME\n"
        assert transport.run(("printf", "%s|", "a b", "'", "$x"), "", 20) == "a b|'|$x|"
    finally:
        transport.close()
    assert _left() == before


@needs_sshd
@pytest.mark.network
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("sh", "-c", "kill -ILL $$"), "was ended by SIGILL; its processor lacks an instruction"),
        (("sh", "-c", "kill -KILL $$"), "was ended by SIGKILL; is its memory too small"),
        (("/nowhere/runner",), "runner is not on the device"),
        (("sh", "-c", "echo first >&2; echo the reason >&2; exit 3"), "exit status 3; last it printed: the reason"),
    ],
)
def test_a_runner_that_fails_is_one_clear_line(host: Host, command: tuple[str, ...], words: str) -> None:
    transport = host.connect()
    try:
        with pytest.raises(DeviceError, match=words):
            transport.run(command, "", 20)
    finally:
        transport.close()


@needs_sshd
@pytest.mark.network
@pytest.mark.parametrize("printed", ["garbage", f"garbage\n{SENTINEL}", ""])
def test_a_worker_that_prints_garbage_is_one_clear_line(host: Host, printed: str) -> None:
    before = _left()
    transport = host.connect()
    transport.python = ("printf", "%s\n", printed)
    try:
        with pytest.raises(
            DeviceError, match=r"the benchmark (ended without its closing line|answered something)"
        ) as caught:
            ask(transport, {"action": "describe"}, 20)
        assert "\n" not in str(caught.value)
    finally:
        transport.close()
    assert _left() == before


@needs_sshd
@pytest.mark.network
def test_a_device_without_python_is_measured_by_the_c_engines_runner(host: Host, tmp_path: Path) -> None:
    facts = '"ecgkd_runner": 1, "target": "t", "window_bytes": 1000, "arena_bytes": 64, "ticks_per_second": 1000'
    script = f"[ $1 = info ] && echo '{{{facts}}}'\n[ $1 = bench ] && echo '{{{facts}, \"ticks\": [2, 2]}}'\ntrue"
    (tmp_path / "benchmark_model").write_text(f"#!/bin/sh\n{script}\n")
    transport = host.connect()
    try:
        remote = transport.push(tmp_path / "benchmark_model")
        transport.run(("chmod", "755", remote), "", 20)
        assert native.parse_static(transport.run((remote, "bench"), "", 20), transport.run((remote, "info"), "", 20)).ms
        described = RemoteFacts(transport).describe()
    finally:
        transport.close()
    assert described["cores"] == os.cpu_count()
    assert described["clock"] == "wall"


@needs_sshd
@pytest.mark.network
def test_a_program_for_another_machine_is_named_as_one(host: Host, tmp_path: Path) -> None:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (2).to_bytes(2, "little")  # SPARC
    (tmp_path / "runner").write_bytes(header + bytes(100))
    transport = host.connect()
    try:
        remote = transport.push(tmp_path / "runner")
        with pytest.raises(DeviceError, match=r"built for another architecture.*Exec format error"):
            transport.run(("sh", "-c", f"chmod +x {remote}; exec {remote}"), "", 20)
    finally:
        transport.close()


@needs_sshd
@pytest.mark.network
def test_a_run_that_does_not_end_is_ended_on_the_device(host: Host, tmp_path: Path) -> None:
    transport = host.connect()
    try:
        with pytest.raises(DeviceError, match="did not end within 1 s"):
            transport.run(("sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 300"), "", 1)
        pid = int((tmp_path / "pid").read_text())
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()
    finally:
        transport.close()


@needs_sshd
@pytest.mark.network
def test_a_link_that_breaks_in_mid_run_is_said_and_the_device_clears_itself(host: Host, tmp_path: Path) -> None:
    transport = host.connect()
    folder = Path(transport.folder)

    def cut() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.05)
        listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
        children = [int(line.split()[0]) for line in listed.splitlines() if line.split()[1] == str(host.process.pid)]
        for child in children:
            os.kill(child, signal.SIGKILL)

    threading.Thread(target=cut).start()
    try:
        with pytest.raises(DeviceError, match=r"ssh:127\.0\.0\.1:\d+: "):
            transport.run(("sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 300"), "", 60)
    finally:
        transport.close()
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not folder.exists()
    left = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}")
    while left.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left.exists()


@needs_sshd
@pytest.mark.network
def test_what_a_dead_owner_left_is_removed_by_the_next_connection(host: Host) -> None:
    left = Path("/tmp/ecgkd-bench.dead01")
    (left / "pids").mkdir(parents=True, exist_ok=True)
    (left / "owner").write_text("999999999\n")
    host.connect().close()
    assert not left.exists()


@needs_sshd
@pytest.mark.network
def test_a_host_without_python_says_what_to_install(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "cat", "mktemp", "mkdir", "rm", "sleep", "grep", "kill", "wc", "setsid"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    running = _start(tmp_path, str(tools))
    try:
        transport = running.connect()
        try:
            with pytest.raises(DeviceError, match=r"Python is missing there; install python3 \(3\.11 or newer\)"):
                probe(transport)
        finally:
            transport.close()
    finally:
        _end(running)


@needs_sshd
@pytest.mark.network
def test_a_refused_key_is_said(host: Host, tmp_path: Path) -> None:
    _key(tmp_path / "other")
    (tmp_path / "config").write_text(host.config.read_text().replace(f"{host.folder}/key", f"{tmp_path}/other"))
    with pytest.raises(DeviceError, match="it refuses this machine's key; try it by hand: ssh -p"):
        open_ssh("127.0.0.1", host.port, tmp_path / "config")


@needs_sshd
@pytest.mark.network
def test_a_changed_host_key_is_said(host: Host, tmp_path: Path) -> None:
    _key(tmp_path / "other")
    (tmp_path / "known").write_text(f"[127.0.0.1]:{host.port} {(tmp_path / 'other.pub').read_text()}")
    (tmp_path / "config").write_text(host.config.read_text().replace(f"{host.folder}/known", f"{tmp_path}/known"))
    with pytest.raises(DeviceError, match=r"its host key changed; if you know why, `ssh-keygen -R '\[127\.0\.0\.1\]:"):
        open_ssh("127.0.0.1", host.port, tmp_path / "config")


@needs_sshd
@pytest.mark.network
def test_an_unknown_host_key_is_said(host: Host, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(host.config.read_text().replace(f"{host.folder}/known", f"{tmp_path}/none"))
    with pytest.raises(DeviceError, match="its host key is not known here; connect once by hand"):
        open_ssh("127.0.0.1", host.port, tmp_path / "config")


@needs_sshd
@pytest.mark.network
def test_an_sshd_that_closes_at_once_is_said() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def close_at_once() -> None:
            listener.accept()[0].close()

        threading.Thread(target=close_at_once).start()
        with pytest.raises(DeviceError, match="its sshd closed the connection at once"):
            open_ssh("127.0.0.1", listener.getsockname()[1])


@needs_sshd
@pytest.mark.network
def test_a_port_where_nothing_listens_is_said() -> None:
    with pytest.raises(DeviceError, match="nothing listens there; is sshd running"):
        open_ssh("127.0.0.1", _free_port())


def test_words_that_ssh_has_no_name_for_are_quoted() -> None:
    assert reason("one\nsomething new\n", "pi@watch") == "the connection broke; ssh printed: something new"


def test_a_full_device_is_an_error_of_input_and_output() -> None:
    error: BenchError = how_it_ended(1, "OSError: [Errno 28] No space left on device", "python3", "ssh:pi@watch")
    assert isinstance(error, TransferError)
    assert error.exit_code == 5
    assert "no space left" in str(error)
