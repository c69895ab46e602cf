"""What a machine is and what it is doing, read from what Linux, Raspberry Pi OS and Android show.

What a machine does not show stays None, never zero.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecgkd_bench import facts
from ecgkd_bench.result import Clock, State

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "neon", "asimd", "asimddp", "i8mm", "sve")
"""Flags of /proc/cpuinfo that decide how fast int8 is."""
COUNTING = "ecgkd.clock=instructions"
"""On the kernel command line of a machine whose clock advances 1 ns with every instruction."""
ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0b": "Cortex-A76",
    "0xd41": "Cortex-A78",
}
"""By `CPU part`, for implementer 0x41. Source: MIDR_EL1 in the processors' reference manuals."""

Tool = Callable[..., str | None]


def tool(*command: str) -> str | None:
    """Returns what a program of the device printed; None where it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


@dataclass(frozen=True)
class Here:
    """What no file says."""

    cores: int
    machine: str
    libc: str
    system: str
    release: str


def here() -> Here:
    """Returns these facts of this machine."""
    libc = " ".join(platform.libc_ver())
    return Here(os.cpu_count() or 1, platform.machine(), libc, platform.system(), platform.release())


def describe(root: Path = Path("/"), run: Tool = tool, known: Here | None = None) -> dict[str, object]:
    """Returns `soc`, `cores`, `features`, `memory_bytes`, `os`, `abi` and `clock` of a machine, this one by default."""
    known = known or here()
    cpuinfo = _fields(root / "proc/cpuinfo")
    flags = set((cpuinfo.get("flags") or cpuinfo.get("Features") or "").split())
    board = (_text(root / "proc/device-tree/model") or "").strip("\0 ")
    android = facts.properties(run("getprop"))
    phone = " ".join(android[name] for name in ("ro.product.manufacturer", "ro.product.model") if name in android)
    # The board that QEMU's `virt` machine describes; a real one is never called so.
    emulated = board == "linux,dummy-virt" or "1" in (android.get("ro.kernel.qemu"), android.get("ro.boot.qemu"))
    part = ARM_PARTS.get(cpuinfo.get("CPU part", "")) if cpuinfo.get("CPU implementer") == "0x41" else None
    if emulated:
        board = f"QEMU {part or 'ARM'}"
    soc = (
        phone
        or board
        or cpuinfo.get("model name")
        or cpuinfo.get("Hardware")
        or part
        or platform.processor()
        or "unknown"
    )
    memory = _fields(root / "proc/meminfo").get("MemTotal", "").split()
    return {
        "soc": soc.strip("\0 "),
        "cores": known.cores,
        "features": tuple(name for name in FEATURES if name in flags),
        "memory_bytes": int(memory[0]) * 1024 if memory else None,
        "os": _system(root, android, known),
        "abi": f"{known.machine} {known.libc}".strip(),
        "clock": _clock(root, emulated),
    }


def state(root: Path = Path("/"), run: Tool = tool) -> State:
    """Returns governor, frequency (MHz), the hottest zone's temperature (°C) and what holds it back, now."""
    frequency = facts.clock_pi(run("vcgencmd", "measure_clock", "arm"))
    if frequency is None:
        frequency = number(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e-3)
    if frequency is None:
        shown = _fields(root / "proc/cpuinfo").get("cpu MHz")
        frequency = float(shown) if shown else None
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))
    temperatures = [value for value in (number(zone, 1e-3) for zone in zones) if value is not None]
    shown_by_pi = facts.temperature_pi(run("vcgencmd", "measure_temp"))
    temperatures += [shown_by_pi] if shown_by_pi is not None else []
    thermal = run("dumpsys", "thermalservice")
    temperatures += facts.thermal_zones(thermal).values()
    held_back = facts.throttled_pi(run("vcgencmd", "get_throttled"))
    status = facts.thermal_status(thermal)
    if held_back is None and status is not None:
        held_back = () if status == "none" else (f"thermal status {status}",)
    if held_back is None:
        held_back = _cooling(root)
    return State(
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        frequency_mhz=frequency,
        temperature_c=max(temperatures, default=None),
        held_back=held_back,
    )


def peak_rss(root: Path = Path("/")) -> int | None:
    """Returns this process's peak resident memory in bytes.

    Not getrusage: its figure starts from the memory of the process that called exec.
    """
    peak = _fields(root / "proc/self/status").get("VmHWM", "").split()
    return int(peak[0]) * 1024 if peak else None


def cores_allowed() -> list[int] | None:
    """Returns the numbers of the cores that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _cooling(root: Path) -> tuple[str, ...] | None:
    """Returns `frequency capped` where the kernel's thermal governor lowers a processor's clock now.

    Source: Linux, Documentation/driver-api/thermal/sysfs-api.rst (cooling_device: type, cur_state).
    """
    states = []
    for device in (root / "sys/class/thermal").glob("cooling_device*"):
        kind = _text(device / "type") or ""
        if "cpufreq" in kind or kind == "Processor":
            states.append(number(device / "cur_state", 1))
    shown = [state for state in states if state is not None]
    return None if not shown else ("frequency capped",) * any(shown)


def _clock(root: Path, emulated: bool) -> Clock:
    """Returns what this machine's clock counts; the emulator's kernel command line says where it is instructions."""
    if COUNTING in (_text(root / "proc/cmdline") or "").split():
        return Clock.INSTRUCTIONS
    return Clock.EMULATED if emulated else Clock.WALL


def _system(root: Path, android: dict[str, str], known: Here) -> str:
    release = _fields(root / "etc/os-release", "=").get("PRETTY_NAME", "").strip('"')
    if "ro.build.version.release" in android:
        release = f"Android {android['ro.build.version.release']}"
    return f"{release or known.system}, {known.system} {known.release}"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def number(path: Path, scale: float) -> float | None:
    """Returns the number that the file holds times `scale`; None where there is no file or no number in it."""
    text = _text(path)
    try:
        return float(text) * scale if text else None
    except ValueError:
        return None


def _fields(path: Path, separator: str = ":") -> dict[str, str]:
    """Returns the first value of every `name: value` line."""
    fields: dict[str, str] = {}
    for line in (_text(path) or "").splitlines():
        name, found, value = line.partition(separator)
        if found:
            fields.setdefault(name.strip(), value.strip())
    return fields
