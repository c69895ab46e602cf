"""Statistics of latencies."""

import numpy as np
import pytest

from ecgkd_bench import stats


def _rounds(centre: float, seed: int, spread: float = 0.02) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, spread, 400)
    return list(centre * np.exp(noise))


def test_percentiles_of_a_hand_worked_case() -> None:
    latency = stats.summarise([1.0, 2.0, 3.0, 4.0], rounds=2)
    assert (latency.count, latency.mean, latency.p50) == (4, 2.5, 2.5)
    assert latency.p90 == pytest.approx(3.7)
    assert latency.stdev == pytest.approx(1.2909944)


def test_raw_values_are_kept_in_order() -> None:
    raw = [3.0, 1.0, 2.0, 5.0]
    assert stats.summarise(raw, rounds=4).raw == tuple(raw)


def test_the_interval_holds_the_median_and_shrinks_with_the_spread() -> None:
    wide, narrow = (stats.summarise(_rounds(1.0, 0, spread), 40) for spread in (0.1, 0.01))
    for latency in (wide, narrow):
        assert latency.ci95[0] <= latency.p50 <= latency.ci95[1]
    assert narrow.ci95[1] - narrow.ci95[0] < (wide.ci95[1] - wide.ci95[0]) / 3


def test_a_ratio_of_two_known_speeds_is_found_and_lies_in_its_interval() -> None:
    slow, fast = stats.summarise(_rounds(2.0, 1), 40), stats.summarise(_rounds(1.0, 2), 40)
    value, (low, high) = stats.paired_ratio(slow, fast)
    assert low <= value <= high
    assert low < 2.0 < high
    assert high - low < 0.03


def test_a_drift_that_both_models_share_leaves_the_paired_ratio_alone() -> None:
    drift = np.repeat(np.linspace(1, 2, 40), 10)
    a = stats.summarise(list(3 * drift), 40)
    b = stats.summarise(list(drift), 40)
    value, (low, high) = stats.paired_ratio(a, b)
    assert (value, low, high) == (pytest.approx(3), pytest.approx(3), pytest.approx(3))
    assert stats.independent_ratio(a, b)[1][0] < 2.8


def test_the_same_values_give_the_same_interval_twice() -> None:
    assert stats.summarise(_rounds(1.0, 3), 40) == stats.summarise(_rounds(1.0, 3), 40)


def test_processes_that_differ_widen_the_interval_although_their_rounds_agree() -> None:
    processes = np.repeat([0.98, 0.99, 1.0, 1.01, 1.02], 80)
    noise = np.exp(np.random.default_rng(0).normal(0, 0.001, 400))
    raw = list(processes * noise)
    (low, high), (blind_low, blind_high) = (stats.summarise(raw, 40, launches=n).ci95 for n in (5, 1))
    assert low < 0.98 < 1.02 < high
    assert high - low > 1.5 * (blind_high - blind_low)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_over_processes_holds_the_truth_in_most_runs(seed: int) -> None:
    held = 0
    for run in range(20):
        random = np.random.default_rng((seed, run))
        processes = np.repeat(np.exp(random.normal(0, 0.01, 5)), 80)
        low, high = stats.summarise(list(processes * np.exp(random.normal(0, 0.01, 400))), 40, launches=5).ci95
        held += low <= 1.0 <= high
    assert held >= 17


def test_rounds_that_do_not_divide_into_launches_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rounds cannot be those of 2 launches"):
        stats.summarise([1.0, 2.0, 3.0], 3, launches=2)


@pytest.mark.parametrize(("raw", "rounds"), [([], 1), ([1.0, 2.0, 3.0], 2), ([1.0], 0)])
def test_values_that_are_not_whole_rounds_are_refused(raw: list[float], rounds: int) -> None:
    with pytest.raises(ValueError, match="rounds of equal length"):
        stats.summarise(raw, rounds)


def test_models_of_different_rounds_have_no_paired_ratio() -> None:
    with pytest.raises(ValueError, match="not measured together"):
        stats.paired_ratio(stats.summarise([1.0, 2.0], 2), stats.summarise([1.0, 2.0, 3.0], 3))
