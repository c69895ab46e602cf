"""Measures several models in one interleaved run on one device."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from ecgkd_bench import reference, static_runner
from ecgkd_bench.assemble import Alone, ratios, records_of
from ecgkd_bench.backends import backend_for
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.outputs import named_only, outputs_of
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Clock, Session
from ecgkd_bench.transport.base import Transport, ask

Progress = Callable[[int, int, str], None]
LOAD_SECONDS = 300.0
"""Longest that a device may take to load one model."""
WARM_UP_SECONDS = (5.0, 1.0)
"""Longest warm-up of a model: in the first process, and in the others, which find a warm machine."""
REFERENCE_BACKEND = "onnxruntime"
STATIC_BACKEND = "c99"


def measure(subjects: Sequence[Subject], transport: Transport, plan: Plan, progress: Progress | None = None) -> Session:
    """Returns the records of all `subjects`, measured in turns with each other and the reference network.

    The session says every model's ratio to the first. Raises: MismatchError for a file that no backend runs,
    OutputError for one that gives something else there than here, DeviceError where the device cannot or does not.
    """
    names = [subject.name for subject in subjects]
    if not names or len({*names, reference.NAME}) != len(names) + 1:
        raise MismatchError(
            f"models to measure need different names, none of them {reference.NAME}; got {', '.join(names) or 'none'}"
        )
    for subject in subjects:
        backend_for(subject.path)
    described = ask(transport, {"action": "describe"}, LOAD_SECONDS)
    everything = list(subjects)
    if REFERENCE_BACKEND in described.get("backends", (REFERENCE_BACKEND,)):
        everything.append(Subject(reference.NAME, reference.PATH, "fp32"))
    with TemporaryDirectory() as folder:
        files = [_for_device(subject, described, Path(folder)) for subject in everything]
        alone, measured = _run(everything, files, transport, plan, described, progress or (lambda *_: None))
    records = records_of(everything, alone, described, measured, plan, transport.reached)
    named = records[: len(subjects)]
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Session(created, named, ratios(named), records[-1] if len(records) > len(named) else None)


def _run(
    subjects: Sequence[Subject],
    files: Sequence[Path],
    transport: Transport,
    plan: Plan,
    described: dict[str, Any],
    tell: Progress,
) -> tuple[list[Alone], dict[str, Any]]:
    """Returns what every model gave alone, and the answer of the interleaved run."""
    clock = Clock(described.get("clock", Clock.WALL))
    backends = [backend_for(subject.path) for subject in subjects]
    jobs: list[dict[str, Any]] = [
        {"backend": backend, "path": transport.push(file), "threads": plan.threads}
        for backend, file in zip(backends, files, strict=True)
    ]
    total = len(subjects) + plan.launches(clock)
    alone: list[Alone] = []
    empty: dict[str, int | None] = {STATIC_BACKEND: None}  # which says its own
    for subject, file, job in zip(subjects, files, jobs, strict=True):
        tell(len(alone), total, f"memory of {subject.name}")
        backend = job["backend"]
        if backend not in empty:
            empty[backend] = ask(transport, {**job, "action": "memory", "path": None}, LOAD_SECONDS)["peak_rss_bytes"]
        answer = _alone(transport, job, plan, bool(described.get("meter")))
        said = answer.get("outputs")
        outputs = outputs_of(subject, said, transport.reached) if said else named_only(subject)
        alone.append(Alone(backend, file.stat().st_size, answer, empty[backend], outputs))

    def launched(position: int) -> None:
        tell(len(subjects) + position, total, "latency in turns")

    measured = _latency(transport, jobs, plan, clock, launched)
    tell(total, total, "done")
    return alone, measured


def _latency(
    transport: Transport, jobs: list[dict[str, Any]], plan: Plan, clock: Clock, launched: Callable[[int], None]
) -> dict[str, Any]:
    """Returns the answers of all launches as if they were one."""
    launches = plan.launches(clock)
    rounds = plan.rounds // launches
    whole: dict[str, Any] = {}
    for launch in range(launches):
        launched(launch)
        job = {
            **{"action": "latency", "models": jobs, "rounds": rounds, "block_ms": plan.block_ms},
            **{"seed": plan.seed + launch, "cores": plan.cores and list(plan.cores)},
            "blocks": [len(one["raw_ms"]) // (launch * rounds) for one in whole["models"]] if whole else None,
            "counting": clock is Clock.INSTRUCTIONS,
            "warm_up_seconds": WARM_UP_SECONDS[min(launch, 1)],
        }
        part = ask(transport, job, LOAD_SECONDS + 10 * len(jobs) * (1 + rounds))
        part["held_back_rounds"] = [launch * rounds + one for one in part["held_back_rounds"]]
        whole = _joined(whole, part) if whole else part
    return whole


def _joined(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    models = []
    for one, more in zip(whole["models"], part["models"], strict=True):
        kept, new = len(one["raw_ms"]), len(more["raw_ms"])
        used = (kept * one["processor_ms"] + new * more["processor_ms"]) / (kept + new)
        warm = {
            "runs": one["warm_up"]["runs"] + more["warm_up"]["runs"],
            "seconds": one["warm_up"]["seconds"] + more["warm_up"]["seconds"],
            "stable": one["warm_up"]["stable"] and more["warm_up"]["stable"],
        }
        models.append({**one, "raw_ms": one["raw_ms"] + more["raw_ms"], "processor_ms": used, "warm_up": warm})
    during = [*whole["during"], whole["after"], part["before"], *part["during"]]
    held_back = whole["held_back_rounds"] + part["held_back_rounds"]
    return {**whole, "after": part["after"], "during": during, "held_back_rounds": held_back, "models": models}


def _alone(transport: Transport, job: dict[str, Any], plan: Plan, metered: bool) -> dict[str, Any]:
    """Returns load time, peak memory, operator times and energy, each from a process of its own."""
    answer = ask(transport, {**job, "action": "memory"}, LOAD_SECONDS)
    operators = energy = None
    if job["backend"] == "onnxruntime":
        what = {"action": "operators", "path": job["path"], "threads": job["threads"]}
        operators = ask(transport, what, LOAD_SECONDS)["operators"]
    if metered:
        what = {**job, "action": "energy", "seconds": plan.energy_seconds}
        energy = ask(transport, what, LOAD_SECONDS + 4 * plan.energy_seconds)["energy"]
    return {**answer, "operators": operators, "energy": energy}


def _for_device(subject: Subject, device: dict[str, Any], folder: Path) -> Path:
    """Returns the file to bring to the device: a generated network as the static runner that it is built into."""
    if backend_for(subject.path) != STATIC_BACKEND:
        return subject.path
    machine = str(device["abi"]).partition(" ")[0]
    own = Path(mkdtemp(dir=folder))  # two folders may hold networks of one name
    return static_runner.build(subject.path, static_runner.target_of(machine, tuple(device["features"])), own)
