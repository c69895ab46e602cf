import json
from pathlib import Path

import numpy as np
import pytest

from ecgkd.errors import RecordingError
from ecgkd.signal.chain import SUPPORTED_FS, definition_sha256, front_end, native_window
from ecgkd.signal.filters import LOW_PASS_TAPS, baseline, low_pass
from ecgkd.signal.resample import phase_table, resample
from ecgkd.signal.window import cut, tile_starts

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "front_end.json").read_text())


def beats(fs: int, microvolts: float = 900, seed: int = 0) -> np.ndarray:
    t = np.arange(native_window(fs)) / fs
    x = sum(microvolts * np.exp(-0.5 * ((t - beat) / 0.014) ** 2) for beat in np.arange(0.4, 4, 0.8))
    x = x + 0.2 * sum(microvolts * np.exp(-0.5 * ((t - beat - 0.25) / 0.05) ** 2) for beat in np.arange(0.4, 4, 0.8))
    return np.rint(x + np.random.default_rng(seed).normal(0, 3, len(t))).astype(np.int32)[None]


@pytest.mark.parametrize("vector", GOLDEN["vectors"], ids=lambda vector: vector["name"])
def test_golden_vector_has_the_same_bits(vector):
    got = front_end(np.array([vector["input_uv"]], np.int32), vector["fs"])[0]
    wrong = np.flatnonzero(got != vector["output"])
    assert not len(wrong), f"first at {wrong[0]}: got {got[wrong[0]]}, want {vector['output'][wrong[0]]}"


def test_golden_vectors_were_made_with_this_definition():
    assert GOLDEN["definition_sha256"] == definition_sha256()


def test_a_window_depends_on_itself_alone():
    windows = np.concatenate([beats(250, seed=seed) for seed in range(5)])
    assert np.array_equal(front_end(windows, 250)[3], front_end(windows[3:4], 250)[0])


def test_an_electrode_offset_changes_nothing():
    assert np.array_equal(front_end(beats(500), 500), front_end(beats(500) + 250_000, 500))


def test_polarity_is_kept():
    assert np.abs(front_end(beats(250), 250).astype(int) + front_end(-beats(250), 250)).max() <= 1


def test_gain_hardly_matters():
    quiet, loud = front_end(beats(250, 400), 250).astype(int), front_end(beats(250, 1600), 250).astype(int)
    assert np.corrcoef(quiet[0], loud[0])[0, 1] > 0.99


@pytest.mark.parametrize("fs", SUPPORTED_FS)
def test_every_rate_shows_the_same_heartbeats(fs):
    at_250, other = front_end(beats(250), 250)[0].astype(float), front_end(beats(fs), fs)[0].astype(float)
    assert np.corrcoef(at_250, other)[0, 1] > 0.99


@pytest.mark.parametrize("fs", SUPPORTED_FS)
def test_resampling_keeps_a_constant_exactly(fs):
    assert (resample(np.full((1, native_window(fs)), -1234, np.int32), fs) == -1234).all()


@pytest.mark.parametrize("fs", SUPPORTED_FS)
def test_no_phase_can_overflow_a_32_bit_accumulator(fs):
    assert np.abs(phase_table(fs).astype(np.int64)).sum(axis=1).max() * 32767 < 2**31


def test_low_pass_cannot_overflow_a_32_bit_accumulator():
    assert np.abs(LOW_PASS_TAPS).sum() * 32767 < 2**31


@pytest.mark.parametrize("hz", [50, 60, 100])
def test_mains_is_removed(hz):
    hum = np.rint(10_000 * np.sin(2 * np.pi * hz * np.arange(1000) / 250)).astype(np.int32)[None]
    assert np.abs(low_pass(hum)[:, 100:-100]).max() < 20


def test_low_pass_equals_a_direct_sum_over_mirrored_samples():
    x = np.random.default_rng(1).integers(-32767, 32768, (1, 200)).astype(np.int32)
    mirrored = np.pad(x[0].astype(np.int64), 30, mode="reflect")
    want = [(int(mirrored[i : i + 61] @ np.array(LOW_PASS_TAPS)) + 2**14) >> 15 for i in range(200)]
    assert low_pass(x)[0].tolist() == want


def test_baseline_follows_drift_and_not_heartbeats():
    drift = np.rint(2000 * np.sin(2 * np.pi * 0.15 * np.arange(1000) / 250)).astype(np.int32)[None]
    middle = slice(260, -260)
    assert np.abs(drift - baseline(drift))[:, middle].max() < 200
    assert np.abs(baseline(beats(250)))[:, middle].max() < 200


def test_flat_window_becomes_zeros():
    assert not front_end(np.full((1, 1000), 777, np.int32), 250).any()


@pytest.mark.parametrize("fs", [0, 44, 251, 48000])
def test_an_unsupported_rate_is_refused_by_name(fs):
    with pytest.raises(RecordingError, match="not supported; the front end takes 100, 125"):
        front_end(np.zeros((1, 1000), np.int32), fs)


def test_a_window_of_another_length_is_refused():
    with pytest.raises(RecordingError, match=r"expected \(n, 1000\)"):
        front_end(np.zeros((1, 999), np.int32), 250)


def test_tiles_do_not_overlap_and_stay_inside():
    assert tile_starts(3747, 250).tolist() == [0, 1000, 2000]
    with pytest.raises(RecordingError, match="leaves a signal"):
        cut(np.zeros(1500), np.array([600]), 250)


def test_several_leads_go_through_one_by_one():
    signal = np.concatenate([np.tile(beats(500, 900 / (lead + 1), seed=lead), 3) for lead in range(3)])

    windows = cut(signal, tile_starts(6000, 500), 500)

    assert windows.shape == (3, 3, 2000)
    for lead in range(3):
        alone = cut(signal[lead], tile_starts(6000, 500), 500)
        np.testing.assert_array_equal(windows[:, lead], alone)
        np.testing.assert_array_equal(front_end(windows, 500)[:, lead], front_end(alone, 500))
    with pytest.raises(RecordingError, match="leaves a signal of 6000 samples"):
        cut(signal, np.array([4001]), 500)
