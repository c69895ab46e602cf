"""The emulated ARM machine as a device: booted, reached through its sshd, stopped at the end."""

from ecgkd_bench.emulated.boot import Board, boot
from ecgkd_bench.emulated.environment import PYTHON, environment
from ecgkd_bench.emulated.system import Tell, lay
from ecgkd_bench.errors import DeviceError
from ecgkd_bench.transport.remote import RemoteTransport
from ecgkd_bench.transport.ssh import SshLink
from ecgkd_bench.wheels import fetch


class QemuTransport(RemoteTransport):
    """A machine of its own for one run."""

    def __init__(self, board: Board | None = None, tell: Tell = lambda text: None) -> None:
        system = lay(tell=tell)
        try:
            archive = environment(fetch(PYTHON, tell))
        except DeviceError as error:
            tell(f"{error}; the emulated machine starts without them")
            archive = b""
        self.machine = boot(system, board, archive=archive)
        try:
            tell(f"the emulated machine booted in {self.machine.boot_seconds:.1f} s")
            link = SshLink("root@127.0.0.1", self.machine.ssh_port, self.machine.ssh_config, "qemu:aarch64")
            super().__init__(link)
        except BaseException:
            self.machine.stop()
            raise

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.machine.stop()
