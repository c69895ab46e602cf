"""Statistics of latencies: percentiles, and intervals by bootstrap over launches and rounds.

Latencies inside a round hang together (one clock frequency, one neighbour), and so do the rounds of one process (where
its memory came to lie): launches are resampled, and the rounds inside each.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgkd_bench.result import Latency

REPLICATES = 1000
T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % of Student's t by degrees of freedom, from 1."""
NORMAL_QUANTILE = 1.96


def summarise(
    raw: Sequence[float],
    rounds: int,
    unit: str = "ms",
    seed: int = 0,
    launches: int = 1,
    of: str = "inference",
    held_back_rounds: Sequence[int] = (),
) -> Latency:
    """Returns the latency block of a record from raw values in the order of measurement.

    Raises: ValueError unless `raw` is `rounds` blocks of equal length, the same number in each launch.
    """
    blocks = _blocks(raw, rounds)
    p50, p90, p95, p99 = (float(v) for v in np.percentile(blocks, (50, 90, 95, 99)))
    medians = np.median(blocks[_resampled(rounds, launches, seed)].reshape(REPLICATES, -1), axis=1)
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
        ci95=_interval(medians, p50, launches),
        launches=launches,
        of=of,
        held_back_rounds=tuple(held_back_rounds),
    )


def paired_ratio(a: Latency, b: Latency, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Returns p50 of `a` over p50 of `b` and its 95 % interval, for two models measured in the same rounds."""
    value, ratios = _paired(a, b, seed)
    return value, _interval(ratios, value, a.launches)


def ratio_to_sum(a: Latency, parts: Sequence[Latency], seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Returns p50 of `a` over the sum of the others' p50 and its 95 % interval, all measured in the same rounds."""
    if {(one.rounds, one.launches) for one in parts} != {(a.rounds, a.launches)}:
        raise ValueError("these models were not measured together")
    chosen = _chosen(a, seed)
    value = a.p50 / sum(one.p50 for one in parts)
    return value, _interval(_medians(a, chosen) / sum(_medians(one, chosen) for one in parts), value, a.launches)


def independent_ratio(a: Latency, b: Latency, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Returns p50 of `a` over p50 of `b` and its 95 % interval, for two separate runs."""
    value = a.p50 / b.p50
    ratios = _medians(a, _chosen(a, seed)) / _medians(b, _chosen(b, seed + 1))
    return value, _interval(ratios, value, min(a.launches, b.launches))


def relative_ratio(
    after: tuple[Latency, Latency], before: tuple[Latency, Latency], seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Returns how a model's ratio to a reference changed between two runs, and its 95 % interval.

    `after` and `before` are the model and the reference, measured in the same rounds.
    """
    new, news = _paired(*after, seed)
    old, olds = _paired(*before, seed + 1)
    return new / old, _interval(news / olds, new / old, min(after[0].launches, before[0].launches))


def _paired(a: Latency, b: Latency, seed: int) -> tuple[float, NDArray[np.float64]]:
    """Returns the ratio of two models' p50 and its replicates over the rounds that they share."""
    if (a.rounds, a.launches) != (b.rounds, b.launches):
        raise ValueError(f"{a.rounds} and {b.rounds} rounds were not measured together")
    chosen = _chosen(a, seed)
    return a.p50 / b.p50, _medians(a, chosen) / _medians(b, chosen)


def _chosen(latency: Latency, seed: int) -> NDArray[np.int64]:
    return _resampled(latency.rounds, latency.launches, seed)


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


def _resampled(rounds: int, launches: int, seed: int) -> NDArray[np.int64]:
    """Returns indices of rounds (replicates, rounds): launches drawn with replacement, then rounds in each."""
    if launches < 1 or rounds % launches:
        raise ValueError(f"{rounds} rounds cannot be those of {launches} launches of equal length")
    each = rounds // launches
    random = np.random.default_rng(seed)
    drawn = random.integers(0, launches, (REPLICATES, launches, 1))
    inside = random.integers(0, each, (REPLICATES, launches, each))
    return (drawn * each + inside).reshape(REPLICATES, rounds)


def _interval(values: NDArray[np.float64], centre: float, launches: int) -> tuple[float, float]:
    """Returns the 95 % interval of replicates, widened for so few launches.

    A bootstrap of n draws has (n - 1) / n of the variance and knows nothing of Student's t: both are mended.
    """
    low, high = np.percentile(values, (2.5, 97.5))
    if launches > 1:
        t = T_QUANTILES[launches - 2] if launches - 2 < len(T_QUANTILES) else 2.2
        factor = t / NORMAL_QUANTILE * (launches / (launches - 1)) ** 0.5
        low, high = centre * (low / centre) ** factor, centre * (high / centre) ** factor
    return float(low), float(high)
