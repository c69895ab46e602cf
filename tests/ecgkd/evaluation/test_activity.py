"""What networks tell of activities, on people who train nothing."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from ecgkd.data.prepared import open_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.data.write import write_set
from ecgkd.errors import UsageError
from ecgkd.evaluation.activity import HEART_RATE, MAJORITY, calibrated, confusion
from ecgkd.evaluation.evaluate import baselines, evaluate
from ecgkd.evaluation.labelled import labelled, people_of
from ecgkd.evaluation.plots import all_plots
from ecgkd.evaluation.table import as_markdown, as_text
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.split import make
from ecgkd.protocols.trials import network_windows, span_windows

ACTIVITIES = ("jogging", "rest", "walking")


def protocol_of(movers) -> Protocol:
    """Returns a protocol whose rows enrol at rest, one activity a row; and one of locked people who show them all."""
    found = make("cross-activity", [movers], include_locked=True)
    locked = [row for row in found.rows if row.population == "locked"]
    probe = tuple(sorted({span for row in locked for span in row.probe}))
    return replace(found, rows=(replace(locked[0], name=MIXED, probe=probe), *found.rows))


MIXED = "movers.rest-all"


@pytest.fixture(scope="module")
def movers(tmp_path_factory):
    """Synthetic people who rest, walk and run in each of two sessions."""
    config = SynthConfig(people=40, sessions=2, records_per_session=1, activities=ACTIVITIES, seconds=13)
    path = tmp_path_factory.mktemp("movers") / "movers.npz"
    write_set(path, synthesise(config), synthetic_info(config))
    return open_set(path)


@pytest.fixture(scope="module")
def moving(movers) -> Protocol:
    return protocol_of(movers)


@pytest.fixture(scope="module")
def tell(movers):
    """A network that knows what every window shows, three times in four, and is too sure of it."""
    spans = protocol_of(movers).spans()
    windows = span_windows(sorted(set(spans)), [movers])
    truth = labelled(windows, [movers], ACTIVITIES).truth
    rng = np.random.default_rng(0)
    told = np.where(rng.random(len(truth)) < 0.7, truth, rng.integers(0, 3, len(truth)))
    known = {w.tobytes(): t for w, t in zip(network_windows(windows, [movers]), told, strict=True)}
    return lambda asked: 9 * np.eye(3, dtype=np.float32)[[known[window.tobytes()] for window in asked]]


@pytest.fixture(scope="module")
def evaluation(movers, moving, tell, candidate):
    one = candidate()
    knows = replace(telling(one, tell), name="knows")
    guesses = replace(knows, name="guesses", tell=lambda asked: np.tile([0.1, 0.2, 0.0], (len(asked), 1)))
    return evaluate([knows, guesses, one, *baselines(moving, [movers])], moving, [movers], replicates=200)


def telling(one, tell):
    """Returns a candidate that also tells activities."""
    return replace(one, tell=tell, contract=replace(one.contract, activities=ACTIVITIES))


def told(evaluation, model: str, population: str = "locked"):
    return next(one for one in evaluation.activity if (one.model, one.population) == (model, population))


def test_every_open_population_is_asked_and_baselines_stand_beside(evaluation):
    assert {(one.model, one.population) for one in evaluation.activity} == {
        (model, population)
        for model in ("knows", "guesses", MAJORITY, HEART_RATE)
        for population in ("development", "locked")
    }
    assert [one.baseline for one in evaluation.activity[:4]] == [False, False, True, True]


def test_accuracy_recall_and_confusion_agree(evaluation):
    one = told(evaluation, "knows")
    assert 0.7 < one.accuracy.value < 0.9
    assert one.accuracy.low < one.accuracy.value < one.accuracy.high
    assert [figure.value for figure in one.recall] == pytest.approx([one.confusion[i][i] for i in range(3)])
    assert np.sum(one.confusion, axis=1) == pytest.approx([1, 1, 1])
    assert sum(one.windows) == one.n_windows
    assert not one.below_baseline


def test_who_always_says_the_same_is_right_for_one_activity(evaluation):
    one = told(evaluation, "guesses")
    assert [figure.value for figure in one.recall] == [0, 1, 0]
    assert one.accuracy.value == pytest.approx(told(evaluation, MAJORITY).accuracy.value, abs=0.02)
    assert one.below_baseline  # the heart rate tells more
    assert told(evaluation, HEART_RATE).accuracy.value > 0.4


def test_differences_are_paired_and_signed(evaluation):
    found = {(d.model, d.other): d.accuracy for d in evaluation.activity_differences if d.population == "locked"}
    assert set(found) == {("knows", HEART_RATE), ("guesses", HEART_RATE), ("guesses", "knows")}
    value = told(evaluation, "guesses").accuracy.value - told(evaluation, "knows").accuracy.value
    assert found["guesses", "knows"].value == pytest.approx(value)
    assert found["guesses", "knows"].high < 0


def test_the_temperature_comes_from_development_people_and_says_where_it_is_no_evidence(evaluation):
    here, locked = (told(evaluation, "knows", one).calibration for one in ("development", "locked"))
    assert (here.fitted_here, locked.fitted_here) == (True, False)
    assert "people" in locked.fitted_on
    assert here.temperature == locked.temperature > 2  # it was too sure
    assert locked.ece < 0.1
    assert told(evaluation, MAJORITY).calibration is None


def test_identity_is_told_by_what_the_probe_shows(evaluation):
    outcome = next(one for one in evaluation.outcomes if one.row == MIXED)
    assert [part.activity for part in outcome.by_activity] == ["jogging", "walking"]
    assert all(0 <= part.eer.value <= 1 and part.n_people > 4 for part in outcome.by_activity)
    assert all(one.by_activity == () for one in evaluation.outcomes if one.row != MIXED)


def test_tables_plots_and_json_hold_it(evaluation):
    text, markdown = as_text(evaluation), as_markdown(evaluation)
    assert "recall jogging %" in text
    assert f"| {HEART_RATE} |" in markdown
    assert "accuracy of knows less that of heart rate, points: +" in markdown
    assert "by what the probe shows, %: jogging " in text
    document = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert document["activity"][0]["confusion"][0][0] > 0.5
    assert next(one for one in document["outcomes"] if one["row"] == MIXED)["by_activity"][0]["activity"] == "jogging"
    names = {name for name in all_plots(replace(evaluation, outcomes=())) if name.startswith("activity.")}
    assert names == {
        f"activity.{one}.{what}.svg"
        for one in ("locked.0", "development.1")
        for what in ("reliability", "confusion.0", "confusion.1")
    }


def test_nobody_who_trains_is_asked(movers, moving):
    trained = frozenset(people_of(moving.train, [movers]))
    every = span_windows(sorted(set(moving.spans())), [movers])
    asked = labelled(every, [movers], ACTIVITIES, trained)
    assert trained
    assert not trained & set(asked.people)
    assert len(asked) < len(labelled(every, [movers], ACTIVITIES))


def test_labels_that_a_network_does_not_know_are_left_out(movers, moving):
    every = span_windows(moving.train, [movers])
    asked = labelled(every, [movers], ("walking", "rest"))
    assert set(asked.truth.tolist()) == {0, 1}
    assert len(asked) == 2 * len(every) / 3


def test_without_baselines_and_labelled_people_to_fit_on_probabilities_stay_as_they_are(
    movers, moving, tell, candidate
):
    one = telling(candidate(), tell)
    bare = replace(moving, calibrate=(), validate=())
    found = evaluate([one], bare, [movers], rows=[MIXED], replicates=100)
    (only,) = found.activity
    assert (only.calibration.temperature, only.calibration.fitted_on) == (1.0, "")
    assert only.calibration.ece > 0.1
    assert not found.activity_differences
    assert "fitted on nobody" in as_text(found)


def test_people_who_all_do_the_same_say_nothing_about_activities(people, protocol, candidate):
    one = candidate()
    one = replace(
        one, tell=lambda asked: np.zeros((len(asked), 3)), contract=replace(one.contract, activities=ACTIVITIES)
    )
    found = evaluate([one], protocol, [people], rows=["people.s1-s2"], replicates=100)
    assert found.activity == ()
    assert found.outcomes[0].by_activity == ()


def test_a_network_that_tells_something_else_than_it_names_is_refused(movers, moving, candidate):
    one = candidate()
    one = replace(
        one, tell=lambda asked: np.zeros((len(asked), 2)), contract=replace(one.contract, activities=ACTIVITIES)
    )
    with pytest.raises(UsageError, match=r"tells \(2,\) finite figures a window, but names 3 activities"):
        evaluate([one], moving, [movers], rows=[MIXED], replicates=100)


def test_confusion_of_a_hand_worked_case():
    truth, answer, person = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    assert confusion(truth, answer, person, 3) == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]


def test_probabilities_that_are_right_as_often_as_they_say_are_calibrated():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 3))
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=p) for p in probability])
    good = calibrated(logits, truth, None, "", frozenset(), ())
    sure = calibrated(3 * logits, truth, None, "", frozenset(), ())
    assert good.ece < 0.03 < 0.1 < sure.ece
    assert good.nll < sure.nll
    assert calibrated(3 * logits, truth, 3.0, "", frozenset(), ()).ece == pytest.approx(good.ece)


@pytest.mark.slow
def test_the_command_line_evaluates_a_run_that_tells_activities(movers, moving, tmp_path, monkeypatch, capsys):
    from ecgkd.cli import main
    from ecgkd.cli.load import LoadedModel

    monkeypatch.chdir(tmp_path)
    assert "tell" in LoadedModel.__dataclass_fields__
    moving.save("p.json")
    recipe = ["train", "dt4ecg_ci", "--data", str(movers.path), "--protocol", "p.json", "--set", "optim.epochs=1"]
    for arguments in (recipe, ["evaluate", "RUN", "--data", str(movers.path), "--protocol", "p.json", "--json"]):
        given = [str(next((tmp_path / "runs").glob("*/2*"))) if one == "RUN" else one for one in arguments]
        if arguments[0] == "evaluate":
            given += ["--rows", MIXED, "--bootstrap", "100", "--out", "found"]
        monkeypatch.setattr(sys, "argv", ["ecgkd", *given])
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        assert not exit_.value.code, err
    document = json.loads(out)
    assert [one["baseline"] for one in document["activity"]] == [False, True, True]
    assert (tmp_path / "found" / "plots" / "activity.locked.0.confusion.0.svg").is_file()
