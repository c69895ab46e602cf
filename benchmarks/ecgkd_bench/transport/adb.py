"""Android devices, and anything else that runs adbd, through the real `adb`."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ecgkd_bench.errors import BenchError, DeviceError, TransferError
from ecgkd_bench.transport.remote import RemoteTransport

STATES = {
    "unauthorized": "does not trust this computer yet; allow it on the device's screen",
    "offline": "is offline; plug it in again, or `adb reconnect`",
    "no permissions": "may not be opened by this user; see the udev rules of Android's documentation",
    "recovery": "is in recovery mode; start its system",
    "bootloader": "is in its bootloader; start its system",
    "sideload": "is in sideload mode; start its system",
}


@dataclass(frozen=True)
class Attached:
    """A line of `adb devices`."""

    serial: str
    state: str


class AdbLink:
    """One attached device."""

    folders: tuple[str, ...] = ("/data/local/tmp", "/tmp")

    def __init__(self, serial: str = "") -> None:
        if shutil.which("adb") is None:
            raise DeviceError("adb is missing; apt install adb")
        self._connected = bool(serial) and ":" in serial and not any(one.serial == serial for one in attached())
        if self._connected:
            # Exit status 0 also where it is refused: only the words count.
            said = _adb("connect", serial)
            if "connected to" not in said:
                raise DeviceError(f"adb:{serial}: {said.strip() or 'adb does not reach it'}")
        try:
            self.serial = choose(attached(), serial)
        except BaseException:
            self.close_serial(serial)
            raise
        self.reached = f"adb:{self.serial}"

    def shell(self, command: str) -> list[str]:
        return ["adb", "-s", self.serial, "shell", command]

    def sending(self, path: Path, remote: str) -> tuple[list[str], Path | None]:
        return ["adb", "-s", self.serial, "push", str(path), remote], None

    def fetching(self, remote: str, path: Path) -> tuple[list[str], Path | None]:
        return ["adb", "-s", self.serial, "pull", remote, str(path)], None

    def explain(self, printed: str) -> BenchError:
        if "No space left" in printed:
            return TransferError(f"{self.reached}: no space left in its temporary folder; free some and try again")
        lines = [line.strip() for line in printed.splitlines() if line.strip()]
        said = f"; adb printed: {lines[-1][:200]}" if lines else ""
        return DeviceError(f"{self.reached}: the connection broke; is it still plugged in?{said}")

    def close(self) -> None:
        self.close_serial(self.serial)

    def close_serial(self, serial: str) -> None:
        """Disconnects what this link had connected itself."""
        if self._connected:
            _adb("disconnect", serial)


def open_adb(serial: str = "") -> RemoteTransport:
    """Returns the device `serial`, or the only one attached. Raises: DeviceError with what is wrong."""
    return RemoteTransport(AdbLink(serial))


def attached() -> list[Attached]:
    """Returns what the adb server knows of. Raises: DeviceError where it does not answer."""
    return parse_devices(_adb("devices"))


def parse_devices(text: str) -> list[Attached]:
    """Returns the devices of `adb devices`; the daemon's own lines and the heading are left out."""
    rows = [line.split("\t", 1) for line in text.splitlines() if "\t" in line and not line.startswith("*")]
    return [Attached(serial.strip(), state.strip()) for serial, state in rows]


def choose(devices: list[Attached], serial: str = "") -> str:
    """Returns the serial to talk to. Raises: DeviceError where there is none, several, or it is not ready."""
    if not devices:
        raise DeviceError("adb: no device is attached; plug one in and allow USB debugging on it")
    if not serial and len(devices) > 1:
        names = ", ".join(one.serial for one in devices)
        raise DeviceError(
            f"adb: {len(devices)} devices are attached ({names}); name one, such as adb:{devices[0].serial}"
        )
    found = [one for one in devices if one.serial == serial] if serial else devices
    if not found:
        names = ", ".join(one.serial for one in devices)
        raise DeviceError(f"adb:{serial}: no such device; attached: {names}")
    one = found[0]
    if one.state != "device":
        known = [meaning for state, meaning in STATES.items() if one.state.startswith(state)]
        raise DeviceError(f"adb:{one.serial} {known[0] if known else f'is in state {one.state}'}")
    return one.serial


def _adb(*arguments: str) -> str:
    try:
        done = subprocess.run(["adb", *arguments], capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired as error:
        raise DeviceError("adb does not answer; try `adb kill-server`") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise DeviceError(f"adb {arguments[0]} failed: {lines[-1][:200] if lines else 'it said nothing'}")
    return done.stdout
