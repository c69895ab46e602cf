"""From a network to artefacts with their contracts and gate results, and the same gates on files again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.artefacts import Shipped, artefact_contract
from ecgkd.bundle.gate import Embed, biometric_gate
from ecgkd.bundle.windows import INPUT_RANGE, as_input, calibration_windows, synthetic_windows
from ecgkd.contract import METADATA_KEY, Contract, embedding_space_id
from ecgkd.data.prepared import PreparedSet
from ecgkd.files import sha256_of
from ecgkd.protocols.protocol import Protocol
from ecgkd_export import metadata, parity, structure
from ecgkd_export.artefact import ONNX_FORMATS, Artefact
from ecgkd_export.convert import convert
from ecgkd_export.ort_int8 import Settings
from ecgkd_export.parity import Run
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.tflite.read import read
from ecgkd_export.tflite_artefacts import file_gates

if TYPE_CHECKING:
    import onnx
    from torch import nn

Progress = Callable[[int, int, str], None]
BIOMETRIC = "biometric"
NO_DATA = "no recordings were given; name them with --data and --protocol"


@dataclass(frozen=True)
class Evidence:
    """Recordings to calibrate on and to compare decisions on."""

    protocol: Protocol
    sets: tuple[PreparedSet, ...]

    def gate(self, contract: Contract) -> parity.Score:
        """Returns the biometric gate as `ecgkd_export` takes it."""

        def score(reference: Run, candidate: Run) -> dict[str, Any]:
            found = biometric_gate(embed(reference), embed(candidate), contract, self.protocol, self.sets)
            return {**found, "protocol_sha256": self.protocol.sha256}

        return score


def embed(run: Run) -> Embed:
    """Returns `run`, which takes (n, 1, 1000) float32, for the front end's windows (n, 1000)."""
    return lambda windows: run(as_input(windows))


def windows_for(evidence: Evidence | None) -> NDArray[np.float32]:
    """Returns the windows that numbers are compared on: the protocol's calibration part, or synthetic ones."""
    return calibration_windows(evidence.protocol, evidence.sets) if evidence else synthetic_windows()


def make(
    network: "nn.Module | onnx.ModelProto",
    contract: Contract,
    evidence: Evidence | None,
    *,
    int8: bool = True,
    formats: Sequence[str] = ONNX_FORMATS,
    force: bool = False,
    released: Sequence[dict[str, Any]] = (),
    progress: Progress | None = None,
) -> list[tuple[Artefact, Contract]]:
    """Returns the artefacts of `network`, each with its contract; a failed gate is a result, not an error.

    Without recordings, int8 ranges come from the contract, if it has them for this graph, else from synthetic windows.
    `released` are sidecars of released artefacts: their biometric results are quoted for the very same graphs.
    """
    ranges = None if evidence else (contract.activation_ranges or None)
    artefacts = convert(
        network,
        windows_for(evidence),
        int8=int8,
        formats=formats,
        settings=Settings(INPUT_RANGE),
        ranges={name: (low, high) for name, (low, high) in ranges.items()} if ranges else None,
        extra_gates={BIOMETRIC: evidence.gate(contract)} if evidence else None,
        progress=progress,
    )
    artefacts = [_with_stored_parity(one, contract) for one in artefacts]
    if evidence is None:
        artefacts = [_without_recordings(one, released) for one in artefacts]
    return [(one, artefact_contract(contract, one, force)) for one in artefacts]


def _with_stored_parity(artefact: Artefact, contract: Contract) -> Artefact:
    """Returns a float artefact made from an artefact with the parity to PyTorch that its contract states."""
    stored = contract.gates.get("float_parity")
    if artefact.precision != "fp32" or stored is None or artefact.gates["float_parity"]["result"] != parity.ABSENT:
        return artefact
    quoted = {**stored, "quoted": "of this very graph, when it left PyTorch"}
    return replace(artefact, gates={**artefact.gates, "float_parity": quoted})


def _without_recordings(artefact: Artefact, released: Sequence[dict[str, Any]]) -> Artefact:
    if artefact.precision == "fp32":
        return artefact
    gate = {"result": parity.ABSENT, "why": NO_DATA}
    for one in released:
        quoted = one["gates"].get(BIOMETRIC) if one["file"]["graph_sha256"] == artefact.graph_sha256 else None
        gate = {**quoted, "quoted": "the release's own result, for this very graph"} if quoted else gate
    quantisation = {**artefact.quantisation}
    if "windows" in quantisation:
        quantisation["ranges_from"] = "synthetic windows"
    return replace(artefact, gates={**artefact.gates, BIOMETRIC: gate}, quantisation=quantisation)


def recheck(shipped: Sequence[Shipped], evidence: Evidence | None, torch_run: Run | None) -> dict[str, dict[str, Any]]:
    """Returns the gates of each artefact of an export folder, run again on the files, by file name.

    `torch_run` is PyTorch's own network, where it is still there.
    """
    windows = windows_for(evidence)
    onnx_of = {one.contract.precision: one for one in shipped if one.path.suffix == ".onnx"}
    runs = {one.path: _run_of(one) for one in shipped}
    outputs = {precision: runs[one.path](windows) for precision, one in onnx_of.items()}
    reference = onnx_of.get("fp32")
    gates: dict[str, dict[str, Any]] = {}
    for one in shipped:
        found: dict[str, Any] = {"contract": _contract_gate(one)}
        precision, run = one.contract.precision, runs[one.path]
        if one.path.suffix == ".ort":
            same = parity.compare(outputs[precision], run(windows)) if precision in outputs else None
            found["same_as_onnx"] = _same(same)
        elif precision == "fp32":
            found["structure"] = structure.float_gate(metadata.read_onnx(one.path))
            found["float_parity"] = (
                parity.float_gate(torch_run(windows), outputs[precision])
                if torch_run
                else {"result": parity.ABSENT, "why": "the run that it was made from is not beside it"}
            )
        elif one.path.suffix == ".tflite":
            found |= _tflite_gates(one, reference, runs, windows, outputs, evidence)
        else:
            found["structure"] = structure.int8_gate(metadata.read_onnx(one.path))
            found |= _int8_gates(one, reference, runs, outputs, evidence)
        gates[one.path.name] = found
    return gates


def _run_of(one: Shipped) -> Run:
    if one.path.suffix == ".tflite":
        return LiteRtSession(one.path).run
    return OrtSession(one.path).run


def _tflite_gates(
    one: Shipped,
    reference: Shipped | None,
    runs: dict[Path, Run],
    windows: NDArray[np.float32],
    outputs: dict[str, NDArray[np.float32]],
    evidence: Evidence | None,
) -> dict[str, Any]:
    """Returns the gates of a TFLite file, which needs the float ONNX beside it."""
    if reference is None:
        return {"output_parity": {"result": parity.ABSENT, "why": "the float artefact is not beside it"}}
    found: dict[str, Any] = file_gates(one.path.read_bytes(), one.contract.precision, windows, outputs["fp32"])
    return {**found, BIOMETRIC: _biometric(one, reference, runs, evidence)}


def _biometric(one: Shipped, reference: Shipped, runs: dict[Path, Run], evidence: Evidence | None) -> dict[str, Any]:
    if evidence is None:
        return {"result": parity.ABSENT, "why": NO_DATA}
    return evidence.gate(one.contract)(runs[reference.path], runs[one.path])


def _int8_gates(
    one: Shipped,
    reference: Shipped | None,
    runs: dict[Path, Run],
    outputs: dict[str, NDArray[np.float32]],
    evidence: Evidence | None,
) -> dict[str, Any]:
    """Returns output parity and biometric parity of an int8 artefact with the float one beside it."""
    if reference is None:
        absent = {"result": parity.ABSENT, "why": "the float artefact is not beside it"}
        return {"output_parity": absent, BIOMETRIC: absent}
    same = parity.int8_gate(outputs["fp32"], outputs[one.contract.precision])
    return {"output_parity": same, BIOMETRIC: _biometric(one, reference, runs, evidence)}


RUNTIMES = {("fp32", False): "onnx-fp32", ("int8", False): "ort-int8", ("int8", True): "int8", ("w8", True): "w8"}
"""By precision and whether it is a TFLite file: whose embeddings the artefact gives."""


def _contract_gate(one: Shipped) -> dict[str, Any]:
    """Returns whether the contract inside is the one beside, and the graph the one that templates are bound to."""
    problems = []
    tflite = one.path.suffix == ".tflite"
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
    return read(path.read_bytes()).metadata if path.suffix == ".tflite" else OrtSession(path).metadata


def _same(figures: dict[str, Any] | None) -> dict[str, Any]:
    if figures is None:
        return {"result": parity.ABSENT, "why": "the .onnx of the same precision is not beside it"}
    return {"result": parity.PASSED if figures["max_abs"] == 0 else parity.FAILED, **figures}
