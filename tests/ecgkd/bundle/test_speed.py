"""Times of an export's files, in turns; no test looks at a time."""

from pathlib import Path

from ecgkd.bundle.speed import times


def test_every_file_that_runs_here_is_timed_some_hundred_times(exported: Path) -> None:
    files = {path.name: path for path in sorted(exported.iterdir())}
    found = times(files)
    assert set(found) == {name for name in files if name.endswith((".onnx", ".ort"))}
    assert all(one["runs"] >= 20 and one["p50"] > 0 for one in found.values())
