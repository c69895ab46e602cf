"""The owner check on emulated ARM: front end, quality gate, templates and decisions with the bits of Python."""

import dataclasses
import importlib.util
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ecgkd.contract import Contract, embedding_space_id
from ecgkd.enrolment.decision import Outcome
from ecgkd.enrolment.firmware import decision_source
from ecgkd.enrolment.gallery import Gallery
from ecgkd.signal.chain import SUPPORTED_FS, definition_sha256

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FIRMWARE = ROOT / "firmware_stubs"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-O2")
BARE = ("-mthumb", "-mfloat-abi=hard", "-ffunction-sections", "-fdata-sections", "-nostartfiles", "--specs=nano.specs")
CORTEX = ("startup.c", "semihosting.c", "systick.c", "stdio.c")
BOARDS = {"m4": ("cortex-m4", "mps2-an386"), "m33": ("cortex-m33", "mps2-an505"), "m55": ("cortex-m55", "mps3-an547")}
WITHOUT_CONVERSION = ("-fno-if-conversion", "-fno-if-conversion2")
"""GCC 12 for the Cortex-M55 makes an instruction of it that the assembler does not know."""
LINUX = {"aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"), "armhf": ("arm-linux-gnueabihf-gcc", "qemu-arm")}
PEOPLE = 20


def neighbour(name: str) -> ModuleType:
    """Returns another file of this folder."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


people, signals = neighbour("test_enrol_people"), neighbour("test_signal")


def need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)} (make arm-tools)")


def built(
    target: str, program: Path, files: list[Path], options: tuple[str, ...]
) -> Callable[[bytes], list[list[str]]]:
    """Compiles ports/owner/owner.c for an emulated target; returns what gives its output's words for an input."""
    includes = tuple(f"-I{FIRMWARE / one}" for one in ("include", "signal", "enrol", "kernels", "ports/linux"))
    library = [file for folder in ("signal", "enrol", "kernels") for file in sorted((FIRMWARE / folder).glob("*.c"))]
    files = [FIRMWARE / "ports" / "owner" / "owner.c", *files, *library]
    if target in BOARDS:
        core, board = BOARDS[target]
        need("arm-none-eabi-gcc", "qemu-system-arm")
        ports = FIRMWARE / "ports" / "cortex_m"
        files += [ports / one for one in CORTEX]
        linked = (f"-L{ports}", "-T", f"{board}.ld", "-Wl,--gc-sections")
        compiler: tuple[str, ...] = ("arm-none-eabi-gcc", f"-mcpu={core}", *BARE)
        compiler += WITHOUT_CONVERSION if target == "m55" else ()
    else:
        tool, emulator = LINUX[target]
        need(tool, emulator)
        files += [FIRMWARE / "ports" / "linux" / "port.c"]
        linked, compiler = ("-static",), (tool,)
    command = [*compiler, *STRICT, *includes, *options, *map(str, files), *linked, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    def run(stream: bytes) -> list[list[str]]:
        given, taken = program.with_suffix(".in"), program.with_suffix(".out")
        given.write_bytes(stream)
        if target in BOARDS:
            semihosting = f"enable=on,target=native,arg={program.name},arg={given},arg={taken}"
            emulated = ["qemu-system-arm", "-M", board, "-nographic", "-monitor", "none", "-serial", "none"]
            emulated += ["-semihosting-config", semihosting, "-kernel", str(program)]
            done = subprocess.run(emulated, stdin=subprocess.DEVNULL, capture_output=True)
            output = taken.read_bytes() if taken.exists() else b""
        else:
            done = subprocess.run([emulator, str(program)], input=stream, capture_output=True)
            output = done.stdout
        assert done.returncode == 0, f"{done.stderr.decode()[-500:]} {output[-200:]!r}"
        return [line.split() for line in output.decode().splitlines()]

    return run


def replaying(target: str, folder: Path, contract: Contract) -> Callable[[bytes], list[list[str]]]:
    for name, text in decision_source(contract, "owner").items():
        (folder / name).write_text(text)
    options = ("-DOWNER_REPLAY", '-DOWNER_HEADER="owner_decision.h"', "-DOWNER_DECISION=owner_decision", f"-I{folder}")
    return built(target, folder / "owner", [folder / "owner_decision.c"], options)


@pytest.mark.arm
@pytest.mark.parametrize("target", [*BOARDS, *LINUX])
def test_windows_have_the_same_bits_and_verdicts_at_every_rate(target, tmp_path):
    run = replaying(target, tmp_path, people.Network({}).contract)
    for fs in SUPPORTED_FS:
        rng = np.random.default_rng([3, fs])
        windows = [
            signals.made_up(rng, fs, kind) for kind in ("ecg", "noise", "ecg", "step", "clipped", "flat", "walk")
        ]
        x = np.concatenate(windows)
        output = run(struct.pack("<I", fs) + b"ES" + struct.pack("<I", len(x)) + x.astype("<i4").tobytes())
        want = []
        for window in windows:
            q, bits = signals.expected(window, fs, True)
            want.append(["w", str(2 if bits else 3), str(bits), str(people.fnv(np.array(q, np.int8).tobytes()))])
        assert output[1:] == want, f"{fs} Hz"


class Compiled:
    """The shipped network's int8 graph as C on this machine, whose first windows its simulation confirms."""

    def __init__(self) -> None:
        from ecgkd.weights import DEFAULT
        from ecgkd_export.c99.emit import emit
        from ecgkd_export.graph_hash import graph_sha256
        from ecgkd_export.run.c99 import C99Session

        self.graph = shipped_graph(DEFAULT)
        space = embedding_space_id("int8", graph_sha256(self.graph), definition_sha256())
        self.contract = dataclasses.replace(people.Network({}).contract, embedding_space=space)
        self.sources = emit(self.graph, name="owner_network", space=space)
        self._session = C99Session(self.sources)
        self._known: dict[bytes, np.ndarray] = {}

    def embed(self, windows: np.ndarray) -> np.ndarray:
        from ecgkd_export.simulate import Arithmetic, simulate

        for window in windows:
            if window.tobytes() not in self._known:
                found = self._session.run_integers(window[None, None]).ravel()
                if len(self._known) < 2:
                    exact = simulate(self.graph, window[None], arithmetic=Arithmetic.FIXED)[self.graph.outputs[0]]
                    assert np.array_equal(found, exact.ravel())
                self._known[window.tobytes()] = found
        rows = [self._known[window.tobytes()] for window in windows]
        return np.array(rows, np.float32).reshape(len(rows), self.contract.embedding_size) / 128

    def integers(self, windows: np.ndarray) -> np.ndarray:
        return np.zeros((0, self.contract.embedding_size), np.int8)  # none is replayed


@lru_cache
def shipped_graph(name: str):
    """Returns the int8 graph of a network of the package, its ranges measured on made-up windows."""
    import onnx

    from ecgkd.bundle.windows import synthetic_windows
    from ecgkd.signal.chain import INPUT_SCALE
    from ecgkd_export import tflite_artefacts
    from ecgkd_export.quantise import Options, quantise

    model = onnx.load(next((ROOT / "ecgkd" / "weights" / name).glob("*_fp32.onnx")))
    graph = tflite_artefacts.prepared(model, INPUT_SCALE)
    ranges = tflite_artefacts.ranges_of(graph, synthetic_windows()[:32])
    own = {key.removeprefix(tflite_artefacts.PREFIX): limits for key, limits in ranges.items()}
    return quantise(graph, own, Options(input_step=INPUT_SCALE))


@pytest.fixture(scope="module")
def network() -> Compiled:
    return Compiled()


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.parametrize("target", ["m4", "aarch64"])
def test_an_owner_is_accepted_and_others_are_refused_from_samples_alone(recordings, network, tmp_path, target):
    everyone = dict(list(people.people_of(recordings, "ecgid").items())[:PEOPLE])
    fs, subjects = int(next(iter(everyone.values()))[0].fs), list(everyone)
    gallery, script = Gallery.empty(network.contract), people.Script()
    genuine, impostors = [], []
    for number, subject in enumerate(subjects):
        first, second, last = everyone[subject]
        if script.enrol(network, gallery, subject, [first, second]):
            genuine.append(script.verify(network, gallery, subject, last))
            stranger = everyone[subjects[(number + 3) % len(subjects)]][2]
            impostors.append(script.verify(network, gallery, subject, stranger))
    for name, text in decision_source(network.contract, "owner").items():
        (tmp_path / name).write_text(text)
    (tmp_path / "owner_network.c").write_bytes(network.sources.source)
    (tmp_path / "owner_network.h").write_bytes(network.sources.header)
    (tmp_path / "owner_all.h").write_text('#include "owner_decision.h"\n#include "owner_network.h"\n')
    options = ('-DOWNER_HEADER="owner_all.h"', "-DOWNER_DECISION=owner_decision", "-DOWNER_MODEL=owner_network")
    options += ("-DOWNER_ARENA=OWNER_NETWORK_ARENA_SIZE", f"-I{tmp_path}")
    run = built(target, tmp_path / "owner", [tmp_path / "owner_decision.c", tmp_path / "owner_network.c"], options)
    output = run(struct.pack("<I", fs) + script.commands)
    assert [people.in_short(line) for line in output if line[0] in "ev"] == script.lines
    assert len(gallery.people) >= 18
    accepted = [sum(one is Outcome.ACCEPTED for one in group) / len(group) for group in (genuine, impostors)]
    print(
        f"{target}: {len(gallery.people)} enrolled, accepted {accepted[0]:.2f} of genuine, {accepted[1]:.2f} of others"
    )
    assert accepted[0] > 0.6
    assert accepted[1] < 0.1
