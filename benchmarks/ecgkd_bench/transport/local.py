"""This machine, through processes of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ecgkd_bench.errors import DeviceError

PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class LocalTransport:
    """Files stay where they are; every command is a fresh process in a group of its own."""

    reached = "local"
    python: tuple[str, ...] = (sys.executable,)

    def push(self, path: Path) -> str:
        if not path.is_file():
            raise DeviceError(f"{path}: no such file")
        return str(path.resolve())

    def pull(self, remote: str, path: Path) -> None:
        try:
            shutil.copyfile(remote, path)
        except OSError as error:
            raise DeviceError(f"cannot copy {remote} to {path}: {error.strerror}") from error

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        path = os.pathsep.join(filter(None, (str(PACKAGE_ROOT), os.environ.get("PYTHONPATH"))))
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"cannot start {command[0]}: {error.strerror}") from error
        with process:
            try:
                output, errors = process.communicate(stdin, timeout)
            except subprocess.TimeoutExpired as error:
                raise DeviceError(f"the benchmark did not end within {timeout:.0f} s") from error
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            raise DeviceError(_how_it_ended(process.returncode, errors))
        return output

    def close(self) -> None:
        """Nothing was pushed, nothing is left."""


def _how_it_ended(code: int, errors: str) -> str:
    lines = errors.strip().splitlines()
    last = lines[-1][:200] if lines else "nothing"
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
    return f"the benchmark {how}; last it printed: {last}"
