from dataclasses import replace

import numpy as np
import pytest

from ecgkd.config import AugmentConfig
from ecgkd.training.augment import augment, draw_warp, warp_time

OFF = AugmentConfig(**{name: 0.0 for name in AugmentConfig.__dataclass_fields__ if name.endswith("_p")})
FS = 250


def beats(n: int = 16, fs: int = FS) -> np.ndarray:
    """Returns windows (n, 4 s) of narrow pulses, 1 mV, once a second."""
    seconds = np.arange(4 * fs) / fs
    pulse = 1000 * np.exp(-0.5 * (((seconds % 1) - 0.5) / 0.02) ** 2)
    return np.tile(pulse, (n, 1)).astype(np.float32)


def augmented(config: AugmentConfig, windows: np.ndarray | None = None, fs: int = FS, seed: int = 0) -> np.ndarray:
    return augment(beats() if windows is None else windows, fs, config, np.random.default_rng(seed))


def test_with_all_probabilities_at_zero_nothing_changes():
    np.testing.assert_array_equal(augmented(OFF), beats())


@pytest.mark.parametrize("name", ["amplitude", "wander", "muscle", "motion", "mains", "lowpass", "mask", "adc"])
def test_each_change_hits_the_share_of_windows_that_it_should(name):
    windows = beats(400)
    windows[:, 0] += 1  # so that a line never bridges what is flat already

    changed = (augmented(replace(OFF, **{f"{name}_p": 0.4}), windows) != windows).any(axis=1).mean()

    assert 0.3 < changed < 0.5


def test_windows_that_go_in_are_not_written_to():
    windows = beats()
    before = windows.copy()

    augment(windows, FS, AugmentConfig(), np.random.default_rng(0))

    np.testing.assert_array_equal(windows, before)


def test_amplitude_is_a_factor_within_its_range():
    windows = beats() + 1

    factor = augmented(replace(OFF, amplitude_p=1.0), windows) / windows

    assert np.ptp(factor, axis=1).max() < 1e-5
    assert 0.7 - 1e-5 <= factor.min() < 0.9
    assert 1.2 < factor.max() <= 1.4 + 1e-5


@pytest.mark.parametrize(("name", "low", "high"), [("muscle", 6, 24), ("motion", 6, 18)])
def test_noise_has_the_signal_to_noise_that_was_asked_for(name, low, high):
    windows = beats(64)

    noise = augmented(replace(OFF, **{f"{name}_p": 1.0}), windows) - windows
    decibel = 20 * np.log10(windows.std(axis=1) / noise.std(axis=1))

    assert low - 1 < decibel.min() < low + 4
    assert high - 4 < decibel.max() < high + 1


def test_muscle_noise_lies_above_20_hz():
    windows = beats(64)

    noise = augmented(replace(OFF, muscle_p=1.0), windows) - windows
    power = np.square(np.abs(np.fft.rfft(noise, axis=1))).sum(axis=0)

    assert power[np.fft.rfftfreq(noise.shape[1], 1 / FS) < 19].sum() < 1e-4 * power.sum()


def test_wander_is_slow_and_within_its_range():
    windows = np.zeros((64, 1000), np.float32)

    wander = augmented(replace(OFF, wander_p=1.0), windows)

    assert np.abs(wander).max() <= 400
    assert np.abs(np.diff(wander)).max() <= 400 * 2 * np.pi * 0.5 / FS


def test_mains_are_50_or_60_hz():
    windows = np.zeros((64, 1000), np.float32)

    hum = augmented(replace(OFF, mains_p=1.0, mains_uv=(10.0, 10.0)), windows)
    strongest = np.fft.rfftfreq(1000, 1 / FS)[np.abs(np.fft.rfft(hum, axis=1)).argmax(axis=1)]

    assert set(strongest.tolist()) == {50.0, 60.0}


def test_mains_beyond_half_the_sampling_rate_fold_back_as_a_real_converter_folds_them():
    hum = augmented(replace(OFF, mains_p=1.0, mains_uv=(10.0, 10.0)), np.zeros((16, 400), np.float32), fs=100)

    assert np.isfinite(hum).all()
    assert np.abs(hum).max() <= 10.001


def test_masks_are_straight_and_short():
    noise = np.random.default_rng(1).normal(size=(64, 1000)).astype(np.float32)

    masked = augmented(replace(OFF, mask_p=1.0), noise)
    inside = (masked != noise).sum(axis=1) / FS

    assert inside.min() > 0
    assert inside.max() <= 2 * 0.4
    straight = np.abs(np.diff(masked, n=2, axis=1)) < 1e-5
    assert (straight.sum(axis=1) >= (masked != noise).sum(axis=1) - 4).all()


def test_a_low_pass_takes_away_what_is_above_its_corner():
    seconds = np.arange(1000) / FS
    slow, fast = np.sin(2 * np.pi * 5 * seconds), np.sin(2 * np.pi * 90 * seconds)
    windows = np.stack([slow, fast]).astype(np.float32)

    passed = augmented(replace(OFF, lowpass_p=1.0), windows)

    assert passed[0].std() == pytest.approx(windows[0].std(), rel=0.01)
    assert passed[1].std() < 0.05


def test_a_coarse_converter_leaves_few_levels():
    noise = np.random.default_rng(1).normal(size=(4, 1000)).astype(np.float32)

    converted = augmented(replace(OFF, adc_p=1.0, adc_bits=(8.0, 8.0)), noise)

    assert max(len(np.unique(row)) for row in converted) <= 2**8 / 10 + 2


def test_a_warp_stretches_time_by_its_speed():
    raw = np.sin(2 * np.pi * 5 * np.arange(1100) / FS).astype(np.float32)[None]

    warped = warp_time(raw, np.array([1.08]), 1000)

    expected = np.sin(2 * np.pi * 5 * 1.08 * np.arange(1000) / FS)
    assert np.abs(warped[0] - expected).max() < 0.01


def test_speed_one_gives_the_samples_themselves():
    raw = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)

    np.testing.assert_array_equal(warp_time(raw, np.ones(3), 1000), raw)


def test_a_stretch_of_just_one_window_is_never_played_faster_than_it_lasts():
    length = np.full(200, 1000)

    speed, needed = draw_warp(length, 1000, AugmentConfig(warp_p=1.0), np.random.default_rng(0))

    assert speed.max() == 1.0
    assert speed.min() >= 0.92
    assert needed.max() <= 1000
