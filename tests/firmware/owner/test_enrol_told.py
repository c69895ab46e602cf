"""What the owner check tells of activity beside its verdicts, from samples alone, on this machine and emulated ARM."""

import dataclasses
import importlib.util
import struct
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ecgkd.data.synthetic import SynthConfig, synthesise
from ecgkd.enrolment.activity import Activity, tell
from ecgkd.enrolment.decision import Rule, constants_of, decide, make_template
from ecgkd.enrolment.firmware import decision_source
from ecgkd.enrolment.template import fuse, normalise, quantise_embedding
from ecgkd.enrolment.windows import usable_windows
from ecgkd.record import Record, to_integer_microvolts
from ecgkd_export.c99.emit import Sources, emit
from ecgkd_export.simulate import Arithmetic, simulate
from tests.firmware.networks import ACTIVITIES, network

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[2] / "firmware_stubs"
SPACE = "00112233445566778899aabbccddeeff"
SANITISED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def neighbour(name: str) -> ModuleType:
    """Returns another file of this folder."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


people, arm = neighbour("test_enrol_people"), neighbour("test_enrol_arm")


@lru_cache
def recordings() -> tuple[Record, ...]:
    """Returns made-up recordings: three of one person, one of another."""
    first, second, _, other = synthesise(SynthConfig(people=2, sessions=1, seconds=24, seed=11))
    half = second.n_samples // 2
    halves = (dataclasses.replace(second, signal=part) for part in (second.signal[:, :half], second.signal[:, half:]))
    return (first, *halves, other)


@lru_cache
def looked_at(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns embeddings and scores, int8, of the usable windows of a recording, as the graph's definition has them."""
    graph = network("dt4ecg_both")
    windows = usable_windows([recordings()[number]]).inputs
    found = simulate(graph, windows, arithmetic=Arithmetic.FIXED)
    return tuple(found[name].reshape(len(windows), -1) for name in ("embedding", "activity"))


def files_in(folder: Path) -> tuple[Sources, list[Path], tuple[str, ...]]:
    """Writes network and decision to `folder`; returns the network, the C files and the options of ports/owner."""
    graph = network("dt4ecg_both")
    files = emit(graph, name="owner_network", space=SPACE, classes={"activity": ACTIVITIES})
    (folder / "owner_network.c").write_bytes(files.source)
    (folder / "owner_network.h").write_bytes(files.header)
    for name, text in decision_source(contract(), "owner").items():
        (folder / name).write_text(text)
    (folder / "owner_all.h").write_text('#include "owner_decision.h"\n#include "owner_network.h"\n')
    options = ('-DOWNER_HEADER="owner_all.h"', "-DOWNER_DECISION=owner_decision", "-DOWNER_MODEL=owner_network")
    options += ("-DOWNER_ARENA=OWNER_NETWORK_ARENA_SIZE", f"-I{folder}")
    return files, [folder / "owner_decision.c", folder / "owner_network.c"], options


def contract():
    """Returns a contract whose decisions are those of the shipped network, with floors that anybody passes."""
    size = network("dt4ecg_both").tensors["embedding"].shape[-1]
    shipped = people.Network({}).contract
    floors = dataclasses.replace(shipped.enrolment, floor=-1.0, min_consistency=-1.0)
    return dataclasses.replace(shipped, embedding_size=size, embedding_space=SPACE, cohort=(), enrolment=floors)


def told(scores: np.ndarray) -> list[str]:
    quant = network("dt4ecg_both").tensors["activity"].quant
    found: Activity = tell(scores, quant.zero_point, float(quant.scale[0]))
    return ["a", str(found.index), str(found.windows), str(found.margin)]


def expected() -> list[list[str]]:
    """Returns what must be told of an enrolment from the first two recordings and of verifications by the others."""
    enrolled = [np.concatenate(parts) for parts in zip(looked_at(0), looked_at(1), strict=True)]
    lines = [told(enrolled[1])]
    constants = constants_of(contract())
    template = make_template(fuse(normalise(quantise_embedding(enrolled[0].astype(np.float32)))), None)
    for number in (2, 3):
        embeddings, scores = looked_at(number)
        decision = decide(constants, template, quantise_embedding(embeddings.astype(np.float32)))
        early = decision.rule in (Rule.EARLY_ACCEPT, Rule.EARLY_REJECT)
        lines.append(told(scores[: decision.last + 1] if early else scores[: constants.max_windows]))
    return lines


def stream() -> bytes:
    samples = [to_integer_microvolts(one.signal[0]).astype("<i4") for one in recordings()]
    first, second, third, other = (b"S" + struct.pack("<I", len(x)) + x.tobytes() for x in samples)
    fs = struct.pack("<I", int(recordings()[0].fs))
    return fs + b"E" + first + b"P" + second + b"F" + b"V" + third + b"D" + b"V" + other + b"D"


def check(lines: list[list[str]]) -> None:
    kinds = [line[0] for line in lines if line[0] != "w"]
    assert kinds == ["m", "e", "a", "v", "a", "v", "a"], lines[-1]
    assert [line for line in lines if line[0] == "a"] == expected()


def test_activity_stands_beside_enrolment_and_verdict(compile_owner, tmp_path):
    _, files, options = files_in(tmp_path)
    kernels = [one for one in sorted((FIRMWARE / "kernels").glob("*.c")) if one.name != "model.c"]
    files += [FIRMWARE / "ports" / "owner" / "owner.c", FIRMWARE / "ports" / "linux" / "port.c", *kernels]
    includes = (f"-I{FIRMWARE / 'ports' / 'linux'}",)

    program = compile_owner(tmp_path / "owner", files, (*SANITISED, *options, *includes))
    done = subprocess.run([program], input=stream(), capture_output=True)

    assert done.returncode == 0, done.stderr.decode()[-2000:]
    check([line.split() for line in done.stdout.decode().splitlines()])


@pytest.mark.arm
@pytest.mark.parametrize("target", ["m4", "m55", "aarch64"])
def test_activity_is_the_same_on_emulated_arm(target, tmp_path):
    _, files, options = files_in(tmp_path)

    check(arm.built(target, tmp_path / "owner", files, options)(stream()))
