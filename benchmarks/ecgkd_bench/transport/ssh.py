"""Devices behind the system's own OpenSSH, with the user's keys, agent and configuration."""

import shlex
import shutil
from pathlib import Path
from tempfile import mkdtemp

from ecgkd_bench.errors import BenchError, DeviceError, TransferError
from ecgkd_bench.transport.remote import RemoteTransport

OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlMaster=auto",
    "ControlPersist=no",
)
REASONS = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its host key changed; if you know why, `ssh-keygen -R {host}`"),
    ("Host key verification failed", "its host key is not known here; connect once by hand: ssh {target}"),
    ("Permission denied", "it refuses this machine's key; try it by hand: ssh {target}"),
    ("Too many authentication failures", "it refuses this machine's keys; try it by hand: ssh {target}"),
    ("Connection refused", "nothing listens there; is sshd running?"),
    ("Could not resolve hostname", "no such host name"),
    ("No route to host", "the network does not reach it"),
    ("Connection timed out", "it does not answer; is it on, and on this network?"),
    ("not responding", "the connection died; is it still on, and on this network?"),
    ("kex_exchange_identification", "its sshd closed the connection at once; its own log says why"),
    ("Connection closed by", "its sshd closed the connection at once; its own log says why"),
    ("Connection reset", "its sshd closed the connection at once; its own log says why"),
    ("No space left", "no space left in its temporary folder; free some and try again"),
)
"""What OpenSSH prints, and what it means; the first that fits."""


class SshLink:
    """One host. The first connection carries the others (ControlMaster)."""

    folders: tuple[str, ...] = ("/tmp", "/var/tmp")

    def __init__(self, target: str, port: int | None = None, config: Path | None = None, reached: str = "") -> None:
        if shutil.which("ssh") is None:
            raise DeviceError("ssh is missing; apt install openssh-client")
        self.target = target
        self.port = port
        self.reached = reached or f"ssh:{target}{f':{port}' if port else ''}"
        self._sockets = Path(mkdtemp(prefix="ecgkd-"))
        options = [*OPTIONS, f"ControlPath={self._sockets / 'c'}"]
        self._argv = ["ssh", "-T", *(["-F", str(config)] if config else []), *(["-p", str(port)] if port else [])]
        self._argv += [part for option in options for part in ("-o", option)] + ["--", target]

    def shell(self, command: str) -> list[str]:
        return [*self._argv, command]

    def sending(self, path: Path, remote: str) -> tuple[list[str], Path | None]:
        return self.shell(f"cat >{shlex.quote(remote)}"), path

    def fetching(self, remote: str, path: Path) -> tuple[list[str], Path | None]:
        return self.shell(f"cat {shlex.quote(remote)}"), path

    def explain(self, printed: str) -> BenchError:
        kind = TransferError if "No space left" in printed else DeviceError
        return kind(f"{self.reached}: {reason(printed, self.target, self.port)}")

    def close(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)


def open_ssh(target: str, port: int | None = None, config: Path | None = None, reached: str = "") -> RemoteTransport:
    """Returns the host `target` (`user@host`), connected. Raises: DeviceError with what is wrong."""
    return RemoteTransport(SshLink(target, port, config, reached))


def reason(printed: str, target: str, port: int | None = None) -> str:
    """Returns what OpenSSH's messages mean, and what to do."""
    host = target.rpartition("@")[2]
    named = f"'[{host}]:{port}'" if port else host
    full = f"-p {port} {target}" if port else target
    for words, meaning in REASONS:
        if words in printed:
            return meaning.format(host=named, target=full)
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return f"the connection broke; ssh printed: {lines[-1][:200] if lines else 'nothing'}"
