"""Measures several models in one interleaved run on one device."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecgkd_bench import stats
from ecgkd_bench.backends import backend_for
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import (
    Backend,
    Clock,
    Device,
    Memory,
    Model,
    Ratio,
    Record,
    Session,
    State,
    Threads,
    WarmUp,
    build,
)
from ecgkd_bench.transport.base import Transport, ask

Progress = Callable[[int, int, str], None]
LOAD_SECONDS = 300.0
"""Longest that a device may take to load one model."""


@dataclass(frozen=True)
class Subject:
    """A model to measure."""

    name: str
    path: Path
    precision: str = ""
    sha256: str = ""
    """Given where the file's own hash means nothing; computed otherwise."""

    def model(self) -> Model:
        digest = self.sha256 or hashlib.sha256(self.path.read_bytes()).hexdigest()
        return Model(self.name, self.path.suffix.lstrip("."), self.precision, digest)


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    threads: int = 1
    rounds: int = 40
    """Turns; ratios and intervals come from resampling them."""
    block_ms: float = 40.0
    """About how long one model's block of a round takes; at most 50 inferences."""
    seed: int = 0
    """Of the order inside the rounds."""

    def __post_init__(self) -> None:
        if self.threads < 1 or self.rounds < 2 or not self.block_ms > 0:
            raise MismatchError(
                f"{self.threads} thread(s), {self.rounds} round(s), blocks of {self.block_ms} ms cannot be measured; "
                "expected at least 1 thread and 2 rounds"
            )


def measure(subjects: Sequence[Subject], transport: Transport, plan: Plan, progress: Progress | None = None) -> Session:
    """Returns the records of all `subjects`, measured in turns, and every model's ratio to the first.

    Raises: MismatchError for a file that no backend runs, DeviceError where the device cannot or does not do it.
    """
    names = [subject.name for subject in subjects]
    if not names or len(set(names)) != len(names):
        raise MismatchError(f"models to measure need different names; got {', '.join(names) or 'none'}")
    tell = progress or (lambda done, total, what: None)
    total = len(subjects) + 1
    backends = [backend_for(subject.path) for subject in subjects]
    device = ask(transport, {"action": "describe"}, LOAD_SECONDS)
    remote = [transport.push(subject.path) for subject in subjects]
    alone = []
    empty: dict[str, int | None] = {}
    for position, (backend, path) in enumerate(zip(backends, remote, strict=True)):
        tell(position, total, f"memory of {names[position]}")
        if backend not in empty:
            empty[backend] = _alone(transport, backend, None, plan)["peak_rss_bytes"]
        alone.append(_alone(transport, backend, path, plan))
    tell(len(subjects), total, "latency in turns")
    jobs = [{"backend": b, "path": p, "threads": plan.threads} for b, p in zip(backends, remote, strict=True)]
    job = {"action": "latency", "models": jobs, "rounds": plan.rounds, "block_ms": plan.block_ms, "seed": plan.seed}
    measured = ask(transport, job, LOAD_SECONDS + 10 * len(subjects) * (1 + plan.rounds))
    where = _device(device, measured, transport.reached)
    clock = Clock(device.get("clock", Clock.WALL))
    # Such a clock advances 1 ns with every instruction.
    unit, scale = ("instructions", 1e6) if clock is Clock.INSTRUCTIONS else ("ms", 1)
    records = tuple(
        Record(
            model=subject.model(),
            device=where,
            clock=clock,
            backend=Backend(backends[i], result["backend"], result["version"]),
            threads=Threads(plan.threads, result["threads"], measured["cores_allowed"]),
            warm_up=build(WarmUp, result["warm_up"]),
            latency=stats.summarise([scale * ms for ms in result["raw_ms"]], plan.rounds, unit, plan.seed),
            load_seconds=alone[i]["load_seconds"],
            memory=_memory(subject.path.stat().st_size, alone[i]["peak_rss_bytes"], empty[backends[i]]),
            operators=_scaled(alone[i]["operators"], scale),
        )
        for i, (subject, result) in enumerate(zip(subjects, measured["models"], strict=True))
    )
    tell(total, total, "done")
    return Session(datetime.now(UTC).isoformat(timespec="seconds"), records, ratios(records))


def ratios(records: Sequence[Record], seed: int = 0) -> tuple[Ratio, ...]:
    """Returns every later record's p50 over the first one's, with intervals over shared rounds."""
    first = records[0]
    pairs = [(record, *stats.paired_ratio(record.latency, first.latency, seed)) for record in records[1:]]
    return tuple(Ratio(record.model.name, first.model.name, value, ci95) for record, value, ci95 in pairs)


def _alone(transport: Transport, backend: str, path: str | None, plan: Plan) -> dict[str, Any]:
    """Returns load time, peak memory and operator times, each from a process of its own."""
    job = {"action": "memory", "backend": backend, "path": path, "threads": plan.threads}
    answer = ask(transport, job, LOAD_SECONDS)
    profiled = path is not None and backend == "onnxruntime"
    job = {"action": "operators", "path": path, "threads": plan.threads}
    return {**answer, **(ask(transport, job, LOAD_SECONDS) if profiled else {"operators": None})}


def _scaled(operators: dict[str, float] | None, scale: float) -> dict[str, float] | None:
    return None if operators is None else {kind: scale * value for kind, value in operators.items()}


def _device(described: dict[str, Any], measured: dict[str, Any], reached: str) -> Device:
    before, after, *during = (build(State, one) for one in (measured["before"], measured["after"], *measured["during"]))
    return Device(
        name=described["soc"],
        soc=described["soc"],
        cores=described["cores"],
        features=tuple(described["features"]),
        memory_bytes=described["memory_bytes"],
        os=described["os"],
        abi=described["abi"],
        reached=reached,
        before=before,
        after=after,
        during=tuple(during),
    )


def _memory(file_bytes: int, peak: int | None, empty: int | None) -> Memory:
    alone = None if peak is None or empty is None else max(0, peak - empty)
    return Memory(file_bytes, peak, empty, alone, None)
