"""Boards that count instructions of the C engine: what is asked of them, without QEMU."""

from pathlib import Path

import pytest

from ecgkd_bench import counted
from ecgkd_bench.devices import Address, Reach, open_device, parse
from ecgkd_bench.errors import DeviceError, MismatchError
from ecgkd_bench.plan import Subject

TABLE = "ecgkd_conv1d_s8\t500\t3\necgkd_matmul_s8\t2000\t8\n"


def test_instructions_are_listed_by_function_most_first() -> None:
    assert list(counted.parse(TABLE).items()) == [("ecgkd_matmul_s8", 2000), ("ecgkd_conv1d_s8", 500)]


@pytest.mark.parametrize("table", ["", "make: nothing to be done\n", TABLE + "segmentation fault\n"])
def test_a_table_that_is_none_is_one_clear_line(table: str) -> None:
    with pytest.raises(DeviceError, match="QEMU's plugin counted nothing"):
        counted.parse(table)


def test_boards_are_devices_by_name() -> None:
    assert parse("qemu:mps2-an386") == Address("counted", "mps2-an386")
    assert parse("qemu:armhf") == Address("counted", "armhf")
    with pytest.raises(MismatchError, match="runs generated networks"), open_device("qemu:armhf", Reach()):
        pass


def test_a_board_takes_no_other_models(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"runs the C engine alone; give it \.c files, not a\.onnx"):
        counted.measure([Subject("a", tmp_path / "a.onnx")], "mps2-an386")


def test_missing_tools_are_named_with_their_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DeviceError, match=r"qemu:mps3-an547 needs qemu-system-arm, arm-none-eabi-gcc, .*; make arm-tools"
    ):
        counted.measure([Subject("a", tmp_path / "a.c")], "mps3-an547")


def test_the_arena_is_read_from_the_generated_header() -> None:
    assert counted.arena_of("#define TINY_ARENA_SIZE 41184\n") == 41184
    assert counted.arena_of("nothing\n") is None
