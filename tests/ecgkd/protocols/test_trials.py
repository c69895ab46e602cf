import numpy as np
import pytest

from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Row, Span
from ecgkd.protocols.split import make
from ecgkd.protocols.trials import (
    enrol_groups,
    genuine,
    network_windows,
    probe_groups,
    raw_windows,
    row_windows,
    span_windows,
)
from ecgkd.signal.chain import front_end


def whole(one, record):
    return Span(one.name, record, 0, one.n_samples(one.find(record)))


def a_row(one, enrol, probe):
    spans = [tuple(whole(one, record) for record in side) for side in (enrol, probe)]
    return Row("r", "development", "cross-session", *spans)


def test_windows_know_their_person_recording_and_place(toy_set):
    one = toy_set()
    windows = span_windows([whole(one, "p01/s1-rest-0"), whole(one, "p00/s2-rest-1")], [one])
    assert windows.subjects == ("p01", "p00")
    assert windows.subject.tolist() == [0, 0, 0, 1, 1, 1]
    assert windows.start.tolist() == [0, 400, 800] * 2
    assert [one.record[i] for _, i in windows.recordings] == ["p01/s1-rest-0", "p00/s2-rest-1"]
    assert windows.sessions([one]).tolist() == [1, 1, 1, 2, 2, 2]


def test_enrolled_people_come_first(toy_set):
    one = toy_set()
    row = row_windows(a_row(one, ["p03/s1-rest-0"], ["p01/s2-rest-0", "p03/s2-rest-0"]), [one])
    assert (row.subjects, row.n_enrolled) == (("p03", "p01"), 1)


def test_a_template_takes_the_first_windows_of_a_person_in_order(toy_set):
    one = toy_set()
    row = row_windows(a_row(one, ["p01/s1-rest-0", "p02/s1-rest-0", "p01/s1-rest-1"], []), [one])
    groups = enrol_groups(row.enrol, 5)
    assert groups.subject.tolist() == [0, 1]
    assert groups.windows.tolist() == [[0, 1, 2, 3, 4], [6, 7, 8, -1, -1]]
    assert groups.count.tolist() == [5, 3]
    assert row.enrol.recording[groups.windows[0]].tolist() == [0, 0, 0, 2, 2]


def test_every_run_of_windows_can_be_a_template(toy_set):
    one = toy_set()
    row = row_windows(a_row(one, ["p01/s1-rest-0", "p01/s1-rest-1"], []), [one])
    assert len(enrol_groups(row.enrol, 1, every=True)) == 6
    assert enrol_groups(row.enrol, 4, every=True).windows.tolist() == [[0, 1, 2, 3]]


def test_a_probe_is_of_one_recording_and_of_windows_in_a_row(toy_set):
    one = toy_set()
    row = row_windows(a_row(one, ["p01/s1-rest-0"], ["p01/s2-rest-0", "p01/s2-rest-1"]), [one])
    assert probe_groups(row.probe, 2).windows.tolist() == [[0, 1], [3, 4]]
    assert probe_groups(row.probe, 3).windows.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert len(probe_groups(row.probe, 4)) == 0


def test_every_probe_meets_every_other_enrolled_person(toy_set):
    one = toy_set()
    records = ["p01/s2-rest-0", "p02/s2-rest-0", "p03/s2-rest-1"]
    row = row_windows(a_row(one, ["p01/s1-rest-0", "p02/s1-rest-0"], records), [one])
    table = genuine(enrol_groups(row.enrol, 3), probe_groups(row.probe, 3))
    assert table.tolist() == [[True, False], [False, True], [False, False]]


def test_the_network_sees_the_front_end_of_each_window_at_its_own_rate(toy_set):
    one = toy_set()
    windows = span_windows([whole(one, "p02/s1-rest-0"), whole(one, "p01/s1-rest-0")], [one])
    seen = network_windows(windows, [one])
    signal = one.integer_microvolts(one.find("p01/s1-rest-0"))
    assert seen.shape == (6, 1000)
    assert np.array_equal(seen[3:], front_end(signal[:1200].reshape(3, 400), 100))


def test_raw_windows_come_recording_by_recording(toy_set):
    one = toy_set()
    windows = span_windows([whole(one, "p02/s1-rest-0"), whole(one, "p01/s1-rest-0")], [one])
    positions = [p.tolist() for p, native, _ in raw_windows(windows, [one]) if native.shape == (3, 400)]
    assert positions == [[0, 1, 2], [3, 4, 5]]


def test_progress_reaches_the_number_of_windows(toy_set):
    one = toy_set()
    seen = []
    windows = span_windows(make("cross-session", [one]).train, [one])
    network_windows(windows, [one], progress=lambda done, total, what: seen.append((done, total)))
    assert seen[-1] == (len(windows), len(windows))


def test_an_absent_set_or_an_empty_group_is_one_clear_line(toy_set):
    one = toy_set()
    with pytest.raises(UsageError, match="needs the set other"):
        span_windows([Span("other", "r", 0, 400)], [one])
    windows = span_windows([whole(one, "p01/s1-rest-0")], [one])
    with pytest.raises(UsageError, match="a template or probe of 0 windows"):
        enrol_groups(windows, 0)
