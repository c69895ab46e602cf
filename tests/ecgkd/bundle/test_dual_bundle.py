"""A bundle whose network tells activities: golden scores and activities, here and by the program for devices."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgkd.bundle import golden
from ecgkd.bundle.archive import read_archive, write_archive
from ecgkd.bundle.device_test import compare, device_tests
from ecgkd.bundle.manifest import manifest_of
from ecgkd.bundle.selftest import open_bundle, verify_bundle
from ecgkd.errors import GateError
from tests.ecgkd.bundle.test_device_test import bench, needs_gcc
from tests.ecgkd.bundle.tiny_bundle import NAME, tiny_bundle, tiny_members

ACTIVITIES = ("rest", "walk", "run")
LOGITS, GOLDEN = f"golden/{NAME}.c.activity.f32", "golden/golden.json"
pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)


def _changed(path: Path, change: dict[str, bytes]) -> Path:
    return tiny_bundle(path, change, ACTIVITIES)


def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tiny_members(ACTIVITIES)[GOLDEN])
    return found


def test_the_golden_windows_hold_scores_and_what_they_tell(tmp_path: Path) -> None:
    members = tiny_members(ACTIVITIES)
    recordings, kept = golden.read_golden(members)
    found = kept[f"{NAME}.c"]
    assert found.logits is not None
    assert found.logits.shape == (len(found.inputs), len(ACTIVITIES))
    assert set(found.told) == set(golden.ROLES)
    assert {one["name"] for one in found.told.values()} <= set(ACTIVITIES)
    assert {name: members[name] for name in golden.golden_members(recordings, kept)} == golden.golden_members(
        recordings, kept
    )
    rows = verify_bundle(tiny_bundle(tmp_path / "x.zip", activities=ACTIVITIES))["self_test"]
    assert [row["told"] for row in rows] == [found.told]


def test_the_manifest_names_the_activities(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path / "x.zip", activities=ACTIVITIES)
    assert open_bundle(path).manifest["activities"] == list(ACTIVITIES)
    members = read_archive(path)
    members["manifest.json"] = manifest_of(members, {"model": "tiny", "activities": ["sleep", *ACTIVITIES[1:]]})
    write_archive(path, members)
    with pytest.raises(GateError, match="its activities are not those that the networks tell"):
        open_bundle(path)


def test_other_golden_scores_are_refused(tmp_path: Path) -> None:
    logits = np.frombuffer(tiny_members(ACTIVITIES)[LOGITS], "<f4").copy()
    logits[4] += 0.01
    with pytest.raises(GateError, match=r"a score of an activity is 0\.01 off the kept one; allowed 0"):
        verify_bundle(_changed(tmp_path / "x.zip", {LOGITS: logits.tobytes()}))
    logits[4] = np.inf
    with pytest.raises(GateError, match="no finite number"):
        verify_bundle(_changed(tmp_path / "y.zip", {LOGITS: logits.tobytes()}))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "another"}, "the owner is told as"),
        ({"log_odds": 99.5}, "kept is .* \\(log-odds 99.5000"),
        ({"windows": 1}, "1 windows\\)"),
        ({"windows": "many"}, "golden recordings are broken"),
        (None, "golden recordings are broken"),
    ],
)
def test_another_golden_activity_is_refused(tmp_path: Path, changed: dict[str, Any] | None, words: str) -> None:
    document = _document()
    told = document["told"][f"{NAME}.c"]
    told["owner"] = changed and {**told["owner"], **changed}
    with pytest.raises(GateError, match=words):
        verify_bundle(_changed(tmp_path / "x.zip", {GOLDEN: json.dumps(document).encode()}))


def test_golden_results_without_activities_of_a_network_that_tells_them_are_refused(tmp_path: Path) -> None:
    document = {key: value for key, value in _document().items() if key not in ("activity", "told")}
    path = _changed(tmp_path / "x.zip", {GOLDEN: json.dumps(document).encode()})
    with pytest.raises(GateError, match="one tells activities, the other none"):
        verify_bundle(path)
    with pytest.raises(GateError, match="golden activity of the enrol is missing"):
        device_tests(open_bundle(path))


@needs_gcc
def test_the_program_for_devices_tells_the_same_activities(tmp_path: Path) -> None:
    result = bench("--selftest", tiny_bundle(tmp_path / "x.zip", activities=ACTIVITIES))
    assert result.exit_code == 0, result.exception
    lines = [line for line in result.stdout.splitlines() if "activity" in line]
    assert len(lines) == 3
    assert all(line.endswith(": passed") for line in lines)
    assert "log-odds" in lines[0]


@needs_gcc
def test_a_program_that_tells_another_activity_is_found(tmp_path: Path) -> None:
    place = "firmware/enrol/activity.c"
    source = tiny_members(ACTIVITIES)[place]
    tampered = source.replace(b"sum[k] > sum[best]", b"sum[k] < sum[best]")
    assert tampered != source
    result = bench("--selftest", _changed(tmp_path / "x.zip", {place: tampered}))
    assert isinstance(result.exception, GateError)
    assert str(result.exception).count(" there") == 3
    assert "activity" in str(result.exception)


def test_lines_without_an_activity_are_found(tmp_path: Path) -> None:
    (test,) = device_tests(open_bundle(tiny_bundle(tmp_path / "x.zip", activities=ACTIVITIES)))
    index, windows, margin = test.expected[0].told
    told = {
        row["check"]: row["result"] for row in compare(test, ["e 0 8 7 1 1 1", f"a {index} {windows} {margin + 1}"])
    }
    first = next(check for check in told if "enrol: activity" in check)
    assert told[first] == f"activity {ACTIVITIES[index]} by {windows} windows, log-odds {margin + 1} in Q16 there"
    assert [result for check, result in told.items() if "owner: activity" in check] == ["no activity there"]
