"""What a device without Python is and does: its files and tools asked by its shell, read by the same functions."""

import dataclasses
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecgkd_bench import machine
from ecgkd_bench.transport.base import Transport

MARK = "ecgkd-bench: file "
FILES = (
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/cmdline",
    "proc/device-tree/model",
    "etc/os-release",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
    "sys/class/thermal/thermal_zone*/temp",
    "sys/class/thermal/cooling_device*/type",
    "sys/class/thermal/cooling_device*/cur_state",
)
TOOLS = (
    "getprop",
    "dumpsys thermalservice",
    "vcgencmd measure_clock arm",
    "vcgencmd measure_temp",
    "vcgencmd get_throttled",
)
NAMES = "uname -s; uname -r; uname -m"


class RemoteFacts:
    """Asks a device once for everything that `machine` reads."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def describe(self) -> dict[str, Any]:
        """Returns what `machine.describe` says of the device."""
        with TemporaryDirectory() as folder:
            root, tool = Path(folder), self._fetch(Path(folder))
            system, release, processor = (*(tool(NAMES) or "").split("\n"), "", "", "")[:3]
            cores = (root / "proc/cpuinfo").read_text().count("processor\t") if (root / "proc/cpuinfo").exists() else 0
            here = machine.Here(max(1, cores), processor.strip(), "", system.strip(), release.strip())
            return machine.describe(root, lambda *command: tool(" ".join(command)), here)

    def state(self) -> dict[str, Any]:
        """Returns what `machine.state` says of the device, as a dictionary."""
        with TemporaryDirectory() as folder:
            tool = self._fetch(Path(folder))
            return dataclasses.asdict(machine.state(Path(folder), lambda *command: tool(" ".join(command))))

    def _fetch(self, root: Path) -> "_Printed":
        """Copies the files below `root` and returns what the tools printed."""
        script = f"for f in {' '.join(f'/{name}' for name in FILES)}; do "
        script += f"[ -r $f ] && echo '{MARK}'$f && cat $f && echo; done; "
        for command in (*TOOLS, NAMES):
            found = f"command -v {command.split()[0]} >/dev/null 2>&1 && "
            script += f"{found}{{ echo {shlex.quote(MARK + command)}; {command}; echo; }} 2>/dev/null; "
        output = self.transport.run(("sh", "-c", f"{script}true"), "", 60)
        printed: dict[str, str] = {}
        for part in f"\n{output}".split(f"\n{MARK}")[1:]:
            name, _, content = part.partition("\n")
            if name.startswith("/"):
                path = root / name.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
            else:
                printed[name] = content
        return _Printed(printed)


@dataclasses.dataclass(frozen=True)
class _Printed:
    by_command: dict[str, str]

    def __call__(self, command: str) -> str | None:
        return self.by_command.get(command)
