"""The C front end and quality gate: the bits and verdicts of ecgkd.signal."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd.record import to_integer_microvolts
from ecgkd.signal.chain import SUPPORTED_FS, front_end, native_window
from ecgkd.signal.quality import Reason, assess

GOLDEN = Path(__file__).parents[2] / "golden"
MISSING = -(2**31)
BITS = (
    *(Reason.NON_FINITE, Reason.FLAT, Reason.CLIPPED, Reason.STEP),
    *(Reason.KURTOSIS, Reason.BAND_POWER, Reason.PERIODICITY),
)
"""Of ECGKD_POOR_*."""


def expected(x: np.ndarray, fs: int, gain_known: bool) -> tuple[list[int], int]:
    """Returns what Python makes of one window: the network's input and the gate's bits."""
    reasons = assess(x[None], fs, gain_known)[0].reasons
    return front_end(x[None], fs)[0].tolist(), sum(1 << BITS.index(reason) for reason in reasons)


def made_up(rng: np.random.Generator, fs: int, kind: str) -> np.ndarray:
    """Returns 4 s of int32 µV: an ECG of sorts, or what the gate is to refuse."""
    n = native_window(fs)
    t = np.arange(n) / fs
    x = rng.normal(0, rng.choice([1, 10, 50]), n) + rng.uniform(-3e5, 3e5)
    for beat in np.arange(0.2, 4, rng.uniform(0.5, 1.2)):
        x += 1000 * np.exp(-0.5 * ((t - beat) / 0.012) ** 2) + 200 * np.exp(-0.5 * ((t - beat - 0.28) / 0.05) ** 2)
    match kind:
        case "noise":
            x = rng.normal(0, 10 ** rng.uniform(-1, 6), n)
        case "walk":
            x = np.cumsum(rng.normal(0, 10 ** rng.uniform(-1, 4), n))
        case "sine":
            x = 800 * np.sin(2 * np.pi * t * rng.uniform(1, 20)) + rng.normal(0, 20, n)
        case "clipped":
            x = np.clip(x, x.min(), x.min() + 300)
        case "step":
            x[n // 2 :] += rng.uniform(500, 3000)
        case "flat":
            x[: int(fs * rng.uniform(0.3, 0.5))] = x[0]
        case "loud or soft":
            x *= rng.choice([0.01, 0.1, 100])
    return np.rint(np.clip(x, -(2**24), 2**24)).astype(np.int32)


def test_the_tables_are_those_that_python_makes():
    spec = importlib.util.spec_from_file_location("regold", GOLDEN / "regold_signal_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text() == module.text(), "run python tests/golden/regold_signal_tables.py"


@pytest.mark.parametrize(
    "vector", json.loads((GOLDEN / "front_end.json").read_text())["vectors"], ids=lambda v: v["name"]
)
def test_golden_windows_have_the_same_bits(library, vector):
    x = np.array(vector["input_uv"], np.int32)
    q, _ = library.signal(x, vector["fs"])
    assert q == vector["output"]
    assert library.signal(x, vector["fs"], start=len(x) // 3) == library.signal(x, vector["fs"])


@pytest.mark.parametrize("fs", SUPPORTED_FS)
def test_made_up_windows_have_the_same_bits_and_verdicts_at_every_rate(library, fs):
    rng = np.random.default_rng([8, fs])
    for kind in ("ecg", "noise", "walk", "sine", "clipped", "step", "flat", "loud or soft"):
        for gain_known in (True, False):
            x = made_up(rng, fs, kind)
            start = int(rng.integers(len(x) + 7))
            assert library.signal(x, fs, gain_known, start) == expected(x, fs, gain_known), kind


@pytest.mark.parametrize("name", ["heartprint", "ecgid", "motion", "mitbih", "ptbxl"])
def test_real_windows_have_the_same_bits_and_verdicts(library, recordings, name):
    x, offset, gain, fs = recordings(name)
    rng = np.random.default_rng(9)
    n = native_window(fs)
    for i in rng.choice(len(gain), 40, replace=False):
        record = to_integer_microvolts(x[offset[i] : offset[i + 1]] * gain[i])
        begin = int(rng.integers(len(record) - n + 1))
        window = record[begin : begin + n]
        assert library.signal(window, fs) == expected(window, fs, True)


def test_a_missing_sample_is_refused_and_counts_as_zero(library):
    x = made_up(np.random.default_rng(1), 250, "ecg") % 2000
    holes = x.astype(np.float64)
    x[300], holes[300] = MISSING, np.nan
    q, bits = library.signal(x, 250)
    assert bits & 1
    zeroed = np.where(x == MISSING, 0, x)
    assert (q, bits & ~1) == expected(zeroed, 250, True)
    assert assess(holes[None], 250)[0].reasons[0] is Reason.NON_FINITE


@settings(max_examples=60, deadline=None)
@given(
    fs=st.sampled_from([100, 128, 250, 360]),
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1, 2, 7, 300, 2**15, 2**24]),
    hold=st.integers(1, 200),
    gain_known=st.booleans(),
)
def test_blocky_windows_of_any_size_have_the_same_bits_and_verdicts(library, fs, seed, size, hold, gain_known):
    rng = np.random.default_rng(seed)
    n = native_window(fs)
    x = np.repeat(rng.integers(-size, size + 1, -(-n // hold)), hold)[:n].astype(np.int32)
    assert library.signal(x, fs, gain_known) == expected(x, fs, gain_known)
