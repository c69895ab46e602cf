"""The benchmark record in JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgkd_bench.errors import RecordError
from ecgkd_bench.result import Session

Measured = Callable[[dict[str, float]], Session]


def test_a_record_holds_what_the_schema_names(measured: Measured) -> None:
    document = json.loads(measured({"a": 1.0}).to_json())
    record = document["records"][0]
    assert document["version"] == 1
    assert set(record) == {
        *("model", "device", "clock", "backend", "threads", "warm_up", "latency"),
        *("load_seconds", "memory", "operators", "streaming", "energy", "evidence", "outputs"),
    }
    assert record["clock"] == "wall"
    assert {"unit", "raw", "count", "mean", "p50", "p90", "p95", "p99", "stdev", "ci95"} <= set(record["latency"])
    assert {"file_bytes", "peak_rss_bytes", "arena_bytes"} <= set(record["memory"])
    assert {"soc", "os", "abi", "before", "after", "reached"} <= set(record["device"])
    assert set(record["threads"]) == {"requested", "effective", "cores_allowed", "cores_requested", "cores"}
    assert document["reference"]["model"]["name"] == "reference"


def test_a_session_comes_back_from_json_unchanged(measured: Measured, tmp_path: Path) -> None:
    session = measured({"a": 1.0, "b": 2.0})
    path = tmp_path / "s.json"
    path.write_text(session.to_json())
    assert Session.load(path) == session


def test_what_a_device_does_not_show_stays_absent_and_not_zero(measured: Measured) -> None:
    record = json.loads(measured({"a": 1.0}).to_json())["records"][0]
    assert record["device"]["before"]["temperature_c"] is None
    assert record["device"]["memory_bytes"] is None
    assert record["memory"]["arena_bytes"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "broken JSON"),
        ("[]", "version None"),
        ('{"version": 2}', "version 2; this ecgkd reads version 1"),
        ('{"version": 1, "created": "now"}', "broken benchmark record"),
        ('{"version": 1, "created": 5, "records": [], "ratios": []}', "5 where str was expected"),
    ],
)
def test_a_file_that_is_no_record_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=message) as caught:
        Session.load(path)
    assert "\n" not in str(caught.value)


def test_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot read"):
        Session.load(tmp_path / "none.json")
