from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol, Span, population
from ecgkd.protocols.split import make
from ecgkd.record import Record

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recordings of real people at {SHARED}")
SEVERAL = ("rest", "walk", "run")
Records = Callable[..., list[Record]]


def people(one: PreparedSet, spans: tuple[Span, ...]) -> set[str]:
    return {str(one.subject[one.find(span.record)]) for span in spans}


def sessions(one: PreparedSet, spans: tuple[Span, ...]) -> set[int]:
    return {int(one.session[one.find(span.record)]) for span in spans}


def activities(one: PreparedSet, spans: tuple[Span, ...]) -> set[str]:
    return {str(one.activity[one.find(span.record)]) for span in spans}


def names(protocol: Protocol) -> list[str]:
    return [row.name for row in protocol.rows]


def test_people_go_by_their_hash(toy_set):
    one = toy_set()
    protocol = make("cross-session", [one], include_locked=True)
    assert {population(s) for s in people(one, protocol.train)} == {"training"}
    assert {population(s) for s in people(one, protocol.validate)} == {"development"}
    assert {population(s) for s in people(one, protocol.calibrate)} == {"development"}
    for row in protocol.rows:
        assert {population(s) for s in people(one, row.enrol + row.probe)} == {row.population}


def test_locked_people_stand_in_no_row_unless_asked_for(toy_set):
    one = toy_set()
    assert names(make("cross-session", [one])) == ["toy.s1-s2", "toy.same-day"]
    with_locked = names(make("cross-session", [one], include_locked=True))
    assert with_locked == ["toy.s1-s2", "toy.same-day", "toy.s1-s2.locked", "toy.same-day.locked"]


def test_a_split_is_the_same_whatever_the_seed_and_the_other_sets(toy_set):
    one, other = toy_set(), toy_set("other", prefix="q")
    alone, together = make("cross-session", [one]), make("cross-session", [other, one], seed=5)
    assert set(alone.train) < set(together.train)
    assert alone.row("toy.s1-s2") == together.row("toy.s1-s2")


def test_cross_session_rows_enrol_early_and_probe_late(toy_set):
    one = toy_set(days=(0, 30, 400))
    protocol = make("cross-session", [one])
    sides = {row.name: (sessions(one, row.enrol), sessions(one, row.probe)) for row in protocol.rows}
    assert sides["toy.s1-s2"] == ({1}, {2})
    assert sides["toy.s1-s3"] == ({1}, {3})
    assert sides["toy.s1+s2-s3"] == ({1, 2}, {3})
    assert protocol.row("toy.s1-s3").kind == "cross-session"


def test_more_than_three_sessions_get_a_row_of_all_later_days(toy_set):
    one = toy_set(days=(0, 30, 60, 90), per_session=1)
    row = make("cross-session", [one]).row("toy.cross-day")
    assert (sessions(one, row.enrol), sessions(one, row.probe)) == ({1}, {2, 3, 4})


def test_where_few_came_twice_all_are_enrolled_and_these_probe(toy_set, toy_records):
    often = {"p01", "p03", "p07", "p16"}
    records = [r for r in toy_records(range(40)) if r.session == 1 or r.subject in often]
    one = toy_set(records=records)
    row = make("cross-session", [one]).row("toy.cross-day")
    assert people(one, row.probe) == often
    assert people(one, row.enrol) == {f"p{i:02d}" for i in range(40) if population(f"p{i:02d}") == "development"}


def test_sessions_of_one_day_are_no_cross_session_evidence(toy_set):
    with pytest.raises(UsageError, match=r"no cross-session row can be made of toy.*both sessions are on one day"):
        make("cross-session", [toy_set(days=(0, 0))])


def test_a_person_whose_sessions_share_a_day_does_not_probe(toy_set, toy_records):
    moved = [replace(r, day=0) if r.subject == "p01" else r for r in toy_records()]
    one = toy_set(records=moved)
    protocol = make("cross-session", [one])
    row = protocol.row("toy.s1-s2")
    assert people(one, row.enrol) - people(one, row.probe) == {"p01"}
    assert "toy.s1-s2: 1 people do not probe, both sessions are on one day" in protocol.notes


def test_sessions_on_unknown_days_count_as_different(toy_set):
    assert "toy.s1-s2" in names(make("cross-session", [toy_set(days=(-1, -1))]))


def test_reading_aloud_is_a_row_of_its_own(toy_set, toy_records):
    def rename(record: Record) -> Record:
        number = int(record.name[-1])
        tag = "Session-3L" if record.session == 3 and number else f"Session-{record.session}"
        return replace(record, name=f"{tag}/{record.name}")

    one = toy_set(records=[rename(r) for r in toy_records(days=(0, 30, 400))])
    protocol = make("cross-session", [one])
    assert {s.record[:10] for s in protocol.row("toy.s1-s3L").probe} == {"Session-3L"}
    assert {s.record[:10] for s in protocol.row("toy.s1-s3").probe} == {"Session-3/"}


def test_same_day_rows_probe_with_other_recordings_of_the_day(toy_set):
    one = toy_set()
    row = make("same-day", [one]).row("toy.same-day")
    assert {s.record[-1] for s in row.enrol} == {"0"}
    assert {s.record[-1] for s in row.probe} == {"1"}
    assert sessions(one, row.enrol + row.probe) == {1}


def test_closed_set_rows_probe_people_of_the_training_with_unseen_recordings(toy_set):
    one = toy_set()
    protocol = make("closed-set", [one])
    row = protocol.row("toy.unseen-recordings")
    assert people(one, row.probe) == people(one, protocol.train)
    assert "locked" not in {population(s) for s in people(one, protocol.train)}
    sides = [{s.record for s in part} for part in (protocol.train, protocol.validate, row.probe)]
    assert len(set.union(*sides)) == sum(map(len, sides))
    assert [len({s for s in side if s.startswith("p01/")}) for side in sides] == [2, 1, 1]
    assert set(row.enrol) <= set(protocol.train)


def test_a_closed_set_without_recordings_for_the_temperature_is_refused(toy_set):
    with pytest.raises(UsageError, match="nobody has three recordings"):
        make("closed-set", [toy_set(per_session=1)])


def test_the_leaky_row_of_a_closed_set_splits_windows_and_says_so(toy_set):
    one = toy_set()
    protocol = make("closed-set", [one], leaky=True)
    row = protocol.row("toy.leaky")
    assert row.leaky
    assert row.evidence.startswith("leaky")
    assert {s.record for s in row.probe} == {s.record for s in row.enrol} == {s.record for s in protocol.train}
    assert not protocol.row("toy.unseen-recordings").leaky


def test_leaky_rows_depend_on_the_seed_and_leave_locked_people_alone(toy_set):
    one = toy_set()
    first, second = (make("same-day", [one], seed=s, leaky=True, include_locked=True) for s in (0, 1))
    assert first.row("toy.leaky") != second.row("toy.leaky")
    assert "toy.leaky.locked" not in names(first)
    assert not any(row.leaky for row in make("same-day", [one]).rows)


def test_cross_database_trains_without_the_set_that_it_tests(toy_set):
    one, other = toy_set(), toy_set("other", prefix="q")
    protocol = make("cross-database", [one, other], include_locked=True)
    assert {s.set for s in protocol.train + protocol.validate + protocol.calibrate} == {"toy"}
    tested = {row.name: row.population for row in protocol.rows if row.name.startswith("other")}
    assert tested["other.s1-s2"] == "test"
    assert tested["other.s1-s2.locked"] == "locked"
    assert {s.set for s in make("cross-database", [one, other], test_set="toy").train} == {"other"}


def test_one_set_alone_can_be_tested_with_weights_from_elsewhere(toy_set):
    protocol = make("cross-database", [toy_set(people=range(6))])
    assert (protocol.train, protocol.validate, protocol.calibrate) == ((), (), ())
    assert "toy.s1-s2" in names(protocol)


def test_cross_activity_enrols_at_rest_and_probes_each_activity_of_the_session(toy_set):
    one = toy_set(activities=SEVERAL, per_session=1)
    protocol = make("cross-activity", [one])
    assert names(protocol) == [f"toy.s{s}.rest-{a}" for s in (1, 2) for a in ("run", "walk")]
    row = protocol.row("toy.s2.rest-run")
    assert (activities(one, row.enrol), activities(one, row.probe)) == ({"rest"}, {"run"})
    assert sessions(one, row.enrol + row.probe) == {2}


def test_rows_at_rest_leave_other_activities_out(toy_set):
    one = toy_set(activities=SEVERAL, per_session=1)
    protocol = make("cross-session", [one])
    assert activities(one, protocol.train) == set(SEVERAL)
    assert activities(one, protocol.row("toy.s1-s2").enrol + protocol.row("toy.s1-s2").probe) == {"rest"}


def test_a_small_set_of_activities_is_tested_as_a_whole(toy_set):
    one, small = toy_set(), toy_set("small", prefix="q", people=range(6), activities=SEVERAL, days=(0,))
    protocol = make("cross-activity", [one, small], test_set="small")
    assert {row.population for row in protocol.rows if row.kind == "cross-activity"} == {"test"}
    assert {s.set for s in protocol.train + protocol.calibrate} == {"toy"}


def test_a_pool_trains_and_nobody_of_its_database_is_tested(toy_set):
    named = {"name": "PTB-XL 1.0.3", "doi": "10.13026/kfzx-aw45"}
    main, known = toy_set(), toy_set("ptbxl", prefix="x", info=named)
    pool = toy_set("pool", prefix="y", info={**named, "notes": "subject is the record: nobody knows whose"})
    protocol = make("cross-session", [main, known, pool], include_locked=True)
    assert {row.name.split(".")[0] for row in protocol.rows} == {"toy"}
    for one in (known, pool):
        assert people(one, tuple(s for s in protocol.train if s.set == one.name)) == set(one.subject.tolist())
    assert {s.set for s in protocol.validate} == {"toy"}
    assert any(note.startswith("ptbxl: all people train") for note in protocol.notes)
    with pytest.raises(UsageError, match="ptbxl cannot be tested while the pool of its database trains"):
        make("cross-database", [main, pool, known])


def test_without_the_pool_people_of_its_database_are_tested(toy_set):
    known = toy_set("ptbxl", info={"name": "PTB-XL 1.0.3", "doi": "10.13026/kfzx-aw45"})
    assert "ptbxl.s1-s2" in names(make("cross-session", [known]))


def test_exact_copies_are_left_out(toy_set, toy_records):
    records = toy_records()
    copied = replace(records[0], name="copy", session=2, day=30)
    protocol = make("cross-session", [toy_set(records=[*records, copied])])
    assert "copy" not in {s.record for s in protocol.spans()}
    assert records[0].name in {s.record for s in protocol.spans()}
    assert protocol.notes[0].startswith("toy: 1 recordings left out, exact copies")


def test_a_copy_under_another_person_is_nobodys(toy_set, toy_records):
    records = toy_records()
    copied = replace(records[0], name="copy", subject="p01")
    protocol = make("cross-session", [toy_set(records=[*records, copied])])
    assert not {"copy", records[0].name} & {s.record for s in protocol.spans()}


def test_recordings_shorter_than_a_window_are_left_out(toy_set, toy_records):
    short = replace(toy_records()[0], name="short", signal=np.ones((1, 399), np.float32))
    protocol = make("cross-session", [toy_set(records=[*toy_records(), short])])
    assert "short" not in {s.record for s in protocol.spans()}


def test_too_few_people_are_one_clear_refusal(toy_set):
    with pytest.raises(UsageError, match="by the hash of their ids training 4, development 2, locked 0; at least 4"):
        make("cross-session", [toy_set(people=range(6))])


def test_locked_rows_need_enough_locked_people(toy_set):
    one = toy_set(people=range(20))
    assert make("cross-session", [one]).rows
    with pytest.raises(UsageError, match="locked 3; at least 4 of each of training, development, locked"):
        make("cross-session", [one], include_locked=True)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("open", {}, "no protocol of kind 'open'; one of cross-session"),
        ("cross-session", {"test_set": "toy"}, "a test set makes no sense for cross-session"),
        ("cross-database", {"test_set": "other"}, "test set 'other' is none of toy"),
        ("cross-activity", {}, "no cross-activity row can be made of toy"),
    ],
)
def test_contradictions_are_refused(toy_set, kind, given, message):
    with pytest.raises(UsageError, match=message):
        make(kind, [toy_set()], **given)


def test_a_set_of_noise_is_refused(toy_set):
    with pytest.raises(UsageError, match="no recording of a person"):
        make("cross-session", [toy_set(activities=("noise",))])


def test_sixty_synthetic_people_are_enough_for_every_population(tmp_path):
    config = SynthConfig(people=60, sessions=2, records_per_session=1, seconds=8, fs=100)
    write_set(tmp_path / "synth.npz", synthesise(config), synthetic_info(config))
    one = open_set(tmp_path / "synth.npz")
    protocol = make("cross-session", [one], include_locked=True)
    counted = [len(people(one, spans)) for spans in (protocol.train, protocol.validate)]
    assert counted == [35, 11]
    assert len(people(one, protocol.row("synth.s1-s2.locked").probe)) == 14


@needs_data
def test_heartprint_and_ecgid_split_as_designed():
    sets = [open_set(SHARED / f"{name}.npz") for name in ("heartprint", "ecgid")]
    protocol = make("cross-session", sets, include_locked=True)
    count = {row.name: len(people(sets[row.name.startswith("ecgid")], row.probe)) for row in protocol.rows}
    assert count["heartprint.s1-s2"] == 35
    assert count["heartprint.s1-s2.locked"] == 32
    assert count["heartprint.s1-s3.locked"] == 22
    assert count["ecgid.cross-day.locked"] == 6
    assert len(people(sets[1], protocol.row("ecgid.cross-day.locked").enrol)) == 25
    assert all("Session-3R" in span.record for span in protocol.row("heartprint.s1-s3").probe)
    assert "left out, fewer than 4 people can be probed: ecgid.cross-day (1)" in protocol.notes
