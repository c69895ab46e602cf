"""C → a shared library of this machine, built once for each content and kept in a folder of the user's own."""

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.firmware_dir import firmware_dir, kernel_sources

STANDARD = ("-std=c99", "-w")
FAST = (("-O3", "-march=native"), ("-O2",))
"""Ways to optimise; the first that the compiler knows. The numbers are the same."""
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 600
"""After which a compiler is given up."""


@lru_cache(maxsize=4)
def compiler() -> tuple[str, ...]:
    """Returns the command of the host's C compiler: $CC, else cc, gcc or clang. Raises: MissingPackageError."""
    wanted = shlex.split(os.environ.get("CC", ""))
    for command in [wanted] if wanted else [[name] for name in COMPILERS]:
        path = shutil.which(command[0])
        if path:
            return (path, *command[1:])
    looked = wanted[0] if wanted else ", ".join(COMPILERS)
    raise MissingPackageError(
        f"running a C artefact needs a C compiler; found none of {looked}; type: apt install gcc (or set CC)"
    )


def shared_library(files: Mapping[str, bytes]) -> Path:
    """Returns the library of `files` (.c and .h, by name) and the kernels, compiled now or before.

    Raises: MissingPackageError without a compiler, ArtefactError with its first complaint where it refuses a file.
    """
    key = _digest([_digest_of_kernels(), *(part for name in sorted(files) for part in (name, files[name]))])
    target = cache() / f"{key}.so"
    if target.is_file():
        return target
    kernels = _kernel_objects()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        sources = [name for name in sorted(files) if name.endswith(".c")]
        _compile([*_include(), "-O1", "-fPIC", "-shared", *sources, *map(str, kernels), "-o", "made.so"], folder)
        (Path(folder) / "made.so").replace(target)
    return target


def _kernel_objects() -> list[Path]:
    """Returns the compiled kernels, made where they are not there yet."""
    target = cache() / f"kernels-{_digest_of_kernels()}"
    if not target.is_dir():
        folder = Path(tempfile.mkdtemp(dir=target.parent))
        sources = [str(path) for path in kernel_sources()]
        for attempt, flags in enumerate(FAST):
            try:
                _compile([*_include(), *flags, "-fPIC", "-c", *sources], str(folder))
                break
            except ArtefactError:
                if attempt == len(FAST) - 1:
                    shutil.rmtree(folder)
                    raise
        try:
            folder.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(folder)
    return sorted(target.glob("*.o"))


def _compile(arguments: Sequence[str], folder: str) -> None:
    command = [*compiler(), *STANDARD, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArtefactError(f"{command[0]} did not run: {error}") from error
    if done.returncode:
        said = [*(line for line in done.stderr.splitlines() if "error" in line), *done.stderr.splitlines(), "no reason"]
        raise ArtefactError(f"{Path(command[0]).name} refuses it: {said[0].strip()}")


def _include() -> list[str]:
    root = firmware_dir()
    return ["-I", str(root / "include"), "-I", str(root / "kernels")]


@lru_cache(maxsize=1)
def _digest_of_kernels() -> str:
    root = firmware_dir()
    files = [*kernel_sources(), *sorted((root / "kernels").glob("*.h")), *sorted((root / "include").glob("*.h"))]
    parts: list[str | bytes] = [" ".join(compiler()), _version(), repr((STANDARD, FAST)), _cpu()]
    return _digest([*parts, *(part for path in files for part in (path.name, path.read_bytes()))])


def _version() -> str:
    done = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout


def _cpu() -> str:
    """Returns what this processor can do, since libraries for one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return " ".join(os.uname())
    return "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


def _digest(parts: Sequence[str | bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()[:32]


@lru_cache(maxsize=1)
def cache() -> Path:
    """Returns the folder of compiled libraries, which nobody but the user can write to."""
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"ecgkd-c99-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022:
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="ecgkd-c99-"))
