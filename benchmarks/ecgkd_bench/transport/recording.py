"""Sessions with a device, written down and played again: a report about a device that nobody here owns is a test."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecgkd_bench.errors import BenchError, DeviceError, MismatchError, RecordError, TransferError
from ecgkd_bench.transport.base import Transport

VERSION = 1
KINDS = {kind.__name__: kind for kind in (DeviceError, TransferError, RecordError, MismatchError)}


class RecordingTransport:
    """Passes everything on to a device and keeps what was asked and answered; `close` writes it to a file."""

    def __init__(self, inner: Transport, path: Path) -> None:
        self.inner = inner
        self.path = path
        self.reached = inner.reached
        self.python = inner.python
        self._events: list[dict[str, Any]] = []

    def push(self, path: Path) -> str:
        event: dict[str, Any] = {"push": path.name}
        event["remote"] = self._kept(event, lambda: self.inner.push(path))
        return str(event["remote"])

    def pull(self, remote: str, path: Path) -> None:
        event: dict[str, Any] = {"pull": remote}
        self._kept(event, lambda: self.inner.pull(remote, path))
        event["text"] = path.read_text(errors="replace")

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        event: dict[str, Any] = {"run": list(command), "stdin": stdin}
        event["output"] = self._kept(event, lambda: self.inner.run(command, stdin, timeout))
        return str(event["output"])

    def close(self) -> None:
        python = list(self.inner.python)
        document = {"version": VERSION, "reached": self.reached, "python": python, "events": self._events}
        try:
            self.path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise RecordError(f"the session cannot be written to {self.path}: {error.strerror}") from error
        finally:
            self.inner.close()

    def _kept(self, event: dict[str, Any], act: Any) -> Any:
        self._events.append(event)
        try:
            return act()
        except BenchError as error:
            event["error"] = [type(error).__name__, str(error)]
            raise


class ReplayTransport:
    """Answers from a recorded session, as long as it is asked the same in the same order."""

    def __init__(self, path: Path) -> None:
        try:
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise RecordError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise RecordError(f"{path}: not a recorded session (broken JSON: {error})") from error
        if not isinstance(document, dict) or document.get("version") != VERSION or "events" not in document:
            raise RecordError(f"{path}: not a recorded session of version {VERSION}")
        self.path = path
        self.reached = str(document["reached"])
        self.python: tuple[str, ...] = tuple(document.get("python", ("python3",)))
        self._events = iter(document["events"])

    def push(self, path: Path) -> str:
        return str(self._next("push", path.name)["remote"])

    def pull(self, remote: str, path: Path) -> None:
        path.write_text(self._next("pull", remote)["text"])

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        event = self._next("run", list(command))
        if event["stdin"] != stdin:
            raise MismatchError(f"{self.path}: was recorded with {event['stdin'][:200]}; now asked {stdin[:200]}")
        return str(event["output"])

    def close(self) -> None:
        """Nothing was opened."""

    def _next(self, kind: str, what: Any) -> dict[str, Any]:
        event: dict[str, Any] = next(self._events, {"nothing": "more"})
        if event.get(kind) != what:
            found = " ".join(f"{name} {event[name]}" for name in list(event)[:1])
            raise MismatchError(f"{self.path}: recorded {found[:200]}; now asked {kind} {what}; record it again")
        if "error" in event:
            name, message = event["error"]
            raise KINDS.get(name, BenchError)(message)
        return event
