"""How long the artefacts of one export take beside each other, on this machine, in one run."""

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecgkd_bench.backends import BACKENDS, backend_for, load
from ecgkd_export.errors import MissingPackageError
from ecgkd_export.run.c99 import C99Session
from ecgkd_export.run.interpreter import silenced

ROUNDS, RUNS, WARM_UP = 20, 10, 10
"""Turns, runs of one file in a turn, and runs before the first that are not kept."""
PATIENCE = 0.25
"""Seconds that one file may take in a turn; a slow one runs less often, but once."""
RUNNABLE = tuple(ending for endings in BACKENDS.values() for ending in endings)


def times(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Returns ms per window of each file that a runtime here runs, by name: `p50`, and `runs`, its number.

    One thread, each file some runs in every turn, in a new order. `ecgkd bench` measures more carefully, in processes
    of their own and with intervals. Raises: BenchError where a runtime refuses a file or is not installed.
    """
    known = {name: path for name, path in files.items() if path.suffix in RUNNABLE}
    with silenced():
        found = {name: _open(path) for name, path in known.items()}
        models = {name: run for name, run in found.items() if run is not None}
        for run in models.values():
            for _ in range(WARM_UP):
                run()
    raw: dict[str, list[int]] = {name: [] for name in models}
    order, shuffle = list(models), random.Random(0).shuffle
    for _ in range(ROUNDS):
        shuffle(order)
        for name in order:
            run, end = models[name], time.perf_counter() + PATIENCE
            run()  # brings it back into the caches; not kept
            for _ in range(RUNS):
                start = time.perf_counter_ns()
                run()
                raw[name].append(time.perf_counter_ns() - start)
                if time.perf_counter() > end:
                    break
    return {name: {"p50": float(np.median(values)) / 1e6, "runs": len(values)} for name, values in raw.items()}


def _open(path: Path) -> Callable[[], Any] | None:
    """Returns what runs a file on one window of noise; None for C where there is no compiler."""
    if path.suffix != ".c":
        return load(backend_for(path), str(path), 1).run
    try:
        session = C99Session(path)
    except MissingPackageError:
        return None
    window = np.random.default_rng(0).integers(-128, 128, (1, *session.input_shape), np.int8)
    return lambda: session.run_integers(window)
