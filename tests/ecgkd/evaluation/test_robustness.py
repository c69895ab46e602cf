import numpy as np
import pytest

from ecgkd.data.prepared import open_set, write_set
from ecgkd.errors import UsageError
from ecgkd.evaluation.baselines import correlation_embed
from ecgkd.evaluation.evaluate import Candidate
from ecgkd.evaluation.robustness import (
    HEART_RATES,
    KINDS,
    SNRS_DB,
    add_noise,
    change_heart_rate,
    disturb,
    synthesise_noise,
)
from ecgkd.record import Record

FS = 250


def beats(rr_seconds: float = 0.8, seconds: float = 20) -> tuple[np.ndarray, np.ndarray]:
    """Returns a signal of 1 mV pulses (µV) and the samples of their tops."""
    tops = np.arange(0.5, seconds - 0.5, rr_seconds)
    time = np.arange(round(seconds * FS)) / FS
    signal = sum(1000 * np.exp(-0.5 * ((time - top) / 0.01) ** 2) for top in tops)
    return np.asarray(signal), np.rint(tops * FS).astype(np.int64)


@pytest.mark.parametrize("snr", SNRS_DB)
@pytest.mark.parametrize("kind", KINDS)
def test_noise_has_the_power_that_the_ratio_asks_for(kind, snr):
    windows = np.rint(np.stack([beats()[0][k : k + 1000] for k in (0, 700, 1500)])).astype(np.int32)
    noise = synthesise_noise(kind, 3, FS, np.random.default_rng(0))
    added = (add_noise(windows, noise, snr, FS) - windows).astype(float)
    signal_power = 1000**2 / 8
    np.testing.assert_allclose(10 * np.log10(signal_power / (added**2).mean(axis=1)), snr, atol=0.6)


def test_silence_adds_nothing():
    windows = np.rint(beats()[0][None, :1000]).astype(np.int32)
    np.testing.assert_array_equal(add_noise(windows, np.zeros((1, 1000)), 0.0, FS), windows)


@pytest.mark.parametrize("factor", HEART_RATES)
def test_the_heart_rate_changes_and_the_complexes_do_not(factor):
    signal, tops = beats()
    changed = change_heart_rate(signal, tops, factor, FS)
    assert len(changed) == pytest.approx(len(signal) / factor, rel=0.01)
    peaks = np.flatnonzero((changed[1:-1] > 500) & (changed[1:-1] >= changed[:-2]) & (changed[1:-1] > changed[2:])) + 1
    assert len(peaks) == len(tops)
    np.testing.assert_allclose(np.diff(peaks), 0.8 * FS / factor, atol=3)
    middle = peaks[10]
    np.testing.assert_allclose(changed[middle - 10 : middle + 11], signal[tops[10] - 10 : tops[10] + 11], atol=130)


def test_the_same_heart_rate_leaves_the_signal(people):
    signal, tops = beats()
    np.testing.assert_allclose(change_heart_rate(signal, tops, 1.0, FS), signal, atol=1e-6)


def test_more_noise_makes_more_errors_and_made_up_noise_is_called_so(people, protocol):
    found = disturb([Candidate("correlation", correlation_embed, baseline=True)], protocol, [people], "people.s1-s2")
    rate = {(one.disturbance, one.level): one.eer for one in found}
    assert len(rate) == len(KINDS) * len(SNRS_DB) + len(HEART_RATES)
    assert rate["noise ma", 0.0] > rate["noise ma", 24.0]
    assert rate["noise em", 0.0] > rate["noise em", 24.0]
    assert {one.source for one in found} == {"synthesised", ""}


def test_recorded_noise_is_called_by_its_set(people, protocol, tmp_path):
    rng = np.random.default_rng(0)
    records = [Record(rng.normal(0, 100, (1, 5000)).astype(np.float32), 360, ("1",), kind) for kind in KINDS]
    write_set(tmp_path / "noise.npz", records, {"name": "noise"})
    candidate = Candidate("correlation", correlation_embed, baseline=True)
    found = disturb([candidate], protocol, [people], "people.s1-s2", open_set(tmp_path / "noise.npz"))
    assert {one.source for one in found if one.disturbance != "heart rate"} == {"noise"}


def test_a_set_of_people_is_no_noise(people, protocol):
    with pytest.raises(UsageError, match="bw, em, ma"):
        disturb([], protocol, [people], "people.s1-s2", people)
