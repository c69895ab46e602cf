from dataclasses import replace

import numpy as np
import pytest

from ecgkd.enrolment.decision import constants_of
from ecgkd.errors import UsageError
from ecgkd.evaluation.cohort import MIN_CENTROIDS, crowds, fit_cohort
from ecgkd.evaluation.decision_fit import calibration_rows, fit_decision, fit_rho, shrink, upper_bound
from ecgkd.evaluation.material import View
from ecgkd.evaluation.scores import unit
from ecgkd.protocols.protocol import population
from ecgkd.protocols.split import make


def embedded_people(n_people: int, n_windows: int, spread: float, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(n_people), n_windows)
    return unit(rng.normal(size=(n_people, size))[person] + spread * rng.normal(size=(len(person), size))), person


@pytest.mark.parametrize("spread", [0.05, 0.5, 2.0])
def test_every_centroid_stands_for_five_people_or_more(spread):
    vectors, person = embedded_people(120, 6, spread)
    member = crowds(vectors, person)
    sizes = [len(np.unique(person[member == k])) for k in range(member.max() + 1)]
    assert min(sizes) >= 5
    assert len(fit_cohort(vectors, person)) == len(sizes) >= MIN_CENTROIDS


def test_many_windows_of_one_person_do_not_draw_a_centroid_to_that_person():
    vectors, person = embedded_people(100, 6, 0.3)
    loud = np.concatenate([vectors, np.repeat(vectors[person == 0], 200, axis=0)])
    centroids = unit(fit_cohort(loud, np.concatenate([person, np.zeros(1200, np.int64)])).astype(np.float32))
    assert (centroids @ unit(vectors[person == 0].mean(axis=0)[None]).T).max() < 0.9


def test_a_centroid_is_nobodys_template():
    vectors, person = embedded_people(100, 6, 0.05)
    templates = unit(np.stack([vectors[person == p].mean(axis=0) for p in range(100)]))
    assert (unit(fit_cohort(vectors, person).astype(np.float32)) @ templates.T).max() < 0.99


def test_few_people_give_no_cohort():
    assert fit_cohort(*embedded_people(12, 10, 0.3)).shape == (0, 16)


def test_cohorts_are_the_same_every_time():
    vectors, person = embedded_people(80, 5, 0.4)
    np.testing.assert_array_equal(fit_cohort(vectors, person), fit_cohort(vectors, person))


@pytest.mark.parametrize(("matched", "pairs", "bound"), [(0, 595, 0.00502), (6, 595, 0.0198), (595, 595, 1.0)])
def test_the_bound_is_that_of_clopper_and_pearson(matched, pairs, bound):
    assert upper_bound(matched / pairs, pairs) == pytest.approx(bound, rel=0.01)


def test_no_match_bounds_the_rate_by_three_over_the_pairs():
    assert upper_bound(0.0, 1000) == pytest.approx(3 / 1000, rel=0.01)


def test_the_decision_is_fitted_on_development_people_and_usable(people, protocol, candidate):
    contract = candidate().contract
    threshold = contract.threshold
    development = {s for s in people.subject.tolist() if population(s) == "development"}
    assert threshold.population == "synthetic"
    assert threshold.n_subjects == len(development)
    assert threshold.n_pairs == len(development) * (len(development) - 1) // 2
    assert threshold.fmr_upper > threshold.fmr == 0.01
    assert 0 <= contract.calibration.rho <= 1
    assert contract.calibration.slope > 0
    assert constants_of(contract).kind == threshold.kind


def test_short_recordings_set_the_threshold_with_the_windows_they_have(people, protocol, network):
    first = {}
    for span in protocol.calibrate:
        first.setdefault(span.record, replace(span, stop=span.start + 2 * 1000))
    rows = tuple(
        replace(
            row,
            enrol=tuple(first.get(span.record, span) for span in row.enrol),
            probe=tuple(first.get(span.record, span) for span in row.probe),
        )
        for row in protocol.rows
        if row.population == "development" and not row.leaky
    )
    short = replace(protocol, rows=rows, calibrate=tuple(first.values()))
    assert fit_decision(network, short, [people]).threshold.probe_windows == 2


def test_rows_to_calibrate_on_are_the_development_rows_across_sessions(people, protocol):
    rows = calibration_rows(protocol, [people])
    assert {(row.population, row.kind, row.leaky) for row in rows} == {("development", "cross-session", False)}


def test_a_closed_set_is_calibrated_on_its_calibration_recordings(people):
    closed = make("closed-set", [people])
    (row,) = calibration_rows(closed, [people])
    assert set(row.probe) == set(closed.calibrate)
    assert not set(row.probe) & set(closed.rows[0].probe)


def test_without_rows_the_first_recording_of_each_person_is_compared_with_the_others(people, protocol):
    (row,) = calibration_rows(replace(protocol, rows=()), [people])
    assert len({span.record.split("/")[0] for span in row.enrol}) == len(row.enrol)
    assert set(row.enrol) | set(row.probe) == set(protocol.calibrate)


def test_nobody_to_calibrate_on_is_refused(people, protocol):
    with pytest.raises(UsageError, match="no recordings to calibrate on"):
        calibration_rows(replace(protocol, rows=(), calibrate=()), [people])


def correlated_views(people, protocol, share: float) -> list[View]:
    """Returns a row whose windows of one recording have `share` of their error in common."""
    from ecgkd.evaluation.material import make_pool

    rng = np.random.default_rng(0)
    (row,) = make_pool(calibration_rows(protocol, [people])[:1], [people]).rows
    person = unit(rng.normal(size=(len(row.subjects), 32)))
    sides = []
    for side in (row.enrol, row.probe):
        own = rng.normal(size=(len(side.windows), 32))
        common = rng.normal(size=(len(side.windows.recordings), 32))[side.windows.recording]
        error = np.sqrt(share) * common + np.sqrt(1 - share) * own
        sides.append(unit(person[side.windows.subject] + 0.28 * error))
    usable = [np.ones(len(one), bool) for one in sides]
    return [View(row, sides[0], sides[1], *usable, np.ones(len(sides[1]), np.float32), None)]


def test_rho_rises_with_what_windows_have_in_common(people, protocol):
    from ecgkd.evaluation.calibration import fit_llr
    from ecgkd.evaluation.decision_fit import split

    found = []
    for share in (0.0, 0.9):
        views = correlated_views(people, protocol, share)
        slope, offset = fit_llr(split(views[0].comparisons(6, 1, False)))
        found.append(fit_rho(views, slope, offset, 6, 3, False))
    assert found[0] < 0.3 < 0.6 < found[1]
    assert fit_rho(views, slope, offset, 6, 1, False) == 0.5
    assert shrink(3, 1.0) == pytest.approx(1 / 3)
