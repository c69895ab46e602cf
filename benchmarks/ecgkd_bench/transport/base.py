"""What every way to a device offers, and how its answers are read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from ecgkd_bench.errors import DeviceError

SENTINEL = "ecgkd-bench: done"
"""Last line of every complete answer: some connections end with exit status 0 when they broke."""


class Transport(Protocol):
    """A device that files and commands can be sent to."""

    reached: str
    """How, as the user typed it: `local`."""
    python: tuple[str, ...]
    """The command that starts Python there, with this package on its path."""

    def push(self, path: Path) -> str:
        """Brings a file to the device and returns its path there. Raises: DeviceError."""

    def pull(self, remote: str, path: Path) -> None:
        """Brings a file of the device to `path`. Raises: DeviceError."""

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        """Returns what `command` printed on stdout. Raises: DeviceError where it fails or takes too long (s)."""

    def close(self) -> None:
        """Removes what was pushed."""


def ask(transport: Transport, job: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Returns the worker's answer to `job`. Raises: DeviceError with its own words where it could not do it."""
    answer = read_answer(transport.run((*transport.python, "-m", "ecgkd_bench.worker"), json.dumps(job), timeout))
    if "error" in answer:
        raise DeviceError(str(answer["error"]))
    return answer


def read_answer(output: str) -> dict[str, Any]:
    """Returns the JSON document in the line before the sentinel, which closes `output`.

    Raises: DeviceError where the sentinel is missing or what precedes it is no JSON document.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines or lines[-1].strip() != SENTINEL:
        last = lines[-1][:200] if lines else "nothing"
        raise DeviceError(f"the benchmark ended without its closing line; last it printed: {last}")
    try:
        answer = json.loads(lines[-2])
    except (IndexError, ValueError) as error:
        raise DeviceError("the benchmark answered something that is no JSON; is it another version?") from error
    if not isinstance(answer, dict):
        raise DeviceError(f"the benchmark answered {lines[-2][:80]}; expected a JSON object")
    return answer
