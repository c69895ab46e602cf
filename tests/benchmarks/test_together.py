"""One network of two tasks beside two of one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecgkd_bench import stats, together
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Session

Measured = Callable[[dict[str, float]], Session]
SPEEDS = {
    f"{folder}-net_4s_250hz_{kind}": ms * (3 if kind == "fp32" else 1)
    for folder, ms in (("both", 1.2), ("who", 1.0), ("what", 1.0))
    for kind in ("int8", "fp32")
}
NAMES = ("both-net", "who-net", "what-net")


def test_both_tasks_stand_beside_one_and_beside_the_sum_of_two(measured: Measured) -> None:
    lines = together.table(together.kinds(measured(SPEEDS), *NAMES)).splitlines()
    assert lines[0].startswith("| ms a window | one task |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| fp32", "| int8"]
    assert lines[3].split(" | ")[4].startswith("1.200 (")
    assert lines[3].split(" | ")[5].startswith("0.600 (")


def test_a_ratio_to_a_sum_has_the_interval_of_shared_rounds() -> None:
    noise = [1.0, 1.3, 0.9, 1.1, 1.0, 1.2, 0.8, 1.0]
    one, two = (stats.summarise([factor * value for value in noise], 8) for factor in (1.0, 3.0))
    value, (low, high) = stats.ratio_to_sum(two, (one, one))
    assert (value, low, high) == pytest.approx((1.5, 1.5, 1.5))
    with pytest.raises(ValueError, match="not measured together"):
        stats.ratio_to_sum(two, (one, stats.summarise(noise[:4], 4)))


def test_networks_that_are_not_there_are_named(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = measured(SPEEDS)
    with pytest.raises(MismatchError, match="no network both; it has both-net, who-net, what-net"):
        together.kinds(session, "both", "who-net", "what-net")
    path = tmp_path / "session.json"
    path.write_text(session.to_json())
    assert together.main([str(path), *NAMES]) == 0
    assert "| int8 |" in capsys.readouterr().out
    assert together.main([str(path), "x", "y", "z"]) == MismatchError.exit_code
    assert together.main([str(path)]) == 2
