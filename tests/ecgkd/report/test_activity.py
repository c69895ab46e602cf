"""What a page says of activities."""

import json
from dataclasses import replace

import pytest

from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.results import ActivityCalibration, ActivityDifference, ByActivity, Told
from ecgkd.report.activity import activity_section, activity_tile
from ecgkd.report.collect import collect
from ecgkd.report.page import Bars, Figure, Table, render
from ecgkd.report.results import load_results
from ecgkd.report.sections import make_page
from ecgkd.report.shipped import gate_lines
from ecgkd.report.shown import shown

ACTIVITIES = ("rest", "run")


def _told(model: str, baseline: bool, accuracy: float) -> Told:
    figure = Measured(accuracy, accuracy - 0.1, accuracy + 0.1)
    believed = ActivityCalibration(0.05, 0.7, 0.3, 1.5, "9 calibration people", False, [(0.6, 0.5, 45), (0.9, 0.8, 45)])
    return Told(
        model=model,
        baseline=baseline,
        population="locked",
        evidence="test: unseen people",
        activities=ACTIVITIES,
        n_people=12,
        n_windows=90,
        windows=(50, 40),
        accuracy=figure,
        macro_f1=figure,
        recall=(figure, None),
        confusion=[[accuracy, 1 - accuracy], [0.25, 0.75]],
        calibration=None if baseline else believed,
    )


@pytest.fixture
def moved(evaluated):
    """A folder whose evaluation also tells activities."""
    path = evaluated / "evaluation" / "results.json"
    found = load_results(path)
    model = next(one.model for one in found.outcomes if not one.baseline)
    parts = tuple(ByActivity(name, Measured(rate, 0.01, 0.4), 12, 30) for name, rate in (("rest", 0.1), ("run", 0.3)))
    found = replace(
        found,
        outcomes=tuple(replace(one, by_activity=parts) for one in found.outcomes),
        activity=(_told(model, False, 0.8), _told("heart rate", True, 0.5)),
        activity_differences=(ActivityDifference("locked", model, "heart rate", Measured(0.3, 0.1, 0.5)),),
    )
    path.write_text(json.dumps(found.to_dict()))
    return evaluated


def test_activities_come_back_as_they_were_written(moved):
    path = moved / "evaluation" / "results.json"
    assert json.loads(json.dumps(load_results(path).to_dict())) == json.loads(path.read_text())


def test_results_of_before_there_were_activities_are_read(evaluated):
    path = evaluated / "evaluation" / "results.json"
    document = json.loads(path.read_text())
    for key in ("activity", "activity_differences"):
        del document[key]
    for outcome in document["outcomes"]:
        del outcome["by_activity"]
    path.write_text(json.dumps(document))
    assert load_results(path).activity == ()
    assert activity_section(shown(collect(evaluated))) is None


def test_the_section_holds_bars_tables_and_drawings(moved):
    found = shown(collect(moved))
    section = activity_section(found)
    (bars,) = [block for block in section.blocks if isinstance(block, Bars)]
    assert [(bar.name, bar.tone) for bar in bars.bars] == [("thkd_ci", "good"), ("heart rate", "plain")]
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert tables[0].header == ("model", "macro-F1", "rest found", "run found")
    assert tables[1].rows[0][1].value == "+30.0\u00a0points"
    assert "fitted on 9 calibration people" in tables[2].rows[0][0].detail
    assert tables[3].header == ("model", "rest", "run")
    drawn = [block.caption for block in section.blocks if isinstance(block, Figure)]
    assert "told as" in drawn[0]
    assert "confident" in drawn[1]


def test_the_page_says_how_often_the_activity_is_right(moved):
    material = collect(moved)
    tile = activity_tile(shown(material))
    assert (tile.value, tile.what) == ("80.0\u00a0%", "activity told right")
    text = render(make_page(material))
    assert 'href="#activity"' in text
    assert "What they are doing" in text


def test_the_gates_of_the_activity_stand_with_their_bounds():
    parity = {"result": "passed", "agreement": 0.99, "agreement_floor": 0.85, "cosine_mean": 0.9998,
              "cosine_mean_floor": 0.98}  # fmt: skip
    lines = dict(gate_lines(parity))
    assert (lines["windows told alike"].value, lines["windows told alike"].detail) == (
        "99.0\u00a0%",
        "at least 85\u00a0%",
    )
    assert "worst cosine" not in lines
    found = {"people": 12, "windows": 90, "activity_accuracy": 0.63, "activity_accuracy_float": 0.64}
    gate = {"result": "passed", **found, "delta_activity": -0.01, "delta_activity_ci95": [-0.02, 0.01]}
    lines = dict(gate_lines({**gate, "changed_answers": 0.015}))
    assert lines["change of accuracy, 12\u00a0people, 90\u00a0windows"].value == "\u22121.00\u00a0points"
    assert lines["answers that change"].value == "1.50\u00a0%"
    assert gate_lines({**gate, "delta_activity_ci95": None, "changed_answers": 0.0})
