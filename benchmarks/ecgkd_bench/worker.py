"""What runs on the device: one job as JSON on stdin, one JSON line and the sentinel on stdout.

{"action": "memory", "backend": …, "path": … or null, "threads": n}      load time and peak memory, alone
{"action": "operators", "path": …, "threads": n}                         time by kind of operator
{"action": "latency", "models": [{"backend", "path", "threads"}, …], "rounds": n, "block_ms": t, "seed": s}
{"action": "describe"}                                                   what the device is
"""

import dataclasses
import gc
import json
import random
import sys
import time
from typing import Any

from ecgkd_bench import backends, machine
from ecgkd_bench.errors import BenchError
from ecgkd_bench.transport.base import SENTINEL

STABLE = 0.02
WARM_UP_SECONDS = 5.0
MAX_BLOCK = 50
STATE_ROUNDS = 10
"""Rounds between two looks at governor, frequency and temperature."""


def memory(job: dict[str, Any]) -> dict[str, Any]:
    """Loads and runs one model, or only the backend, and says what that took."""
    if job["path"] is None:
        backends.import_backend(job["backend"])
        return {"peak_rss_bytes": machine.peak_rss()}
    backends.import_backend(job["backend"])
    start = time.perf_counter()
    model = backends.load(job["backend"], job["path"], job["threads"])
    seconds = time.perf_counter() - start
    for _ in range(5):
        model.run()
    return {"peak_rss_bytes": machine.peak_rss(), "load_seconds": seconds}


def latency(job: dict[str, Any]) -> dict[str, Any]:
    """Warms every model up, then measures them in turns: each round a block of each, in a new order."""
    models = [backends.load(one["backend"], one["path"], one["threads"]) for one in job["models"]]
    before = machine.state()
    warm = [warm_up(model) for model in models]
    blocks = [max(1, min(MAX_BLOCK, round(job["block_ms"] / max(state["block_ms"], 1e-6)))) for state in warm]
    order = list(range(len(models)))
    shuffle = random.Random(job["seed"]).shuffle
    raw: list[list[float]] = [[] for _ in models]
    during = []
    gc.collect()
    gc.disable()
    for turn in range(job["rounds"]):
        if turn % STATE_ROUNDS == STATE_ROUNDS - 1:
            during.append(dataclasses.asdict(machine.state()))
        shuffle(order)
        for position in order:
            models[position].run()  # brings it back into the caches; not kept
            raw[position] += [timed(models[position]) for _ in range(blocks[position])]
    gc.enable()
    return {
        "before": dataclasses.asdict(before),
        "after": dataclasses.asdict(machine.state()),
        "during": during,
        "cores_allowed": machine.cores_allowed(),
        "models": [
            {
                "raw_ms": raw[i],
                "warm_up": {key: warm[i][key] for key in ("runs", "seconds", "stable")},
                "backend": model.effective,
                "version": model.version,
                "threads": model.threads,
            }
            for i, model in enumerate(models)
        ],
    }


def timed(model: backends.Loaded) -> float:
    """Returns the wall time of one inference, ms."""
    start = time.perf_counter_ns()
    model.run()
    return (time.perf_counter_ns() - start) / 1e6


def warm_up(model: backends.Loaded) -> dict[str, Any]:
    """Runs until three blocks in a row agree within 2 %, for at most 5 s; returns how it went."""
    start = time.perf_counter()
    medians: list[float] = []
    runs = 0
    stable = False
    while not stable and time.perf_counter() - start < WARM_UP_SECONDS:
        block = sorted(timed(model) for _ in range(10))
        runs += len(block)
        medians.append(block[len(block) // 2])
        last = medians[-3:]
        stable = len(last) == 3 and max(last) <= (1 + STABLE) * min(last)
    return {"runs": runs, "seconds": time.perf_counter() - start, "stable": stable, "block_ms": medians[-1]}


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to `job`, or {"error": …} in words."""
    try:
        if job["action"] == "describe":
            return machine.describe()
        if job["action"] == "memory":
            return memory(job)
        if job["action"] == "operators":
            return {"operators": backends.operator_times(job["path"], job["threads"])}
        return latency(job)
    except BenchError as error:
        return {"error": str(error)}


def main() -> None:
    reply = answer(json.loads(sys.stdin.read()))
    print(json.dumps(reply))
    print(SENTINEL, flush=True)


if __name__ == "__main__":
    main()
