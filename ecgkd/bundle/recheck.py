"""The gates of an export again, on its files alone: what `ecgkd check` runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.artefacts import Shipped
from ecgkd.bundle.make import BIOMETRIC, NO_DATA, Evidence, Memory, outputs_of, windows_for
from ecgkd.contract import ACTIVITY, METADATA_KEY, Contract, embedding_space_id
from ecgkd.files import sha256_of
from ecgkd_export import c99_artefacts, metadata, parity, structure, tflite_structure
from ecgkd_export.c99.read import read_path
from ecgkd_export.convert import calibration_gate, describe
from ecgkd_export.errors import ArtefactError
from ecgkd_export.parity import Outputs, Run
from ecgkd_export.reduced import required_operators
from ecgkd_export.rewrite import Profile
from ecgkd_export.run.c99 import C99Session
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.tflite.read import read
from ecgkd_export.tflite_artefacts import file_gates

RunAll = Callable[[NDArray[np.float32]], Outputs]
"""Windows (n, …) to every output."""


@dataclass(frozen=True)
class _People:
    """Asks the gates that need recordings; all artefacts share what the float network said."""

    evidence: Evidence | None
    memory: Memory = field(default_factory=dict)

    def gates(self, contract: Contract, reference: RunAll, candidate: RunAll) -> dict[str, dict[str, Any]]:
        """Returns the biometric gate and, where the network tells activities, that of these."""
        asked = outputs_of(contract)
        names = dict(zip(asked, (BIOMETRIC, ACTIVITY), strict=False))
        if self.evidence is None:
            return {name: {"result": parity.ABSENT, "why": NO_DATA} for name in names.values()}
        scores = self.evidence.gate, self.evidence.activity_gate
        return {
            names[output]: score(contract, self.memory)(_only(output, reference), _only(output, candidate))
            for output, score in zip(asked, scores, strict=False)
        }


def _only(output: str, run: RunAll) -> Run:
    return lambda windows: run(windows)[output]


def recheck(
    shipped: Sequence[Shipped], evidence: Evidence | None, torch_run: RunAll | None
) -> dict[str, dict[str, Any]]:
    """Returns the gates of each artefact of an export folder, run again on the files, by file name.

    `torch_run` is PyTorch's own network, where it is still there.
    """
    windows = windows_for(evidence, shipped[0].contract)
    people = _People(evidence)
    onnx_of = {one.contract.precision: one for one in shipped if one.path.suffix == ".onnx"}
    windows_sha256 = describe(windows)["windows_sha256"]
    runs: dict[Path, RunAll] = {one.path: _run_of(one) for one in shipped if one.path.suffix != ".tflite"}
    outputs = {precision: runs[one.path](windows) for precision, one in onnx_of.items()}
    reference = onnx_of.get("fp32")
    gates: dict[str, dict[str, Any]] = {}
    for one in shipped:
        found: dict[str, Any] = {"contract": _contract_gate(one)}
        if one.contract.precision == "int8" and one.path.suffix != ".ort":
            found["calibration"] = _calibration_gate(one.contract, reference, windows_sha256, evidence)
        precision = one.contract.precision
        if one.path.suffix == ".ort":
            found["same_as_onnx"] = _same(outputs.get(precision), runs[one.path](windows))
            found["required_operators"] = _operators_gate(one)
        elif precision == "fp32" and one.path.suffix == ".onnx":
            found["structure"] = structure.float_gate(metadata.read_onnx(one.path), outputs_of(one.contract))
            found["float_parity"] = (
                parity.over_outputs(parity.float_gate, torch_run(windows), outputs[precision])
                if torch_run
                else {"result": parity.ABSENT, "why": "the run that it was made from is not beside it"}
            )
        elif one.path.suffix == ".tflite":
            found |= _tflite_gates(one, reference, runs, windows, outputs, people)
        elif one.path.suffix == ".c":
            found |= _c_gates(one, shipped, reference, runs, windows, outputs, people)
        else:
            found["structure"] = structure.int8_gate(metadata.read_onnx(one.path), outputs_of(one.contract))
            found |= _int8_gates(one, reference, runs, outputs, people)
        gates[one.path.name] = found
    return gates


def _run_of(one: Shipped) -> RunAll:
    if one.path.suffix == ".c":
        return lambda windows: C99Session(one.path).run_all(windows)  # compiled when it is asked for: not all gates ask
    return OrtSession(one.path).run_all


def _tflite_gates(
    one: Shipped,
    reference: Shipped | None,
    runs: dict[Path, RunAll],
    windows: NDArray[np.float32],
    outputs: dict[str, Outputs],
    people: _People,
) -> dict[str, Any]:
    """Returns the gates of a TFLite file, which needs the float ONNX beside it."""
    if reference is None:
        return {"output_parity": {"result": parity.ABSENT, "why": "the float artefact is not beside it"}}
    profile = Profile(one.contract.quantisation.get("profile", Profile.CPU))
    content = one.path.read_bytes()
    try:
        runs[one.path] = LiteRtSession(content).run_all
    except ArtefactError as error:
        wrong = tflite_structure.file_gate(content, one.contract.precision, profile, outputs_of(one.contract))
        return {"structure": wrong, "output_parity": {"result": parity.FAILED, "why": str(error)}}
    found: dict[str, Any] = file_gates(content, one.contract.precision, windows, outputs["fp32"], profile)
    return {**found, **_of_people(one, reference, runs, people, found)}


def _c_gates(
    one: Shipped,
    shipped: Sequence[Shipped],
    reference: Shipped | None,
    runs: dict[Path, RunAll],
    windows: NDArray[np.float32],
    outputs: dict[str, Outputs],
    people: _People,
) -> dict[str, Any]:
    """Returns the gates of a C artefact, which needs the float ONNX beside it, and a compiler for most of them."""
    if reference is None:
        return {"output_parity": {"result": parity.ABSENT, "why": "the float artefact is not beside it"}}
    same = (other.path for other in shipped if other.graph_sha256 == one.graph_sha256)
    twin = next((path for path in same if path.suffix == ".tflite"), None)
    found: dict[str, Any] = c99_artefacts.file_gates(one.path, windows, outputs["fp32"], twin)
    return {**found, **_of_people(one, reference, runs, people, found)}


def _calibration_gate(
    contract: Contract, reference: Shipped | None, windows_sha256: str, evidence: Evidence | None
) -> dict[str, Any]:
    """Returns whether the ranges were measured on this float graph and, where that can be said, on these windows."""
    said = contract.quantisation
    if reference is None:
        return {"result": parity.ABSENT, "why": "the float artefact is not beside it"}
    found = calibration_gate(said, reference.graph_sha256)
    same_protocol = evidence is not None and said.get("windows_of") == evidence.protocol.sha256
    if found["result"] == parity.PASSED and same_protocol and said.get("windows_sha256") != windows_sha256:
        why = f"it was calibrated on other windows ({said.get('windows_sha256', '')[:12]}…) than its protocol gives"
        return {"result": parity.FAILED, "why": f"{why} ({windows_sha256[:12]}…); export again"}
    return found


def _operators_gate(one: Shipped) -> dict[str, Any]:
    """Returns whether the list of operators beside an `.ort` file is what that file needs."""
    path = one.path.with_suffix(".config")
    if not path.is_file():
        return {"result": parity.ABSENT, "why": f"{path.name} is not beside it"}
    same = path.read_text(encoding="utf-8", errors="replace") == required_operators(
        one.path.read_bytes(), one.path.name
    )
    why = {} if same else {"why": f"{path.name} is not what the file needs; export again"}
    return {"result": parity.PASSED if same else parity.FAILED, **why}


def _of_people(
    one: Shipped, reference: Shipped, runs: dict[Path, RunAll], people: _People, found: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Returns the gates that need people; `absent` where what was `found` says that the file does not run here."""
    if not all("cosine_mean" in gate for name, gate in found.items() if name in RUN_GATES):
        return {BIOMETRIC: {"result": parity.ABSENT, "why": "it was not run"}}
    return people.gates(one.contract, runs[reference.path], runs[one.path])


def _int8_gates(
    one: Shipped,
    reference: Shipped | None,
    runs: dict[Path, RunAll],
    outputs: dict[str, Outputs],
    people: _People,
) -> dict[str, Any]:
    """Returns output parity and biometric parity of an int8 artefact with the float one beside it."""
    if reference is None:
        absent = {"result": parity.ABSENT, "why": "the float artefact is not beside it"}
        return {"output_parity": absent, BIOMETRIC: absent}
    same = parity.output_gates(outputs["fp32"], outputs[one.contract.precision])
    return {**same, **_of_people(one, reference, runs, people, same)}


RUN_GATES = ("output_parity", "activity_parity")
"""Gates that have figures where the file could be run."""


RUNTIMES = {
    ("fp32", False): "onnx-fp32",
    ("int8", False): "ort-int8",
    ("int8", True): "int8",
    ("w8", True): "w8",
    ("fp32", True): "tflite-fp32",
}
"""By precision and whether it is a TFLite file or C of its graph: whose embeddings the artefact gives."""


def _contract_gate(one: Shipped) -> dict[str, Any]:
    """Returns whether the contract inside is the one beside, and the graph the one that templates are bound to."""
    problems = []
    tflite = one.path.suffix in (".tflite", ".c")
    inside = _metadata_of(one.path).get(METADATA_KEY)
    if inside is None or Contract.from_json(inside, str(one.path)) != one.contract:
        problems.append("the contract inside the file is not the one beside it")
    runtime = RUNTIMES.get((one.contract.precision, tflite), "unknown")
    expected = embedding_space_id(runtime, one.graph_sha256, sha256_of(one.contract.front_end))
    if expected != one.contract.embedding_space:
        problems.append("the embedding-space id is not that of this graph and front end")
    if one.path.suffix == ".onnx" and metadata.graph_sha256(metadata.read_onnx(one.path)) != one.graph_sha256:
        problems.append("the graph is not the one that the sidecar names")
    return {"result": parity.FAILED if problems else parity.PASSED, "problems": problems}


def _metadata_of(path: Path) -> Mapping[str, str]:
    if path.suffix == ".c":
        return read_path(path).metadata
    return read(path.read_bytes()).metadata if path.suffix == ".tflite" else OrtSession(path).metadata


def _same(expected: Outputs | None, given: Outputs) -> dict[str, Any]:
    if expected is None:
        return {"result": parity.ABSENT, "why": "the .onnx of the same precision is not beside it"}
    return parity.over_outputs(_equal, expected, given)


def _equal(expected: NDArray[np.float32], given: NDArray[np.float32]) -> dict[str, Any]:
    figures = parity.compare(expected, given)
    return {"result": parity.PASSED if figures["max_abs"] == 0 else parity.FAILED, **figures}
