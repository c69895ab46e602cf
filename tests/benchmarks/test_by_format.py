"""Networks side by side."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecgkd_bench import by_format
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Session

Measured = Callable[[dict[str, float]], Session]
SPEEDS = {"small_4s_250hz_fp32": 3.0, "small_4s_250hz_int8": 1.5, "large_4s_250hz_int8": 6.0}


def test_one_row_a_network_and_ratios_to_one_kind(measured: Measured) -> None:
    lines = by_format.table(measured(SPEEDS), "int8").splitlines()
    assert lines[0].endswith("(ratio to int8) | fp32 | int8 | fastest |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| small", "| large"]
    assert "(2.00)" in lines[2]
    assert lines[2].endswith("| int8 |")
    assert lines[3].startswith("| large |  | 6.")


def test_a_session_without_the_kind_to_compare_with_is_refused(measured: Measured, tmp_path: Path) -> None:
    session = measured(SPEEDS)
    with pytest.raises(MismatchError, match=r"no record of int8\.tflite"):
        by_format.table(session)
    path = tmp_path / "session.json"
    path.write_text(session.to_json())
    assert by_format.main([str(path)]) == MismatchError.exit_code
    assert by_format.main([]) == 2
