"""How long the right person waits, estimated from a contract."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import ecgkd
from ecgkd.contract import Contract
from ecgkd.enrolment.decision import DecisionPolicy
from ecgkd.enrolment.waiting import expected_waiting

SHIPPED = Path(ecgkd.__file__).parent / "weights" / "deit_micro" / "deit_micro_4s_250hz_int8.tflite.json"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.from_dict(json.loads(SHIPPED.read_bytes()))


def test_a_better_network_decides_sooner(contract: Contract) -> None:
    assert contract.threshold is not None
    waits = [
        expected_waiting(replace(contract, threshold=replace(contract.threshold, fnmr=fnmr)))
        for fnmr in (0.3, 0.1, 0.01)
    ]
    windows = [one.windows for one in waits if one]
    assert windows == sorted(windows, reverse=True)
    assert 1 <= windows[-1] < windows[0] <= DecisionPolicy().max_windows


def test_a_stricter_test_takes_longer_and_the_same_answer_comes_twice(contract: Contract) -> None:
    loose, strict = (expected_waiting(contract, DecisionPolicy(alpha=alpha)) for alpha in (0.01, 1e-4))
    assert loose is not None
    assert strict is not None
    assert loose.windows < strict.windows
    assert loose.accepted_early > strict.accepted_early
    assert expected_waiting(contract, DecisionPolicy(alpha=0.01)) == loose


@pytest.mark.parametrize("part", ["threshold", "calibration"])
def test_a_contract_without_calibration_tells_nothing(contract: Contract, part: str) -> None:
    assert expected_waiting(replace(contract, **{part: None})) is None
