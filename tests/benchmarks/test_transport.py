"""Answers of devices, complete and not."""

import sys
from pathlib import Path

import pytest

from ecgkd_bench.errors import DeviceError
from ecgkd_bench.transport.base import SENTINEL, ask, read_answer
from ecgkd_bench.transport.local import LocalTransport


def test_the_answer_is_the_line_before_the_sentinel() -> None:
    assert read_answer(f'chatter\n{{"a": 1}}\n{SENTINEL}\n') == {"a": 1}


@pytest.mark.parametrize("output", ["", '{"a": 1}\n', f'{SENTINEL}\n{{"a": 1}}\n', f'{{"a": 1}}\n{SENTINEL} not\n'])
def test_an_answer_without_its_closing_line_is_an_error(output: str) -> None:
    with pytest.raises(DeviceError, match="without its closing line"):
        read_answer(output)


@pytest.mark.parametrize("line", ["{broken", "", "[1]"])
def test_an_answer_that_is_no_json_object_is_an_error(line: str) -> None:
    with pytest.raises(DeviceError):
        read_answer(f"{line}\n{SENTINEL}\n")


def test_a_worker_that_cannot_do_its_job_says_why() -> None:
    job = {"action": "memory", "backend": "onnxruntime", "path": "/nowhere.onnx", "threads": 1}
    with pytest.raises(DeviceError, match=r"nowhere\.onnx: onnxruntime refuses it"):
        ask(LocalTransport(), job, 60)


def test_a_process_that_crashes_is_named_by_its_signal() -> None:
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    with pytest.raises(DeviceError, match="was ended by SIGILL"):
        LocalTransport().run((sys.executable, "-c", crash), "", 60)


def test_a_process_that_fails_is_quoted_with_its_last_line() -> None:
    with pytest.raises(DeviceError, match="exit status 1; last it printed: the reason"):
        LocalTransport().run((sys.executable, "-c", "import sys; sys.exit('first\\nthe reason')"), "", 60)


def test_a_process_that_does_not_end_is_ended() -> None:
    with pytest.raises(DeviceError, match="did not end within 1 s"):
        LocalTransport().run((sys.executable, "-c", "import time; time.sleep(60)"), "", 1)


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="cannot start"):
        LocalTransport().run(("/nowhere/python",), "", 1)


def test_a_file_that_is_not_there_is_not_pushed(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no such file"):
        LocalTransport().push(tmp_path / "none.onnx")
