"""The activity gate: verdicts on planted differences between what two networks tell."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd.bundle import activity_gate
from ecgkd.bundle.activity_gate import Logits, labelled
from ecgkd.bundle.gate import gate_rows
from ecgkd.data.prepared import PreparedSet, open_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.data.write import write_set
from ecgkd.protocols.folds import fold_protocols
from ecgkd.protocols.protocol import Protocol, population
from ecgkd.protocols.split import make as make_protocol

ACTIVITIES = ("jogging", "rest", "walking")


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    config = SynthConfig(people=40, sessions=2, records_per_session=1, seconds=12, activities=ACTIVITIES)
    path = tmp_path_factory.mktemp("moving") / "moving.npz"
    write_set(path, synthesise(config), synthetic_info(config))
    return open_set(path)


@pytest.fixture(scope="module")
def protocol(moving: PreparedSet) -> Protocol:
    return make_protocol("cross-activity", [moving])


def wrong_in(share: float, protocol: Protocol, one: PreparedSet) -> Logits:
    """Returns a network that tells the truth, but in every `1/share`th window."""
    found = labelled(protocol, [one], ACTIVITIES)
    assert found is not None
    every = round(1 / share) if share else len(found.windows) + 1
    told = {
        window.tobytes(): (truth + (n % every == 0)) % len(ACTIVITIES)
        for n, (window, truth) in enumerate(zip(found.windows, found.activity.tolist(), strict=True), 1)
    }

    def logits(windows: NDArray[np.int8]) -> NDArray[np.float32]:
        return np.eye(len(ACTIVITIES), dtype=np.float32)[[told[window.tobytes()] for window in windows]]

    return logits


def _gate(share: float, protocol: Protocol, one: PreparedSet) -> dict[str, Any]:
    networks = wrong_in(0, protocol, one), wrong_in(share, protocol, one)
    return activity_gate.activity_gate(*networks, ACTIVITIES, protocol, [one])


def test_a_network_compared_with_itself_changes_no_answer(protocol: Protocol, moving: PreparedSet) -> None:
    found = _gate(0, protocol, moving)
    assert (found["result"], found["delta_activity_ci95"], found["changed_answers"]) == ("passed", [0, 0], 0)
    assert found["activity_accuracy"] == found["activity_f1"] == 1
    assert found["people"] >= 5


def test_answers_that_get_worse_fail(protocol: Protocol, moving: PreparedSet) -> None:
    found = _gate(0.1, protocol, moving)
    assert (found["result"], found["counts"]) == ("failed", True)
    assert found["delta_activity"] == pytest.approx(-0.1, abs=0.01)
    assert found["changed_answers"] == pytest.approx(-found["delta_activity"])


def test_nobody_who_trains_or_is_locked_is_looked_at(moving: PreparedSet, protocol: Protocol) -> None:
    locked = replace(protocol, validate=(*protocol.validate, *protocol.train))
    assert len(_windows(locked, moving)) == len(_windows(protocol, moving)) > 0
    people = {str(moving.subject[moving.find(span.record)]) for row in gate_rows(protocol) for span in row.enrol}
    assert {population(person) for person in people} == {"development"}


def test_a_protocol_of_training_people_alone_leaves_the_gate_absent(moving: PreparedSet, protocol: Protocol) -> None:
    bare = replace(protocol, rows=(), validate=protocol.train)
    found = activity_gate.activity_gate(lambda w: w, lambda w: w, ACTIVITIES, bare, [moving])
    assert found["result"] == "absent"
    assert "labelled jogging, rest, walking" in found["why"]


def test_labels_that_the_network_does_not_know_leave_the_gate_absent(moving: PreparedSet, protocol: Protocol) -> None:
    found = activity_gate.activity_gate(lambda w: w, lambda w: w, ("cycling",), protocol, [moving])
    assert found["result"] == "absent"


def test_a_fold_is_judged_by_whom_it_leaves_out(moving: PreparedSet) -> None:
    fold = fold_protocols(moving, 3)[0]
    found = _gate(0, fold, moving)
    trained = {str(moving.subject[moving.find(span.record)]) for span in fold.train}
    assert found["result"] == "passed"
    assert found["people"] == len(set(moving.subject.tolist()) - trained)


def _windows(protocol: Protocol, one: PreparedSet) -> NDArray[np.int8]:
    found = labelled(protocol, [one], ACTIVITIES)
    assert found is not None
    return found.windows


@pytest.mark.parametrize(
    ("delta", "bounds", "result"),
    [
        (0.0, [-0.01, 0.01], "passed"),
        (0.1, [0.05, 0.2], "passed"),
        (-0.02, [-0.05, 0.0], "passed"),
        (-0.021, [-0.03, -0.01], "failed"),
        (-0.01, [-0.051, 0.01], "undecided"),
        (0.0, None, "undecided"),
        (-0.04, None, "undecided"),
        (-0.051, None, "failed"),
    ],
)
def test_verdicts_follow_the_stated_bounds(delta: float, bounds: list[float] | None, result: str) -> None:
    figures = {"delta_activity": delta, "delta_activity_ci95": bounds, "people": 3, "windows": 200}
    verdict, why = activity_gate._verdict({**figures, "activity_accuracy": 0.6})
    assert verdict == result
    assert "60.0 % of 200 windows right" in why


def test_too_few_people_are_undecided_and_do_not_count(protocol: Protocol, moving: PreparedSet) -> None:
    few = replace(
        protocol, validate=(), rows=tuple(replace(row, enrol=row.enrol[:3], probe=()) for row in protocol.rows)
    )
    found = _gate(0, few, moving)
    assert (found["result"], found["counts"]) == ("undecided", False)
    assert "too few people for an interval" in found["why"]
