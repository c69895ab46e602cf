"""A device that answers from a list, through the same door as the real ones."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Session
from ecgkd_bench.runner import measure
from ecgkd_bench.transport.base import SENTINEL


class FakeTransport:
    """Answers every job the way the worker would; `speeds` are ms by file name."""

    reached = "fake"
    python = ("python",)

    def __init__(self, speeds: dict[str, float]) -> None:
        self.speeds = speeds
        self.jobs: list[dict[str, Any]] = []

    def push(self, path: Path) -> str:
        return path.name

    def pull(self, remote: str, path: Path) -> None:
        raise AssertionError("nothing is pulled")

    def close(self) -> None:
        pass

    def run(self, command: Sequence[str], stdin: str, timeout: float) -> str:
        job = json.loads(stdin)
        self.jobs.append(job)
        return f"noise\n{json.dumps(self._answer(job))}\n{SENTINEL}\n"

    def _answer(self, job: dict[str, Any]) -> dict[str, Any]:
        state = {"governor": "performance", "frequency_mhz": 1500.0, "temperature_c": None}
        if job["action"] == "describe":
            known = {"soc": "Cortex-A72", "cores": 4, "features": ["asimd"], "memory_bytes": None}
            return {**known, "os": "Linux", "abi": "aarch64"}
        if job["action"] == "memory":
            return {"peak_rss_bytes": 9_000_000 if job["path"] else 4_000_000, "load_seconds": 0.25}
        if job["action"] == "operators":
            return {"operators": {"QGemm": 0.5}}
        models = [
            {
                "raw_ms": [self.speeds.get(one["path"], 1.0) * (1 + 0.01 * (i % 5)) for i in range(3 * job["rounds"])],
                "warm_up": {"runs": 30, "seconds": 0.1, "stable": self.speeds.get(one["path"], 1.0) < 100},
                "processor_ms": self.speeds.get(one["path"], 1.0),
                "backend": "onnxruntime CPUExecutionProvider",
                "version": "1",
                "threads": one["threads"],
            }
            for one in job["models"]
        ]
        states = {"before": state, "after": state, "during": [state], "held_back_rounds": []}
        return {**states, "cores": [0, 1, 2, 3], "models": models}


@pytest.fixture
def fake() -> type[FakeTransport]:
    """Makes a fake device; takes ms by file name."""
    return FakeTransport


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[dict[str, float]], Session]:
    """Measures models of these speeds (ms, by name) on the fake device."""

    def run(speeds: dict[str, float]) -> Session:
        subjects = []
        for name in speeds:
            path = tmp_path / f"{name}.onnx"
            path.write_bytes(name.encode())
            subjects.append(Subject(name, path))
        fake = FakeTransport({f"{name}.onnx": speed for name, speed in speeds.items()})
        return measure(subjects, fake, Plan(rounds=10))

    return run
