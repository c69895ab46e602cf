"""Records as Markdown, JSON and plots."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ecgkd_bench import report
from ecgkd_bench.result import Clock, Evidence, Session

Measured = Callable[[dict[str, float]], Session]


def _with_errors(session: Session, errors: dict[str, float]) -> Session:
    records = (
        replace(one, evidence=Evidence(errors[one.model.name], 35, "p" * 64)) if one.model.name in errors else one
        for one in session.records
    )
    return replace(session, records=tuple(records))


def test_the_front_holds_what_nothing_beats_in_both(measured: Measured) -> None:
    session = _with_errors(
        measured({"slow": 4.0, "fast": 1.0, "beaten": 3.0, "middle": 2.0, "unknown": 0.1}),
        {"slow": 0.01, "fast": 0.05, "beaten": 0.03, "middle": 0.02},
    )
    (group,) = report.grouped([session])
    assert [one.model.name for one in report.front(group)] == ["fast", "middle", "slow"]
    text = report.markdown([session])
    assert "| **middle** | 2.04 | 2.00 | yes |" in text
    assert "| beaten | 3.06 | 3.00 |  |" in text
    assert "unknown" not in text.split("Accuracy for latency")[1]


def test_errors_of_different_protocols_do_not_stand_beside_each_other(measured: Measured) -> None:
    session = _with_errors(measured({"a": 1.0, "b": 2.0}), {"a": 0.1, "b": 0.05})
    record = session.records[1]
    assert record.evidence is not None
    other = replace(record, evidence=replace(record.evidence, protocol_sha256="q" * 64))
    session = replace(session, records=(session.records[0], other))
    assert len(report.grouped([session])) == 2
    assert "Accuracy for latency" not in report.markdown([session])


def test_every_model_stands_with_its_ratio_to_the_reference(measured: Measured) -> None:
    text = report.markdown([measured({"a": 3.0})])
    assert text.startswith("**Cortex-A72, 4 cores")
    assert "| a | onnxruntime CPUExecutionProvider | 1 | 3.06 |" in text
    assert "| 3.000 |" in text
    assert "| *reference* |" in text


def test_figures_of_an_emulator_are_called_so(measured: Measured) -> None:
    session = measured({"a": 1.0})
    emulated = tuple(replace(record, clock=Clock.EMULATED) for record in session.records)
    assert "Emulated: ms per window" in report.markdown([replace(session, records=emulated)])


def test_the_document_leaves_raw_values_out_and_marks_the_front(measured: Measured) -> None:
    session = _with_errors(measured({"a": 1.0, "b": 2.0}), {"a": 0.1, "b": 0.2})
    rows = report.document([session])["rows"]
    assert [(row["model"], row["on_front"]) for row in rows] == [("a", True), ("b", False)]
    assert "raw" not in str(rows)


def test_a_folder_holds_the_page_and_its_plots(measured: Measured, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "page").mkdir()
    report.write([_with_errors(measured({"a": 1.0, "b": 2.0}), {"a": 0.1, "b": 0.05})], tmp_path / "page")
    assert {path.name for path in (tmp_path / "page").iterdir()} == {"report.md", "latency.svg", "front-1.svg"}
    assert "![front-1](front-1.svg)" in (tmp_path / "page" / "report.md").read_text()
