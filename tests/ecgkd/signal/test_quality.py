import numpy as np
import pytest

from ecgkd.signal.quality import Reason, assess, in_words

T = np.arange(1000) / 250


def clean(seed: int = 0) -> np.ndarray:
    x = sum(900 * np.exp(-0.5 * ((T - beat) / 0.012) ** 2) for beat in np.arange(0.3, 4, 0.8))
    x = x + sum(200 * np.exp(-0.5 * ((T - beat - 0.25) / 0.05) ** 2) for beat in np.arange(0.3, 4, 0.8))
    return x + np.random.default_rng(seed).normal(0, 10, 1000)


def reasons(x: np.ndarray, **options: bool) -> tuple[Reason, ...]:
    return assess(x[None], 250, **options)[0].reasons


def test_a_clean_window_is_usable():
    assert assess(clean()[None], 250)[0].usable


def test_integer_and_float_microvolts_are_judged_alike():
    x = np.rint(clean())
    assert assess(x[None], 250) == assess(x[None].astype(np.int32), 250)


def test_a_missing_sample_is_named():
    x = clean()
    x[500] = np.nan
    assert reasons(x) == (Reason.NON_FINITE,)


def test_a_constant_is_flat():
    assert Reason.FLAT in reasons(np.full(1000, 3.0))


def test_half_a_second_of_lead_off_is_flat():
    x = clean()
    x[300:450] = x[300]
    assert Reason.FLAT in reasons(x)


def test_tops_cut_off_at_the_rail_are_clipped():
    assert Reason.CLIPPED in reasons(np.clip(clean(), None, 300))


def test_a_moved_electrode_is_a_step():
    assert Reason.STEP in reasons(clean() + np.where(T > 2, 5000, 0))


def test_amplitudes_count_only_where_the_gain_is_known():
    small = np.rint(clean() / 20)
    assert Reason.FLAT in reasons(small)
    assert Reason.FLAT not in reasons(small, gain_known=False)
    assert Reason.STEP not in reasons(clean() + np.where(T > 2, 5000, 0), gain_known=False)


@pytest.mark.parametrize("seed", range(20))
def test_white_noise_is_refused(seed):
    assert reasons(np.random.default_rng(seed).normal(0, 200, 1000))


def test_muscle_noise_is_refused_for_where_its_power_lies():
    noise = np.random.default_rng(0).normal(0, 1, 1000)
    spectrum = np.fft.rfft(noise)
    spectrum[np.fft.rfftfreq(1000, 1 / 250) < 20] = 0
    assert Reason.BAND_POWER in reasons(300 * np.fft.irfft(spectrum))


def test_words_count_windows_and_name_the_commonest_reason_first():
    windows = np.stack([clean(), np.full(1000, 3.0), np.clip(clean(), None, 300), np.clip(clean(1), None, 300)])
    words = in_words(assess(windows, 250))
    assert words.startswith("1 of 4 windows usable; ")
    assert "2× the signal is clipped" in words
