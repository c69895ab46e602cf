import pytest

from ecgkd.errors import UsageError
from ecgkd.protocols.folds import fold_protocols, groups, leaky_protocol
from ecgkd.protocols.leakage import lint
from ecgkd.protocols.protocol import FOLDS, Protocol

ACTIVITIES = ("rest", "walk", "run")


@pytest.fixture
def active(toy_set):
    return toy_set(people=range(10), days=(0, 0, 0), per_session=1, activities=ACTIVITIES)


def people_of(spans, one):
    return {str(one.subject[one.find(span.record)]) for span in spans}


def test_everybody_is_left_out_once_and_never_trains_then(active):
    protocols = fold_protocols(active, 3)

    left_out = []
    for protocol in protocols:
        unseen = people_of([s for row in protocol.rows if row.population == "test" for s in row.probe], active)
        assert not unseen & people_of(protocol.train, active)
        left_out += sorted(unseen)
    assert sorted(left_out) == sorted(set(active.subject.tolist()))


def test_folds_are_free_of_leaks(active):
    assert [lint(protocol, [active]) for protocol in [*fold_protocols(active), leaky_protocol(active)]] == [[]] * 4


def test_unseen_people_are_enrolled_at_rest_and_probed_in_the_same_and_in_other_sessions(active):
    protocol = fold_protocols(active)[0]
    rows = [row for row in protocol.rows if row.population == "test"]

    assert {row.name.split(".", 2)[2] for row in rows} == {"rest-rest", "rest-walk", "rest-run"}
    assert len(rows) == 3 * (3 + 2)
    for row in rows:
        enrolled = {active.find(span.record) for span in row.enrol}
        probed = {active.find(span.record) for span in row.probe}
        assert {str(active.activity[i]) for i in enrolled} == {"rest"}
        assert {str(active.activity[i]) for i in probed} == {row.name.rsplit("-", 1)[1]}
        sessions = [{int(active.session[i]) for i in side} for side in (enrolled, probed)]
        assert (not sessions[0] & sessions[1]) if "-other." in row.name else sessions[0] == sessions[1]


def test_the_closed_set_is_probed_with_a_session_that_nobody_trains_on(active):
    protocol = fold_protocols(active)[1]
    row = protocol.rows[0]

    assert row.population == "closed-set"
    trained = {int(active.session[active.find(span.record)]) for span in protocol.train}
    assert not trained & {int(active.session[active.find(span.record)]) for span in row.probe}


def test_a_fold_chooses_nothing_and_is_read_back(active, tmp_path):
    protocol = fold_protocols(active)[0]
    protocol.save(tmp_path / "p.json")

    assert Protocol.load(tmp_path / "p.json") == protocol
    assert protocol.kind == FOLDS
    assert protocol.validate == protocol.calibrate == ()


def test_another_repeat_groups_people_anew():
    names = [f"p{n}" for n in range(10)]

    one, again, other = groups(names, 3, 0, 0), groups(names, 3, 0, 0), groups(names, 3, 1, 0)
    assert one == again != other
    assert [len(group) for group in one] == [4, 3, 3]


def test_the_leaky_split_tests_a_fifth_of_everything(active):
    protocol = leaky_protocol(active)
    (row,) = protocol.rows

    assert row.leaky
    assert people_of(row.probe, active) == people_of(protocol.train, active)


def test_too_few_people_or_no_rest_are_refused(toy_set):
    with pytest.raises(UsageError, match="8 people in 3 folds"):
        fold_protocols(toy_set("few", people=range(8), activities=ACTIVITIES))
    with pytest.raises(UsageError, match="recordings at rest"):
        fold_protocols(toy_set("busy", people=range(10), activities=("walk", "run")))
