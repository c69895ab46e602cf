"""From a network to artefacts with their contracts and gate results."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.activity_gate import activity_gate
from ecgkd.bundle.artefacts import artefact_contract
from ecgkd.bundle.gate import Embed, biometric_gate
from ecgkd.bundle.windows import INPUT_RANGE, as_input, calibration_windows, synthetic_windows
from ecgkd.contract import ACTIVITY, EMBEDDING, Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.scores import unit
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.trials import taking
from ecgkd_export import parity
from ecgkd_export.artefact import ONNX_FORMATS, Artefact
from ecgkd_export.convert import convert
from ecgkd_export.ort_int8 import Settings
from ecgkd_export.parity import Run
from ecgkd_export.rewrite import Profile
from ecgkd_export.tflite_artefacts import Tuning

if TYPE_CHECKING:
    import onnx
    from torch import nn

Progress = Callable[[int, int, str], None]
Memory = dict[tuple[str, bytes], NDArray[np.float32]]
"""What a network said, by the output and the hash of the windows."""
BIOMETRIC = "biometric"
PEOPLE = (BIOMETRIC, ACTIVITY)
"""Gates that need recordings of people."""
ORIGIN = ("ranges_from", "ranges_of", "windows", "windows_sha256", "windows_of")
"""What a contract says of its activation ranges: hashes of the float graph, of the windows and of their protocol."""
NO_DATA = "no recordings were given; name them with --data and --protocol"


@dataclass(frozen=True)
class Evidence:
    """Recordings to calibrate on and to compare decisions on."""

    protocol: Protocol
    sets: tuple[PreparedSet, ...]

    def gate(self, contract: Contract, memory: "Memory | None" = None) -> parity.Score:
        """Returns the biometric gate as `ecgkd_export` takes it.

        `memory` keeps what the reference network said, for all candidates that it is held against: one for one network.
        """
        known: Memory = {} if memory is None else memory

        def score(reference: Run, candidate: Run) -> dict[str, Any]:
            before, after = _remembered(embed(reference), EMBEDDING, known), embed(candidate)
            found = biometric_gate(before, after, contract, self.protocol, taking(self.sets, contract.leads))
            return {**found, "protocol_sha256": self.protocol.sha256}

        return score

    def activity_gate(self, contract: Contract, memory: "Memory | None" = None) -> parity.Score:
        """Returns the activity gate, of runs of that output; as `gate`."""
        known: Memory = {} if memory is None else memory

        def score(reference: Run, candidate: Run) -> dict[str, Any]:
            before, after = _remembered(tell(reference), ACTIVITY, known), tell(candidate)
            sets = taking(self.sets, contract.leads)
            found = activity_gate(before, after, contract.activities, self.protocol, sets)
            return {**found, "protocol_sha256": self.protocol.sha256}

        return score


def _remembered(ask: Embed, output: str, known: Memory) -> Embed:
    """Returns `ask`, which asks the network for one output, with the memory of what it said."""

    def asked(windows: NDArray[np.int8]) -> NDArray[np.float32]:
        key = output, hashlib.sha256(windows.tobytes()).digest()
        if key not in known:
            known[key] = ask(windows)
        return known[key]

    return asked


def embed(run: Run) -> Embed:
    """Returns `run`, which takes (n, leads, 1000) float32, for the front end's windows; unit rows."""
    return lambda windows: unit(run(as_input(windows)))


def tell(run: Run) -> Embed:
    """Returns `run`, as `embed` takes it, for the front end's windows; rows as they are."""
    return lambda windows: run(as_input(windows))


def outputs_of(contract: Contract) -> tuple[str, ...]:
    """Returns the names of a network's outputs."""
    return (EMBEDDING, ACTIVITY) if contract.tells_activity else (EMBEDDING,)


def windows_for(evidence: Evidence | None, contract: Contract) -> NDArray[np.float32]:
    """Returns the windows that numbers are compared on: the protocol's calibration part, or synthetic ones."""
    if evidence is None:
        return synthetic_windows(n_leads=len(contract.leads) or 1)
    sets = taking(evidence.sets, contract.leads)
    return calibration_windows(evidence.protocol, sets, with_activities=contract.tells_activity)


def make(
    network: "nn.Module | onnx.ModelProto",
    contract: Contract,
    evidence: Evidence | None,
    *,
    int8: bool = True,
    formats: Sequence[str] = ONNX_FORMATS,
    profile: Profile = Profile.CPU,
    float_tflite: bool = False,
    tuning: Tuning | None = None,
    force: bool = False,
    released: Sequence[dict[str, Any]] = (),
    progress: Progress | None = None,
) -> list[tuple[Artefact, Contract]]:
    """Returns the artefacts of `network`, each with its contract; a failed gate is a result, not an error.

    Without recordings, int8 ranges come from the contract, if it has them for this graph, else from synthetic windows.
    `released` are sidecars of released artefacts: their biometric results are quoted for the very same graphs.
    """
    ranges = None if evidence else (contract.activation_ranges or None)
    telling = contract.tells_activity
    artefacts = convert(
        network,
        windows_for(evidence, contract),
        int8=int8,
        formats=formats,
        settings=Settings(INPUT_RANGE),
        ranges={name: (low, high) for name, (low, high) in ranges.items()} if ranges else None,
        origin={name: contract.quantisation[name] for name in ORIGIN if name in contract.quantisation},
        profile=profile,
        float_tflite=float_tflite,
        tuning=tuning,
        outputs=outputs_of(contract),
        extra_gates={BIOMETRIC: evidence.gate(contract)} if evidence else None,
        class_gates={ACTIVITY: (ACTIVITY, evidence.activity_gate(contract))} if evidence and telling else None,
        progress=progress,
    )
    artefacts = [_with_stored_parity(one, contract) for one in artefacts]
    if evidence is not None:
        artefacts = [_calibrated_by(one, evidence.protocol) for one in artefacts]
    else:
        artefacts = [_without_recordings(one, released) for one in artefacts]
    return [(one, artefact_contract(contract, one, force)) for one in artefacts]


def _calibrated_by(artefact: Artefact, protocol: Protocol) -> Artefact:
    """Returns the artefact with the protocol that its calibration windows are of, where it has any."""
    if "windows_sha256" not in artefact.quantisation:
        return artefact
    return replace(artefact, quantisation={**artefact.quantisation, "windows_of": protocol.sha256})


def _with_stored_parity(artefact: Artefact, contract: Contract) -> Artefact:
    """Returns a float artefact made from an artefact with the parity to PyTorch that its contract states."""
    stored = contract.gates.get("float_parity")
    if artefact.precision != "fp32" or stored is None or artefact.gates["float_parity"]["result"] != parity.ABSENT:
        return artefact
    quoted = {**stored, "quoted": "of this very graph, when it left PyTorch"}
    return replace(artefact, gates={**artefact.gates, "float_parity": quoted})


def _without_recordings(artefact: Artefact, released: Sequence[dict[str, Any]]) -> Artefact:
    quantisation = {**artefact.quantisation}
    if quantisation.get("ranges_from") == "windows":
        quantisation["ranges_from"] = "synthetic windows"
    if artefact.runtime == "onnx-fp32":
        return replace(artefact, quantisation=quantisation)
    asked = PEOPLE if ACTIVITY in artefact.outputs else (BIOMETRIC,)
    gates = {name: {"result": parity.ABSENT, "why": NO_DATA} for name in asked}
    same = [one["gates"] for one in released if one["file"]["graph_sha256"] == artefact.graph_sha256]
    for name, found in ((name, one[name]) for one in same for name in asked if name in one):
        gates[name] = {**found, "quoted": "the release's own result, for this very graph"}
    return replace(artefact, gates={**artefact.gates, **gates}, quantisation=quantisation)
