"""What ssh and adb share: one folder on the device, a watch that clears it away, commands with a closing line."""

import contextlib
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from ecgkd_bench.errors import BenchError, DeviceError, TransferError
from ecgkd_bench.transport.watch import CONNECT_SECONDS, Link, Watch

HERE = Path(__file__).parent
EXIT = "ecgkd-bench: exit "
TRANSFER_SECONDS = 600.0


class RemoteTransport:
    """A device behind a link. Everything of a run lies in one folder there, gone when the run ends."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.reached = link.reached
        self.python: tuple[str, ...] = ("python3",)
        self._pushed = 0
        try:
            self._watch = Watch(link)
        except BaseException:
            link.close()
            raise
        self.folder = self._watch.folder
        try:
            self._send(HERE / "run.sh", f"{self.folder}/run.sh")
        except BaseException:
            self.close()
            raise

    def push(self, path: Path) -> str:
        if not path.is_file():
            raise DeviceError(f"{path}: no such file")
        self._pushed += 1
        remote = f"{self.folder}/{self._pushed}-{path.name}"
        self._send(path, remote)
        return remote

    def pull(self, remote: str, path: Path) -> None:
        argv, target = self.link.fetching(remote, path)
        try:
            with (target or Path("/dev/null")).open("wb") as stdout:
                done = subprocess.run(
                    argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=TRANSFER_SECONDS
                )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TransferError(f"{remote} could not be brought to {path}: {error}") from error
        if done.returncode:
            printed = done.stderr.decode(errors="replace")
            raise self._watch.broken() or TransferError(f"{self.reached}: {remote} did not come: {_last(printed)}")

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        lines = stdin.splitlines()
        there = ["sh", f"{self.folder}/run.sh", str(len(lines)), *command]
        code, output, errors = self._call(shlex.join(there), "".join(f"{line}\n" for line in lines), timeout)
        before, found, after = output.rpartition(f"\n{EXIT}")
        if not found or not after.strip().isdigit():
            raise self._lost(code, output, errors)
        if status := int(after):
            raise how_it_ended(status, errors, command[0], self.reached)
        return before

    def close(self) -> None:
        self._watch.close()
        self.link.close()

    def _call(self, command: str, stdin: str, timeout: float) -> tuple[int, str, str]:
        """Returns exit status, stdout and stderr of the client; raises where the link dies or the time is over."""
        deadline = time.monotonic() + timeout
        process = subprocess.Popen(
            self.link.shell(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        feed: str | None = stdin
        with process:
            try:
                while True:
                    try:
                        output, errors = process.communicate(feed, timeout=1.0)
                        return process.returncode, output, errors
                    except subprocess.TimeoutExpired:
                        feed = None
                    if error := self._watch.broken():
                        raise error
                    if time.monotonic() > deadline:
                        self._stop()
                        raise DeviceError(f"{self.reached}: the benchmark did not end within {timeout:.0f} s")
            finally:
                if process.poll() is None:
                    process.kill()

    def _stop(self) -> None:
        """Ends what runs on the device; where that fails, closing the watch does it."""
        stop = self.link.shell(f"sh {self.folder}/run.sh stop")
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(stop, stdin=subprocess.DEVNULL, capture_output=True, timeout=15)

    def _send(self, path: Path, remote: str) -> None:
        argv, source = self.link.sending(path, remote)
        try:
            with (source or Path("/dev/null")).open("rb") as stdin:
                done = subprocess.run(argv, stdin=stdin, capture_output=True, timeout=TRANSFER_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TransferError(f"{path} could not be brought to {self.reached}: {error}") from error
        printed = (done.stdout + done.stderr).decode(errors="replace")
        if "No space left" in printed:
            raise TransferError(no_space(self.reached, self.folder, path.stat().st_size))
        _, output, _ = self._call(f"wc -c <{shlex.quote(remote)}", "", CONNECT_SECONDS)
        if done.returncode or output.strip() != str(path.stat().st_size):
            raise self._watch.broken() or TransferError(
                f"{path.name} did not arrive whole at {self.reached}: {_last(printed)}"
            )

    def _lost(self, code: int, output: str, errors: str) -> BenchError:
        """Returns why a command's closing line is missing."""
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if error := self._watch.broken():
                return error
            time.sleep(0.1)
        last = _last(f"{output}\n{errors}")
        return DeviceError(f"{self.reached}: the connection broke in mid-run (exit status {code}); last came: {last}")


def how_it_ended(status: int, errors: str, program: str, reached: str) -> BenchError:
    """Returns the error for a command that ended with `status` on the device, as its shell counts."""
    if "No space left" in errors:
        return TransferError(no_space(reached))
    name = program.rpartition("/")[2]
    if status == 127:
        return DeviceError(f"{reached}: {name} is not on the device")
    if status == 126:
        return DeviceError(f"{reached}: {name} cannot run there; is it built for another architecture? {_last(errors)}")
    if status > 128 and status - 128 in signal.valid_signals():
        ended = signal.Signals(status - 128)
        hints = {
            signal.SIGILL: "; its processor lacks an instruction that the runner uses",
            signal.SIGKILL: "; is its memory too small?",
        }
        return DeviceError(f"{reached}: the benchmark was ended by {ended.name}{hints.get(ended, '')}")
    return DeviceError(f"{reached}: the benchmark ended with exit status {status}; last it printed: {_last(errors)}")


def no_space(reached: str, folder: str = "its temporary folder", size: int | None = None) -> str:
    """Returns the line for a full device."""
    needed = f"; {size / 1e6:.1f} MB were to come" if size else ""
    return f"{reached}: no space left in {folder}{needed}; free some and try again"


def _last(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "nothing"
