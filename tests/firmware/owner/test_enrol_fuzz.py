"""Any bytes as a stored template, with the sanitizers on: the kept inputs always, a million more when there is time."""

import re
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[3] / "firmware_stubs"
CORPUS = sorted((Path(__file__).parent / "corpus_template").iterdir())
SANITISED = ("-O1", "-g", "-fno-sanitize-recover=all")


def files() -> list[Path]:
    return [FIRMWARE / "test" / "fuzz_template.c"]


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_kept_and_changed_templates_are_read_or_refused_without_a_fault(compile_owner, tmp_path):
    options = (*SANITISED, "-fsanitize=address,undefined", "-DFUZZ_ROUNDS=3000")
    assert len(CORPUS) > 10
    run(compile_owner(tmp_path / "fuzz", files(), options), *map(str, CORPUS))


@pytest.mark.slow
def test_a_million_templates_are_read_or_refused_without_a_fault(compile_owner, tmp_path):
    options = (*SANITISED, "-fsanitize=fuzzer,address,undefined")
    try:
        program = compile_owner(tmp_path / "fuzz", files(), options, compiler="clang")
    except AssertionError:
        pytest.skip("this clang brings no libFuzzer and sanitizers (libclang-rt-14-dev)")
    (tmp_path / "found").mkdir()
    # Resident memory is mostly the sanitizer's own and depends on the kernel; what the parser takes is what counts.
    limits = ("-max_len=200", "-rss_limit_mb=0", "-malloc_limit_mb=16")
    done = run(program, "-runs=1000000", *limits, str(tmp_path / "found"), str(CORPUS[0].parent))
    assert re.search(r"Done 1000000 runs", done.stderr)
