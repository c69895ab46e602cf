"""Boots the emulated system and stops it; sshd and adbd are reached on forwarded ports of 127.0.0.1."""

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp

from ecgkd_bench.emulated.cpio import CpioWriter
from ecgkd_bench.emulated.system import System
from ecgkd_bench.errors import DeviceError
from ecgkd_bench.machine import COUNTING

QEMU = "qemu-system-aarch64"
READY = "ecgkd: ready after "
SSHD_CONFIG = """\
HostKey /etc/ssh/host_key
PasswordAuthentication no
PermitRootLogin yes
UsePAM no
UseDNS no
Subsystem sftp /usr/lib/openssh/sftp-server
"""


@dataclass(frozen=True)
class Board:
    """What QEMU models."""

    cpu: str = "cortex-a53"
    """Without dot-product instructions; `cortex-a76` and `max` have them."""
    cores: int = 1
    memory_mb: int = 2048
    icount: bool = False
    """Whether the clock counts instructions (1 ns each) instead of following this machine's."""


class EmulatedMachine:
    """A running machine; use it in a `with` statement, which stops it."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path, ssh_port: int, adb_port: int) -> None:
        self.process = process
        self.folder = folder
        self.ssh_port = ssh_port
        self.adb_port = adb_port
        self.boot_seconds = 0.0
        """From starting QEMU until sshd and adbd listen, on this machine's clock."""

    @property
    def key(self) -> Path:
        """Private key that the machine's root accepts."""
        return self.folder / "key"

    @property
    def ssh_config(self) -> Path:
        """Configuration for ssh: this boot's user key and host key."""
        return self.folder / "ssh_config"

    def console(self) -> str:
        """Returns what the machine printed on its serial line."""
        return (self.folder / "console.log").read_text(errors="replace")

    def stop(self) -> None:
        """Ends QEMU and removes the machine's folder; nothing of the machine is kept."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "EmulatedMachine":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def boot(system: System, board: Board | None = None, timeout: float = 300.0, archive: bytes = b"") -> EmulatedMachine:
    """Returns the machine, once its sshd and adbd listen; `archive` is unpacked over its system.

    Raises: DeviceError with the console's last line.
    """
    for tool, package in ((QEMU, "qemu-system-arm"), ("ssh-keygen", "openssh-client")):
        if shutil.which(tool) is None:
            raise DeviceError(f"{tool} is missing, needed for the emulated machine; apt install {package}")
    folder = Path(mkdtemp(prefix="ecgkd-emulated-"))
    ssh_port, adb_port = _free_ports(2)
    _write_keys(folder, ssh_port)
    with (folder / "initramfs.cpio").open("wb") as out:
        out.write(system.initramfs.read_bytes() + _own_files(folder))
        out.write(archive)
    command = _command(system, folder, board or Board(), {ssh_port: 22, adb_port: 5555})
    start = time.monotonic()
    with (folder / "qemu.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    machine = EmulatedMachine(process, folder, ssh_port, adb_port)
    try:
        _await(machine, start + timeout)
    except BaseException:
        machine.stop()
        raise
    machine.boot_seconds = time.monotonic() - start
    (folder / "initramfs.cpio").unlink()  # 110 MB, in the machine's memory by now
    return machine


def _await(machine: EmulatedMachine, deadline: float) -> None:
    log = machine.folder / "console.log"
    while not (log.exists() and READY in machine.console()):
        if machine.process.poll() is not None:
            said = (machine.folder / "qemu.log").read_text(errors="replace").strip().splitlines()
            raise DeviceError(f"{QEMU} ended at once: {said[-1][:200] if said else 'it said nothing'}")
        if time.monotonic() > deadline:
            lines = machine.console().strip().splitlines() if log.exists() else []
            raise DeviceError(
                f"the emulated machine did not come up; last on its console: {(lines or ['nothing'])[-1]}"
            )
        time.sleep(0.1)


def _command(system: System, folder: Path, board: Board, forwards: dict[int, int]) -> list[str]:
    network = "user,id=net,restrict=on," + ",".join(
        f"hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in forwards.items()
    )
    command = [QEMU, "-M", "virt", "-cpu", board.cpu, "-smp", str(board.cores), "-m", str(board.memory_mb)]
    command += ["-kernel", str(system.kernel), "-initrd", str(folder / "initramfs.cpio")]
    # Where a process's memory lies decides how it is copied: at random places, counts differ by a percent.
    counting = f"norandmaps {COUNTING}" if board.icount else ""
    said = f"console=ttyAMA0 quiet panic=-1 {counting}".rstrip()
    command += ["-append", said, "-no-reboot", "-nodefaults", "-display", "none"]
    command += ["-serial", f"file:{folder / 'console.log'}", "-netdev", network]
    command += ["-device", "virtio-net-device,netdev=net"]
    # Idle time passes as here (no sleep=off): a clock that leaps over it lets every timeout in the machine expire.
    command += ["-icount", "shift=0"] if board.icount else []
    # Where util-linux is there, QEMU ends with the process that started it, however that one ends.
    return ["setpriv", "--pdeathsig", "TERM", *command] if shutil.which("setpriv") else command


def _write_keys(folder: Path, port: int) -> None:
    for name in ("key", "host_key"):
        generate = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ecgkd-emulated", "-f", str(folder / name))
        subprocess.run(generate, check=True, stdin=subprocess.DEVNULL)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder / 'key'}\nIdentitiesOnly yes\nUserKnownHostsFile {folder / 'known_hosts'}\n"
    )


def _own_files(folder: Path) -> bytes:
    """Returns a second archive, which the kernel unpacks over the first: keys of this one boot."""
    out = BytesIO()
    writer = CpioWriter(out)
    writer.file("etc/ssh/sshd_config", SSHD_CONFIG.encode())
    writer.file("etc/ssh/host_key", (folder / "host_key").read_bytes(), 0o600)
    writer.file("root/.ssh/authorized_keys", (folder / "key.pub").read_bytes(), 0o600)
    writer.close()
    return out.getvalue()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
