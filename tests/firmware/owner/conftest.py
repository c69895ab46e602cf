"""The C front end, enrolment and decision, built by each compiler of this machine and called from Python."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

FIRMWARE = Path(__file__).parents[3] / "firmware_stubs"
SHARED = Path(__file__).parents[3].parent / "shared" / "data"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
UNDEFINED = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
INCLUDES = tuple(f"-I{FIRMWARE / folder}" for folder in ("include", "signal", "enrol", "kernels"))
WIDEST = "-DECGKD_MAX_EMBEDDING=1024"


def sources() -> list[Path]:
    """Returns the C files of the owner check, and the one of the kernels that they need."""
    return [*sorted((FIRMWARE / "signal").glob("*.c")), *sorted((FIRMWARE / "enrol").glob("*.c")), MODEL]


MODEL = FIRMWARE / "kernels" / "model.c"


def compiled(compiler: str, target: Path, files: Sequence[Path], *options: str) -> Path:
    """Returns `target`, compiled with every warning an error; skips where there is no such compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, *STRICT, *INCLUDES, *options, "-o", str(target), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return target


def pointer(x: NDArray | None) -> ctypes.c_void_p | None:
    """Returns the address of an array's first element, which must be contiguous."""
    if x is None:
        return None
    assert x.flags.c_contiguous
    return x.ctypes.data_as(ctypes.c_void_p)


def guarded(size: int) -> tuple[NDArray[np.uint8], Callable[[], bool]]:
    """Returns `size` bytes aligned to 16 and dirty, and whether what follows them is untouched."""
    raw = np.full(size + 96, 0xA5, np.uint8)
    memory = raw[-raw.ctypes.data % 16 :][: size + 64]
    return memory[:size], lambda: bool((memory[size:] == 0xA5).all())


@dataclass(frozen=True)
class Library:
    """The flat functions of firmware_stubs/test/owner_flat.c."""

    c: ctypes.CDLL

    def signal(self, x: NDArray[np.int32], fs: int, gain_known: bool = True, start: int = 0) -> tuple[list[int], int]:
        """Returns the network's input and the gate's bits of a window that begins at `start` of a ring."""
        ring = np.full(len(x) + 7, 99, np.int32)
        ring[(start + np.arange(len(x))) % len(ring)] = x
        q, reasons = np.zeros(1000, np.int8), np.zeros(1, np.uint32)
        scratch, intact = guarded(self.c.flat_signal_scratch(fs))
        args = (pointer(ring), len(ring), start, int(gain_known), pointer(q), pointer(reasons), pointer(scratch))
        assert self.c.flat_signal(fs, *args) == 0
        assert intact(), "scratch was left"
        return q.tolist(), int(reasons[0])


@pytest.fixture(scope="session", params=["gcc", "clang"])
def library(request, tmp_path_factory) -> Library:
    target = tmp_path_factory.mktemp(request.param) / "owner.so"
    flat = FIRMWARE / "test" / "owner_flat.c"
    options = ("-O1", "-shared", "-fPIC", WIDEST, *(UNDEFINED if request.param == "gcc" else ()))
    return Library(ctypes.CDLL(str(compiled(request.param, target, [flat, *sources()], *options))))


@lru_cache
def first_lead(name: str) -> tuple[NDArray, NDArray, NDArray, int]:
    """Returns counts, offsets, gains and sampling rate of a real set's first lead; skips where it is absent."""
    path = SHARED / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path} is not here: real recordings lie beside the checkout")
    with np.load(path, allow_pickle=False) as d:
        return d["x"][0], d["offset"], d["gain_uv"][:, 0], int(d["fs"])


@pytest.fixture(scope="session")
def recordings() -> Callable[[str], tuple[NDArray, NDArray, NDArray, int]]:
    """Gives the first lead of a real set."""
    return first_lead


@pytest.fixture(scope="session")
def compile_owner() -> Callable[..., Path]:
    """Compiles a program for this machine, with the whole library or alone."""

    def compile_with(
        target: Path, files: list[Path], options: tuple[str, ...], compiler: str = "gcc", whole: bool = True
    ) -> Path:
        return compiled(compiler, target, [*files, *(sources() if whole else [])], *options)

    return compile_with
