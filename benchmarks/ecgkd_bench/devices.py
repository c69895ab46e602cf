"""`--device`: what a user may type, and the transport that it opens."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgkd_bench.counted import BOARDS
from ecgkd_bench.emulated.boot import Board
from ecgkd_bench.emulated.system import Tell
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.interpreter import prepare
from ecgkd_bench.transport.base import Transport
from ecgkd_bench.transport.local import LocalTransport
from ecgkd_bench.transport.recording import RecordingTransport, ReplayTransport

FORMS = f"local, ssh:user@host[:port], adb[:serial], qemu:aarch64[:CPU], {', '.join(f'qemu:{one}' for one in BOARDS)}"


@dataclass(frozen=True)
class Address:
    """A device, as named on the command line."""

    kind: str
    """`local`, `ssh`, `adb`, `qemu`, or `counted`, which only counts instructions of the C engine."""
    where: str = ""
    """`user@host`, a serial, the processor that QEMU models, or the board."""
    port: int | None = None


@dataclass(frozen=True)
class Reach:
    """How to reach a device, beyond its name."""

    ssh_config: Path | None = None
    """For ssh, instead of the user's own."""
    setup: bool = False
    """Whether to give the device's Python the runtimes first."""
    instructions: bool = False
    """Whether an emulated machine's clock counts instructions."""
    native: bool = False
    """Whether native runners will do: Python is then neither needed nor asked for."""
    record: Path | None = None
    replay: Path | None = None


def parse(text: str) -> Address:
    """Returns the device that `text` names. Raises: MismatchError where it names none."""
    kind, colon, where = text.partition(":")
    if text == "local":
        return Address("local")
    if kind == "ssh" and where:
        target, found, port = where.rpartition(":")
        if found and port.isdigit() and not target.endswith(":") and 0 < int(port) < 65536:
            return Address("ssh", target, int(port))
        if (not found or where.endswith("]")) and not where.startswith("-"):
            return Address("ssh", where)
    if kind == "adb" and (where or not colon):
        return Address("adb", where)
    machine, _, cpu = where.partition(":")
    if kind == "qemu" and machine == "aarch64" and (cpu or where == machine):
        return Address("qemu", cpu or Board.cpu)
    if kind == "qemu" and where in BOARDS:
        return Address("counted", where)
    raise MismatchError(f"--device {text}: no such kind of device; expected one of {FORMS}")


@contextlib.contextmanager
def open_device(text: str, reach: Reach | None = None, tell: Tell = lambda said: None) -> Iterator[Transport]:
    """Gives the device named `text`, ready to measure on, and leaves it clean.

    Raises: MismatchError where `text` names no device, DeviceError or TransferError where it cannot be used.
    """
    reach = reach or Reach()
    address = parse(text)
    if address.kind == "counted":
        raise MismatchError(f"--device {text}: runs generated networks (.c) only and needs no --setup")
    if reach.instructions and address.kind != "qemu":
        raise MismatchError(f"--device {text}: instructions are counted on emulated machines only; try qemu:aarch64")
    transport: Transport = ReplayTransport(reach.replay) if reach.replay else _open(address, reach, tell)
    if reach.record:
        transport = RecordingTransport(transport, reach.record)
    try:
        if address.kind != "local" and not reach.native:
            prepare(transport, reach.setup or address.kind == "qemu", tell)
        yield transport
    finally:
        transport.close()


def _open(address: Address, reach: Reach, tell: Tell) -> Transport:
    if address.kind == "ssh":
        from ecgkd_bench.transport.ssh import open_ssh

        return open_ssh(address.where, address.port, reach.ssh_config)
    if address.kind == "adb":
        from ecgkd_bench.transport.adb import open_adb

        return open_adb(address.where)
    if address.kind == "qemu":
        from ecgkd_bench.transport.qemu import QemuTransport

        return QemuTransport(Board(cpu=address.where, icount=reach.instructions), tell)
    return LocalTransport()
