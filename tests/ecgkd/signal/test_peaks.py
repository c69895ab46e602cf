from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.synthetic_beats import draw_beat, draw_rhythm, render
from ecgkd.signal.peaks import r_peaks, r_peaks_of

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
BEATS = ["N", "L", "R", "A", "a", "J", "S", "V", "F", "e", "j", "E", "/", "f", "Q"]
"""MIT-BIH codes of beats, as against those of rhythm and noise."""
CLEAN = ("100/0", "101/0", "103/0", "113/0", "115/0", "122/0", "234/0")


def person(seed: int, fs: float = 250, noise: float = 20) -> tuple[np.ndarray, np.ndarray]:
    """Returns 20 s of a synthetic person's ECG in µV, and its R peaks in samples."""
    rng = np.random.default_rng(seed)
    beat = draw_beat(rng, None, 0)
    rhythm = draw_rhythm(np.full(60, beat.heart_rate), beat.rr_cv, 0.0, 0.0, 0.0, rng)
    n_samples = int(20 * fs)
    x = 1000 * render(beat, rhythm, n_samples, fs, 0.0, rng) + rng.normal(0, noise, n_samples)
    true = rhythm.time * fs
    return x, true[(true > 0.3 * fs) & (true < n_samples - 0.3 * fs)]


def agreement(found: np.ndarray, true: np.ndarray, tolerance: float) -> tuple[float, float]:
    """Returns sensitivity and positive predictive value."""
    apart = np.abs(found[:, None] - true[None])  # (found, true)
    return float((apart.min(axis=0) <= tolerance).mean()), float((apart.min(axis=1) <= tolerance).mean())


@pytest.mark.parametrize("fs", [100, 250, 360, 512])
def test_every_beat_of_synthetic_people_is_found_within_20_ms(fs):
    for seed in range(10):
        x, true = person(seed, fs)
        found = r_peaks(x, fs)
        inner = found[(found > 0.3 * fs) & (found < len(x) - 0.3 * fs)]
        assert agreement(inner, true, max(0.02 * fs, 2)) == (1, 1), (seed, found, true)


@pytest.mark.skipif(not (SHARED / "mitbih.npz").exists(), reason=f"no real recordings in {SHARED}")
def test_annotated_beats_of_clean_ambulatory_recordings_are_found():
    d = np.load(SHARED / "mitbih.npz", allow_pickle=False)
    x, offset, record = d["x"][0], d["offset"], list(d["record"])
    where, beats, symbol = d["rpeak_offset"], d["rpeak"], d["rpeak_symbol"]
    for name in CLEAN:
        i = record.index(name)
        mine = slice(where[i], where[i + 1])
        true = beats[mine][np.isin(symbol[mine], BEATS)]
        found = r_peaks(x[offset[i] : offset[i + 1]].astype(float), 360)
        sensitivity, predictive = agreement(found, true, 0.1 * 360)
        assert min(sensitivity, predictive) > 0.99, (name, sensitivity, predictive)


def test_gain_and_offset_do_not_matter():
    x, _ = person(1)
    assert np.array_equal(r_peaks(x, 250), r_peaks(0.003 * x - 7, 250))


def test_a_heart_upside_down_has_its_peaks_at_the_bottom():
    x, _ = person(2)
    assert np.array_equal(r_peaks(x, 250), r_peaks(-x, 250))


def test_one_burst_of_artefact_does_not_hide_the_beats():
    x, true = person(3)
    x[2000:2050] += 20000 * np.random.default_rng(0).standard_normal(50)
    far = np.abs(true - 2025) > 250
    assert agreement(r_peaks(x, 250), true[far], 5)[0] == 1


def test_drift_of_the_electrode_does_not_matter():
    x, true = person(4)
    wander = 3000 * np.sin(2 * np.pi * 0.2 * np.arange(len(x)) / 250)
    assert agreement(r_peaks(x + wander, 250), true, 5)[0] == 1


@pytest.mark.parametrize("x", [np.zeros(1000), np.full(1000, 512.0), np.zeros(20), np.zeros(0)])
def test_a_flat_or_very_short_signal_has_no_peaks(x):
    found = r_peaks(x, 250)
    assert found.dtype == np.int64
    assert found.shape == (0,)


def test_rows_are_judged_each_for_itself():
    rows = np.stack([person(seed)[0] for seed in (5, 6)])
    together = r_peaks_of(rows, 250)
    assert all(np.array_equal(found, r_peaks(row, 250)) for found, row in zip(together, rows, strict=True))
