"""What a machine is and what it is doing, read from the files that Linux shows; absent stays None, never zero."""

import os
import platform
from pathlib import Path

from ecgkd_bench.result import State

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "neon", "asimd", "asimddp", "i8mm", "sve")
"""Flags of /proc/cpuinfo that decide how fast int8 is."""


def describe(root: Path = Path("/")) -> dict[str, object]:
    """Returns `soc`, `cores`, `features`, `memory_bytes`, `os` and `abi` of this machine."""
    cpuinfo = _fields(root / "proc/cpuinfo")
    flags = set((cpuinfo.get("flags") or cpuinfo.get("Features") or "").split())
    board = _text(root / "proc/device-tree/model")
    soc = board or cpuinfo.get("model name") or cpuinfo.get("Hardware") or platform.processor() or "unknown"
    memory = _fields(root / "proc/meminfo").get("MemTotal", "").split()
    return {
        "soc": soc.strip("\0 "),
        "cores": os.cpu_count() or 1,
        "features": tuple(name for name in FEATURES if name in flags),
        "memory_bytes": int(memory[0]) * 1024 if memory else None,
        "os": _system(root),
        "abi": f"{platform.machine()} {' '.join(platform.libc_ver())}".strip(),
    }


def state(root: Path = Path("/")) -> State:
    """Returns governor, frequency (MHz) and the hottest zone's temperature (°C), now."""
    frequency = _number(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1e-3)
    if frequency is None:
        shown = _fields(root / "proc/cpuinfo").get("cpu MHz")
        frequency = float(shown) if shown else None
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))
    temperatures = [value for value in (_number(zone, 1e-3) for zone in zones) if value is not None]
    return State(
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        frequency_mhz=frequency,
        temperature_c=max(temperatures, default=None),
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


def _system(root: Path) -> str:
    release = _fields(root / "etc/os-release", "=").get("PRETTY_NAME", "").strip('"')
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
