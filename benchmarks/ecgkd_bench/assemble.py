"""From the worker's answers to records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecgkd_bench import stats
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import (
    Backend,
    Clock,
    Device,
    Energy,
    Memory,
    Output,
    Ratio,
    Record,
    State,
    Streaming,
    Threads,
    WarmUp,
    build,
)


@dataclass(frozen=True)
class Alone:
    """What one model gave in processes of its own."""

    backend: str
    file_bytes: int
    answer: dict[str, Any]
    """Of the action `memory`, with `operators` and `energy`."""
    empty_rss_bytes: int | None
    outputs: tuple[Output, ...] = ()


def records_of(
    subjects: Sequence[Subject],
    alone: Sequence[Alone],
    described: dict[str, Any],
    measured: dict[str, Any],
    plan: Plan,
    reached: str,
) -> tuple[Record, ...]:
    """Returns the records of all subjects from what the device answered."""
    clock = Clock(described.get("clock", Clock.WALL))
    launches = plan.launches(clock)
    # Such a clock advances 1 ns with every instruction.
    unit, scale = ("instructions", 1e6) if clock is Clock.INSTRUCTIONS else ("ms", 1)
    device = device_of(described, measured, reached)

    def record(subject: Subject, own: Alone, result: dict[str, Any]) -> Record:
        raw = [scale * ms for ms in result["raw_ms"]]
        rounds = launches * (plan.rounds // launches)
        held_back = measured["held_back_rounds"]
        latency = stats.summarise(raw, rounds, unit, plan.seed, launches, held_back_rounds=held_back)
        return Record(
            model=subject.model(),
            device=device,
            clock=clock,
            backend=Backend(own.backend, result["backend"], result["version"]),
            threads=_threads(plan, result["threads"], measured["cores"]),
            warm_up=build(WarmUp, result["warm_up"]),
            latency=latency,
            load_seconds=own.answer["load_seconds"],
            memory=_memory(own),
            operators=_scaled(own.answer["operators"], scale),
            streaming=streaming(latency.p50, result["processor_ms"], clock, plan.hop_seconds, subject),
            energy=build(Energy, own.answer["energy"]) if own.answer["energy"] else None,
            evidence=subject.evidence,
            outputs=own.outputs,
        )

    return tuple(record(*one) for one in zip(subjects, alone, measured["models"], strict=True))


def ratios(records: Sequence[Record], seed: int = 0) -> tuple[Ratio, ...]:
    """Returns every later record's p50 over the first one's, with intervals over shared rounds."""
    first = records[0]
    pairs = [(record, *stats.paired_ratio(record.latency, first.latency, seed)) for record in records[1:]]
    return tuple(Ratio(record.model.name, first.model.name, value, ci95) for record, value, ci95 in pairs)


def streaming(
    p50_ms: float, processor_ms: float, clock: Clock, hop_seconds: float, subject: Subject
) -> Streaming | None:
    """Returns what judging a stream costs; None where the clock is not the device's own time."""
    if clock is not Clock.WALL:
        return None
    windows = subject.windows_to_accept
    return Streaming(
        hop_seconds=hop_seconds,
        core_share=processor_ms / 1000 / hop_seconds,
        duty_cycle=p50_ms / 1000 / hop_seconds,
        windows_to_accept=windows,
        signal_seconds_to_accept=None if windows is None else windows * hop_seconds,
        compute_seconds_to_accept=None if windows is None else windows * p50_ms / 1000,
    )


def _scaled(operators: dict[str, float] | None, scale: float) -> dict[str, float] | None:
    return None if operators is None else {kind: scale * value for kind, value in operators.items()}


def _threads(plan: Plan, effective: int | None, cores: list[int] | None) -> Threads:
    bound = None if cores is None else tuple(cores)
    return Threads(plan.threads, effective, None if bound is None else len(bound), plan.cores, bound)


def device_of(described: dict[str, Any], measured: dict[str, Any], reached: str) -> Device:
    """Returns the device from what describes it and its states before, during and after."""
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


def _memory(own: Alone) -> Memory:
    peak, empty = own.answer["peak_rss_bytes"], own.answer.get("empty_rss_bytes", own.empty_rss_bytes)
    model = None if peak is None or empty is None else max(0, peak - empty)
    return Memory(own.file_bytes, peak, empty, model, own.answer.get("arena_bytes"))
