"""What no bundle may hold: artefacts without evidence, or that do not belong together."""

from collections.abc import Mapping

from ecgkd.contract import Contract
from ecgkd.errors import GateError

SHARED = (
    *("model", "weights_sha256", "front_end", "leads", "activities"),
    *("threshold", "calibration", "enrolment", "cohort", "cohort_top"),
)
"""What all networks of a bundle agree on: one decision, whichever of them runs."""
DEVICE = (".tflite", ".ort", ".c")


def refuse(contracts: Mapping[str, Contract]) -> None:
    """Raises: GateError naming the first artefact, by file name, that a bundle may not hold, and why."""
    if not any(contract.precision == "int8" and name.endswith(DEVICE) for name, contract in contracts.items()):
        raise GateError("no int8 artefact for a device (.tflite, .ort or .c); export with --int8")
    first_name, first = next(iter(contracts.items()))
    for name, contract in contracts.items():
        problem = _problem(contract)
        if problem:
            raise GateError(f"{name}: {problem}")
        for field in SHARED:
            if getattr(contract, field) != getattr(first, field):
                raise GateError(f"{name}: its {field} is not that of {first_name}: not of one export; export again")


def _problem(contract: Contract) -> str:
    if contract.gates.get("verdict") != "passed":
        return f"failed a gate ({', '.join(contract.gates.get('failed', [])) or 'none was run'}); mend it, export again"
    if len(contract.leads) > 1:
        return f"takes {len(contract.leads)} leads together; the C library of a bundle takes one"
    threshold = contract.threshold
    if threshold is None:
        return "has no decision threshold; train it with calibration people in its protocol"
    if contract.synthetic or threshold.population == "synthetic":
        return "was trained or calibrated on synthetic people: no evidence about real ones"
    if threshold.n_subjects < 2 or threshold.n_pairs < 1:
        return "has a threshold that was set on nobody; calibrate it on people"
    biometric = contract.gates.get("biometric", {}).get("result", "absent")
    if contract.precision != "fp32" and biometric != "passed":
        return f"biometric parity is {biometric}: export it with recordings (--data, --protocol)"
    return ""
