import pytest

from ecgkd.errors import UsageError
from ecgkd.protocols.joint_folds import joint_folds, of_set
from ecgkd.protocols.leakage import lint
from ecgkd.protocols.protocol import population
from ecgkd.protocols.split import make


@pytest.fixture
def material(toy_set):
    """A large set, a small one with activities, and the protocol over both."""
    large = toy_set("large")
    small = toy_set("small", prefix="m", people=range(12), days=(0, 0), per_session=1, activities=("rest", "run"))
    return make("cross-session", [large, small]), large, small


def people_of(spans, one):
    return {str(one.subject[one.find(span.record)]) for span in spans if span.set == one.name}


def test_everybody_but_the_locked_is_left_out_once_and_never_trains_then(material):
    base, large, small = material
    left_out = []
    for fold in joint_folds(base, small):
        probed = people_of([span for row in fold.rows if row.population == "test" for span in row.probe], small)
        assert not probed & people_of(fold.train, small)
        assert people_of(fold.train, large) == people_of(base.train, large)
        assert not people_of([*fold.validate, *fold.calibrate], small)
        assert [row.name for row in fold.rows if row.name.startswith("large.")] == [row.name for row in base.rows]
        left_out += sorted(probed)
    everybody = {str(name) for name in small.subject}
    assert sorted(left_out) == sorted(name for name in everybody if population(name) != "locked")
    assert everybody - set(left_out)


def test_joint_folds_and_what_they_say_of_one_set_are_free_of_leaks(material):
    base, large, small = material
    for fold in joint_folds(base, small):
        assert lint(fold, [large, small]) == []
        alone = of_set(fold, small)
        assert lint(alone, [small]) == []
        assert list(alone.sets) == ["small"]
        assert people_of(alone.train, small) == people_of(fold.train, small)


def test_another_repeat_is_another_partition(material):
    base, _, small = material
    parts = [[fold.train for fold in joint_folds(base, small, repeat=repeat)] for repeat in range(2)]
    assert parts[0] != parts[1]


def test_folds_of_too_few_people_or_of_a_strange_set_are_refused(material, toy_set):
    base, _, small = material
    with pytest.raises(UsageError, match="in 9 folds; expected"):
        joint_folds(base, small, 9)
    with pytest.raises(UsageError, match="has no set other"):
        joint_folds(base, toy_set("other"))
