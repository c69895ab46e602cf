import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.prepared import open_set
from ecgkd.data.synthetic import (
    FULL_SCALE_UV,
    SYNTHETIC_NOTICE,
    SynthConfig,
    family_of,
    synthesise,
    synthetic_info,
)
from ecgkd.data.synthetic_activity import ACTIVITIES
from ecgkd.data.write import write_set
from ecgkd.errors import UsageError
from ecgkd.evaluation.baselines import correlation_records, fit_lda_beats
from ecgkd.evaluation.metrics import eer
from ecgkd.record import Record, to_integer_microvolts
from ecgkd.signal.peaks import r_peaks
from ecgkd.signal.quality import assess
from ecgkd.signal.window import cut, tile_starts

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
LOCKED = 64
SMALL = SynthConfig(people=3, sessions=2, seconds=5)
PLAIN = SynthConfig(
    people=20,
    sessions=1,
    look_alike_share=0,
    ectopic_share=0,
    notched_share=0,
    reversed_share=0,
    corner_hz=(1e6, 1e6),
    bits=(0,),
)
"""Nothing but beats, drift and noise."""


@dataclass(frozen=True)
class Beats:
    """Mean beats of records (n, …), whose they are and which of its session each record is."""

    vectors: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    number: np.ndarray


def beats_of(config: SynthConfig) -> Beats:
    records = list(synthesise(config))
    return Beats(
        correlation_records([record.signal[0] for record in records], config.fs),
        np.array([record.subject for record in records]),
        np.array([record.session for record in records]),
        np.tile(np.arange(config.records_per_session), config.people * config.sessions),
    )


def error_rates(beats: Beats, chosen: np.ndarray, later: int) -> tuple[float, float]:
    """Returns EER within session 1 (other record) and to session `later`, in %: one record against one."""
    scores = beats.vectors[chosen] @ beats.vectors[chosen].T
    subject, session, number = beats.subject[chosen], beats.session[chosen], beats.number[chosen]
    mated = subject[:, None] == subject[None]
    first = session[:, None] == 1
    within = first & (session[None] == 1) & (number[:, None] == 0) & (number[None] == 1)
    across = first & (session[None] == later)
    return tuple(100 * eer(scores[pairs & mated], scores[pairs & ~mated]) for pairs in (within, across))


def difficulty(beats: Beats, later: int = 2) -> dict[str, float]:
    """Returns the four error rates in %; LDA by two folds of people, each trained on the other."""
    people = np.random.default_rng(0).permutation(np.unique(beats.subject))
    within, across = error_rates(beats, np.ones(len(beats.subject), bool), later)
    folds = []
    for half in (people[::2], people[1::2]):
        tested = np.isin(beats.subject, half)
        lda = fit_lda_beats(beats.vectors[~tested], beats.subject[~tested])
        folds.append(error_rates(replace(beats, vectors=lda.embed_beats(beats.vectors)), tested, later))
    lda_within, lda_across = np.mean(folds, axis=0)
    return {
        "correlation within": within,
        "correlation across": across,
        "LDA within": lda_within,
        "LDA across": lda_across,
    }


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_synthetic_people_are_as_hard_to_tell_apart_as_people_who_touch_a_device(seed):
    found = difficulty(beats_of(SynthConfig(people=200, seed=seed)))
    assert 2 <= found["correlation within"] <= 6, found
    assert 12 <= found["correlation across"] <= 20, found
    assert 4 <= found["LDA across"] <= 9, found


@pytest.mark.skipif(not (SHARED / "heartprint.npz").exists(), reason=f"no real recordings in {SHARED}")
def test_heartprint_is_as_hard_by_the_same_measure():
    d = np.load(SHARED / "heartprint.npz", allow_pickle=False)
    subject, session, offset, x = d["subject"], d["session"], d["offset"], d["x"][0]
    unlocked = np.array([hashlib.sha256(s.encode()).digest()[0] >= LOCKED for s in subject])
    rows = np.flatnonzero(unlocked & (session <= 2))
    visit = [f"{subject[i]} {session[i]}" for i in rows]
    number = np.array([visit[:place].count(name) for place, name in enumerate(visit)])
    vectors = correlation_records([x[offset[i] : offset[i + 1]] for i in rows], 250)
    found = difficulty(Beats(vectors, subject[rows], session[rows], number))
    assert 2 <= found["correlation within"] <= 7, found
    assert 12 <= found["correlation across"] <= 20, found
    assert 4 <= found["LDA across"] <= 12, found


def test_noise_alone_leaves_people_easy_to_tell_apart():
    noisy = beats_of(replace(PLAIN, people=60, sessions=2, k_session=0, k_record=0, noise=2))
    everyone = np.ones(len(noisy.subject), bool)
    assert max(error_rates(noisy, everyone, 2)) < 2


def test_twice_the_noise_changes_the_difficulty_little():
    config = SynthConfig(people=60, sessions=2)
    everyone = np.ones(config.n_records, bool)
    once = error_rates(beats_of(config), everyone, 2)
    twice = error_rates(beats_of(replace(config, noise=2)), everyone, 2)
    assert np.abs(np.subtract(once, twice)).max() < 2.5


def test_drift_makes_people_hard_to_tell_apart():
    config = replace(PLAIN, people=60, sessions=2)
    everyone = np.ones(config.n_records, bool)
    assert error_rates(beats_of(config), everyone, 2)[1] > 10


def same(first: Record, second: Record) -> bool:
    return (first.name, first.day) == (second.name, second.day) and first.signal.tobytes() == second.signal.tobytes()


def test_two_calls_give_the_same_bits():
    assert all(same(a, b) for a, b in zip(synthesise(SMALL), synthesise(SMALL), strict=True))


@pytest.mark.parametrize(
    "more", [{"people": 25}, {"sessions": 4}, {"records_per_session": 3}, {"activities": ("walking", "rest")}]
)
def test_asking_for_more_changes_none_of_the_others(more):
    larger = {record.name: record for record in synthesise(replace(SMALL, **more))}
    assert len(larger) > SMALL.n_records
    assert all(same(record, larger[record.name]) for record in synthesise(SMALL))


def test_another_seed_gives_other_people():
    first, second = (next(synthesise(replace(SMALL, seed=seed))) for seed in (0, 1))
    assert not np.array_equal(first.signal, second.signal)


def test_records_say_who_when_and_what():
    records = list(synthesise(SynthConfig(people=3, seconds=2)))
    assert [record.subject for record in records[::6]] == ["syn001", "syn002", "syn003"]
    assert [record.session for record in records[:6]] == [1, 1, 2, 2, 3, 3]
    assert len({record.name for record in records}) == len(records) == 18
    assert {(r.activity, r.source, r.licence, r.leads, r.fs) for r in records} == {
        ("rest", "synthetic", "CC0-1.0", ("I",), 250.0)
    }
    assert all(r.signal.shape == (1, 500) and r.signal.dtype == np.float32 for r in records)


def test_session_2_is_weeks_later_and_session_3_about_a_year():
    records = list(synthesise(SynthConfig(people=40, sessions=4, records_per_session=1, seconds=1)))
    days = np.array([record.day for record in records]).reshape(40, 4)
    assert (days[:, 0] == 0).all()
    assert 14 <= np.median(days[:, 1]) <= 42
    assert 270 <= np.median(days[:, 2]) <= 460
    assert (np.diff(days, axis=1) > 0).all()


def test_look_alikes_resemble_their_family_more_than_others():
    config = replace(PLAIN, people=60, k_session=0, k_record=0, look_alike_share=0.15)
    families = {k: traits for k in range(60) if (traits := family_of(config, k)) is not None}
    assert len(families) == 9
    vectors = beats_of(config).vectors[::2]
    alike = vectors @ vectors.T
    inside = [alike[a, b] for a in families for b in families if a < b and a // 20 == b // 20]
    outside = alike[np.triu_indices(60, 1)]
    assert np.mean(inside) > np.quantile(outside, 0.8)


def test_without_look_alikes_there_are_no_families():
    assert all(family_of(PLAIN, person) is None for person in range(40))


def early_share(config: SynthConfig) -> float:
    gaps = [np.diff(r_peaks(record.signal[0], config.fs)) for record in synthesise(config)]
    return float(np.mean(np.concatenate([gap < 0.82 * np.median(gap) for gap in gaps])))


def test_ectopic_beats_come_early():
    assert early_share(PLAIN) < 0.005
    assert 0.015 < early_share(replace(PLAIN, ectopic_share=0.03)) < 0.045


def test_ectopic_beats_have_their_t_wave_upside_down():
    early, usual = [], []
    for record in synthesise(replace(PLAIN, noise=0, ectopic_share=0.05)):
        x, peaks = record.signal[0], r_peaks(record.signal[0], 250)[:-1]
        t_wave = np.array([x[peak + 60 : peak + 90].mean() for peak in peaks]) - np.median(x)
        gap = np.diff(peaks)
        early.append(t_wave[1:][gap < 0.82 * np.median(gap)])
        usual.append(t_wave[1:][gap > 0.9 * np.median(gap)])
    assert np.median(np.concatenate(early)) < 0 < np.median(np.concatenate(usual))


def test_notched_waves_change_beats():
    config = replace(PLAIN, k_session=0, k_record=0, noise=0)
    plain, notched = (beats_of(replace(config, notched_share=share)).vectors for share in (0, 1))
    unlike = 1 - (plain * notched).sum(axis=1)
    assert 0.2 < np.mean(unlike > 0.01) < 1


def test_exchanged_hands_turn_the_heart_upside_down():
    upright, turned = (next(synthesise(replace(PLAIN, noise=0, reversed_share=share))).signal for share in (0, 1))
    assert np.array_equal(upright, -turned)


def test_the_converter_has_steps_and_rails():
    step = 2 * FULL_SCALE_UV / 2**10
    record = next(synthesise(replace(SMALL, bits=(10,))))
    assert np.array_equal(np.rint(record.signal / step) * step, record.signal)
    loud = next(synthesise(replace(SMALL, bits=(10,), noise=200)))
    assert loud.signal.max() == FULL_SCALE_UV - step
    assert loud.signal.min() == -FULL_SCALE_UV


def test_the_corner_takes_high_frequencies_away():
    def high(corner: float) -> float:
        signal = next(synthesise(replace(PLAIN, corner_hz=(corner, corner)))).signal[0]
        return float(np.abs(np.fft.rfft(signal))[np.fft.rfftfreq(len(signal), 1 / 250) > 60].mean())

    assert high(25) < 0.3 * high(1e6)


@pytest.mark.parametrize("fs", [100, 128, 360, 500])
def test_other_sampling_rates_show_the_same_beats(fs):
    here, there = (next(synthesise(replace(PLAIN, noise=0, fs=rate))) for rate in (250, fs))
    assert there.signal.shape == (1, 15 * fs)
    beats = [len(r_peaks(record.signal[0], record.fs)) for record in (here, there)]
    assert abs(beats[0] - beats[1]) <= 1


def test_every_activity_can_be_recorded_and_work_is_faster_than_rest():
    config = replace(PLAIN, people=6, records_per_session=1, activities=tuple(ACTIVITIES))
    records = list(synthesise(config))
    assert len(records) == config.n_records == 6 * len(ACTIVITIES)
    assert all(np.isfinite(record.signal).all() for record in records)

    def rate(activity: str) -> float:
        gaps = [np.median(np.diff(r_peaks(r.signal[0], 250))) for r in records if r.activity == activity]
        return float(60 * 250 / np.median(gaps))

    assert rate("lying") < rate("walking") < rate("cycling")


def test_after_work_the_heart_slows_down():
    config = replace(PLAIN, people=10, seconds=60, records_per_session=1, activities=("recovery",))
    gaps = [np.diff(r_peaks(record.signal[0], 250)) for record in synthesise(config)]
    assert all(np.mean(gap[-10:]) > np.mean(gap[:10]) for gap in gaps)


def test_the_quality_gate_takes_nearly_all_resting_windows():
    usable = []
    for record in synthesise(SynthConfig(people=20)):
        microvolts = to_integer_microvolts(record.signal[0])
        usable += [q.usable for q in assess(cut(microvolts, tile_starts(record.n_samples, 250), 250), 250)]
    assert np.mean(usable) > 0.95


def test_a_prepared_set_of_synthetic_people_says_so(tmp_path):
    write_set(tmp_path / "syn.npz", synthesise(SMALL), synthetic_info(SMALL))
    one = open_set(tmp_path / "syn.npz")
    first = next(synthesise(SMALL))
    assert one.synthetic
    assert one.gain_known
    assert one.info["notes"] == SYNTHETIC_NOTICE == "synthetic: proves plumbing, not biometric quality"
    assert np.abs(one.microvolts(0) - first.signal[0]).max() < 0.5


def test_progress_is_told_after_each_person():
    told = []
    list(synthesise(SMALL, lambda *step: told.append(step)))
    assert told == [(1, 3, "syn001"), (2, 3, "syn002"), (3, 3, "syn003")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"people": 0},
        {"sessions": 0},
        {"seconds": 0.5},
        {"fs": 50},
        {"seed": -1},
        {"k_session": float("nan")},
        {"ectopic_share": 1.5},
        {"corner_hz": (40.0, 25.0)},
        {"bits": ()},
        {"bits": (3,)},
        {"activities": ()},
        {"activities": ("swimming",)},
    ],
)
def test_an_impossible_configuration_is_refused_by_name(wrong):
    with pytest.raises(UsageError, match=r"synthetic people: .*expected"):
        SynthConfig(**wrong)


def test_further_leads_change_nothing_in_lead_one():
    one, two, three = (list(synthesise(replace(SMALL, leads=n))) for n in (1, 2, 3))

    for first, second, third in zip(one, two, three, strict=True):
        assert (first.leads, second.leads, third.leads) == (("I",), ("I", "II"), ("I", "II", "III"))
        assert first.signal.dtype == third.signal.dtype
        np.testing.assert_array_equal(first.signal, third.signal[:1])
        np.testing.assert_array_equal(second.signal, third.signal[:2])


def test_three_leads_close_einthovens_triangle_whichever_way_the_hands_are():
    config = replace(SMALL, leads=3, bits=(0,), reversed_share=0.5)

    for record in synthesise(config):
        first, second, third = record.signal
        np.testing.assert_allclose(third, second - first, atol=1e-3)


def test_exchanged_hands_turn_lead_one_over_and_exchange_the_others():
    plain = replace(SMALL, leads=3, bits=(0,), noise=0.0, activities=("rest",))
    right, wrong = (list(synthesise(replace(plain, reversed_share=share))) for share in (0.0, 1.0))

    for one, other in zip(right, wrong, strict=True):
        np.testing.assert_allclose(other.signal[0], -one.signal[0], atol=1e-3)
        np.testing.assert_allclose(other.signal[1], one.signal[2], atol=1e-3)


def test_a_person_has_one_shape_in_lead_two_and_others_have_another():
    records = list(synthesise(replace(PLAIN, leads=2)))
    beats = correlation_records([record.signal[1] for record in records], PLAIN.fs)
    same = [float(beats[n] @ beats[n + 1]) for n in range(0, len(beats), 2)]
    other = [float(beats[n] @ beats[n + 2]) for n in range(0, len(beats) - 2, 2)]

    assert np.median(same) > 0.97
    assert np.median(other) < np.median(same) - 0.02


@pytest.mark.parametrize("leads", [0, 4])
def test_so_many_synthetic_leads_are_refused(leads):
    with pytest.raises(UsageError, match=f"{leads} leads; expected 1 to 3"):
        SynthConfig(leads=leads)
