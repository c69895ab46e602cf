"""Devices without Python: native runners, each block of inferences a process of its own, driven from here.

Three are known by what they are called: LiteRT's `benchmark_model`, ONNX Runtime's `onnxruntime_perf_test`, and the C
engine's static runner, which is built for the device. What they print is parsed; what they do not tell stays absent.
"""

import random
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from ecgkd_bench import static_runner, stats
from ecgkd_bench.assemble import device_of, ratios, streaming
from ecgkd_bench.errors import DeviceError, MismatchError
from ecgkd_bench.outputs import named_only, outputs_of
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.remote_facts import RemoteFacts
from ecgkd_bench.result import Backend, Clock, Memory, Output, Record, Session, Threads, WarmUp
from ecgkd_bench.runner import Progress
from ecgkd_bench.transport.base import Transport

BLOCK = 20
WARM_UP = 3
SECONDS = 300.0
FORMATS = {"benchmark_model": ".tflite", "onnxruntime_perf_test": ".onnx"}
"""What each runner that a user may point to measures."""


@dataclass(frozen=True)
class Block:
    """What one process of a runner gave."""

    ms: tuple[float, ...]
    """Each inference, or the mean alone where the runner prints no more."""
    of: str
    load_seconds: float
    peak_bytes: int | None = None
    empty_bytes: int | None = None
    model_bytes: int | None = None
    arena_bytes: int | None = None
    version: str = ""


def measure(
    subjects: Sequence[Subject], transport: Transport, plan: Plan, runner: Path | None, progress: Progress | None = None
) -> Session:
    """Returns the records of all `subjects`, measured in turns by native runners, without the reference network.

    Raises: MismatchError for models that the runner does not run, DeviceError where it fails on the device.
    """
    tell = progress or (lambda *_: None)
    names = [subject.name for subject in subjects]
    if not names or len(set(names)) != len(names):
        raise MismatchError(f"models to measure need different names; got {', '.join(names) or 'none'}")
    kinds = [_kind(subject, runner) for subject in subjects]
    if plan.cores is not None or (plan.threads != 1 and "ecgkd" in kinds):
        raise MismatchError("a native runner cannot be bound to cores, and the C engine's runs on one thread")
    facts = RemoteFacts(transport)
    described = facts.describe()
    clock = Clock(described["clock"])
    with TemporaryDirectory() as folder:
        commands = _pushed(subjects, kinds, transport, described, runner, Path(folder))
    given = [
        _outputs(subject, command, transport) if kind == "ecgkd" and subject.expected else named_only(subject)
        for subject, kind, command in zip(subjects, kinds, commands, strict=True)
    ]
    before, order = facts.state(), list(range(len(subjects)))
    blocks: list[list[Block]] = [[] for _ in subjects]
    shuffle = random.Random(plan.seed).shuffle
    for turn in range(plan.rounds):
        tell(turn, plan.rounds, "blocks in turns")
        shuffle(order)
        for position in order:
            blocks[position].append(_block(kinds[position], commands[position], transport, plan.threads))
    after = facts.state()
    tell(plan.rounds, plan.rounds, "done")
    held_back = list(range(plan.rounds)) if before["held_back"] or after["held_back"] else []
    measured = {"before": before, "after": after, "during": []}
    device = device_of(described, measured, transport.reached)
    records = []
    for subject, kind, own, outputs in zip(subjects, kinds, blocks, given, strict=True):
        unit, scale = ("instructions", 1e6) if clock is Clock.INSTRUCTIONS else ("ms", 1.0)
        raw = [scale * ms for block in own for ms in block.ms]
        latency = stats.summarise(raw, plan.rounds, unit, plan.seed, plan.rounds, own[0].of, held_back)
        processor_ms = latency.p50 * plan.threads
        records.append(
            Record(
                model=subject.model(),
                device=device,
                clock=clock,
                backend=Backend(kind, own[0].version or kind, own[0].version),
                threads=Threads(plan.threads, None if kind != "ecgkd" else 1, None),
                warm_up=WarmUp(WARM_UP * plan.rounds, 0.0, True),
                latency=latency,
                load_seconds=own[0].load_seconds,
                memory=_memory(subject, own[0]),
                operators=None,
                streaming=streaming(latency.p50, processor_ms, clock, plan.hop_seconds, subject),
                evidence=subject.evidence,
                outputs=outputs,
            )
        )
    return Session(datetime.now(UTC).isoformat(timespec="seconds"), tuple(records), ratios(records))


def _outputs(subject: Subject, command: tuple[str, str], transport: Transport) -> tuple[Output, ...]:
    """Returns the outputs that the C engine's runner gives there. Raises: OutputError where they are not the file's."""
    program, window = command
    facts = static_runner.parse(transport.run((program, "info"), "", SECONDS))
    script = f"{shlex.quote(program)} run {shlex.quote(window)} | od -An -v -tu1"
    text = transport.run(("sh", "-c", script), "", SECONDS)
    if not re.fullmatch(r"[\d\s]*", text):
        raise DeviceError(_garbage("the C engine's runner", text))
    return outputs_of(subject, static_runner.told(facts, [int(byte) for byte in text.split()]), transport.reached)


def parse_benchmark_model(text: str) -> Block:
    """Returns the mean of a block from what LiteRT's `benchmark_model` printed, µs in it."""
    timings = re.search(r"Inference timings in us: Init: ([0-9.e+]+),.* Inference \(avg\): ([0-9.e+]+)", text)
    if not timings:
        raise DeviceError(_garbage("benchmark_model", text))
    grown = re.search(r"Memory footprint delta from the start of the tool \(MB\): init=\S+ overall=([0-9.]+)", text)
    return Block(
        ms=(float(timings[2]) / 1000,),
        of="block mean",
        load_seconds=float(timings[1]) / 1e6,
        model_bytes=round(float(grown[1]) * 2**20) if grown else None,
    )


def parse_perf_test(text: str, rows: str) -> Block:
    """Returns a block from what `onnxruntime_perf_test` printed and its result file, one row a run, seconds second."""
    seconds = [re.match(r"[^,]*,([0-9.e+-]+),", row) for row in rows.strip().splitlines()]
    load = re.search(r"Session creation time cost:\s*([0-9.e+-]+) s", text)
    if not seconds or not all(seconds) or not load:
        raise DeviceError(_garbage("onnxruntime_perf_test", f"{text}\n{rows}"))
    peak = re.search(r"Peak working set size: ([0-9]+) bytes", text)
    return Block(
        ms=tuple(1000 * float(one[1]) for one in seconds if one),
        of="inference",
        load_seconds=float(load[1]),
        peak_bytes=int(peak[1]) if peak else None,
    )


def parse_static(text: str, empty: str) -> Block:
    """Returns a block from the JSON lines of the C engine's runner: of `bench`, and of `info`, which runs nothing."""
    said, idle = static_runner.parse(text), static_runner.parse(empty)
    return Block(
        ms=tuple(said["ms"]),
        of="inference",
        load_seconds=0.0,
        peak_bytes=said.get("peak_memory_bytes"),
        empty_bytes=idle.get("peak_memory_bytes"),
        arena_bytes=said["arena_bytes"],
        version=f"ecgkd C99 {said['target']}",
    )


def _kind(subject: Subject, runner: Path | None) -> str:
    if subject.path.suffix == ".c":
        return "ecgkd"
    if runner is None:
        raise MismatchError(
            f"{subject.path.name}: the device has no Python; point to a native runner for it with --runner "
            f"({' or '.join(FORMATS)}), or give .c files"
        )
    for name, ending in FORMATS.items():
        if name in runner.name:
            if subject.path.suffix != ending:
                raise MismatchError(f"{subject.path.name}: {runner.name} runs {ending} files")
            return name
    raise MismatchError(f"--runner {runner.name}: expected a program called {' or '.join(FORMATS)}")


def _pushed(
    subjects: Sequence[Subject],
    kinds: Sequence[str],
    transport: Transport,
    described: dict[str, Any],
    runner: Path | None,
    folder: Path,
) -> list[tuple[str, str]]:
    """Returns program and input of every subject, as they lie on the device."""
    tool = transport.push(runner) if runner is not None and any(kind != "ecgkd" for kind in kinds) else ""
    commands = []
    for subject, kind in zip(subjects, kinds, strict=True):
        if kind != "ecgkd":
            commands.append((tool, transport.push(subject.path)))
            continue
        machine = str(described["abi"]).partition(" ")[0]
        target = static_runner.target_of(machine, tuple(described["features"]))
        program = transport.push(static_runner.build(subject.path, target, Path(mkdtemp(dir=folder))))
        header = subject.path.with_suffix(".h")
        size = static_runner.window_bytes(header.read_text()) if header.is_file() else static_runner.WINDOW_BYTES
        (folder / "window.bin").write_bytes(static_runner.noise(size))
        commands.append((program, transport.push(folder / "window.bin")))
    for program in {program for program, _ in commands}:
        transport.run(("chmod", "755", program), "", 60)
    return commands


def _block(kind: str, command: tuple[str, str], transport: Transport, threads: int) -> Block:
    program, file = command
    if kind == "ecgkd":
        text = transport.run((program, "bench", str(WARM_UP), str(BLOCK), file), "", SECONDS)
        return parse_static(text, transport.run((program, "info"), "", SECONDS))
    if kind == "benchmark_model":
        options: tuple[str, ...] = (
            f"--graph={file}",
            f"--num_threads={threads}",
            f"--num_runs={BLOCK}",
            "--min_secs=0",
        )
        options += (f"--warmup_runs={WARM_UP}", "--warmup_min_secs=0", "--report_peak_memory_footprint=true")
        return parse_benchmark_model(transport.run((program, *options), "", SECONDS))
    rows = f"{file}.rows"
    said = transport.run((program, "-I", "-m", "times", "-r", str(BLOCK), "-x", str(threads), file, rows), "", SECONDS)
    return parse_perf_test(said, transport.run(("sh", "-c", f"cat '{rows}'; rm -f '{rows}'"), "", SECONDS))


def _memory(subject: Subject, block: Block) -> Memory:
    model = block.model_bytes
    if block.peak_bytes is not None and block.empty_bytes is not None:
        model = max(0, block.peak_bytes - block.empty_bytes)
    return Memory(subject.path.stat().st_size, block.peak_bytes, block.empty_bytes, model, block.arena_bytes)


def _garbage(name: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{name} printed something else than its figures; last it printed: {lines[-1][:200] if lines else 'nothing'}"
