"""Enrolment, verification and identification from recordings."""

from dataclasses import replace

import numpy as np
import pytest

from ecgkd.contract import ScoreCalibration, Threshold
from ecgkd.enrolment.decision import DecisionPolicy, Outcome, Rule
from ecgkd.enrolment.enrol import enrol_person, points_down
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.identify import Finding, identify_person
from ecgkd.enrolment.verify import verify_person
from ecgkd.enrolment.windows import usable_windows
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.record import Record
from ecgkd.signal.chain import SUPPORTED_FS

PEOPLE = 6
SLOW = DecisionPolicy(alpha=1e-26, beta=1e-26)
"""No early decision."""


@pytest.fixture
def gallery(model, record):
    """Returns a gallery of six people, each enrolled from two recordings of session 1."""
    made = Gallery.empty(model.contract)
    for person in range(PEOPLE):
        records = [record(person, 1, seconds=16), record(person, 2, seconds=16)]
        assert enrol_person(made, f"p{person}", records, model).enrolled
    return made


def with_signal(record: Record, signal: np.ndarray) -> Record:
    return replace(record, signal=signal.astype(np.float32)[None])


def flat(record: Record) -> Record:
    return with_signal(record, np.zeros(record.n_samples))


def clipped(record: Record) -> Record:
    return with_signal(record, np.clip(record.signal[0] * 20, -1000, 1000))


def all_nan(record: Record) -> Record:
    return with_signal(record, np.full(record.n_samples, np.nan))


def test_enrolment_says_what_it_used(model, record):
    gallery = Gallery.empty(model.contract)
    report = enrol_person(gallery, "ada", [record(4, 1, 22), record(4, 2, 16)], model)
    assert report.enrolled
    assert not report.reasons
    assert (report.recordings, report.windows, report.usable, report.used, report.seconds) == (2, 9, 9, 9, 36.0)
    assert report.in_words().startswith("ada enrolled from 9 windows (36 s) of 2 recording(s); consistency 0.8")
    assert not report.notes
    entry = gallery.people["ada"]
    assert (entry.windows, entry.recordings, entry.seconds) == (9, 2, 36.0)
    assert "entry" not in report.to_dict()


def test_a_short_enrolment_from_one_placement_says_what_is_better(model, record):
    notes = enrol_person(Gallery.empty(model.contract), "ada", [record(1, 1, 16)], model).notes
    assert any("16 s of signal are in the template; 28 s are recommended" in note for note in notes)
    assert any("one recording only" in note for note in notes)


@pytest.mark.parametrize(
    ("spoil", "word"), [(flat, "flat"), (clipped, "clipped"), (all_nan, "missing")], ids=["flat", "clipped", "nan"]
)
def test_unusable_signal_is_refused_with_its_reason_and_changes_nothing(model, record, gallery, spoil, word):
    before = dict(gallery.people)
    report = enrol_person(gallery, "eve", [spoil(record(9))], model)
    assert not report.enrolled
    assert word in report.reasons[0]
    assert "at least 3 windows are needed" in report.reasons[1]
    assert gallery.people == before
    verified = verify_person(gallery, "p0", [spoil(record(0))], model)
    assert (verified.decision, verified.rule, verified.windows) == (Outcome.NO_DECISION, Rule.NO_WINDOW, 0)
    assert word in verified.reason
    assert (verified.score, verified.llr, verified.seconds) == (None, None, None)
    assert identify_person(gallery, [spoil(record(0))], model).decision is Finding.NO_DECISION


def test_a_gap_costs_its_window_alone(model, record):
    signal = record(1).signal[0].copy()
    signal[2500:2510] = np.nan
    windows = usable_windows([with_signal(record(1), signal)])
    assert (len(windows.inputs), len(windows.qualities)) == (7, 8)
    assert windows.ends.tolist() == [4, 8, 16, 20, 24, 28, 32]


def test_a_recording_shorter_than_a_window_is_named(model, record, gallery):
    report = verify_person(gallery, "p0", [record(0, 3, seconds=3, name="tiny")], model)
    assert report.decision is Outcome.NO_DECISION
    assert "tiny lasts 3.0 s, less than one window of 4 s" in report.reason


def test_recordings_of_many_people_make_no_template(model, record):
    mixed = [record(person, 1, seconds=4) for person in range(10)]
    report = enrol_person(Gallery.empty(model.contract), "chimera", mixed, model)
    assert not report.enrolled
    assert not report.notes


def test_the_windows_of_another_person_are_left_out(model, record):
    gallery = Gallery.empty(model.contract)
    report = enrol_person(gallery, "ada", [record(0, 1, 32), record(4, 1, 4)], model)
    assert (report.enrolled, report.outliers, report.used) == (True, 1, 8)
    assert gallery.people["ada"].recordings == 1


def test_an_unsupported_rate_is_refused_naming_recording_and_rates(model, record, gallery):
    for call in (
        lambda records: enrol_person(gallery, "eve", records, model),
        lambda records: verify_person(gallery, "p0", records, model),
        lambda records: identify_person(gallery, records, model),
    ):
        with pytest.raises(RecordingError, match=r"odd: a sampling rate of 240 Hz is not supported; .* 100, 125, 128"):
            call([record(0, 1, fs=240, name="odd")])


@pytest.mark.parametrize("fs", SUPPORTED_FS)
def test_every_supported_rate_verifies_against_the_same_template(model, record, gallery, fs):
    assert verify_person(gallery, "p2", [record(2, 3, fs=fs)], model).accepted
    assert not verify_person(gallery, "p2", [record(4, 3, fs=fs)], model).accepted


def test_owners_are_accepted_and_others_refused(model, record, gallery):
    for person in range(PEOPLE):
        for claimed in range(PEOPLE):
            report = verify_person(gallery, f"p{claimed}", [record(person, 3)], model, policy=SLOW)
            assert report.accepted == (person == claimed), report
            assert (report.rule, report.windows, report.seconds) == (Rule.THRESHOLD, 6, 24.0)


def test_clear_evidence_decides_early(model, record, gallery):
    own, other = (verify_person(gallery, "p0", [record(person, 3)], model) for person in (0, 4))
    assert (own.rule, other.rule) == (Rule.EARLY_ACCEPT, Rule.EARLY_REJECT)
    assert own.windows < 6
    assert own.seconds == 4.0 * own.windows
    assert own.llr > 6.8
    assert other.llr < -4.5


def test_seconds_count_unusable_windows_and_earlier_recordings(model, record, gallery):
    spoilt = flat(record(0, 3, seconds=9))
    report = verify_person(gallery, "p0", [spoilt, record(0, 3)], model, policy=SLOW)
    assert (report.windows, report.seconds) == (6, 9 + 24.0)
    assert "6 of 8 windows usable" in report.quality


def test_fewer_windows_than_the_evidence_was_measured_with_are_said(model, record, gallery):
    report = verify_person(gallery, "p0", [record(0, 3, seconds=8)], model, policy=SLOW)
    assert report.notes == ("2 window(s) were used; the threshold's error rates were measured with 3",)


def test_synthetic_evidence_is_called_that(model, contract, record, gallery):
    made = replace(model, contract=contract(synthetic=True))
    report = verify_person(gallery, "p0", [record(0, 3)], made, policy=SLOW)
    assert any("synthetic" in note for note in report.notes)


def test_normalised_scores_decide_too(model, contract, record):
    others = [usable_windows([record(person)]).inputs for person in range(20, 40)]
    means = np.array([model.embed(windows).mean(axis=0) for windows in others])
    made = replace(
        model,
        contract=contract(
            cohort=tuple(map(tuple, np.rint(127 * means / np.abs(means).max()).astype(int).tolist())),
            cohort_top=10,
            threshold=Threshold("as_norm", 2.5, 6, 3, 0.01, 0.02, 0.05, 30, 435, "development"),
            calibration=ScoreCalibration(2.0, -5.0, 0.5, "as_norm"),
        ),
    )
    gallery = Gallery.empty(made.contract)
    assert enrol_person(gallery, "ada", [record(1)], made).enrolled
    own, other = (verify_person(gallery, "ada", [record(person, 3)], made, policy=SLOW) for person in (1, 4))
    assert own.kind == "as_norm"
    assert own.accepted
    assert not other.accepted


def test_identification_names_the_owner_and_nobody_for_strangers(model, record, gallery):
    for person in range(PEOPLE):
        report = identify_person(gallery, [record(person, 3)], model)
        assert (report.decision, report.person) == (Finding.IDENTIFIED, f"p{person}")
        assert [one.score for one in report.ranking] == sorted((one.score for one in report.ranking), reverse=True)
        assert len(report.ranking) == PEOPLE
    stranger = identify_person(gallery, [record(9, 3)], model)
    assert (stranger.decision, stranger.person) == (Finding.NOBODY, None)
    assert "stays below the threshold 0.750" in stranger.in_words()
    assert any("6 were made" in note for note in stranger.notes)


def test_an_empty_gallery_knows_nobody(model, record):
    report = identify_person(Gallery.empty(model.contract), [record(0)], model)
    assert (report.decision, report.reason, report.ranking) == (Finding.NOBODY, "nobody is enrolled", ())


def test_a_gallery_of_another_model_is_refused_by_all(model, contract, record, gallery):
    other = replace(model, contract=contract(embedding_space="other"))
    for call in (
        lambda: enrol_person(gallery, "eve", [record(9)], other),
        lambda: verify_person(gallery, "p0", [record(0)], other),
        lambda: identify_person(gallery, [record(0)], other),
    ):
        with pytest.raises(UsageError, match="another model"):
            call()


def test_the_lead_can_be_chosen(model, record, gallery):
    noise = np.random.default_rng(0).normal(0, 100, record(0).n_samples)
    both = replace(record(0, 3), signal=np.stack([noise, record(0, 3).signal[0]]).astype(np.float32), leads=("x", "I"))
    assert verify_person(gallery, "p0", [both], model, lead="I").accepted
    assert not verify_person(gallery, "p0", [both], model).accepted
    with pytest.raises(RecordingError, match="no lead 'V1'; it has x, I"):
        verify_person(gallery, "p0", [both], model, lead="V1")


def test_r_waves_that_point_down_are_said(model, record):
    upside_down = with_signal(record(1), -record(1).signal[0])
    assert points_down(usable_windows([upside_down]).inputs)
    assert not points_down(usable_windows([record(1)]).inputs)
    report = enrol_person(Gallery.empty(model.contract), "ada", [upside_down], model)
    assert any("point down" in note for note in report.notes)


def test_long_recordings_are_thinned_evenly(model, record):
    gallery = Gallery.empty(model.contract)
    long = with_signal(record(1), np.tile(record(1).signal[0], 36))
    report = enrol_person(gallery, "ada", [long], model)
    assert report.usable == 288
    assert report.used + report.outliers == 255
    assert gallery.people["ada"].seconds == 4.0 * report.used


def test_a_network_that_breaks_its_contract_is_refused(model, contract, record):
    made = replace(model, contract=contract(embedding_size=65))
    with pytest.raises(DataError, match=r"shape \(8, 64\) where its contract says \(8, 65\)"):
        enrol_person(Gallery.empty(made.contract), "ada", [record(1)], made)


def test_a_model_without_a_threshold_enrols_and_cannot_verify(model, contract, record):
    made = replace(model, contract=contract(threshold=None, calibration=None))
    gallery = Gallery.empty(made.contract)
    assert enrol_person(gallery, "ada", [record(1)], made).enrolled
    with pytest.raises(UsageError, match="no decision threshold"):
        verify_person(gallery, "ada", [record(1, 2)], made)
