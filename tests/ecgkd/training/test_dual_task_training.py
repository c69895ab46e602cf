"""Both tasks of a DT4ECG through the training loop, on a handful of synthetic people with activities."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgkd.config import Recipe, load_recipe
from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.errors import UsageError
from ecgkd.protocols.folds import fold_protocols
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.embed import activity_logits, embed_windows
from ecgkd.training.fit import load_run, train
from ecgkd.training.run_directory import read_info
from ecgkd.training.setup import set_up
from ecgkd.training.step import ask_teachers
from ecgkd.training.study import LEAKY, references, study, study_rows

QUICK = (
    "optim.people=3",
    "optim.windows=3",
    "optim.epochs=1",
    "optim.threads=1",
    "optim.precision=32-true",
    "loss.triplet_from=0",
    "loss.balance_from=0",
    "data.max_visits=3",
)


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> PreparedSet:
    config = SynthConfig(
        people=6, sessions=2, records_per_session=1, seconds=12, activities=("rest", "walking", "jogging")
    )
    path = tmp_path_factory.mktemp("active") / "active.npz"
    write_set(path, synthesise(config), synthetic_info(config))
    return open_set(path)


@pytest.fixture(scope="module")
def protocol(one) -> Protocol:
    """A fold, with its unseen people as development people, so that there is something to validate on."""
    fold = fold_protocols(one, 2)[0]
    rows = tuple(replace(row, population="development") for row in fold.rows if row.population == "test")
    return replace(fold, kind="cross-activity", rows=rows)


def quick(*more: str) -> Recipe:
    return load_recipe("dt4ecg_cpu", (*QUICK, *more))


@pytest.fixture(scope="module")
def dual(one, protocol, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dual")
    train(quick("optim.epochs=2"), protocol, [one], folder)
    return folder


def history(folder) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_both_tasks_are_trained_and_their_balance_is_in_the_history(dual):
    last = history(dual)[-1]

    for name in ("ce", "activity", "accuracy_activity", "activity_accuracy", "eer.mean"):
        assert np.isfinite(float(last[name])), name
    assert float(last["balance.identity"]) + float(last["balance.activity"]) == pytest.approx(2, abs=1e-4)
    assert float(last["norm.identity"]) > 0
    assert float(last["norm.activity"]) > 0


def test_a_run_knows_its_activities_and_tells_them(dual):
    model, info = load_run(dual)

    assert info.activities == ("jogging", "rest", "walking")
    assert info.metrics["activities"] == list(info.activities)
    windows = np.zeros((3, 1000), np.int8)
    assert activity_logits(model, windows).shape == (3, 3)
    assert embed_windows(model, windows).shape == (3, 192)


def test_a_stopped_training_of_both_tasks_goes_on_to_the_same_weights(one, protocol, dual, tmp_path):
    def stop(done: int, total: int, what: str) -> None:
        if what == "epoch 2 of 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(quick("optim.epochs=2"), protocol, [one], tmp_path, progress=stop)
    train(quick("optim.epochs=2"), protocol, [one], tmp_path)

    assert read_info(tmp_path).contract.weights_sha256 == read_info(dual).contract.weights_sha256


@pytest.mark.parametrize("balance", ["uncertainty", "pcgrad", "fixed"])
def test_every_balance_trains(one, protocol, tmp_path, balance):
    metrics = train(quick(f"loss.balance={balance}"), protocol, [one], tmp_path)

    assert metrics["finished"]
    assert float(history(tmp_path)[-1]["balance.identity"]) > 0


def test_activity_alone_keeps_the_epoch_that_mistakes_least(one, protocol, tmp_path):
    recipe = quick("loss.ce=0", "loss.triplet=0", "loss.balance=fixed", "optim.epochs=2")

    metrics = train(recipe, protocol, [one], tmp_path)

    accuracies = [float(entry["activity_accuracy"]) for entry in history(tmp_path)]
    assert metrics["development_activity_accuracy"] == pytest.approx(max(accuracies), abs=1e-5)
    assert "balance.identity" not in history(tmp_path)[-1]


def test_a_student_learns_both_tasks_from_a_teacher_of_both(one, protocol, dual, tmp_path):
    recipe = quick("loss.embedding=1", "loss.activity_kd=1")

    metrics = train(recipe, protocol, [one], tmp_path, teacher=dual)

    assert metrics["distilled"]
    assert {"embedding", "activity_kd"} <= set(history(tmp_path)[-1])


def test_a_student_learns_identity_from_one_teacher_and_activity_from_another(one, protocol, dual, teacher, tmp_path):
    recipe = quick("loss.ce=0", "loss.triplet=0", "loss.embedding=1", "loss.activity_kd=1")

    metrics = train(recipe, protocol, [one], tmp_path, teacher=teacher, activity_teacher=dual)

    assert (metrics["teacher"], metrics["activity_teacher"]) == (str(teacher), str(dual))
    assert {"embedding", "activity", "activity_kd"} <= set(history(tmp_path)[-1])
    assert read_info(tmp_path).activities == read_info(dual).activities


def test_what_is_learned_of_activity_is_the_second_teachers(one, protocol, dual, teacher):
    recipe = quick("loss.ce=0", "loss.triplet=0", "loss.embedding=1", "loss.activity_kd=1", "optim.precision=32-true")
    training = set_up(recipe, protocol, [one], teacher, dual)
    x = next(training.loader.epoch(0))[0].x

    answer = ask_teachers(training, x)

    first, second = load_run(teacher)[0], load_run(dual)[0]
    torch.testing.assert_close(answer.embedding, first(x).embedding)
    torch.testing.assert_close(answer.activity, second(x).activity)


def test_a_teacher_of_activities_needs_a_lesson_and_activities(one, protocol, dual, teacher, tmp_path):
    with pytest.raises(UsageError, match=r"give loss\.activity_kd a weight"):
        train(quick("loss.embedding=1"), protocol, [one], tmp_path, teacher=dual, activity_teacher=dual)
    with pytest.raises(UsageError, match=r"knows the activities \(none\)"):
        train(quick("loss.activity_kd=1"), protocol, [one], tmp_path, activity_teacher=teacher)
    with pytest.raises(UsageError, match="name a teacher with --teacher RUN"):
        train(quick("loss.embedding=1", "loss.activity_kd=1"), protocol, [one], tmp_path, activity_teacher=dual)


def test_a_stopped_training_with_two_teachers_goes_on_only_with_both(one, protocol, dual, teacher, tmp_path):
    recipe = quick("loss.embedding=1", "loss.activity_kd=1", "optim.epochs=2")

    def stop(done: int, total: int, what: str) -> None:
        if what == "epoch 2 of 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, protocol, [one], tmp_path, teacher=teacher, activity_teacher=dual, progress=stop)
    with pytest.raises(UsageError, match="made with another teacher"):
        train(recipe, protocol, [one], tmp_path, teacher=dual)
    assert train(recipe, protocol, [one], tmp_path, teacher=teacher, activity_teacher=dual)["finished"]


def test_a_teacher_of_other_activities_is_refused(one, protocol, teacher, tmp_path):
    with pytest.raises(UsageError, match=r"knows the activities \(none\)"):
        train(quick("loss.activity_kd=1"), protocol, [one], tmp_path, teacher=teacher)


def test_one_activity_is_no_task(people, tmp_path):
    with pytest.raises(UsageError, match="two activities or more; found rest"):
        train(quick(), people.protocol, people.sets, tmp_path)


def test_another_network_has_no_head_for_activities(one, protocol, tmp_path):
    with pytest.raises(UsageError, match="no activity head"):
        train(quick("model.preset=deit_nano"), protocol, [one], tmp_path)


def test_a_head_on_a_frozen_network_leaves_its_embeddings_alone(one, protocol, dual, tmp_path):
    windows = np.random.default_rng(0).integers(-100, 100, (4, 1000)).astype(np.int8)
    alone = ("loss.ce=0", "loss.triplet=0", "loss.balance=fixed")
    recipe = quick(*alone, "model.frozen=true", f"model.start={dual}")

    train(recipe, protocol, [one], tmp_path)

    before, after = load_run(dual)[0], load_run(tmp_path)[0]
    np.testing.assert_array_equal(embed_windows(before, windows), embed_windows(after, windows))
    assert not np.allclose(activity_logits(before, windows), activity_logits(after, windows))


def test_a_training_begins_with_the_weights_of_another_run(one, protocol, dual, tmp_path):
    recipe = quick(f"model.start={dual}", "optim.lr=1e-12", "optim.epochs=1")

    train(recipe, protocol, [one], tmp_path)

    before, after = (load_run(folder)[0].shared.weight for folder in (dual, tmp_path))
    np.testing.assert_allclose(before.detach(), after.detach(), atol=1e-6)


def test_beginnings_that_cannot_be_are_refused(one, protocol, teacher, tmp_path):
    with pytest.raises(UsageError, match="is a run of resnet34_quarter, not of dt4ecg"):
        train(quick(f"model.start={teacher}"), protocol, [one], tmp_path)
    with pytest.raises(UsageError, match=r"name it with model\.start"):
        quick("model.frozen=true")
    with pytest.raises(UsageError, match="leaves only the activity head"):
        quick("model.frozen=true", "model.start=x")


def test_the_rows_of_the_study_differ_by_what_they_say():
    rows = study_rows(load_recipe("dt4ecg_cpu"), with_teacher=True)

    assert [str(plan.recipe.loss.balance) for plan in rows.values()] == [
        *("fixed", "fixed", "fixed", *5 * ["gradnorm"], "uncertainty", "pcgrad")
    ]
    assert rows["identity only"].recipe.loss.activity == 0
    assert not rows["activity only"].recipe.loss.identifies
    assert rows["GradNorm, no attention"].recipe.model.preset == "dt4ecg_plain"
    assert {name: plan.taught for name, plan in rows.items() if plan.taught} == {
        "GradNorm, distilled": "the teacher given",
        "GradNorm, distilled from wide": "GradNorm, wide",
    }
    assert rows["GradNorm, wide"].recipe.model.preset == "dt4ecg_wide"
    assert rows["GradNorm, distilled from wide"].recipe.loss.activity_kd == 1
    assert rows["GradNorm, distilled"].recipe.loss.embedding == 2
    assert "GradNorm, distilled" not in study_rows(load_recipe("dt4ecg_cpu"), with_teacher=False)


def test_a_recipe_of_one_task_or_of_another_network_is_no_study():
    with pytest.raises(UsageError, match="needs both tasks"):
        study_rows(load_recipe("student_ci"), False)
    with pytest.raises(UsageError, match=r"the study is of dt4ecg"):
        study_rows(quick("model.preset=dt4ecg_wide"), False)


def test_a_study_keeps_what_is_finished_and_refuses_unknown_rows(one, tmp_path):
    rows = ("fixed weights", LEAKY)
    found = study(quick(), one, tmp_path, n_folds=2, rows=rows)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/outputs.npz")}

    again = study(quick(), one, tmp_path, n_folds=2, rows=rows)

    assert {name: len(outputs) for name, outputs in again.items()} == {"fixed weights": 2, "leaky": 1}
    assert len(kept) == 3
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    np.testing.assert_allclose(found["leaky"][0].logits, again["leaky"][0].logits)
    with pytest.raises(UsageError, match="no row 'attention'"):
        study(quick(), one, tmp_path, rows=("attention",))

    beside = references(found["fixed weights"], one, {})
    assert set(beside) == {"correlation of mean beats", "majority class", "heart rate alone"}
    assert beside["heart rate alone"][0].logits.shape == found["leaky"][0].logits.shape


def test_the_command_line_plans_a_study(one, tmp_path, capsys):
    import typer

    from ecgkd.cli import train as verb

    app = typer.Typer(pretty_exceptions_enable=False)
    verb.register(app)
    given = ["train", "dt4ecg_cpu", "--study", "--data", str(one.path), "--out", str(tmp_path), "--json"]

    app([*given, "--folds", "2", "--dry-run"], standalone_mode=False)
    plan = json.loads(capsys.readouterr().out)

    assert plan["trainings"] == 9 * 2 + 1
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="of one set with activities"):
        app([*given, "--data", str(one.path)], standalone_mode=False)
    with pytest.raises(UsageError, match="--teacher belongs to a study"):
        app(["train", "dt4ecg_cpu", "--teacher", "x"], standalone_mode=False)
