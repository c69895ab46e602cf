"""Calibration windows."""

from dataclasses import replace

import numpy as np
import pytest

from ecgkd.bundle.windows import INPUT_RANGE, calibration_windows, synthetic_windows
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.trials import network_windows, span_windows


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
