"""The connection to a device that stays open: while it lives, so does the run's folder there."""

import contextlib
import shlex
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Protocol

from ecgkd_bench.errors import BenchError, DeviceError

FOLDER = "ecgkd-bench: folder "
CONNECT_SECONDS = 60.0
BEAT_SECONDS = 5.0
SILENCE_SECONDS = 45.0
"""No echo for so long: the link is dead."""


class Link(Protocol):
    """A client program (ssh, adb) and the device it talks to."""

    reached: str
    """As the user typed it: `ssh:pi@host`."""
    folders: tuple[str, ...]
    """Where a temporary folder may be made, best first."""

    def shell(self, command: str) -> list[str]:
        """Returns the argv that runs `command` by the device's shell."""

    def sending(self, path: Path, remote: str) -> tuple[list[str], Path | None]:
        """Returns the argv that brings a file there, and the file to be its stdin."""

    def fetching(self, remote: str, path: Path) -> tuple[list[str], Path | None]:
        """Returns the argv that brings a file here, and the file to take its stdout."""

    def explain(self, printed: str) -> BenchError:
        """Returns what became of a connection, from what the client printed last."""

    def close(self) -> None:
        """Undoes what opening the link did here."""


class Watch:
    """The connection that stays open: while it lives, so does the folder on the device."""

    def __init__(self, link: Link) -> None:
        script = Path(__file__).with_name("watch.sh").read_text()
        self._link = link
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed in close)
        self._process = subprocess.Popen(
            link.shell(f"sh -c {shlex.quote(script)} watch {shlex.join(link.folders)}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._echoed = time.monotonic()
        self._said: list[str] = []
        self.folder = ""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()
        if not self._opened.wait(CONNECT_SECONDS) or not self.folder:
            error = self.broken() or DeviceError(f"{link.reached}: no answer within {CONNECT_SECONDS:.0f} s")
            self.close()
            raise error

    def broken(self) -> BenchError | None:
        """Returns what became of the connection, or None while it lives."""
        if self._process.poll() is None and time.monotonic() - self._echoed < SILENCE_SECONDS:
            return None
        self._errors.seek(0)
        return self._link.explain("\n".join([*self._said, self._errors.read()]))

    def close(self) -> None:
        """Lets the device clear its folder away, and ends the connection."""
        if self._closing.is_set():
            return
        self._closing.set()
        with contextlib.suppress(OSError):
            self._stream(self._process.stdin).close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _listen(self) -> None:
        with self._stream(self._process.stdout) as lines:
            for line in lines:
                self._echoed = time.monotonic()
                if line.startswith(FOLDER):
                    self.folder = line.removeprefix(FOLDER).strip()
                    self._opened.set()
                elif not self.folder:
                    self._said.append(line.rstrip())
        self._process.wait()
        self._opened.set()

    def _beat(self) -> None:
        count = 0
        stdin = self._stream(self._process.stdin)
        while not self._closing.wait(BEAT_SECONDS):
            count += 1
            try:
                stdin.write(f"{count}\n")
                stdin.flush()
            except (OSError, ValueError):
                return

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream
