"""What runs on the device: one job as JSON on stdin, one JSON line and the sentinel on stdout.

{"action": "memory", "backend": …, "path": … or null, "threads": n}      load time and peak memory, alone
{"action": "operators", "path": …, "threads": n}                         time by kind of operator
{"action": "latency", "models": [{"backend", "path", "threads"}, …], "rounds": n, "block_ms": t, "seed": s,
 "blocks": inferences of each model's block, or null to choose, "cores": processor numbers, or null,
 "counting": whether the clock counts instructions, "warm_up_seconds": the longest that each may take}
{"action": "energy", "backend": …, "path": …, "threads": n, "seconds": t} what the device's meter shows, if it has one
{"action": "describe"}                                                   what the device is
"""

import contextlib
import ctypes
import dataclasses
import gc
import itertools
import json
import os
import random
import sys
import time
from typing import Any

from ecgkd_bench import backends, energy, machine, static_runner
from ecgkd_bench.errors import BenchError, MismatchError
from ecgkd_bench.loaded import Loaded
from ecgkd_bench.result import State
from ecgkd_bench.transport.base import SENTINEL

STABLE = 0.02
JOB = "ECGKD_BENCH_JOB"
"""Environment variable that takes a job over to a program that starts itself again."""
MAX_BLOCK = 50
STATE_ROUNDS = 4
"""Rounds between two looks at governor, frequency and temperature."""


def memory(job: dict[str, Any]) -> dict[str, Any]:
    """Loads and runs one model, or only the backend, and says what that took and what the model gives."""
    if job["backend"] == "c99":
        start = time.perf_counter()
        said = static_runner.info(job["path"])
        seconds = time.perf_counter() - start
        used, empty = static_runner.peaks(job["path"])
        return {
            "peak_rss_bytes": used,
            "empty_rss_bytes": empty,
            "load_seconds": seconds,
            "arena_bytes": said["arena_bytes"],
            "outputs": _outputs(static_runner.load(job["path"])),
        }
    small_pages()
    if job["path"] is None:
        backends.import_backend(job["backend"])
        return {"peak_rss_bytes": machine.peak_rss()}
    backends.import_backend(job["backend"])
    start = time.perf_counter()
    model = backends.load(job["backend"], job["path"], job["threads"])
    seconds = time.perf_counter() - start
    for _ in range(5):
        model.run()
    used = machine.peak_rss()
    return {"peak_rss_bytes": used, "load_seconds": seconds, "outputs": _outputs(model)}


def _outputs(model: Loaded) -> list[dict[str, Any]]:
    return model.outputs() if model.outputs else []


def small_pages() -> None:
    """Keeps this process from huge pages: whether the kernel has some left would show in its memory, 2 MB a step.

    Source: prctl(2), PR_SET_THP_DISABLE; nothing happens where there is none.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)


def latency(job: dict[str, Any]) -> dict[str, Any]:
    """Warms every model up, then measures them in turns: each round a block of each, in a new order."""
    bind(job["cores"])
    models = [backends.load(one["backend"], one["path"], one["threads"]) for one in job["models"]]
    before = machine.state()
    warm = [warm_up(model, 1 if job["counting"] else 10, job["warm_up_seconds"]) for model in models]
    blocks = job["blocks"] or [
        max(1, min(MAX_BLOCK, round(job["block_ms"] / max(state["block_ms"], 1e-6)))) for state in warm
    ]
    order = list(range(len(models)))
    shuffle = random.Random(job["seed"]).shuffle
    raw: list[list[float]] = [[] for _ in models]
    processor = [0.0] * len(models)
    looks = [(0, machine.state())]
    gc.collect()
    gc.disable()
    for turn in range(job["rounds"]):
        if turn - looks[-1][0] == STATE_ROUNDS:
            looks.append((turn, machine.state()))
        shuffle(order)
        for position in order:
            model = models[position]
            model.run()  # brings it back into the caches; not kept
            start = time.process_time()
            times = model.times(blocks[position])
            own = time.process_time() - start
            raw[position] += times
            processor[position] += sum(times) / 1000 if model.block else own
    gc.enable()
    looks.append((job["rounds"], machine.state()))
    return {
        "before": dataclasses.asdict(before),
        "after": dataclasses.asdict(looks[-1][1]),
        "during": [dataclasses.asdict(state) for _, state in looks[1:-1]],
        "held_back_rounds": held_back(looks),
        "cores": machine.cores_allowed(),
        "models": [
            {
                "raw_ms": raw[i],
                "processor_ms": 1000 * processor[i] / len(raw[i]),
                "warm_up": {key: warm[i][key] for key in ("runs", "seconds", "stable")},
                "backend": model.effective,
                "version": model.version,
                "threads": model.threads,
            }
            for i, model in enumerate(models)
        ],
    }


def bind(cores: list[int] | None) -> None:
    """Keeps this process on these cores. Raises: MismatchError where the device has none such."""
    if cores is None:
        return
    try:
        os.sched_setaffinity(0, cores)
    except (AttributeError, OSError, ValueError) as error:
        there = ", ".join(str(core) for core in machine.cores_allowed() or [])
        raise MismatchError(f"cannot be bound to the cores {cores}; there are {there or 'none to choose'}") from error


def held_back(looks: list[tuple[int, State]]) -> list[int]:
    """Returns the rounds between two looks of which either shows that something held the device back."""
    rounds: list[int] = []
    for (start, first), (stop, second) in itertools.pairwise(looks):
        if first.held_back or second.held_back:
            rounds += range(start, stop)
    return rounds


def warm_up(model: Loaded, block_runs: int, seconds: float) -> dict[str, Any]:
    """Runs until three blocks in a row agree within 2 %, for at most `seconds`; returns how it went."""
    start = time.perf_counter()
    medians: list[float] = []
    runs = 0
    stable = False
    while not stable and time.perf_counter() - start < seconds:
        block = sorted(model.times(block_runs))
        runs += len(block)
        medians.append(block[len(block) // 2])
        last = medians[-3:]
        stable = len(last) == 3 and max(last) <= (1 + STABLE) * min(last)
    return {"runs": runs, "seconds": time.perf_counter() - start, "stable": stable, "block_ms": medians[-1]}


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to `job`, or {"error": …} in words."""
    try:
        if job["action"] == "describe":
            meter = energy.find()
            about = {"meter": meter.source if meter else None, "backends": backends.installed()}
            return {**machine.describe(), **about}
        if job["action"] == "memory":
            return memory(job)
        if job["action"] == "operators":
            return {"operators": backends.operator_times(job["path"], job["threads"])}
        if job["action"] == "energy":
            model = backends.load(job["backend"], job["path"], job["threads"])
            return {"energy": energy.measure(model.run, job["seconds"])}
        return latency(job)
    except BenchError as error:
        return {"error": str(error)}


def at_fixed_addresses(text: str) -> None:
    """Starts this program once more with memory at addresses that are not random, where the system allows that.

    Runtimes keep tables by address: at random ones, a model's peak memory differs by a twentieth between processes.
    Source: personality(2), ADDR_NO_RANDOMIZE.
    """
    with contextlib.suppress(OSError, AttributeError):
        personality = ctypes.CDLL(None).personality
        now = personality(0xFFFFFFFF)
        if now >= 0 and not now & 0x0040000 and personality(now | 0x0040000) >= 0:
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, JOB: text})


def main() -> None:
    text = os.environ.pop(JOB, "") or sys.stdin.read()
    if json.loads(text)["action"] == "memory":
        at_fixed_addresses(text)
    reply = answer(json.loads(text))
    print(json.dumps(reply))
    print(SENTINEL, flush=True)


if __name__ == "__main__":
    main()
