from dataclasses import replace

import numpy as np
import pytest

from ecgkd.config import AugmentConfig
from ecgkd.data.prepared import open_set, write_set
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Span
from ecgkd.record import Record
from ecgkd.signal.chain import front_end
from ecgkd.training.dataset import Draw, draw_windows, training_stretches

OFF = AugmentConfig(**{name: 0.0 for name in AugmentConfig.__dataclass_fields__ if name.endswith("_p")})


def record(name: str, subject: str, session: int = 1, seconds: float = 10, fs: int = 250, leads=("I",)) -> Record:
    rng = np.random.default_rng([ord(letter) for letter in name])
    signal = rng.normal(0, 300, (len(leads), round(seconds * fs))).astype(np.float32)
    return Record(signal, fs, leads, name, subject, session)


@pytest.fixture
def sets(tmp_path):
    records = [record("a1", "a"), record("a2", "a", 2), record("b1", "b"), record("b2", "b", seconds=3)]
    write_set(tmp_path / "slow.npz", records, {"key": "slow"})
    write_set(tmp_path / "fast.npz", [record("c1", "c", fs=500, leads=("I", "II"))], {"key": "fast"})
    return {name: open_set(tmp_path / f"{name}.npz") for name in ("slow", "fast")}


def spans(*names: str) -> list[Span]:
    where = {"a1": 2500, "a2": 2500, "b1": 2500, "b2": 750, "c1": 5000}
    return [Span("fast" if name == "c1" else "slow", name, 0, where[name]) for name in names]


def test_people_become_classes_in_the_order_of_their_names(sets):
    stretches = training_stretches(spans("c1", "b1", "a2", "a1"), sets)

    assert stretches.subjects == ("a", "b", "c")
    assert stretches.subject.tolist() == [0, 0, 1, 2]
    assert stretches.session.tolist() == [1, 2, 1, 1]
    assert stretches.n_windows == 8


def test_stretches_shorter_than_a_window_are_left_out(sets):
    assert len(training_stretches(spans("a1", "b1", "b2"), sets)) == 2


def test_one_person_is_not_enough(sets):
    with pytest.raises(UsageError, match="trains on 1 people"):
        training_stretches(spans("a1", "b2"), sets)


def test_windows_without_augmentation_are_what_the_front_end_makes_of_the_recording(sets):
    stretches = training_stretches(spans("a1", "b1"), sets)

    windows = draw_windows(stretches, Draw(np.array([0, 1]), np.array([0.0, 0.5])), OFF, (0,))

    signal = sets["slow"].integer_microvolts(0)
    np.testing.assert_array_equal(windows[0], front_end(signal[None, :1000], 250)[0])
    middle = sets["slow"].integer_microvolts(2)[750 : 750 + 1000]
    np.testing.assert_array_equal(windows[1], front_end(middle[None], 250)[0])


def test_windows_stay_inside_their_stretch(tmp_path):
    noisy = record("x1", "x", seconds=30)
    noisy.signal[:, 2500:5000] = 0
    write_set(tmp_path / "x.npz", [noisy, record("y1", "y")], {"key": "x"})
    x = open_set(tmp_path / "x.npz")
    stretches = training_stretches([Span("x", "x1", 2500, 5000), Span("x", "y1", 0, 2500)], {"x": x})
    draw = Draw(np.zeros(200, np.int64), np.linspace(0, 0.999999, 200))

    windows = draw_windows(stretches, draw, AugmentConfig(wander_p=0, mains_p=0, muscle_p=0, motion_p=0), (1,))

    assert not windows.any()


def test_a_batch_mixes_sampling_rates_and_keeps_its_order(sets):
    stretches = training_stretches(spans("a1", "b1", "c1"), sets)
    draw = Draw(np.array([2, 0, 2, 1]), np.zeros(4))

    windows = draw_windows(stretches, draw, OFF, (0,))

    np.testing.assert_array_equal(windows[0], windows[2])
    np.testing.assert_array_equal(windows[0], front_end(sets["fast"].integer_microvolts(0)[None, :2000], 500)[0])


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(sets):
    stretches = training_stretches(spans("a1", "b1", "c1"), sets)
    draw = Draw(np.array([0, 1, 2] * 8), np.linspace(0, 0.9, 24))

    first, again, other = (draw_windows(stretches, draw, AugmentConfig(), seed) for seed in ((1, 2), (1, 2), (1, 3)))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_second_lead_is_mixed_in_where_there_is_one(sets):
    stretches = training_stretches(spans("a1", "c1"), sets)
    draw = Draw(np.array([0, 1] * 10), np.zeros(20))
    config = AugmentConfig(**{**OFF.__dict__, "lead_p": 1.0})

    windows = draw_windows(stretches, draw, config, (0,))

    assert len(np.unique(windows[0::2], axis=0)) == 1
    assert len(np.unique(windows[1::2], axis=0)) == 10


@pytest.fixture
def active(tmp_path):
    """Three people who rest and walk in one set, and one who rests in another, whose label tells nothing."""
    records = [
        replace(record(f"{person}{n}", person), activity=activity)
        for person in "xyz"
        for n, activity in enumerate(("rest", "walk"))
    ]
    write_set(tmp_path / "active.npz", records, {"key": "active"})
    write_set(tmp_path / "still.npz", [replace(record("s1", "s"), activity="rest")], {"key": "still"})
    return {name: open_set(tmp_path / f"{name}.npz") for name in ("active", "still")}


def everything(sets) -> list[Span]:
    return [Span(name, str(record), 0, 2500) for name, one in sets.items() for record in one.record]


def test_a_set_in_which_everybody_does_the_same_teaches_no_activity(active):
    stretches = training_stretches(everything(active), active)

    assert stretches.activities == ("rest", "walk")
    of_still = stretches.set == [one.name for one in stretches.sets].index("still")
    assert stretches.activity[of_still].tolist() == [-1]
    assert sorted(stretches.activity[~of_still].tolist()) == [0, 0, 0, 1, 1, 1]


def test_a_single_activity_is_still_named_where_nothing_else_is(active):
    spans = [span for span in everything(active) if span.record.endswith("0")]
    assert training_stretches(spans, {"active": active["active"]}).activities == ("rest",)


def test_windows_that_teach_an_activity_are_spared_what_activities_look_like(active):
    stretches = training_stretches(everything(active), active)
    draw = Draw(np.arange(len(stretches)), np.zeros(len(stretches)))
    noisy = replace(OFF, wander_p=1.0, muscle_p=1.0, motion_p=1.0)
    clean = draw_windows(stretches, draw, OFF, (0,))

    spared = draw_windows(stretches, draw, replace(noisy, spare_labelled=True), (0,))
    hit = draw_windows(stretches, draw, noisy, (0,))

    known = stretches.activity >= 0
    np.testing.assert_array_equal(spared[known], clean[known])
    assert (spared[~known] != clean[~known]).any(axis=1).all()
    assert (hit != clean).any(axis=1).all()
