"""An owner enrolled from real recordings: the C library decides on them and on others as `ecgkd verify` does.

The shipped int8 network runs in LiteRT; its embeddings go to Python's decision and to the C program
firmware_stubs/ports/owner/owner.c, which does all else itself: ring, front end, quality gate, enrolment, decision.
"""

import dataclasses
import struct
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ecgkd.contract import METADATA_KEY, Contract, ScoreCalibration, Threshold
from ecgkd.enrolment.ageing import age, least_llr, may_age
from ecgkd.enrolment.decision import Outcome, Rule, constants_of, decide, make_template
from ecgkd.enrolment.enrol import enrol_person
from ecgkd.enrolment.firmware import decision_source
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.template import fuse, normalise
from ecgkd.enrolment.verify import verify_person
from ecgkd.enrolment.windows import embed, usable_windows
from ecgkd.record import Record, to_integer_microvolts

ROOT = Path(__file__).parents[3]
FIRMWARE = ROOT / "firmware_stubs"
PEOPLE = 22
ENROLLED, TAKEN, POOR = 0, 3, 2
RESULTS = {Outcome.ACCEPTED: 6, Outcome.REFUSED: 7, Outcome.NO_DECISION: 8}
AS_NORM = {
    "threshold": Threshold("as_norm", 2.5, 6, 3, 0.01, 0.02, 0.05, 30, 435, "development"),
    "calibration": ScoreCalibration(1.4, -4.0, 0.6, "as_norm"),
}


class Network:
    """The shipped int8 network in LiteRT; every window runs once."""

    known: ClassVar[dict[bytes, np.ndarray]] = {}

    def __init__(self, changes: dict) -> None:
        from ecgkd.weights import DEFAULT
        from ecgkd_export.run.litert import LiteRtSession
        from ecgkd_export.tflite.read import read

        found = sorted((ROOT / "ecgkd" / "weights" / DEFAULT).glob("*_int8.tflite"))
        text = read(found[0].read_bytes()).metadata[METADATA_KEY]
        self.contract = dataclasses.replace(Contract.from_json(text), **changes)
        self._session = LiteRtSession(found[0])

    def integers(self, windows: np.ndarray) -> np.ndarray:
        """Returns the graph's own int8 embeddings (n, size)."""
        for window in windows:
            if window.tobytes() not in self.known:
                self.known[window.tobytes()] = self._session.run_integers(window[None, None])[0]
        rows = [self.known[window.tobytes()] for window in windows]
        return np.array(rows, np.int8).reshape(len(rows), self.contract.embedding_size)

    def embed(self, windows: np.ndarray) -> np.ndarray:
        return self.integers(windows).astype(np.float32) / 128


def fnv(content: bytes) -> int:
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


@lru_cache
def people_of(recordings, name: str) -> dict[str, list[Record]]:
    """Returns the recordings of the first people of a set who have three or more."""
    x, offset, gain, fs = recordings(name)
    with np.load(ROOT.parent / "shared" / "data" / f"{name}.npz") as d:
        subjects = d["subject"]
    found: dict[str, list[Record]] = {}
    for subject in np.unique(subjects):
        rows = np.flatnonzero(subjects == subject)
        if len(rows) >= 3 and len(found) < PEOPLE:
            cut = [(x[offset[i] : offset[i + 1]] * gain[i]).astype(np.float32)[None] for i in rows[[0, 1, -1]]]
            found[str(subject)] = [Record(one, fs, ("I",), name=str(subject)) for one in cut]
    return found


seen: dict[int, np.ndarray] = {}


def usable(record: Record, limit: int | None = None) -> np.ndarray:
    """Returns the usable windows (n, 1000) of a recording, which lives as long as the tests."""
    if id(record) not in seen:
        seen[id(record)] = usable_windows([record]).inputs
    return seen[id(record)][:limit]


def samples(record: Record) -> bytes:
    x = to_integer_microvolts(record.signal[0])
    return b"S" + struct.pack("<I", len(x)) + x.astype("<i4").tobytes()


def replay(network: Network, records: list[Record], limit: int | None = None) -> bytes:
    integers = network.integers(np.concatenate([usable(record, limit) for record in records]))
    return b"R" + struct.pack("<I", len(integers)) + integers.tobytes()


@dataclasses.dataclass
class Script:
    """What the C program is told, and what Python says must come back."""

    commands: bytes = b""
    lines: list[list[int | str]] = dataclasses.field(default_factory=list)

    def enrol(self, network: Network, gallery: Gallery, name: str, records: list[Record]) -> bool:
        self.commands += replay(network, records) + b"E" + b"P".join(samples(record) for record in records) + b"F"
        report = enrol_person(gallery, name, records, network)
        if report.entry is None:
            self.lines.append(["e", "refused"])
            return False
        kept = report.entry.template.vector.astype("<i2").tobytes()
        self.lines.append(["e", ENROLLED, report.usable, report.used, report.entry.recordings, fnv(kept)])
        return True

    def verify(self, network: Network, gallery: Gallery, name: str, record: Record) -> Outcome:
        self.commands += replay(network, [record], constants_of(network.contract).max_windows)
        self.commands += b"V" + samples(record) + b"D"
        report = verify_person(gallery, name, [record], network)
        early = int(report.rule in (Rule.EARLY_ACCEPT, Rule.EARLY_REJECT))
        fixed = [round((value or 0) * 2**16) for value in (report.score, report.llr)]
        self.lines.append(["v", RESULTS[report.decision], early, *fixed, report.windows])
        return report.decision

    def update(self, network: Network, gallery: Gallery, name: str, anchor: np.ndarray, record: Record) -> bool:
        """Lets the template age after a verification of its owner, confirmed."""
        person, constants = gallery.people[name], constants_of(network.contract)
        vectors = normalise(embed(network, usable(record, constants.max_windows)))
        decision = decide(constants, person.template_for(constants.cohort), vectors)
        vector, result = person.template.vector, 11
        if may_age(decision, least_llr(network.contract), confirmed=True):
            moved = age(vector, anchor, fuse(vectors[: decision.last + 1]))
            vector, result = (vector, 12) if moved is None else (moved, 0)
        template = make_template(vector, constants.cohort)
        gallery.people[name] = dataclasses.replace(person, template=template)
        self.commands += b"U\1"
        self.lines.append(["u", result, fnv(vector.astype("<i2").tobytes())])
        return result == 0


def program(compile_with, folder: Path, network: Network) -> Path:
    """Returns the C program for the network's contract."""
    for name, text in decision_source(network.contract, "owner").items():
        (folder / name).write_text(text)
    test = FIRMWARE / "ports" / "owner" / "owner.c"
    options = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DOWNER_REPLAY")
    options += ('-DOWNER_HEADER="owner_decision.h"', "-DOWNER_DECISION=owner_decision", f"-I{folder}")
    options += (f"-I{FIRMWARE / 'ports' / 'linux'}",)
    files = [test, folder / "owner_decision.c", FIRMWARE / "ports" / "linux" / "port.c"]
    return compile_with(folder / "owner", files, options)


def said(program: Path, fs: int, commands: bytes) -> list[list[str]]:
    done = subprocess.run([str(program)], input=struct.pack("<I", fs) + commands, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return [line.split() for line in done.stdout.decode().splitlines()]


def in_short(line: list[str]) -> list[int | str]:
    """Returns what Python knows too of a line."""
    kind, *numbers = line[0], *map(int, line[1:])
    if kind == "e":
        return ["e", "refused"] if numbers[0] else ["e", *numbers[:4], numbers[5]]
    return [kind, *numbers[:5]] if kind == "v" else [kind, *numbers]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("heartprint", {}),
        pytest.param("ecgid", {}, marks=pytest.mark.slow),
        pytest.param("heartprint", AS_NORM, marks=pytest.mark.slow),
    ],
    ids=["heartprint", "ecgid", "heartprint, normalised"],
)
def test_an_owner_is_accepted_and_others_are_refused_as_ecgkd_verify_does(
    recordings, compile_owner, tmp_path, name, changes
):
    everyone = people_of(recordings, name)
    network = Network(changes)
    fs = int(next(iter(everyone.values()))[0].fs)
    gallery, script = Gallery.empty(network.contract), Script()
    genuine, impostors, aged, subjects = [], [], 0, list(everyone)
    for number, subject in enumerate(subjects):
        first, second, last = everyone[subject]
        if not script.enrol(network, gallery, subject, [first, second]):
            continue
        anchor = gallery.people[subject].template.vector
        for other in (1, 5, 11):
            stranger = everyone[subjects[(number + other) % len(subjects)]][2]
            impostors.append(script.verify(network, gallery, subject, stranger))
        for _ in range(2):
            genuine.append(script.verify(network, gallery, subject, last))
            aged += script.update(network, gallery, subject, anchor, last)
    output = said(program(compile_owner, tmp_path, network), fs, script.commands)
    assert [in_short(line) for line in output if line[0] in "evu"] == script.lines
    assert len(subjects) == PEOPLE
    assert len(gallery.people) >= 20
    assert aged > 0
    accepted = [sum(one is Outcome.ACCEPTED for one in group) / len(group) for group in (genuine, impostors)]
    print(f"{name}: accepted {accepted[0]:.2f} of genuine, {accepted[1]:.2f} of impostors, {aged} updates")
    assert accepted[0] > 0.6
    assert accepted[1] < 0.1
