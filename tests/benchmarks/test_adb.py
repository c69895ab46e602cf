"""adb devices: what `adb devices` lists, and the real adb against a stand-in for its server."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from ecgkd_bench.errors import DeviceError
from ecgkd_bench.transport.adb import Attached, choose, open_adb, parse_devices

needs_adb = pytest.mark.skipif(shutil.which("adb") is None, reason="needs adb; apt install adb")

# The form of `adb devices`: https://developer.android.com/tools/adb#devicestatus
LISTED = """\
* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
emulator-5554\tdevice
0a388e93\tunauthorized
HT7A1\tno permissions (missing udev rules? user is in the plugdev group); see [http://developer.android.com]

"""


class StandInServer:
    """Answers the questions that adb asks its server, in the server's own protocol, from a list of devices.

    Source: AOSP, packages/modules/adb/docs/dev/services.md (host:version, host:devices, host:connect).
    """

    def __init__(self, devices: str, connected: str = "") -> None:
        self.answers = {
            "host:version": "0029",  # 41, so that adb does not replace this server by its own
            "host:devices": devices,
            "host:connect": connected,
        }
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                length = int(client.recv(4, socket.MSG_WAITALL) or b"0", 16)
                asked = client.recv(length, socket.MSG_WAITALL).decode()
                name = ":".join(asked.split(":")[:2])
                if name in self.answers:
                    answer = self.answers[name].encode()
                    client.sendall(b"OKAY%04x" % len(answer) + answer)
                else:
                    client.sendall(b"FAIL0007unknown")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Starts a stand-in adb server that lists these devices, and points adb to it."""
    running: list[StandInServer] = []

    def start(devices: str, connected: str = "") -> None:
        running.append(StandInServer(devices, connected))
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(running[-1].port))

    yield start
    for one in running:
        one.close()


def test_devices_are_listed_without_the_daemons_own_lines() -> None:
    listed = parse_devices(LISTED)
    assert [one.serial for one in listed] == ["emulator-5554", "0a388e93", "HT7A1"]
    assert [one.state.split()[0] for one in listed] == ["device", "unauthorized", "no"]


def test_the_only_device_needs_no_name_and_of_several_the_named_one_is_taken() -> None:
    assert choose([Attached("a", "device")]) == "a"
    assert choose([Attached("a", "device"), Attached("b", "device")], "b") == "b"


@pytest.mark.parametrize(
    ("devices", "serial", "words"),
    [
        ("", "", "adb: no device is attached; plug one in"),
        ("a\tdevice\nb\tdevice\n", "", r"adb: 2 devices are attached \(a, b\); name one, such as adb:a"),
        ("a\tdevice\n", "c", "adb:c: no such device; attached: a"),
        ("a\tunauthorized\n", "", "adb:a does not trust this computer yet; allow it on the device's screen"),
        ("a\toffline\n", "a", "adb:a is offline"),
        ("a\tno permissions (udev)\n", "", "adb:a may not be opened by this user"),
        ("a\tpotato\n", "", "adb:a is in state potato"),
    ],
)
@needs_adb
@pytest.mark.network
def test_a_device_that_cannot_be_used_is_one_clear_line(
    server: Callable[..., None], devices: str, serial: str, words: str
) -> None:
    server(devices)
    with pytest.raises(DeviceError, match=words) as caught:
        open_adb(serial)
    assert caught.value.exit_code == 3


@needs_adb
@pytest.mark.network
def test_a_refused_connection_counts_as_refused_although_adb_exits_with_0(server: Callable[..., None]) -> None:
    server("", "failed to connect to '127.0.0.1:9': Connection refused")
    with pytest.raises(DeviceError, match=r"adb:127\.0\.0\.1:9: failed to connect .* Connection refused"):
        open_adb("127.0.0.1:9")


@needs_adb
@pytest.mark.network
def test_a_server_that_does_not_know_what_is_asked_is_an_error(server: Callable[..., None]) -> None:
    server("a\tdevice\n")
    with pytest.raises(DeviceError, match="adb:a: the connection broke; is it still plugged in"):
        open_adb("a")
