"""The emulated ARM machine as a device: booted, reached through its sshd, stopped at the end."""

from ecgkd_bench.emulated.boot import Board, boot
from ecgkd_bench.emulated.system import Tell, lay
from ecgkd_bench.transport.remote import RemoteTransport
from ecgkd_bench.transport.ssh import SshLink


class QemuTransport(RemoteTransport):
    """A machine of its own for one run."""

    def __init__(self, board: Board | None = None, tell: Tell = lambda text: None) -> None:
        self.machine = boot(lay(tell=tell), board)
        tell(f"the emulated machine booted in {self.machine.boot_seconds:.1f} s")
        try:
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
