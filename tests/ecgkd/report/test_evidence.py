import json
from dataclasses import replace

import pytest

from ecgkd.errors import DataError, UsageError
from ecgkd.report.collect import collect
from ecgkd.report.evidence import evidence_section
from ecgkd.report.page import Bars, Figure, Fold, Section, Table, Text
from ecgkd.report.results import load_results
from ecgkd.report.sections import make_page
from ecgkd.report.shown import Shown, shown
from ecgkd.report.verification import calibration_section


@pytest.fixture
def found(evaluated) -> Shown:
    one = shown(collect(evaluated))
    assert one is not None
    return one


def kind(section: Section, wanted: type) -> list:
    """Returns the blocks of one kind."""
    return [block for block in section.blocks if isinstance(block, wanted)]


def test_results_come_back_as_they_were_written(evaluated):
    path = evaluated / "evaluation" / "results.json"
    assert json.loads(json.dumps(load_results(path).to_dict())) == json.loads(path.read_text())


def test_another_version_and_broken_results_are_refused_by_name(evaluated):
    path = evaluated / "evaluation" / "results.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(UsageError, match="version 99"):
        load_results(path)
    for broken in ("[]", "{}", json.dumps({**document, "outcomes": [{}]}), json.dumps({"version": 1})):
        path.write_text(broken)
        with pytest.raises(DataError, match=r"results\.json"):
            load_results(path)
    path.unlink()
    with pytest.raises(DataError, match="no such evaluation result"):
        collect(evaluated)


def test_unseen_people_come_first_and_runs_are_called_by_their_recipe(found):
    assert found.rows == ("people.s1-s2", "people.day")
    assert [one.model for one in found.outcomes("people.s1-s2")] == ["thkd_ci", "LDA", "correlation"]
    assert found.headline == "thkd_ci"
    assert found.known["thkd_ci"] == "distilled student"


def test_every_bar_has_its_interval_and_what_loses_to_a_baseline_is_marked(found):
    bars = {bar.name: bar for bar in kind(evidence_section(found), Bars)[0].bars}
    assert bars["thkd_ci"].more == "5.0\u00a0to\u00a020.0"
    assert "below baseline" in bars["thkd_ci"].detail
    assert bars["thkd_ci"].tone == "bad"
    assert "below baseline" not in bars["correlation"].detail


def test_tar_that_may_not_be_claimed_has_no_column_but_a_reason(found):
    section = evidence_section(found)
    assert kind(section, Table)[0].header == ("model", "EER", "TAR at FMR 1\u00a0%", "rank-1")
    assert any(text.words == "TAR at FMR 0.1\u00a0% not claimed: 10 pairs." for text in kind(section, Text))


def test_every_cell_of_every_row_can_be_opened(found):
    folds = kind(evidence_section(found), Fold)
    assert len(folds) == 2
    assert all(len(fold.blocks[0].rows) == 9 for fold in folds)


def test_a_difference_whose_interval_excludes_zero_is_coloured(found):
    table = next(t for t in kind(evidence_section(found), Table) if "difference in EER" in t.header)
    assert [(row[0].detail, row[1].value, row[1].tone) for row in table.rows] == [
        ("less LDA", "+5.0\u00a0points", "bad")
    ]


def test_the_best_row_is_drawn_in_full_disturbances_included(found):
    figures = kind(evidence_section(found), Figure)
    assert len(figures) == 6
    assert "noise em (a record)" in figures[-1].caption


def test_a_look_at_locked_people_is_counted(found):
    seen = replace(
        found.results, models=tuple(replace(one, look=2 * (not one.baseline)) for one in found.results.models)
    )
    words = kind(evidence_section(replace(found, results=seen)), Text)[-1].words
    assert "the locked people have now scored 2\u00a0networks; here: 2." in words


def test_thresholds_say_where_they_were_fitted(found):
    section = calibration_section(found)
    assert section is not None
    table = kind(section, Table)[0]
    assert table.rows[0][0].detail == "distilled student, fitted here"
    assert table.rows[0][3].value == "0.300"
    assert any("3 of 5\u00a0people are never rejected" in text.words for text in kind(section, Text))


def test_the_error_stands_first_among_the_headline_figures(evaluated):
    tile = make_page(collect(evaluated)).summary[0]
    assert (tile.value, tile.what) == ("10.0\u00a0%", "EER, people.s1-s2")
    assert tile.detail == "5.0\u00a0to\u00a020.0, 5\u00a0people; below baseline"
