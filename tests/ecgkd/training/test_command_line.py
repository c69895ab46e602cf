import json
from dataclasses import replace

import pytest
import typer

from ecgkd.errors import LeakageError, UsageError

from .conftest import SMALL


@pytest.fixture
def ecgkd():
    """Runs words as `ecgkd` would, and returns nothing: results are on stdout."""
    from ecgkd.cli import train

    app = typer.Typer(pretty_exceptions_enable=False)
    train.register(app)
    return lambda *words: app([str(word) for word in words], standalone_mode=False)


def settings(*more: str) -> list[str]:
    return [word for text in (*SMALL, "optim.epochs=1", *more) for word in ("--set", text)]


def test_train_and_distill_print_their_runs(ecgkd, people, tmp_path, capsys):
    given = ("--data", people.set_path, "--protocol", people.protocol_path, "--out", tmp_path, "--json")

    ecgkd("train", "teacher_ci", *given, *settings())
    teacher = json.loads(capsys.readouterr().out)
    ecgkd("distill", "thkd_ci", "--teacher", teacher["run"], *given, *settings())
    student = json.loads(capsys.readouterr().out)

    assert teacher["role"] == "teacher"
    assert student["distilled"]
    assert student["notice"].startswith("synthetic")
    assert student["run"].startswith(str(tmp_path / "thkd_ci"))


def test_a_dry_run_writes_nothing(ecgkd, people, tmp_path, capsys):
    out = tmp_path / "runs"

    ecgkd("train", "teacher_ci", "--data", people.set_path, "--protocol", people.protocol_path, "--out", out,
          "--dry-run", "--json", *settings())  # fmt: skip

    assert json.loads(capsys.readouterr().out)["people"] == 13
    assert not out.exists()


def test_a_recipe_without_data_says_how_to_get_there(ecgkd, tmp_path):
    with pytest.raises(UsageError, match=r"--data SET --protocol P\.json"):
        ecgkd("train", "teacher_ci", "--out", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_protocol_of_another_data_set_is_refused_before_anything_is_written(ecgkd, people, tmp_path):
    other = replace(people.protocol, sets={"people": "0" * 64})
    other.save(tmp_path / "other.json")

    with pytest.raises(UsageError, match="its content is not what protocol"):
        ecgkd("train", "teacher_ci", "--data", people.set_path, "--protocol", tmp_path / "other.json",
              "--out", tmp_path / "runs")  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_a_leaking_protocol_is_refused(ecgkd, people, tmp_path):
    leaking = replace(people.protocol, train=(*people.protocol.train, people.protocol.rows[0].probe[0]))
    leaking.save(tmp_path / "leaking.json")

    with pytest.raises(LeakageError):
        ecgkd("train", "teacher_ci", "--data", people.set_path, "--protocol", tmp_path / "leaking.json")


def test_each_verb_points_to_the_other_for_the_other_kind_of_recipe(ecgkd, tmp_path):
    with pytest.raises(UsageError, match="ecgkd distill thkd_ci --teacher RUN"):
        ecgkd("train", "thkd_ci")
    with pytest.raises(UsageError, match="ecgkd train student_ci"):
        ecgkd("distill", "student_ci", "--teacher", tmp_path)


def test_a_run_that_was_stopped_goes_on_with_resume(ecgkd, people, tmp_path, capsys):
    from ecgkd.config import load_recipe
    from ecgkd.training.fit import train

    places = (f"data.sets=['{people.set_path}']", f"data.protocol='{people.protocol_path}'")
    recipe = load_recipe("student_ci", (*SMALL, *places))

    def stop(done: int, total: int, what: str) -> None:
        if what == "epoch 2 of 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, people.protocol, people.sets, tmp_path, progress=stop)

    ecgkd("train", "student_ci", "--resume", tmp_path, "--json")

    assert json.loads(capsys.readouterr().out)["epochs"] == 2
    with pytest.raises(UsageError, match="that run is finished"):
        ecgkd("train", "student_ci", "--resume", tmp_path)
    with pytest.raises(UsageError, match="a run of the recipe student_ci, not of teacher_ci"):
        ecgkd("train", "teacher_ci", "--resume", tmp_path)
    with pytest.raises(UsageError, match="leave out --data"):
        ecgkd("train", "student_ci", "--resume", tmp_path, "--set", "optim.epochs=9")
