"""What `ecgkd bench` measures: the files that a run, an export folder or an artefact stands for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ecgkd.contract import Contract
from ecgkd.errors import EcgkdError, UsageError

if TYPE_CHECKING:
    from ecgkd_bench.plan import Subject
    from ecgkd_bench.result import Evidence

ARTEFACTS = (".onnx", ".ort", ".tflite", ".c", ".pt2")


def subjects_of(models: list[str], folder: Path, dry_run: bool) -> "list[Subject]":
    """Returns what to measure; PyTorch programs of runs are written into `folder`.

    Raises: UsageError for a model that is none of the three.
    """
    from ecgkd.cli.load import model_path

    subjects: list[Subject] = []
    for model in models:
        path = model_path(model)
        if path.is_file() and path.suffix in ARTEFACTS:
            subjects.append(_artefact(path))
        elif (path / "weights.safetensors").is_file():
            subjects.append(_program(path, folder / f"{len(subjects)}.pt2", dry_run))
        elif artefacts := sorted(one for one in path.glob("*") if one.suffix in ARTEFACTS):
            subjects += [_artefact(one) for one in artefacts]
        else:
            raise UsageError(f"{model}: neither a run, an export folder nor an artefact ({', '.join(ARTEFACTS)})")
    return subjects


def _artefact(path: Path) -> "Subject":
    from ecgkd_bench.plan import Subject

    precision = path.stem.rpartition("_")[2]
    contract = contract_of(path)
    return Subject(
        path.name,
        path,
        precision if precision in ("fp32", "int8", "w8") else "",
        windows_to_accept=_windows_to_accept(contract),
        evidence=evidence_of(contract, path),
    )


def contract_of(path: Path) -> Contract | None:
    """Returns the contract in the JSON file beside an artefact; None where there is none that fits the file."""
    from ecgkd.files import sha256_file

    beside = path.with_name(f"{path.name}.json")
    try:
        document = json.loads(beside.read_bytes())
        if document["file"]["sha256"] != sha256_file(path):
            return None
        return Contract.from_dict(document, str(beside))
    except (OSError, ValueError, KeyError, TypeError, EcgkdError):
        return None


def evidence_of(contract: Contract | None, path: Path) -> "Evidence | None":
    """Returns how well the artefact recognises, as its gates found: of a float one, what those of its siblings did."""
    from ecgkd_bench.result import Evidence

    if contract is None:
        return None
    gate, error = contract.gates.get("biometric"), "eer"
    if gate is None and contract.precision == "fp32":
        error = "eer_float"
        siblings = (contract_of(one) for one in sorted(path.parent.glob("*")) if one.suffix in ARTEFACTS)
        gates = [
            one.gates.get("biometric") for one in siblings if one and one.weights_sha256 == contract.weights_sha256
        ]
        gate = next((one for one in gates if one), None)
    if not isinstance(gate, dict) or gate.get(error) is None:
        return None
    return Evidence(float(gate[error]), int(gate["people"]), str(gate["protocol_sha256"]), bool(gate["synthetic"]))


def _windows_to_accept(contract: Contract | None) -> float | None:
    from ecgkd.enrolment.waiting import expected_waiting

    waiting = None if contract is None else expected_waiting(contract)
    return None if waiting is None else waiting.windows


def _program(run: Path, path: Path, dry_run: bool) -> "Subject":
    """Returns PyTorch's own program of a run: what the artefacts are measured against."""
    import numpy as np

    from ecgkd_bench.plan import Subject

    name = f"{run.resolve().parent.name}/{run.resolve().name}.pt2"
    if dry_run:
        return Subject(name, path, "fp32")
    from ecgkd.models import export_form
    from ecgkd.signal.chain import WINDOW_SAMPLES
    from ecgkd.training.fit import load_run
    from ecgkd_export.torch_onnx import save_program

    model, info = load_run(run)
    save_program(export_form(model), np.zeros((1, 1, WINDOW_SAMPLES), np.float32), path)
    windows = _windows_to_accept(info.contract)
    return Subject(name, path, "fp32", info.contract.weights_sha256, windows_to_accept=windows)
