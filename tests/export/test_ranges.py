"""Ranges: what was seen, and what of it int8 shall hold."""

import numpy as np
import pytest

from ecgkd_export.errors import GraphError
from ecgkd_export.ranges import BINS, Estimator, Statistics, collect, estimate

from .transformer import transformer, windows


def of_normal(outlier: float = 0.0) -> Statistics:
    values = np.append(np.random.default_rng(0).normal(size=20_000), outlier)
    low, high = float(values.min()), float(values.max())
    return Statistics(low, high, np.histogram(values, BINS, (low, high))[0])


def test_statistics_are_those_of_all_windows_whatever_the_batch() -> None:
    graph, given = transformer(), windows(70)
    whole, parts = collect(graph, given), [collect(graph, given[:33]), collect(graph, given[33:])]
    for name, one in whole.items():
        assert one.low == min(part[name].low for part in parts)
        assert one.high == max(part[name].high for part in parts)
        assert one.counts.sum() == 70 * np.prod(graph.tensors[name].shape)
        assert one.low <= 0 <= one.high


def test_no_windows_and_broken_windows_are_refused() -> None:
    graph = transformer()
    with pytest.raises(GraphError, match="no windows"):
        collect(graph, windows(0))
    with pytest.raises(GraphError, match="not finite"):
        collect(graph, np.full_like(windows(2), np.nan))


def test_min_max_takes_all_and_the_others_cut_an_outlier() -> None:
    seen = of_normal(outlier=40.0)
    ends = {how: estimate({"x": seen}, how)["x"] for how in Estimator}
    assert ends[Estimator.MIN_MAX] == (seen.low, seen.high)
    assert 3.0 < ends[Estimator.PERCENTILE][1] < 5.0
    assert ends[Estimator.MSE][1] < 40
    assert all(low <= 0 <= high for low, high in ends.values())


def test_least_squares_leaves_less_error_than_the_whole_range() -> None:
    values = np.random.default_rng(1).laplace(size=50_000)
    seen = Statistics(float(values.min()), float(values.max()), np.histogram(values, BINS)[0])
    error = {}
    for how in (Estimator.MIN_MAX, Estimator.MSE):
        low, high = estimate({"x": seen}, how)["x"]
        step = (high - low) / 255
        error[how] = np.square(np.clip(np.rint(values / step) * step, low, high) - values).mean()
    assert error[Estimator.MSE] < 0.95 * error[Estimator.MIN_MAX]


def test_a_tensor_of_zeros_has_a_range_of_nothing() -> None:
    seen = Statistics(0.0, 0.0, np.zeros(BINS, np.int64))
    assert all(estimate({"x": seen}, how)["x"] == (0.0, 0.0) for how in Estimator)


def test_only_the_tensors_asked_for_are_estimated() -> None:
    assert list(estimate({"x": of_normal(), "y": of_normal()}, only=["y"])) == ["y"]
