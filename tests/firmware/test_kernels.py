"""The C kernels on the host, by every compiler that is there: golden vectors under sanitisers, the house's rules."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware_stubs"
KERNELS = sorted((FIRMWARE / "kernels").glob("*.c"))
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", f"-I{FIRMWARE / 'include'}")
SANITISE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SUMMARY = re.compile(r"kernels: (\d+) cases, (\d+) wrong; refusals: (\d+) wrong")
ALLOWED_HEADERS = {"string.h", "stdint.h", "stddef.h", "arm_neon.h", "arm_mve.h"}
LARGEST_CODE = 64 * 1024


def found(*names: str) -> str:
    """Returns the first compiler of these that is there; skips the test where there is none."""
    path = next((path for path in map(shutil.which, names) if path is not None), None)
    if path is None:
        pytest.skip(f"no {' and no '.join(names)} on this machine")
    return path


def build(compiler: str, out: Path, *flags: str) -> Path:
    sources = [str(path) for path in (*KERNELS, FIRMWARE / "test" / "test_main.c")]
    subprocess.run([compiler, *FLAGS, *flags, *sources, "-o", str(out)], check=True)
    return out


@pytest.mark.parametrize(
    ("name", "flags"), [("gcc", SANITISE), ("clang", SANITISE), ("gcc", ("-O3",))], ids=["gcc", "clang", "optimised"]
)
def test_every_kernel_gives_the_bytes_of_the_simulation(name: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    program = build(found(name), tmp_path / "kernels", *flags)

    result = subprocess.run([program], capture_output=True, text=True, timeout=120)

    summary = SUMMARY.search(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert summary is not None, result.stdout
    assert int(summary[1]) > 50
    assert summary[2] == summary[3] == "0"


def test_a_wrong_byte_is_told_with_its_place(tmp_path: Path) -> None:
    wrong = tmp_path / "firmware"
    shutil.copytree(FIRMWARE / "test", wrong / "test")
    vector = wrong / "test" / "vectors" / "copy_slice.h"
    head, tail = vector.read_text().split("copy_slice_expected[70] ECGKD_ALIGNED = {\n    ")
    first, rest = tail.split(",", 1)
    changed = (int(first) + 1) % 100
    vector.write_text(f"{head}copy_slice_expected[70] ECGKD_ALIGNED = {{\n    {changed},{rest}")
    sources = [str(path) for path in (*KERNELS, wrong / "test" / "test_main.c")]
    subprocess.run([found("gcc", "clang"), *FLAGS, *sources, "-o", str(wrong / "kernels")], check=True)

    result = subprocess.run([wrong / "kernels"], capture_output=True, text=True, timeout=120)

    assert result.returncode == 1
    assert f"copy_slice, first call: byte 0 is {first}, expected {changed}" in result.stdout


def test_stored_vectors_are_what_the_simulation_gives() -> None:
    script = FIRMWARE / "test" / "make_vectors.py"

    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)

    assert result.returncode == 0, result.stderr


def test_vectors_stay_small() -> None:
    assert sum(path.stat().st_size for path in (FIRMWARE / "test" / "vectors").glob("*.h")) < 1_000_000


def test_kernels_keep_no_writable_data_and_stay_below_64_kb(tmp_path: Path) -> None:
    compiler, objects = found("gcc", "clang"), []
    for path in KERNELS:
        objects.append(tmp_path / f"{path.stem}.o")
        subprocess.run([compiler, *FLAGS, "-O2", "-fno-pie", "-c", str(path), "-o", str(objects[-1])], check=True)

    symbols = subprocess.run(["nm", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    sizes = subprocess.run(["size", *map(str, objects)], capture_output=True, text=True, check=True).stdout

    assert not re.findall(r"^[0-9a-f]+ [bBdDcC] .*$", symbols, re.MULTILINE)
    assert not re.findall(r" U (malloc|free|calloc|realloc|printf|abort)$", symbols, re.MULTILINE)
    assert sum(int(line.split()[0]) for line in sizes.splitlines()[1:]) < LARGEST_CODE


def test_kernels_include_nothing_but_the_freestanding_headers_and_their_own() -> None:
    own = {path.name for folder in ("include", "kernels") for path in (FIRMWARE / folder).glob("*.h")}
    for path in [*KERNELS, *(FIRMWARE / "kernels").glob("*.h"), FIRMWARE / "include" / "ecgkd_nn.h"]:
        included = set(re.findall(r'^#include [<"](.+)[>"]', path.read_text(), re.MULTILINE))
        assert included <= ALLOWED_HEADERS | own, path.name


def test_the_public_header_stands_alone_and_serves_cpp(tmp_path: Path) -> None:
    compiler, source = found("g++", "clang++"), tmp_path / "alone.cpp"
    source.write_text('#include "ecgkd_nn.h"\nint main() { return ecgkd_status_text(ECGKD_OK) == nullptr; }\n')

    subprocess.run(
        [compiler, f"-I{FIRMWARE / 'include'}", "-Wall", "-Werror", "-fsyntax-only", str(source)], check=True
    )
