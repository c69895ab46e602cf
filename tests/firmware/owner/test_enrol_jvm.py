"""The owner check on the JVM: built by the CMake project that an Android app includes, called from Java."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ANDROID = HERE.parents[2] / "firmware_stubs" / "android"
TARGETS = {"aarch64": "aarch64-linux-gnu-gcc", "armhf": "arm-linux-gnueabihf-gcc"}


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")


def built(folder: Path, *options: str) -> Path:
    """Returns libecgkd_jni.so with the tiny network."""
    jdk = Path(shutil.which("javac") or "").resolve().parents[1]
    network = (f"-DECGKD_NETWORK={HERE / 'jvm'}", "-DECGKD_NAME=tiny", f"-DECGKD_JNI={jdk / 'include'}")
    run("cmake", "-S", ANDROID, "-B", folder, *network, *options)
    run("cmake", "--build", folder)
    return folder / "libecgkd_jni.so"


def alignments(library: Path) -> list[int]:
    """Returns how the loaded segments of a library are aligned, bytes."""
    lines = run("readelf", "-lW", library).splitlines()
    return [int(line.split()[-1], 16) for line in lines if re.match(r"\s+LOAD\s", line)]


def test_java_enrols_stores_and_verifies_an_owner(tmp_path):
    need("cmake", "javac", "java", "gcc", "readelf")
    library = built(tmp_path / "native")
    assert min(alignments(library)) >= 16_384
    sources = [*sorted((ANDROID / "java").rglob("*.java")), HERE / "jvm" / "Check.java"]
    run("javac", "-Xlint:all", "-Xlint:-options", "-d", tmp_path / "classes", *sources)
    options = ("-Xcheck:jni", f"-Djava.library.path={library.parent}", "-cp", tmp_path / "classes")
    assert run("java", *options, "Check").splitlines()[-1] == "0 wrong"


def test_java_and_c_name_the_same_results_in_the_same_order():
    java = (ANDROID / "java" / "org" / "ecgkd" / "OwnerCheck.java").read_text()
    header = (ANDROID.parent / "include" / "ecgkd.h").read_text()
    names = re.search(r"enum Result \{(.*?)\}", java, re.DOTALL).group(1)
    body = re.sub(
        r"/\*.*?\*/", "", re.search(r"enum ecgkd_result \{(.*?)\}", header, re.DOTALL).group(1), flags=re.DOTALL
    )
    found = re.findall(r"ECGKD_(\w+)", body)
    assert [name.strip() for name in names.split(",")] == found[:-1]
    bits = dict(re.findall(r"(POOR_\w+) = (1(?: << \d)?);", java))
    assert {name: eval(value) for name, value in bits.items()} == {
        name: eval(value) for name, value in re.findall(r"ECGKD_(POOR_\w+) = (1 << \d)", header)
    }


@pytest.mark.arm
@pytest.mark.parametrize("target", TARGETS)
def test_the_library_builds_for_32_and_64_bit_arm_with_16_kb_pages(target, tmp_path):
    need("cmake", TARGETS[target], "javac", "readelf")
    options = (f"-DCMAKE_C_COMPILER={TARGETS[target]}", "-DCMAKE_SYSTEM_NAME=Linux")
    assert min(alignments(built(tmp_path, *options))) >= 16_384
