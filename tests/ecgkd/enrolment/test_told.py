"""What the wearer does, told beside a decision that does not depend on it; and networks of several leads."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.enrolment.activity import tell
from ecgkd.enrolment.decision import DecisionPolicy, Rule
from ecgkd.enrolment.enrol import enrol_person
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.identify import identify_person
from ecgkd.enrolment.told import told
from ecgkd.enrolment.verify import verify_person
from ecgkd.enrolment.windows import leads_of
from ecgkd.errors import DataError, RecordingError, UsageError
from tests.ecgkd.enrolment.conftest import toy_contract, toy_embed, toy_record

NAMES = ("resting", "moving")
SLOW = DecisionPolicy(alpha=1e-26, beta=1e-26)
"""No early decision."""


@dataclass(frozen=True)
class Telling:
    """The toy network, telling `moving` by so much as it is asked to."""

    contract: Contract
    logit: float = 0.25
    seen: tuple[int, ...] = ()

    def embed(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
        return toy_embed(windows if windows.ndim == 2 else windows[:, 0])

    def tell(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
        return np.tile(np.array([0, self.logit], np.float32), (len(windows), 1))


def telling(**changes: object) -> Telling:
    return Telling(toy_contract(**changes).telling(NAMES))


def enrolled(model: Telling) -> Gallery:
    gallery = Gallery.empty(model.contract)
    assert enrol_person(gallery, "ada", [toy_record(0, 1)], model).enrolled
    return gallery


def test_the_activity_is_told_by_the_windows_that_were_looked_at() -> None:
    model = telling()
    gallery = enrolled(model)

    early = verify_person(gallery, "ada", [toy_record(0, 2)], model)
    slow = verify_person(gallery, "ada", [toy_record(0, 2)], model, policy=SLOW)
    found = identify_person(gallery, [toy_record(0, 2)], model)

    assert (early.rule, slow.rule) == (Rule.EARLY_ACCEPT, Rule.THRESHOLD)
    assert early.activity is not None
    assert early.activity.windows == early.windows < slow.windows
    assert [one.activity.windows for one in (slow, found) if one.activity] == [slow.windows, found.windows]
    assert (early.activity.name, early.activity.log_odds) == ("moving", 0.25)
    assert early.in_words().endswith(f"; activity: moving by {early.windows} window(s)")
    assert found.in_words().endswith("\nactivity: moving by 6 window(s)")


def test_no_decision_depends_on_the_activity() -> None:
    quiet, loud = telling(), replace(telling(), logit=-7.0)
    gallery = enrolled(quiet)
    for person in (0, 4):
        one, other = (
            verify_person(gallery, "ada", [toy_record(person, 2)], model).to_dict() for model in (quiet, loud)
        )
        assert one.pop("activity")["name"] != other.pop("activity")["name"]
        assert one == other


def test_an_enrolment_tells_it_too_and_says_it_in_its_line() -> None:
    model = telling()
    report = enrol_person(Gallery.empty(model.contract), "ada", [toy_record(0, 1)], model)
    assert report.in_words().endswith("; activity: moving by 8 window(s)")
    assert report.to_dict()["activity"] == {"name": "moving", "windows": 8, "log_odds": 0.25}


def test_a_network_that_tells_nothing_says_nothing_of_it(model: object, record: object) -> None:
    plain = Telling(toy_contract())  # its contract has no such output
    gallery = enrolled(plain)
    reports = [verify_person(gallery, "ada", [toy_record(0, 2)], plain), identify_person(gallery, [], plain)]
    assert all("activity" not in report.to_dict() for report in reports)
    assert "activity" not in reports[0].in_words()


def test_without_a_window_nothing_is_told() -> None:
    model = telling()
    assert told(model, np.zeros((0, 1000), np.int8)) is None


def test_scores_of_another_shape_are_refused() -> None:
    model = Telling(toy_contract().telling(("a", "b", "c")))
    with pytest.raises(DataError, match=r"its contract says \(2, 3\)"):
        told(model, np.zeros((2, 1000), np.int8))


def test_integers_give_the_bits_of_c() -> None:
    rng = np.random.default_rng(0)
    scale, zero_point = float(np.float32(0.1224091649)), 28
    integers = rng.integers(-128, 128, (5, 2)).astype(np.int8)

    class Integers(Telling):
        def tell(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
            return (integers.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)

    quantisation = {"activity": {"scale": scale, "zero_point": zero_point}}
    model = Integers(replace(telling().contract, quantisation=quantisation))
    found, wanted = told(model, np.zeros((5, 1000), np.int8)), tell(integers, zero_point, scale)
    assert found is not None
    assert (found.name, found.log_odds * 2**16) == (NAMES[wanted.index], wanted.margin)


def test_a_network_of_several_leads_sees_them_in_its_own_order() -> None:
    model = telling(leads=("II", "I"))
    seen = []

    class Watching(Telling):
        def embed(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
            seen.append(windows)
            return super().embed(windows)

    watching = Watching(model.contract)
    one, two = toy_record(0, 1), toy_record(4, 1)
    both = replace(one, signal=np.concatenate([one.signal, two.signal]), leads=("I", "II"))
    assert enrol_person(Gallery.empty(watching.contract), "ada", [both], watching).enrolled
    assert seen[0].shape == (8, 2, 1000)
    alone = Watching(toy_contract())
    enrol_person(Gallery.empty(alone.contract), "ada", [two], alone)
    assert np.array_equal(seen[0][:, 0], seen[1])
    with pytest.raises(UsageError, match="takes II, I together"):
        verify_person(enrolled(telling()), "ada", [both], watching, lead="I")
    with pytest.raises(RecordingError, match="no lead 'II'"):
        verify_person(enrolled(telling()), "ada", [one], watching)


def test_a_network_of_one_lead_takes_a_recordings_only_lead_but_does_not_guess_among_several() -> None:
    contract = toy_contract(leads=("II",))
    one, two = toy_record(0, 1), toy_record(4, 1)
    both = replace(one, signal=np.concatenate([one.signal, two.signal]), leads=("I", "II"))
    assert leads_of(contract, both) == ("II",)
    assert leads_of(contract, replace(one, leads=("chest",))) == ()
    assert leads_of(contract, replace(both, leads=("I", "V2")), lead="V2") == ("V2",)
    with pytest.raises(UsageError, match=r"has leads I, V2; toy takes II.*--lead"):
        leads_of(contract, replace(both, leads=("I", "V2")))
