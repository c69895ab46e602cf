"""What a network costs on an emulated target: instructions by function, memory, sizes. Used by tests and by budgets.py.

Counts come from QEMU's plugin `firmware_stubs/ports/count` and are the same every time, to the instruction.
"""

import json
import math
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware_stubs"
BUILD = ROOT / "build" / "firmware"
NETWORKS = BUILD / "networks"
CORTEX_M = ("m4", "m7", "m33", "m55")
LINUX = ("aarch64", "aarch64-dotprod", "armhf")
TARGETS = (*CORTEX_M, *LINUX)
_TOOLS = {
    **dict.fromkeys(CORTEX_M, ("arm-none-eabi-gcc", "qemu-system-arm")),
    **dict.fromkeys(("aarch64", "aarch64-dotprod"), ("aarch64-linux-gnu-gcc", "qemu-aarch64")),
    "armhf": ("arm-linux-gnueabihf-gcc", "qemu-arm"),
    "host": ("gcc",),
    "clang": ("clang",),
}
_PRODUCT = {
    "conv1d": ("outputs", "depth", "out_steps"),
    "depthwise_conv1d": ("outputs", "depth", "out_steps"),
    "fully_connected": ("outputs", "depth", "rows"),
    "matmul": ("batch", "rows", "inner", "columns"),
}


@dataclass(frozen=True)
class Cost:
    """Of one window of one network on one target."""

    functions: Mapping[str, int]
    """Instructions by function, the most expensive first."""

    @property
    def instructions(self) -> int:
        """All of them, what the C library's memcpy and memset take included."""
        return sum(self.functions.values())


def missing(target: str) -> list[str]:
    """Returns the programs that this target needs and this machine has not."""
    return [tool for tool in _TOOLS[target] if shutil.which(tool) is None]


def compiler(target: str) -> str:
    """Returns the compiler's own name and version, which every count depends on."""
    done = subprocess.run([_TOOLS[target][0], "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def make(*arguments: str) -> str:
    """Returns what `make -C firmware_stubs …` printed. Raises: AssertionError with all of its output where it fails."""
    command = ["make", "-s", "--no-print-directory", "-C", str(FIRMWARE), f"BUILD={BUILD}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def cost(network: Path, target: str) -> Cost:
    """Returns what the first golden window of a folder with one generated network costs."""
    lines = make("count", f"TARGET={target}", f"NETWORK={network}").splitlines()
    functions = {name: int(count) for name, count, _ in (line.split("\t") for line in lines)}
    return Cost(functions)


def by_kernel(network: Path, target: str) -> dict[str, int]:
    """Returns the instructions of each kernel with all that it calls, for one window."""
    printed = make("count", f"TARGET={target}", f"NETWORK={network}", "COUNT_OPTIONS=under=forward")
    lines = (line.split("\t") for line in printed.splitlines())
    return {name.removeprefix("ecgkd_").removesuffix("_s8"): int(count) for name, count, _ in lines}


def macs_by_kernel(network: Path) -> dict[str, int]:
    """Returns the multiply-accumulates of each kernel that has any, read from the generated structs."""
    text = next(network.glob("*.c")).read_text()
    found: dict[str, int] = {}
    for kernel, body in re.findall(r"static const ecgkd_(\w+)_t op\d+ = \{(.*?)^\};", text, re.DOTALL | re.MULTILINE):
        fields = {key: int(value) for key, value in re.findall(r"\.(\w+) = (-?\d+)[,\s}]", body)}
        found[kernel] = found.get(kernel, 0) + math.prod(fields.get(key, 1) for key in _PRODUCT.get(kernel, ("none",)))
    return {kernel: macs for kernel, macs in found.items() if kernel in _PRODUCT}


def code_bytes(target: str) -> dict[str, int]:
    """Returns the bytes of code and const tables of the kernels, and of the library with front end and enrolment."""
    make("library", f"TARGET={target}")
    parts = {"kernels": 0, "library": 0}
    listed = subprocess.run(["size", str(BUILD / target / "libecgkd.a")], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines()[1:]:
        size, name = int(line.split()[0]), line.split()[5]
        parts["library"] += size
        if (FIRMWARE / "kernels" / name).with_suffix(".c").exists():
            parts["kernels"] += size
    return parts


def memory(target: str, network: Path) -> tuple[int, int]:
    """Returns the flash and the RAM of the runner that was built for a network: all of it but the stack."""
    runner = BUILD / target / f"runner-{next(network.glob('*.c')).stem}"
    listed = subprocess.run(["arm-none-eabi-size", str(runner)], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, listed.splitlines()[1].split()[:3])
    return text + data, data + bss


def facts(network: Path) -> dict[str, int]:
    """Returns the generator's own figures of a network: macs, arena_bytes, weights_bytes."""
    document = json.loads((network / "facts.json").read_text())
    return {key: document[key] for key in ("macs", "arena_bytes", "weights_bytes")}


def exit_code(program: Path, *arguments: str) -> int:
    """Returns how the program ended, run with nothing on standard input."""
    return subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True).returncode
