"""Statistics of latencies: percentiles, and intervals by bootstrap over rounds.

Latencies inside a round hang together (one clock frequency, one neighbour), so rounds are what is resampled.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgkd_bench.result import Latency

REPLICATES = 1000


def summarise(raw: Sequence[float], rounds: int, unit: str = "ms", seed: int = 0) -> Latency:
    """Returns the latency block of a record from raw values in the order of measurement.

    Raises: ValueError unless `raw` is `rounds` blocks of equal length.
    """
    blocks = _blocks(raw, rounds)
    p50, p90, p95, p99 = (float(v) for v in np.percentile(blocks, (50, 90, 95, 99)))
    medians = np.median(blocks[_resampled(rounds, seed)].reshape(REPLICATES, -1), axis=1)
    return Latency(
        unit=unit,
        raw=tuple(float(value) for value in raw),
        rounds=rounds,
        count=blocks.size,
        mean=float(blocks.mean()),
        p50=p50,
        p90=p90,
        p95=p95,
        p99=p99,
        stdev=float(blocks.std(ddof=1)) if blocks.size > 1 else 0.0,
        ci95=_interval(medians),
    )


def paired_ratio(a: Latency, b: Latency, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Returns p50 of `a` over p50 of `b` and its 95 % interval, for two models measured in the same rounds."""
    if a.rounds != b.rounds:
        raise ValueError(f"{a.rounds} and {b.rounds} rounds were not measured together")
    chosen = _resampled(a.rounds, seed)
    return a.p50 / b.p50, _interval(_medians(a, chosen) / _medians(b, chosen))


def independent_ratio(a: Latency, b: Latency, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Returns p50 of `a` over p50 of `b` and its 95 % interval, for two separate runs."""
    ratios = _medians(a, _resampled(a.rounds, seed)) / _medians(b, _resampled(b.rounds, seed + 1))
    return a.p50 / b.p50, _interval(ratios)


def _medians(latency: Latency, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    medians: NDArray[np.float64] = np.median(
        _blocks(latency.raw, latency.rounds)[chosen].reshape(len(chosen), -1), axis=1
    )
    return medians


def _blocks(raw: Sequence[float], rounds: int) -> NDArray[np.float64]:
    values = np.asarray(raw, np.float64)
    if rounds < 1 or not values.size or values.size % rounds:
        raise ValueError(f"{values.size} values are not {rounds} rounds of equal length")
    return values.reshape(rounds, -1)


def _resampled(rounds: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, rounds, (REPLICATES, rounds))


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
