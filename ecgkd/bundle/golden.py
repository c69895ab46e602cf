"""Golden recordings: one synthetic owner and one stranger, with what every stage makes of them.

They prove that front end, network, enrolment and decision work together on the machine that runs them. They are
synthetic, so that nobody's heart lies in a file that is handed on, and they say nothing about error rates.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.synthetic import SynthConfig, synthesise
from ecgkd.enrolment.enrol import enrol_person
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.verify import verify_person
from ecgkd.enrolment.windows import Model, embed, usable_windows
from ecgkd.errors import GateError
from ecgkd.files import canonical_json
from ecgkd.record import Record, to_integer_microvolts

FOLDER = "golden"
FS = 512
"""Not the network's own rate, so that the resampling is proved too."""
PEOPLE = SynthConfig(people=10, sessions=1, seconds=32, fs=FS, seed=20)
ENROL, OWNER, STRANGER = "enrol", "owner", "stranger"
ROLES = (ENROL, OWNER, STRANGER)
EXPECTED = {OWNER: "accepted", STRANGER: "refused"}
COSINE_FLOORS = {"fp32": 0.9999, "int8": 0.99, "w8": 0.99}
"""Least cosine of a window's embedding to the kept one: runtimes round differently, an int8 graph carries it on."""


@dataclass(frozen=True)
class Outcome:
    """What a model makes of the golden recordings."""

    inputs: NDArray[np.int8]
    """(n, 1000) usable windows of all three, in the order of `ROLES`."""
    vectors: NDArray[np.int16]
    """(n, size) their embeddings, Q15."""
    decisions: dict[str, Any]
    """Of the owner's and the stranger's verification."""

    @property
    def as_expected(self) -> bool:
        """Whether the owner was enrolled and accepted, and the stranger refused."""
        return {role: self.decisions[role]["decision"] for role in EXPECTED if role in self.decisions} == EXPECTED


def outcome(model: Model, recordings: Mapping[str, Record]) -> Outcome:
    """Returns what `model` makes of golden recordings, by the verbs' own enrolment and verification."""
    inputs = np.concatenate([usable_windows([recordings[role]]).inputs for role in ROLES])
    gallery = Gallery.empty(model.contract, "")
    decisions: dict[str, Any] = {}
    if enrol_person(gallery, OWNER, [recordings[ENROL]], model).enrolled:
        for role in EXPECTED:
            report = verify_person(gallery, OWNER, [recordings[role]], model)
            decisions[role] = {
                key: report.to_dict()[key] for key in ("decision", "rule", "kind", "score", "llr", "windows")
            }
    return Outcome(inputs, embed(model, inputs), decisions)


def choose(model: Model) -> dict[str, Record]:
    """Returns golden recordings by role: the first synthetic owner whom `model` accepts, and a stranger it refuses.

    Raises: GateError where there is no such pair.
    """
    for recordings in _candidates():
        if outcome(model, recordings).as_expected:
            return recordings
    raise GateError(
        f"{model.contract.model} tells no synthetic owner from a stranger at its threshold; look at its evaluation"
    )


def _candidates() -> Iterator[dict[str, Record]]:
    by_person: dict[str, list[Record]] = {}
    for record in synthesise(PEOPLE):
        by_person.setdefault(record.subject, []).append(_as_stored(record))
    for owner, stranger in itertools.permutations(by_person.values(), 2):
        yield {ENROL: owner[0], OWNER: owner[1], STRANGER: stranger[0]}


def _as_stored(record: Record) -> Record:
    """Returns the recording as a bundle keeps it: whole microvolts that fit 16 bits."""
    stored = np.clip(to_integer_microvolts(record.signal[:1]), -32768, 32767)
    return replace(record, signal=stored.astype(np.float32), leads=record.leads[:1])


def golden_members(recordings: Mapping[str, Record], outcomes: Mapping[str, Outcome]) -> dict[str, bytes]:
    """Returns the members of a bundle that hold golden recordings and the outcome of every artefact by its name."""
    first = next(iter(outcomes.values()))
    members = {f"{FOLDER}/{role}.i16": _integers(recordings[role].signal[0], "<i2") for role in ROLES}
    members[f"{FOLDER}/windows.i8"] = first.inputs.tobytes()
    for name, found in outcomes.items():
        members[f"{FOLDER}/{name}.i16"] = _integers(found.vectors, "<i2")
    document = {
        "notice": "synthetic people: proves that the parts work together, nothing about error rates",
        "fs_hz": FS,
        "recordings": {role: f"{FOLDER}/{role}.i16" for role in ROLES},
        "recordings_are": "int16, little-endian, microvolt",
        "windows": f"{FOLDER}/windows.i8",
        "windows_are": "int8 (n, 1000), the front end's output for usable windows, in the order of the recordings",
        "embeddings": {name: f"{FOLDER}/{name}.i16" for name in outcomes},
        "embeddings_are": "int16 (n, size), little-endian, unit length in Q15",
        "decisions": {name: found.decisions for name, found in outcomes.items()},
    }
    return {**members, f"{FOLDER}/golden.json": canonical_json(document)}


def read_golden(members: Mapping[str, bytes]) -> tuple[dict[str, Record], dict[str, Outcome]]:
    """Returns golden recordings by role and outcomes by artefact. Raises: GateError where they are broken."""
    try:
        document = json.loads(members[f"{FOLDER}/golden.json"])
        recordings = {
            role: _record(role, np.frombuffer(members[name], "<i2"), int(document["fs_hz"]))
            for role, name in document["recordings"].items()
        }
        inputs = np.frombuffer(members[document["windows"]], np.int8).reshape(-1, 1000)
        outcomes = {
            name: Outcome(
                inputs,
                np.frombuffer(members[place], "<i2").reshape(len(inputs), -1),
                document["decisions"][name],
            )
            for name, place in document["embeddings"].items()
        }
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise GateError(f"the golden recordings are broken ({error}); make the bundle again") from error
    if set(recordings) != set(ROLES):
        raise GateError("the golden recordings are not those of an owner and a stranger; make the bundle again")
    return recordings, outcomes


def difference(found: Outcome, kept: Outcome, floor: float, exact: bool = False) -> tuple[float, str]:
    """Returns the worst cosine of an embedding to the kept one, and what differs too much ("" for nothing).

    `exact`: every bit of the embeddings must be the same.
    """
    if not np.array_equal(found.inputs, kept.inputs):
        return 0.0, "the front end gives other windows"
    a, b = found.vectors.astype(np.float64), kept.vectors.astype(np.float64)
    if a.shape != b.shape:
        return 0.0, f"embeddings of shape {a.shape}, kept are {b.shape}"
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    worst = float(np.divide((a * b).sum(1), lengths, out=np.zeros(len(a)), where=lengths > 0).min())
    if exact and not np.array_equal(found.vectors, kept.vectors):
        return (
            worst,
            f"an embedding differs from the kept one (worst cosine {worst:.6f}); C gives the same bits everywhere",
        )
    if worst < floor:
        return worst, f"an embedding has cosine {worst:.4f} to the kept one, below {floor}"
    for role, decision in kept.decisions.items():
        now = found.decisions.get(role, {}).get("decision")
        if now != decision["decision"]:
            return worst, f"the {role} is {now or 'not decided on'}; kept is {decision['decision']}"
    return worst, ""


def _integers(values: NDArray[Any], dtype: str) -> bytes:
    return np.rint(values).astype(dtype).tobytes()


def _record(role: str, counts: NDArray[np.int16], fs: int) -> Record:
    return Record(signal=counts.astype(np.float32)[None], fs=fs, leads=("I",), subject=role, name=role)
