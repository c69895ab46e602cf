"""A model in a runtime, ready to be timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Loaded:
    """A model ready to run on one window of noise."""

    run: Callable[[], Any]
    effective: str
    version: str
    threads: int | None
    block: Callable[[int], list[float]] | None = None
    """Runs that often and returns each run's ms, where the runtime takes the time itself."""
    arena_bytes: int | None = None
    outputs: Callable[[], list[dict[str, Any]]] | None = None
    """Runs once and returns each output's `name` ("" where the file has none) and `values`, integers as they are."""

    def times(self, runs: int) -> list[float]:
        """Returns the wall time of each of `runs` inferences, ms."""
        if self.block is not None:
            return self.block(runs)
        return [self._timed() for _ in range(runs)]

    def _timed(self) -> float:
        start = time.perf_counter_ns()
        self.run()
        return (time.perf_counter_ns() - start) / 1e6
