"""Golden recordings: one synthetic owner and one stranger, with what every stage makes of them.

They prove that front end, network, enrolment and decision work together on the machine that runs them. They are
synthetic, so that nobody's heart lies in a file that is handed on, and they say nothing about error rates.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.synthetic import SynthConfig, synthesise
from ecgkd.enrolment.enrol import enrol_person
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.told import Told
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


LOGIT_BOUNDS = {"fp32": 0.001, "int8": 0.05, "w8": 0.05}
"""Most that an activity's score may differ, in shares of the largest; optimised int8 kernels are 3 of 255 steps off."""


@runtime_checkable
class Teller(Protocol):
    """A model that tells activities too."""

    def tell(self, windows: NDArray[np.int8]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Outcome:
    """What a model makes of the golden recordings."""

    inputs: NDArray[np.int8]
    """(n, 1000) usable windows of all three, in the order of `ROLES`."""
    vectors: NDArray[np.int16]
    """(n, size) their embeddings, Q15."""
    decisions: dict[str, Any]
    """Of the owner's and the stranger's verification."""
    logits: NDArray[np.float32] | None = None
    """(n, A) of the activities; None of a network that tells none."""
    told: dict[str, Any] = field(default_factory=dict)
    """What the windows of the enrolment and of each verification tell of the activity; {} likewise."""

    @property
    def as_expected(self) -> bool:
        """Whether the owner was enrolled and accepted, and the stranger refused."""
        return {role: self.decisions[role]["decision"] for role in EXPECTED if role in self.decisions} == EXPECTED


def outcome(model: Model, recordings: Mapping[str, Record]) -> Outcome:
    """Returns what `model` makes of golden recordings, by the verbs' own enrolment and verification."""
    inputs = np.concatenate([usable_windows([recordings[role]]).inputs for role in ROLES])
    gallery = Gallery.empty(model.contract, "")
    decisions: dict[str, Any] = {}
    activities: dict[str, Told | None] = {}
    enrolment = enrol_person(gallery, OWNER, [recordings[ENROL]], model)
    activities[ENROL] = enrolment.activity
    if enrolment.enrolled:
        for role in EXPECTED:
            report = verify_person(gallery, OWNER, [recordings[role]], model)
            activities[role] = report.activity
            decisions[role] = {
                key: report.to_dict()[key] for key in ("decision", "rule", "kind", "score", "llr", "windows")
            }
    told = {role: asdict(found) for role, found in activities.items() if found is not None}
    logits = model.tell(inputs) if isinstance(model, Teller) and model.contract.tells_activity else None
    return Outcome(inputs, embed(model, inputs), decisions, logits, told)


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
        if found.logits is not None:
            members[f"{FOLDER}/{name}.activity.f32"] = found.logits.astype("<f4").tobytes()
    telling = {name: found for name, found in outcomes.items() if found.logits is not None}
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
    if telling:
        document |= {
            "activity": {name: f"{FOLDER}/{name}.activity.f32" for name in telling},
            "activity_is": "float32 (n, activities), little-endian, logits",
            "told": {name: found.told for name, found in telling.items()},
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
        telling, told = document.get("activity", {}), document.get("told", {})
        outcomes = {
            name: Outcome(
                inputs,
                np.frombuffer(members[place], "<i2").reshape(len(inputs), -1),
                document["decisions"][name],
                np.frombuffer(members[telling[name]], "<f4").reshape(len(inputs), -1) if name in telling else None,
                {role: _told(one) for role, one in told[name].items()} if name in telling else {},
            )
            for name, place in document["embeddings"].items()
        }
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise GateError(f"the golden recordings are broken ({error}); make the bundle again") from error
    if set(recordings) != set(ROLES):
        raise GateError("the golden recordings are not those of an owner and a stranger; make the bundle again")
    return recordings, outcomes


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(Told(str(one["name"]), int(one["windows"]), float(one["log_odds"])))


def difference(found: Outcome, kept: Outcome, precision: str, exact: bool = False) -> tuple[float, str]:
    """Returns the worst cosine of an embedding to the kept one, and what differs too much ("" for nothing).

    `exact`: every bit of the embeddings must be the same, and of the activities' scores.
    """
    floor, bound = COSINE_FLOORS[precision], LOGIT_BOUNDS[precision]
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
    return worst, activity_difference(found, kept, bound, exact)


def activity_difference(found: Outcome, kept: Outcome, bound: float, exact: bool = False) -> str:
    """Returns what differs too much in the activities that are told, "" for nothing.

    Logits may differ by `bound` times the largest kept one, log-odds by twice that; with `exact` by nothing.
    """
    if found.logits is None or kept.logits is None:
        return "" if found.logits is kept.logits else "one tells activities, the other none"
    if not np.isfinite(kept.logits).all():
        return "a kept score of an activity is no finite number"
    if found.logits.shape != kept.logits.shape:
        return f"activities of shape {found.logits.shape}, kept are {kept.logits.shape}"
    most = 0.0 if exact else bound * float(np.abs(kept.logits).max())
    off = float(np.abs(found.logits - kept.logits).max())
    if not off <= most:
        return f"a score of an activity is {off:.3g} off the kept one; allowed {most:.3g}"
    if set(found.told) != set(kept.told):
        return f"activities are told of {', '.join(found.told)}; kept are {', '.join(kept.told)}"
    for role, now in found.told.items():
        before = kept.told[role]
        if not exact and now["windows"] != before["windows"]:
            continue  # it decided a window earlier or later, on scores that are nearly the same
        close = abs(now["log_odds"] - before["log_odds"]) <= 2 * most and now["windows"] == before["windows"]
        if not close or (now["name"] != before["name"] and before["log_odds"] > 2 * most):
            return f"the {role} is told as {_as_told(now)}; kept is {_as_told(before)}"
    return ""


def _as_told(one: Mapping[str, Any]) -> str:
    return f"{one['name']} (log-odds {one['log_odds']:.4f}, {one['windows']} windows)"


def _integers(values: NDArray[Any], dtype: str) -> bytes:
    return np.rint(values).astype(dtype).tobytes()


def _record(role: str, counts: NDArray[np.int16], fs: int) -> Record:
    return Record(signal=counts.astype(np.float32)[None], fs=fs, leads=("I",), subject=role, name=role)
