"""Wheels of the runtimes for a device's Python, its C library and its processor; kept in the cache of this machine."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_bench.emulated.system import Tell, cache_folder
from ecgkd_bench.errors import DeviceError


@dataclass(frozen=True)
class Interpreter:
    """The device's own Python."""

    version: tuple[int, int]
    machine: str
    """As the system names it: `aarch64`, `armv7l`; of the process, where a 32-bit one runs on a 64-bit kernel."""
    libc: tuple[str, str]
    """Name and version, such as `glibc`, `2.36`."""

    @property
    def environment(self) -> str:
        """Name of the folder that holds its wheels."""
        return f"python{self.version[0]}.{self.version[1]}-{self.machine}"

    def platforms(self) -> list[str]:
        """Returns the platform tags of wheels that it can use, newest first (PEP 600, PEP 656)."""
        name, version = self.libc
        if name != "glibc":
            return [f"musllinux_1_{minor}_{self.machine}" for minor in (2, 1)]
        newest = int(version.split(".")[1])
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(newest, 16, -1)]
        return [*tags, f"manylinux2014_{self.machine}"]


@dataclass(frozen=True)
class Runtime:
    """What runs one format of model."""

    name: str
    choices: tuple[tuple[str, ...], ...]
    """Requirements, the first that has wheels. Dependencies are not followed: running a model takes NumPy alone."""


def runtimes() -> tuple[Runtime, ...]:
    """Returns what a device is given: each runtime in the version used here where there is one for it."""
    return (
        Runtime("ONNX Runtime", ((_pinned("onnxruntime"), "numpy<3"), ("onnxruntime", "numpy<3"))),
        Runtime(
            "LiteRT",
            (
                (_pinned("ai-edge-litert"), "numpy<3"),
                ("ai-edge-litert", "numpy<3"),
                ("tflite-runtime", "numpy<2"),  # what ended at Python 3.11; 32-bit ARM has no other
            ),
        ),
    )


MODULES = {
    "onnxruntime": "onnxruntime",
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
}
"""What each runtime is imported as, by the beginning of its wheel's name."""


def modules(wheels: Sequence[Path]) -> list[str]:
    """Returns the modules that must be importable once these wheels are unpacked."""
    return [MODULES[name] for wheel in wheels if (name := wheel.name.partition("-")[0].lower()) in MODULES]


def listing(wheels: Sequence[Path]) -> str:
    """Returns what a complete environment says of itself in `wheels.txt`."""
    return "".join(f"{wheel.name}\n" for wheel in wheels)


def fetch(interpreter: Interpreter, tell: Tell = lambda text: None) -> list[Path]:
    """Returns the wheels of every runtime that has some for `interpreter`, NumPy once, fetched where not yet kept.

    Raises: DeviceError where no runtime has any, or the package index is not reached.
    """
    found: dict[str, Path] = {}
    errors: list[DeviceError] = []
    for runtime in runtimes():
        numpy = [f"numpy=={path.name.split('-')[1]}" for name, path in found.items() if name == "numpy"]
        wheels: list[Path] = []
        for choice in runtime.choices:
            wanted = [numpy[0] if numpy and one == "numpy<3" else one for one in choice]
            try:
                wheels = _kept(wanted, interpreter, tell)
                break
            except DeviceError as error:
                errors.append(error)
        if not wheels:
            tell(f"{runtime.name} has no wheel for {interpreter.environment}; its files cannot be measured there")
        found |= {wheel.name.partition("-")[0].lower(): wheel for wheel in wheels}
    if not found:
        raise errors[0]
    return sorted(found.values())


def _pinned(package: str) -> str:
    """Returns the requirement for the version that is installed here; any version where none is."""
    try:
        return f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _kept(wanted: list[str], interpreter: Interpreter, tell: Tell) -> list[Path]:
    """Returns the wheels for these requirements, from the cache or fetched into it."""
    key = hashlib.sha256("\n".join([*wanted, *interpreter.platforms(), str(interpreter.version)]).encode())
    folder = cache_folder().parent / "wheels" / key.hexdigest()[:12]
    if not folder.is_dir():
        tell(f"fetching {', '.join(wanted)} for {interpreter.environment}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as unfinished:
            _download(wanted, interpreter, Path(unfinished) / "done")
            (Path(unfinished) / "done").rename(folder)
    return sorted(folder.glob("*.whl"))


def _download(wanted: list[str], interpreter: Interpreter, folder: Path) -> None:
    tags = [part for tag in interpreter.platforms() for part in ("--platform", tag)]
    major, minor = interpreter.version
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *tags]
    command += ["--implementation", "cp", "--python-version", f"{major}.{minor}", "--abi", f"cp{major}{minor}"]
    done = subprocess.run([*command, "--dest", str(folder), *wanted], capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["pip said nothing"]
        what = f"{interpreter.environment} with {' '.join(interpreter.libc)}"
        raise DeviceError(f"no wheels for {what}: {lines[-1].removeprefix('ERROR: ')[:200]}")
