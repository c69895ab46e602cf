from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import LeakageError, UsageError
from ecgkd.protocols.leakage import lint, refuse_leaks
from ecgkd.protocols.protocol import KINDS, Protocol, Row, Span
from ecgkd.protocols.split import make
from ecgkd.record import Record

# Of the toy people, by hash: p00 trains, p01 and p03 are development people, p08 is locked.


def whole(one: PreparedSet, record: str) -> Span:
    return Span(one.name, record, 0, one.n_samples(one.find(record)))


def with_row(protocol: Protocol, name: str, **changed: object) -> Protocol:
    rows = tuple(replace(row, **changed) if row.name == name else row for row in protocol.rows)
    return replace(protocol, rows=rows)


def made_for(protocol: Protocol, *sets: PreparedSet) -> Protocol:
    return replace(protocol, sets={one.name: one.sha256 for one in sets})


@pytest.fixture
def one(toy_set) -> PreparedSet:
    return toy_set()


@pytest.fixture
def sound(one) -> Protocol:
    return make("cross-session", [one], include_locked=True)


@pytest.mark.parametrize(("kind", "leaky"), list(product(KINDS, (False, True))))
def test_what_make_makes_is_sound(toy_set, kind, leaky):
    sets = [
        toy_set(activities=("rest", "walk"), per_session=2),
        toy_set("other", prefix="q", activities=("rest", "walk"), per_session=2),
    ]
    protocol = make(kind, sets, leaky=leaky, include_locked=True)
    assert lint(protocol, sets) == []
    refuse_leaks(protocol, sets)


def test_a_planted_overlap_is_refused(one, sound):
    probe = sound.row("toy.s1-s2").probe[0]
    leaks = replace(sound, train=(*sound.train, Span("toy", probe.record, 400, 1200)))
    reasons = lint(leaks, [one])
    assert (
        f"train and row toy.s1-s2 (probe) overlap in toy#{probe.record}; a recording stands on one side only" in reasons
    )


def test_a_planted_part_of_a_test_recording_is_refused(one, sound):
    row = sound.row("toy.s1-s2.locked")
    first, last = replace(row.probe[0], stop=400), replace(row.probe[0], start=800)
    leaks = with_row(replace(sound, validate=(*sound.validate, first)), row.name, probe=(last, *row.probe[1:]))
    expected = f"validate and row {row.name} (probe) hold stretches of one recording: toy#{first.record}"
    assert any(reason.startswith(expected) for reason in lint(leaks, [one]))


def test_a_planted_subject_is_refused(one, sound):
    # p01 is enrolled and probed with sessions that the network never sees, and trains with another recording.
    records = ("p01/s1-rest-0", "p01/s2-rest-0", "p01/s1-rest-1")
    enrol, probe, train = (whole(one, record) for record in records)
    row = Row("planted", "development", "cross-session", (enrol,), (probe,))
    leaks = replace(sound, train=(*sound.train, train), validate=(), calibrate=(), rows=(row,))
    assert lint(leaks, [one]) == ["row planted: people whom the network is trained on stand in it as unseen: p01"]


def test_a_planted_session_is_refused(one, sound):
    row = sound.row("toy.s1-s2")
    moved = next(span for span in row.enrol if span.record == "p03/s1-rest-1")
    leaks = with_row(sound, row.name, enrol=tuple(s for s in row.enrol if s != moved), probe=(*row.probe, moved))
    assert lint(leaks, [one]) == [
        "row toy.s1-s2: one session stands on both sides of a cross-session row: p03 session 1"
    ]


def test_a_planted_day_is_refused(toy_set, toy_records, one, sound):
    moved = [replace(r, day=0) if r.name == "p03/s2-rest-0" else r for r in toy_records()]
    changed = toy_set("toy", records=moved)
    assert lint(made_for(sound, changed), [changed]) == [
        "row toy.s1-s2: one day stands on both sides of a cross-session row: p03 day 0"
    ]


def plant(toy_set, toy_records, copied: Record) -> tuple[PreparedSet, Protocol]:
    """Returns the toy set with one more recording, and its protocol, which does not use that one yet."""
    changed = toy_set("toy", records=[*toy_records(), copied])
    protocol = make("cross-session", [toy_set("plain", records=toy_records())], include_locked=True)
    renamed = [replace(span, set="toy") for span in protocol.train]
    rows = [
        replace(
            r, enrol=tuple(replace(s, set="toy") for s in r.enrol), probe=tuple(replace(s, set="toy") for s in r.probe)
        )
        for r in protocol.rows
    ]
    moved = replace(
        protocol, sets={"toy": changed.sha256}, train=tuple(renamed), validate=(), calibrate=(), rows=tuple(rows)
    )
    return changed, moved


@pytest.mark.parametrize(("name", "subject"), [("copy", "p00"), ("p00/s9-rest-9", "p02")])
def test_a_planted_copy_in_the_training_is_refused_under_any_name(toy_set, toy_records, name, subject):
    probe = next(r for r in toy_records() if r.name == "p08/s2-rest-1")
    changed, protocol = plant(toy_set, toy_records, replace(probe, name=name, subject=subject))
    leaks = replace(protocol, train=(*protocol.train, whole(changed, name)))
    assert lint(leaks, [changed]) == [
        "the same samples stand on two sides (row plain.s1-s2.locked (probe) and train): "
        f"toy#{name} = toy#p08/s2-rest-1"
    ]


def test_a_copy_is_found_though_its_gain_and_its_end_are_others(toy_set, toy_records):
    probe = next(r for r in toy_records() if r.name == "p08/s2-rest-1")
    signal = np.rint(probe.signal)[:, :900]
    signal[0, -1] = 32767  # forces another gain
    whole_microvolts = replace(probe, signal=np.rint(probe.signal))
    records = [whole_microvolts if r.name == probe.name else r for r in toy_records()]
    copied = replace(probe, name="copy", subject="p00", signal=signal)
    changed, protocol = plant(toy_set, lambda: records, copied)
    leaks = replace(protocol, train=(*protocol.train, whole(changed, "copy")))
    assert any("toy#copy = toy#p08/s2-rest-1" in reason for reason in lint(leaks, [changed]))


def test_one_recording_under_two_people_of_a_row_is_refused(toy_set, toy_records):
    enrolled = next(r for r in toy_records() if r.name == "p08/s1-rest-0")
    changed, protocol = plant(toy_set, toy_records, replace(enrolled, name="copy", subject="p11"))
    row = protocol.row("plain.s1-s2.locked")
    leaks = with_row(protocol, row.name, enrol=(*row.enrol, whole(changed, "copy")))
    assert any("row plain.s1-s2.locked, under two people" in reason for reason in lint(leaks, [changed]))


def test_flat_recordings_are_no_copies(toy_set, toy_records):
    flat = np.zeros((1, 1300), np.float32)
    names = ("p08/s2-rest-1", "p00/s1-rest-0")
    changed = toy_set(records=[replace(r, signal=flat) if r.name in names else r for r in toy_records()])
    assert lint(make("cross-session", [changed], include_locked=True), [changed]) == []


def test_calibration_on_the_probes_of_a_test_is_refused(one, sound):
    row = sound.row("toy.s1-s2.locked")
    reasons = lint(replace(sound, calibrate=row.probe), [one])
    assert any(reason.startswith(f"calibrate and row {row.name} (probe) overlap") for reason in reasons)
    assert any(f"row {row.name} claims a test (locked), but shares people with calibrate" in r for r in reasons)


def test_calibration_on_other_recordings_of_tested_people_is_refused(toy_set):
    one, other = toy_set(), toy_set("other", prefix="q")
    protocol = make("cross-database", [one, other])
    row = protocol.row("other.s1-s2")
    kept = tuple(span for span in row.probe if not span.record.endswith("rest-1"))
    taken = (next(span for span in row.probe if span not in kept),)
    leaks = replace(protocol, calibrate=(*protocol.calibrate, *taken), rows=(replace(row, probe=kept),))
    reasons = lint(leaks, [one, other])
    assert len(reasons) == 1
    assert "claims a test (test), but shares people with calibrate, on which thresholds, temperatures" in reasons[0]


def test_development_rows_may_share_people_with_the_calibration_and_say_so(one, sound):
    row = sound.row("toy.s1-s2")
    assert set(row.probe) <= set(sound.calibrate)
    assert row.evidence == "selection: choices were made on these people"
    assert sound.row("toy.s1-s2.locked").evidence == "test: unseen people"


def test_a_test_that_shares_people_with_a_development_row_is_refused(one, sound):
    chosen = sound.row("toy.s1-s2")
    leaks = replace(sound, validate=(), calibrate=(), rows=(chosen, replace(chosen, name="again", population="test")))
    assert any("row again claims a test (test), but shares people with row toy.s1-s2" in r for r in lint(leaks, [one]))


@pytest.mark.parametrize("part", ["train", "validate", "calibrate"])
def test_locked_people_train_and_choose_nothing(one, sound, part):
    leaks = replace(sound, rows=sound.rows[:2], **{part: (*getattr(sound, part), whole(one, "p08/s1-rest-0"))})
    assert lint(leaks, [one]) == [f"{part} holds locked people, whom nothing may be trained or chosen on: p08"]


def test_an_open_row_cannot_pass_for_a_closed_set(one, sound):
    row = replace(sound.row("toy.s1-s2"), population="closed-set")
    reasons = lint(replace(sound, rows=(row,)), [one])
    assert any("a closed-set row stands in a closed-set protocol" in reason for reason in reasons)


def test_the_probes_of_a_closed_set_do_not_train_or_fit_the_temperature(one):
    protocol = make("closed-set", [one])
    probe = protocol.rows[0].probe[:1]
    for part in ("train", "validate", "calibrate"):
        leaks = replace(protocol, **{part: (*getattr(protocol, part), *probe)})
        assert any(r.startswith(f"{part} and row toy.unseen-recordings (probe) overlap") for r in lint(leaks, [one]))


def test_random_windows_of_one_recording_must_be_labelled_leaky(one):
    protocol = make("same-day", [one], leaky=True)
    assert lint(protocol, [one]) == []
    reasons = lint(with_row(protocol, "toy.leaky", leaky=False), [one])
    assert any(r.startswith("row toy.leaky (enrol) and row toy.leaky (probe) hold stretches of one") for r in reasons)


def test_the_same_windows_are_refused_even_if_labelled_leaky(one):
    protocol = make("same-day", [one], leaky=True)
    row = protocol.row("toy.leaky")
    leaks = with_row(protocol, "toy.leaky", probe=(*row.probe, row.enrol[0]))
    assert any("row toy.leaky (enrol) and row toy.leaky (probe) overlap in" in r for r in lint(leaks, [one]))


def test_people_of_a_database_whose_pool_trains_are_not_unseen(toy_set):
    named = {"name": "PTB-XL 1.0.3", "doi": "10.13026/kfzx-aw45"}
    known = toy_set("ptbxl", prefix="x", people=range(30), info=named)
    pool = toy_set("pool", prefix="y", info={**named, "notes": "subject is the record"})
    protocol = make("cross-session", [known])
    pooled = tuple(whole(pool, str(record)) for record in pool.record)
    leaks = made_for(replace(protocol, sets={"ptbxl": "", "pool": ""}, train=(*protocol.train, *pooled)), known, pool)
    reasons = lint(leaks, [known, pool])
    assert any(r.startswith("row ptbxl.s1-s2 (probe) counts people of ptbxl as unseen, but a pool") for r in reasons)
    tests_pool = with_row(leaks, "ptbxl.s1-s2", probe=pooled[:2])
    assert any("pool is for training only" in reason for reason in lint(tests_pool, [known, pool]))


def test_one_person_under_two_names_is_refused(toy_set, toy_records):
    named = {"name": "MIT-BIH Arrhythmia Database", "doi": "10.13026/C2F305"}
    names = {"p00/s1-rest-0": "mitdb/201", "p01/s1-rest-0": "mitdb/202"}
    one = toy_set(records=[replace(r, name=names.get(r.name, r.name)) for r in toy_records()], info=named)
    assert lint(make("same-day", [one]), [one]) == [
        "toy: records mitdb/201 and mitdb/202 are of one person but stand under p00 and p01: give them one subject id"
    ]


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (Span("toy", "nowhere", 0, 400), "train names records that the set does not hold: toy#nowhere"),
        (
            Span("toy", "p00/s1-rest-0", 0, 1301),
            "train has spans that leave their recording: toy#p00/s1-rest-0 [0, 1301)",
        ),
        (Span("toy", "p00/s1-rest-0", 0, 399), "train has spans too short for a window: toy#p00/s1-rest-0 [0, 399)"),
    ],
)
def test_spans_that_are_not_there_are_refused(one, sound, span, reason):
    assert lint(replace(sound, train=(span,)), [one]) == [reason]


def test_overlapping_spans_of_one_part_are_refused(one, sound):
    twice = replace(sound, train=(*sound.train, replace(sound.train[0], start=400)))
    assert lint(twice, [one]) == [f"train holds overlapping spans of toy#{sound.train[0].record}"]


def test_the_refusal_names_every_reason_in_one_line(one, sound):
    leaks = replace(sound, calibrate=sound.row("toy.s1-s2.locked").probe)
    with pytest.raises(LeakageError) as refusal:
        refuse_leaks(leaks, [one])
    assert "\n" not in str(refusal.value)
    assert all(reason in str(refusal.value) for reason in lint(leaks, [one]))
    assert refusal.value.exit_code == 2


def test_a_set_of_other_content_is_not_linted(toy_set, sound):
    with pytest.raises(UsageError, match="not what protocol"):
        lint(sound, [toy_set(days=(0, 31))])


def test_sets_that_are_not_at_hand_are_not_looked_at(toy_set, toy_records):
    one, other = toy_set(), toy_set("other", prefix="q")
    assert lint(make("cross-session", [one, other]), [one]) == []
