"""What a machine is and what it is doing, read from what Linux, Raspberry Pi OS and Android show.

What a machine does not show stays None, never zero.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
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


def describe(root: Path = Path("/"), run: Tool = tool) -> dict[str, object]:
    """Returns `soc`, `cores`, `features`, `memory_bytes`, `os`, `abi` and `clock` of this machine."""
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
        "cores": os.cpu_count() or 1,
        "features": tuple(name for name in FEATURES if name in flags),
        "memory_bytes": int(memory[0]) * 1024 if memory else None,
        "os": _system(root, android),
        "abi": f"{platform.machine()} {' '.join(platform.libc_ver())}".strip(),
        "clock": _clock(root, emulated),
    }


def state(root: Path = Path("/"), run: Tool = tool) -> State:
    """Returns governor, frequency (MHz), the hottest zone's temperature (°C) and what holds it back, now."""
    frequency = facts.clock_pi(run("vcgencmd", "measure_clock", "arm"))
    if frequency is None:
        frequency = _number(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e-3)
    if frequency is None:
        shown = _fields(root / "proc/cpuinfo").get("cpu MHz")
        frequency = float(shown) if shown else None
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))
    temperatures = [value for value in (_number(zone, 1e-3) for zone in zones) if value is not None]
    shown_by_pi = facts.temperature_pi(run("vcgencmd", "measure_temp"))
    temperatures += [shown_by_pi] if shown_by_pi is not None else []
    thermal = run("dumpsys", "thermalservice")
    temperatures += facts.thermal_zones(thermal).values()
    held_back = facts.throttled_pi(run("vcgencmd", "get_throttled"))
    status = facts.thermal_status(thermal)
    if held_back is None and status is not None:
        held_back = () if status == "none" else (f"thermal status {status}",)
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


def cores_allowed() -> int | None:
    """Returns how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _clock(root: Path, emulated: bool) -> Clock:
    """Returns what this machine's clock counts; the emulator's kernel command line says where it is instructions."""
    if COUNTING in (_text(root / "proc/cmdline") or "").split():
        return Clock.INSTRUCTIONS
    return Clock.EMULATED if emulated else Clock.WALL


def _system(root: Path, android: dict[str, str]) -> str:
    release = _fields(root / "etc/os-release", "=").get("PRETTY_NAME", "").strip('"')
    if "ro.build.version.release" in android:
        release = f"Android {android['ro.build.version.release']}"
    return f"{release or platform.system()}, {platform.system()} {platform.release()}"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def _number(path: Path, scale: float) -> float | None:
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
