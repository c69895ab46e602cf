import numpy as np
import pytest

from ecgkd.contract import EnrolmentFloors
from ecgkd.enrolment.enrol import policy_of
from ecgkd.enrolment.template import EnrolmentPolicy, Refusal, select
from ecgkd.evaluation.decision_fit import calibration_rows
from ecgkd.evaluation.enrolment_fit import LEAST, REFUSED, WINDOWS, enrolments, fit_enrolment
from ecgkd.evaluation.material import make_pool, see, view


@pytest.fixture(scope="module")
def rows(people, protocol, network):
    pool = make_pool(calibration_rows(protocol, [people]), [people])
    seen = see(pool, [people], {"": network})
    return [view(row, seen, "", None) for row in pool.rows]


def test_every_session_of_a_person_is_an_enrolment(rows, people):
    own = enrolments(rows, [people])
    assert own
    assert {vectors.shape[0] for _, vectors in own} <= set(range(LEAST, WINDOWS + 1))
    sessions = {person: sum(who == person for who, _ in own) for person, _ in own}
    assert set(sessions.values()) <= {1, 2}
    assert 2 in sessions.values()


def test_floors_refuse_few_of_their_own_people(rows, people, monkeypatch):
    monkeypatch.setattr("ecgkd.evaluation.enrolment_fit.REFUSED", 0.1)
    floors = fit_enrolment(rows, [people], "synthetic")
    own = enrolments(rows, [people])
    policy = EnrolmentPolicy(3, floors.floor, floors.min_consistency)
    refused = [select(vectors, policy).refusal is Refusal.INCONSISTENT for _, vectors in own]
    assert np.mean(refused) <= 0.1 + 1 / len(own)
    strict = EnrolmentPolicy(3, floors.floor, floors.min_consistency + 0.3)
    assert any(select(vectors, strict).refusal for _, vectors in own)
    assert 0 <= floors.mixed_refused <= 1
    assert floors.n_subjects == len({person for person, _ in own})


def test_too_few_enrolments_set_no_floors(rows, people):
    few = len(enrolments(rows[:1], [people])) < 1 / REFUSED
    assert (fit_enrolment(rows[:1], [people], "synthetic") is None) == few
    assert fit_enrolment([], [people], "synthetic") is None


def test_the_contract_s_floors_are_the_policy(candidate):
    from dataclasses import replace

    contract = candidate().contract
    assert policy_of(replace(contract, enrolment=None)) == EnrolmentPolicy()
    floors = EnrolmentFloors(0.41, 0.52, 0.9, 30, "development")
    assert policy_of(replace(contract, enrolment=floors)) == EnrolmentPolicy(3, 0.41, 0.52)
    stored = replace(contract, enrolment=floors)
    assert type(stored).from_json(stored.to_json()) == stored
