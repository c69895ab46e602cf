"""What --device may name, and sessions that are played again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ecgkd_bench import summary
from ecgkd_bench.devices import Address, Reach, open_device, parse
from ecgkd_bench.errors import DeviceError, MismatchError, RecordError
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Clock, Session
from ecgkd_bench.runner import measure
from ecgkd_bench.transport.recording import RecordingTransport, ReplayTransport

RECORDED = Path(__file__).parent / "recorded" / "emulated-arm64.json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local", Address("local")),
        ("ssh:pi@watch", Address("ssh", "pi@watch")),
        ("ssh:pi@watch:2222", Address("ssh", "pi@watch", 2222)),
        ("ssh:alias", Address("ssh", "alias")),
        ("adb", Address("adb")),
        ("adb:127.0.0.1:5560", Address("adb", "127.0.0.1:5560")),
        ("qemu:aarch64", Address("qemu", "cortex-a53")),
        ("qemu:aarch64:cortex-a76", Address("qemu", "cortex-a76")),
    ],
)
def test_a_device_is_named_as_documented(text: str, expected: Address) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "ssh", "ssh:", "ssh:-oProxyCommand=x", "ssh:pi@watch:port", "adb:", "qemu:vax", "qemu:aarch64:"]
)
def test_any_other_name_is_refused_with_the_known_forms(text: str) -> None:
    with pytest.raises(MismatchError, match="no such kind of device; expected one of local, ssh:user@host"):
        parse(text)


def test_a_recorded_session_gives_the_same_record_again(fake: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    (tmp_path / "a.onnx").write_bytes(b"a")
    subjects = [Subject("a", tmp_path / "a.onnx")]
    recording = RecordingTransport(fake({"a.onnx": 2.0}), path)  # type: ignore[arg-type]
    first = measure(subjects, recording, Plan(rounds=10))
    recording.close()
    again = measure(subjects, ReplayTransport(path), Plan(rounds=10))
    assert replace(again, created="") == replace(first, created="")


def test_a_session_asked_something_else_says_what_was_recorded(fake: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    recording = RecordingTransport(fake({"a.onnx": 2.0}), path)  # type: ignore[arg-type]
    recording.push(tmp_path / "a.onnx")
    recording.close()
    with pytest.raises(MismatchError, match=r"recorded push a\.onnx; now asked push b\.onnx"):
        ReplayTransport(path).push(tmp_path / "b.onnx")


def test_an_error_is_recorded_and_raised_again(tmp_path: Path) -> None:
    from ecgkd_bench.transport.local import LocalTransport

    recording = RecordingTransport(LocalTransport(), tmp_path / "session.json")
    with pytest.raises(DeviceError, match="no such file"):
        recording.push(tmp_path / "none.onnx")
    recording.close()
    with pytest.raises(DeviceError, match="no such file"):
        ReplayTransport(tmp_path / "session.json").push(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99}'])
def test_a_file_that_is_no_recorded_session_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(RecordError, match="not a recorded session"):
        ReplayTransport(tmp_path / "x.json")


def test_the_session_with_the_emulated_machine_replays_without_it(tmp_path: Path) -> None:
    subjects = []
    for name in ("small", "large"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
        subjects.append(Subject(name, tmp_path / f"{name}.onnx"))
    with open_device("ssh:root@127.0.0.1", Reach(replay=RECORDED)) as transport:
        session: Session = measure(subjects, transport, Plan(rounds=4, block_ms=1))
    for record in session.records:
        assert record.clock is Clock.EMULATED
        assert record.device.soc == "QEMU Cortex-A53"
        assert record.device.features == ("asimd",)
        assert record.memory.model_bytes
        assert record.threads.effective == 1
    assert "Emulated: ms per window" in summary.table(session)
