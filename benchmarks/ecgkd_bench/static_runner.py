"""The C engine's static runner: one program with one network in it, which needs nothing on the device.

`load`, `info` and `parse` also run on the device, without anything but Python; `build` runs here.
"""

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgkd_bench.errors import DeviceError
from ecgkd_bench.loaded import Loaded

WINDOW_BYTES = 1000
"""int8 samples of a window of one lead."""
SECONDS = 120.0
"""Longest that a block may take."""
STATIC = ("-std=c99", "-O2", "-static", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-s")


@dataclass(frozen=True)
class Target:
    """How the runner is built for a kind of processor."""

    compiler: str
    flags: tuple[str, ...]
    package: str
    """Debian's, of the compiler and its C library."""


AARCH64 = "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
TARGETS = {
    "aarch64": Target("aarch64-linux-gnu-gcc", ("-march=armv8-a",), AARCH64),
    "aarch64-dotprod": Target("aarch64-linux-gnu-gcc", ("-march=armv8.2-a+dotprod",), AARCH64),
    "armv7l": Target(
        "arm-linux-gnueabihf-gcc",
        ("-march=armv7-a+simd", "-mfloat-abi=hard"),
        "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
    ),
    "x86_64": Target("x86_64-linux-gnu-gcc", (), "gcc"),
}


def target_of(machine: str, features: tuple[str, ...]) -> str:
    """Returns the target for a processor. Raises: DeviceError where there is none."""
    machine = {"armv8l": "armv7l"}.get(machine, machine)
    if machine == "aarch64" and "asimddp" in features:
        return "aarch64-dotprod"
    if machine in TARGETS:
        return machine
    raise DeviceError(f"the static runner is not built for {machine}; known: {', '.join(TARGETS)}")


def build(source: Path, target: str, folder: Path) -> Path:
    """Returns the runner of a generated network (NAME.c beside NAME.h), built into `folder`.

    Raises: DeviceError where the compiler is missing or refuses the network.
    """
    from ecgkd_export.errors import ExportError
    from ecgkd_export.firmware_dir import firmware_dir, kernel_sources

    try:
        firmware, kernels = firmware_dir(), kernel_sources()
    except ExportError as error:
        raise DeviceError(str(error)) from error
    name, ports = source.stem, firmware / "ports"
    runner = folder / f"{name}-{target}"
    own = [ports / "linux" / "main.c", ports / "linux" / "port.c", ports / "runner" / "runner.c"]
    own += [ports / "runner" / "mark.c"]
    options = ["-DRUNNER_MAX_RUNS=16384", f"-DRUNNER_TARGET={target}"]
    options += [f'-DRUNNER_HEADER="{name}.h"', f"-DRUNNER_MODEL={name}", f"-DRUNNER_ARENA={name.upper()}_ARENA_SIZE"]
    includes = (source.parent, firmware / "include", firmware / "kernels", ports / "linux", ports / "runner")
    options += [f"-I{one}" for one in includes]
    return compiled(source.name, target, options, (source, *own, *kernels), runner)


def compiled(what: str, target: str, options: Sequence[str], files: Sequence[Path], program: Path) -> Path:
    """Returns `program`, one static file for `target`, compiled of the C of `what`.

    Raises: DeviceError where the compiler is missing or refuses it.
    """
    tools = TARGETS[target]
    if shutil.which(tools.compiler) is None:
        raise DeviceError(f"{tools.compiler} is missing, to build {what} for {target}; apt install {tools.package}")
    command = [tools.compiler, *STATIC, *tools.flags, *options, *map(str, files), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or ["it said nothing"]
        raise DeviceError(f"{what}: {tools.compiler} refuses it ({errors[0][:200]})")
    return program


def load(path: str) -> Loaded:
    """Returns the runner at `path`, ready to run. Raises: DeviceError where it cannot run or says something else."""
    facts = info(path)
    window = noise(facts["window_bytes"])

    def block(runs: int) -> list[float]:
        return parse(_run(path, ("bench", "1", str(runs)), window))["ms"]

    def outputs() -> list[dict[str, Any]]:
        return told(facts, list(_ran(path, ("run",), window)))

    version, effective = f"{facts['ecgkd_runner']} {facts['target']}", f"ecgkd C99 {facts['target']}"
    return Loaded(lambda: block(1), effective, version, 1, block, facts["arena_bytes"], outputs)


def told(facts: dict[str, Any], said: list[int]) -> list[dict[str, Any]]:
    """Returns the outputs of one window, int8 as they are, from the bytes that a runner of these `facts` wrote.

    Raises: DeviceError where they are of another number.
    """
    sizes = {"embedding": facts.get("embedding_bytes", 0), "activity": facts.get("activity_bytes", 0)}
    if len(said) != sum(sizes.values()):
        raise DeviceError(f"the runner wrote {len(said)} bytes for a window; expected {sum(sizes.values())}")
    parts, at = [], 0
    for name, size in sizes.items():
        if size:
            parts.append({"name": name, "values": [byte - 256 * (byte > 127) for byte in said[at : at + size]]})
        at += size
    return parts


def window_bytes(header: str) -> int:
    """Returns the bytes of a window that a generated header names; of one lead where it names none."""
    found = re.search(r"_WINDOW_SIZE\s+\(?(\d+)", header)
    return int(found[1]) if found else WINDOW_BYTES


def peaks(path: str) -> tuple[int | None, int | None]:
    """Returns the peak memory of the runner after an inference, and of the same program that runs none."""
    empty = info(path)
    used = parse(_run(path, ("bench", "1", "5"), noise(empty["window_bytes"])))
    return used.get("peak_memory_bytes"), empty.get("peak_memory_bytes")


def info(path: str) -> dict[str, Any]:
    """Returns what the runner says of itself."""
    return parse(_run(path, ("info",), b""))


def noise(size: int) -> bytes:
    """Returns a window of int8 noise, the same every time."""
    return random.Random(0).randbytes(size)


def parse(output: str) -> dict[str, Any]:
    """Returns the runner's JSON line, ticks turned into `ms`. Raises: DeviceError where it is none."""
    lines = [line for line in output.splitlines() if line.strip()]
    try:
        said = json.loads(lines[-1])
        if "ticks" in said:
            said["ms"] = [1000 * ticks / said["ticks_per_second"] for ticks in said["ticks"]]
        said["ecgkd_runner"], said["window_bytes"], said["arena_bytes"], said["target"]
    except (IndexError, ValueError, KeyError, TypeError) as error:
        last = lines[-1][:200] if lines else "nothing"
        raise DeviceError(f"the runner printed something else than its figures; last it printed: {last}") from error
    return dict(said)


def _run(path: str, arguments: tuple[str, ...], window: bytes) -> str:
    return _ran(path, arguments, window).decode(errors="replace")


def _ran(path: str, arguments: tuple[str, ...], window: bytes) -> bytes:
    name = Path(path).name
    try:
        os.chmod(path, 0o755)  # how it was brought there may have lost that
        done = subprocess.run((path, *arguments), input=window, capture_output=True, timeout=SECONDS)
    except OSError as error:
        other = "; is it built for another architecture?" if error.errno == 8 else ""
        raise DeviceError(f"{name} cannot run there ({error.strerror}){other}") from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"{name} did not end within {SECONDS:.0f} s") from error
    if done.returncode:
        raise DeviceError(how_it_ended(name, done.returncode, (done.stdout + done.stderr).decode(errors="replace")))
    return done.stdout


def how_it_ended(name: str, code: int, printed: str) -> str:
    """Returns why a runner failed, in one line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = f"; last it printed: {lines[-1][:200]}" if lines else ""
    if code == -4:
        return f"{name} was ended by SIGILL; its processor lacks an instruction that the runner uses"
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit status {code}"
    return f"{name} {how}{last}"
