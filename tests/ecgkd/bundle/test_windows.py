"""Calibration windows."""

from dataclasses import replace

import numpy as np
import pytest

from ecgkd.bundle.windows import INPUT_RANGE, calibration_windows, synthetic_windows
from ecgkd.data.prepared import PreparedSet, open_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.data.write import write_set
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol, Span
from ecgkd.protocols.split import make
from ecgkd.protocols.trials import network_windows, raw_windows, span_windows
from ecgkd.signal.chain import native_window
from ecgkd.signal.quality import assess


def test_windows_are_what_the_network_sees_and_lie_on_the_input_grid() -> None:
    windows = synthetic_windows(20)
    assert windows.shape == (20, 1, 1000)
    assert windows.dtype == np.float32
    assert (windows * 16 == np.rint(windows * 16)).all()
    assert INPUT_RANGE == (-8.0, 7.9375)
    assert INPUT_RANGE[0] <= windows.min() < windows.max() <= INPUT_RANGE[1]


def test_calibration_windows_come_from_the_calibration_people_alone(people: PreparedSet, protocol: Protocol) -> None:
    found = calibration_windows(protocol, [people])
    allowed = network_windows(span_windows(protocol.calibrate, [people]), [people])
    known = {window.tobytes() for window in allowed}
    assert 0 < len(found) <= len(allowed)
    assert all((window * 16).astype(np.int8).tobytes() in known for window in found[:, 0])


def test_every_person_has_a_turn_before_anybody_has_a_second(people: PreparedSet, protocol: Protocol) -> None:
    windows = span_windows(protocol.calibrate, [people])
    seen = network_windows(windows, [people])
    owner = {window.tobytes(): int(subject) for window, subject in zip(seen, windows.subject, strict=True)}
    n_people = len(windows.subjects)
    first = calibration_windows(protocol, [people], n_people)
    owners = [owner[(window * 16).astype(np.int8).tobytes()] for window in first[:, 0]]
    assert len(set(owners)) >= n_people - 1


def test_the_same_protocol_gives_the_same_windows(people: PreparedSet, protocol: Protocol) -> None:
    assert (calibration_windows(protocol, [people], 30) == calibration_windows(protocol, [people], 30)).all()


def test_a_protocol_without_calibration_people_is_refused(people: PreparedSet, protocol: Protocol) -> None:
    bare = replace(protocol, calibrate=())
    with pytest.raises(UsageError, match="no usable calibration window"):
        calibration_windows(bare, [people])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """People at rest and walking, every third window of every recording flat."""
    config = SynthConfig(people=30, sessions=2, records_per_session=2)
    records = []
    for number, record in enumerate(synthesise(config)):
        signal = record.signal.copy()
        width = native_window(record.fs)
        for start in range(0, record.n_samples, 3 * width):
            signal[:, start : start + width] = 0.0
        records.append(replace(record, signal=signal, activity=("rest", "walking")[number % 2]))
    path = tmp_path_factory.mktemp("mixed") / "people.npz"
    write_set(path, records, synthetic_info(config))
    return open_set(path)


def test_no_window_that_the_quality_gate_refuses_calibrates(mixed: PreparedSet) -> None:
    protocol = make("cross-session", [mixed])
    windows = span_windows(protocol.calibrate, [mixed])
    seen = network_windows(windows, [mixed])
    usable = np.zeros(len(windows), bool)
    for positions, native, one in raw_windows(windows, [mixed]):
        usable[positions] = [quality.usable for quality in assess(native, int(one.fs), one.gain_known)]
    refused = {window.tobytes() for window in seen[~usable]}
    assert refused
    found = {
        (window * 16).astype(np.int8).tobytes() for window in calibration_windows(protocol, [mixed], len(windows))[:, 0]
    }
    assert found == {window.tobytes() for window in seen[usable]}
    assert not found & refused


def test_every_activity_of_every_person_has_a_turn_before_any_has_a_second(mixed: PreparedSet) -> None:
    everything = [Span(mixed.name, str(name), 0, mixed.n_samples(i)) for i, name in enumerate(mixed.record)]
    protocol = replace(make("cross-session", [mixed]), calibrate=tuple(everything))
    windows = span_windows(protocol.calibrate, [mixed])
    kind = np.array([str(mixed.activity[i]) for _, i in windows.recordings])[windows.recording]
    owner = {
        window.tobytes(): (int(subject), str(activity))
        for window, subject, activity in zip(network_windows(windows, [mixed]), windows.subject, kind, strict=True)
    }
    groups = len(set(owner.values()))
    assert groups >= 4
    first = calibration_windows(protocol, [mixed], groups)
    turns = [owner[(window * 16).astype(np.int8).tobytes()] for window in first[:, 0]]
    assert {activity for _, activity in turns} == {"rest", "walking"}
    assert len(set(turns)) >= 0.7 * len(turns)  # a refused window passes its turn on
