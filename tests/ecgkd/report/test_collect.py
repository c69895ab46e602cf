import json
import shutil
from pathlib import Path

import pytest

from ecgkd.errors import DataError, GateError, UsageError
from ecgkd.report.collect import collect, read_history


def test_a_folder_of_the_demo_gives_its_runs_with_the_teacher_first_and_the_distilled_student_last(demo):
    material = collect(demo)
    assert [run.name for run in material.runs] == ["teacher_ci", "student_ci", "thkd_ci"]
    assert material.headline is not None
    assert material.headline.what == "distilled student"
    assert material.absent == ()


def test_a_run_brings_its_teacher_and_the_parts_inside_it(demo):
    run = demo / "runs" / "thkd_ci" / "20260101T000000Z"
    shutil.copytree(demo / "export", run / "artefacts")
    shutil.copy(demo / "bench.json", run / "bench.json")
    material = collect(run)
    assert [one.name for one in material.runs] == ["teacher_ci", "thkd_ci"]
    assert material.export
    assert material.bench


def test_only_the_newest_run_of_a_name_is_shown(demo):
    old = demo / "runs" / "student_ci" / "20260101T000000Z"
    shutil.copytree(old, old.with_name("20260202T000000Z"))
    assert [run.path.name for run in collect(demo).runs if run.name == "student_ci"] == ["20260202T000000Z"]


def test_people_of_every_part_are_counted_where_the_set_is_here(demo):
    counts = collect(demo).counts
    assert counts is not None
    assert counts["parts"]["train"]["people"] > 0


def test_parts_that_are_not_there_are_said_and_no_error(demo, tmp_path):
    run = demo / "runs" / "thkd_ci" / "20260101T000000Z"
    (run / "recipe.toml").write_text((run / "recipe.toml").read_text().replace("people.npz", "gone.npz"))
    shutil.rmtree(demo / "runs" / "teacher_ci")
    material = collect(run)
    assert material.counts is None
    assert material.export == ()
    assert material.bench is None
    assert len(material.absent) == 2


def test_an_unfinished_run_is_left_out_and_said(demo):
    (demo / "runs" / "student_ci" / "20260101T000000Z" / "weights.safetensors").unlink()
    material = collect(demo)
    assert [run.name for run in material.runs] == ["teacher_ci", "thkd_ci"]
    assert "not finished" in material.absent[0]


def test_a_set_that_changed_is_not_counted(demo, people, tmp_path):
    from ecgkd.data.write import write_set

    write_set(tmp_path / "people.npz", list(people.records())[:10], {"name": "people"})
    for recipe in demo.glob("runs/*/*/recipe.toml"):
        recipe.write_text(recipe.read_text().replace(str(people.path), str(tmp_path / "people.npz")))
    material = collect(demo)
    assert material.counts is None
    assert "changed" in material.absent[0]


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("runs/thkd_ci/20260101T000000Z/metrics.json", "{"),
        ("runs/thkd_ci/20260101T000000Z/metrics.json", "{}"),
        ("runs/thkd_ci/20260101T000000Z/history.csv", "epoch,ce\n1,many\n"),
        ("runs/thkd_ci/20260101T000000Z/contract.json", "no"),
        ("export/deit_nano_4s_250hz_int8.onnx.json", "[]"),
        ("bench.json", '{"version": 1, "records": 3}'),
    ],
)
def test_a_broken_part_is_an_error_that_names_it(demo, part, content):
    (demo / part).write_text(content)
    with pytest.raises(DataError, match=Path(part).name.replace(".", r"\.")):
        collect(demo)


def test_a_damaged_artefact_is_refused(demo):
    (demo / "export" / "deit_nano_4s_250hz_int8.onnx").write_bytes(b"changed")
    with pytest.raises(GateError, match="damaged"):
        collect(demo)


def test_a_folder_of_something_else_and_a_named_part_that_is_not_there_are_refused(demo, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="neither a run"):
        collect(tmp_path / "other")
    with pytest.raises(UsageError, match="no such"):
        collect(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no such"):
        collect(demo, bench=tmp_path / "none.json")


def test_an_ablation_is_found_and_not_taken_for_an_unfinished_run(demo):
    folder = demo / "runs" / "thkd_ci-ablation" / "20260101T000000Z"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text("")
    row = {
        "row": "all",
        "seeds": 2,
        "eer": 0.1,
        "low": 0.05,
        "high": 0.2,
        "gain": 0.01,
        "gain_low": 0,
        "gain_high": 0.1,
    }
    (folder / "ablation.json").write_text(json.dumps({"measure": "EER", "interval": "95 %", "rows": [row]}))
    material = collect(demo)
    assert material.ablation is not None
    assert not material.absent


def test_history_keeps_gaps_as_none(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,triplet\n1,\n2,0.5\n")
    assert read_history(tmp_path / "history.csv") == {"epoch": [1.0, 2.0], "triplet": [None, 0.5]}
    assert read_history(tmp_path / "none.csv") == {}
