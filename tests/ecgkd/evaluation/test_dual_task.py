import numpy as np
import pytest

from ecgkd.data.prepared import open_set, write_set
from ecgkd.evaluation.activity_baselines import by_heart_rate, heart_rate, label_numbers, majority
from ecgkd.evaluation.bootstrap import draw_people
from ecgkd.evaluation.conditioned import BY_ACTIVITY, NORMALISED, SINGLE, condition
from ecgkd.evaluation.drawn import activity_figures, share_figure
from ecgkd.evaluation.dual_task import (
    Outputs,
    Trial,
    eer_figure,
    figures,
    pool,
    tiles,
    told_activities,
    unseen_tiles,
)
from ecgkd.evaluation.dual_task_table import make_tables, markdown, write_tables
from ecgkd.evaluation.metrics import eer
from ecgkd.evaluation.scores import Comparisons, unit
from ecgkd.protocols.folds import fold_protocols, leaky_protocol
from ecgkd.protocols.protocol import Row
from ecgkd.record import Record
from ecgkd.signal.chain import MODEL_FS

FS = 100
ACTIVITIES = ("rest", "run", "walk")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Ten people, three sessions, three activities, six windows each: noise."""
    rng = np.random.default_rng(0)
    records = []
    for person in range(10):
        for session in (1, 2, 3):
            for activity in ACTIVITIES:
                name = f"p{person}-{session}-{activity}"
                signal = rng.normal(0, 300, (1, 25 * FS)).astype(np.float32)
                records.append(Record(signal, FS, ("I",), name, f"p{person}", session, 0, activity))
    path = tmp_path_factory.mktemp("toy") / "toy.npz"
    write_set(path, records, {"name": "toy"})
    return open_set(path)


@pytest.fixture(scope="module")
def networks(one):
    """What networks say that know people up to noise, more of it in action, and activities three times in four."""
    every = tiles(one)
    rng = np.random.default_rng(1)
    truth = label_numbers(every.activity.tolist(), ACTIVITIES)
    person = unit(rng.normal(size=(10, 16)))[every.windows.subject]
    outputs = []
    for protocol in [*fold_protocols(one), leaky_protocol(one)]:
        noise = np.where(truth == 0, 0.15, 0.3)[:, None] * rng.normal(size=person.shape)
        told = np.where(rng.random(len(truth)) < 0.75, truth, rng.integers(0, 3, len(truth)))
        logits = (4 * np.eye(3)[told]).astype(np.float32)
        outputs.append(Outputs(protocol, unit(person + noise), logits, ACTIVITIES))
    return outputs


def test_tiles_are_the_windows_of_all_recordings(one):
    every = tiles(one)

    assert len(every.windows) == 10 * 9 * 6
    assert every.place(every.windows).tolist() == list(range(len(every.windows)))
    assert every.activity[every.base[1]] == "run"


def test_unseen_tiles_are_those_of_the_people_left_out(one, networks):
    every = tiles(one)

    everybody = np.concatenate([unseen_tiles(output, every, one) for output in networks[:3]])
    assert sorted(everybody.tolist()) == list(range(len(every.windows)))
    assert len(unseen_tiles(networks[3], every, one)) == 10 * 9


def test_people_are_told_better_at_rest_than_across_activities(one, networks):
    found = figures(networks[:3], tiles(one), one)

    assert 0 <= found["eer_rest"].value <= found["eer_across"].value < 0.5
    assert {"rank1", "rank1_3", "eer_run", "eer_walk", "activity_accuracy", "activity_f1"} < set(found)
    assert found["rank1"].value <= found["rank1_3"].value
    for figure in found.values():
        assert figure.measured.low <= figure.value <= figure.measured.high


def test_accuracy_is_what_the_answers_say(one, networks):
    truth, told, person = told_activities(networks[:3], tiles(one), one)

    assert len(truth) == 540
    draws = draw_people(10, 50)
    found = activity_figures(truth, told, person, 3, draws)
    assert found["activity_accuracy"].value == pytest.approx((truth == told).mean())


def test_macro_f1_of_a_hand_worked_case():
    truth, told = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])

    found = activity_figures(truth, told, np.zeros(4, np.int64), 2, np.ones((1, 1)))

    # Precision 1 and recall 2/3 give 0.8; precision 1/2 and recall 1 give 2/3.
    assert found["activity_f1"].value == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["activity_accuracy"].value == 0.75


def test_people_count_alike_whatever_they_bring():
    right, person = np.array([1.0, 1, 1, 0]), np.array([0, 0, 0, 1])

    assert share_figure(right, person, np.ones((1, 2))).value == 0.5
    assert share_figure(right, person, np.array([[2.0, 0.0]])).replicates.tolist() == [1.0]


def trial(scores, fold=0, people=(0, 1)):
    row = Row("toy.s1.rest-rest", "test", "same-day", (), ())
    numbers = np.array(people, np.int64)
    return Trial(row, fold, Comparisons(np.array(scores, np.float32), numbers, numbers), np.zeros((2, 1), np.int64))


def test_comparisons_of_all_folds_stand_in_one_pool():
    pooled = pool([trial([[0.9, 0.1], [0.2, 0.8]]), trial([[0.7, 0.3], [0.6, 0.5]], 1, (2, 3))])

    assert pooled.genuine.tolist() == [True, False, False, True] * 2
    assert pooled.probe.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    # Impostors .1 .2 .3 .6, genuine .9 .8 .7 .5: from 0.6 on, one of four each is mistaken.
    assert eer_figure(pooled, np.ones((2, 4))).value == pytest.approx(0.25)


def test_the_error_of_a_replicate_is_that_of_its_weights():
    rng = np.random.default_rng(0)
    people = np.arange(5)
    comparisons = Comparisons(rng.normal(size=(40, 5)).round(1).astype(np.float32), np.repeat(people, 8), people)
    pooled = pool([Trial(Row("toy", "test", "same-day", (), ()), 0, comparisons, np.zeros((40, 1), np.int64))])
    draws = draw_people(5, 20)

    found = eer_figure(pooled, draws)

    for person, rate in zip(draws.astype(float), found.replicates, strict=True):
        weight = pooled.weight * person[pooled.probe] * np.where(pooled.genuine, 1, person[pooled.template])
        own = pooled.genuine
        assert rate == pytest.approx(eer(pooled.scores[own], pooled.scores[~own], weight[own], weight[~own]))


def test_a_replicate_without_impostors_is_not_a_number():
    figure = eer_figure(pool([trial([[0.9, 0.1], [0.2, 0.8]])]), np.array([[2.0, 0.0]]))

    assert np.isnan(figure.replicates).all()


def test_an_offset_by_activity_is_found_by_both_conditioned_decisions():
    """Scores of the second activity lie higher for all: one threshold fails it, one for each does not."""
    rng = np.random.default_rng(0)
    trials, shown = [], []
    for fold in range(4):
        for activity in (0, 1):
            n, people = 60, np.arange(fold * 5, fold * 5 + 5)
            subject = np.repeat(people, n // 5)
            scores = 0.05 * rng.normal(size=(n, 5)) + 0.3 * (subject[:, None] == people) + 0.4 * activity
            row = Row(f"toy.{activity}", "test", "same-day", (), ())
            comparisons = Comparisons(scores.astype(np.float32), subject, people)
            trials.append(Trial(row, fold, comparisons, np.zeros((n, 1), np.int64)))
            shown.append(np.full(n, activity))

    single, by_activity, normalised = condition(trials, shown, 2, [0] * 4, draw_people(20, 100))

    assert [one.method for one in (single, by_activity, normalised)] == [SINGLE, BY_ACTIVITY, NORMALISED]
    assert single.eer_less.value == single.error_less.value == 0
    assert not single.wins
    for better in (by_activity, normalised):
        assert better.wins
        assert better.eer.value < 0.02 < single.eer.value
        assert better.fmr.value == pytest.approx(0.25, abs=0.07)


def test_the_study_is_written_as_tables(one, networks, tmp_path):
    found = {"fixed weights": networks[:3], "GradNorm": networks[:3], "leaky": networks[3:]}

    document = make_tables(found, one)
    write_tables(document, tmp_path)

    text = (tmp_path / "study.md").read_text()
    assert text == markdown(document)
    assert "leaky" in text
    assert "| GradNorm | fixed weights | EER at rest | +0.0 [+0.0, +0.0] |" in text
    assert {line["network"] for line in document["rows"]} == {"fixed weights", "GradNorm"}
    assert [line["method"] for line in document["conditioned"]["GradNorm"]] == [SINGLE, BY_ACTIVITY, NORMALISED] * 2


def test_the_heart_rate_of_a_regular_beat_is_its_rate():
    x = np.zeros((2, 1000), np.int8)
    x[0, 50::125] = 100  # every half second at 250 Hz
    rates = heart_rate(x)

    assert MODEL_FS == 250
    assert rates[0] == pytest.approx(120, abs=1)
    assert np.isnan(rates[1])


def test_the_heart_rate_alone_tells_what_it_can():
    rng = np.random.default_rng(0)
    rates = np.concatenate([rng.normal(70, 8, 200), rng.normal(130, 10, 100)])
    labels = np.repeat([0, 1], [200, 100])

    told = by_heart_rate(rates, labels, np.array([72.0, 128.0, np.nan]), 2).argmax(1)

    assert told.tolist() == [0, 1, 0]
    assert majority(labels, 3).argmax(1).tolist() == [0, 0, 0]
