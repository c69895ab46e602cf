"""What `ecgkd bench` measures: the files that a run, an export folder or an artefact stands for."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgkd.contract import Contract
from ecgkd.errors import EcgkdError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ecgkd_bench.plan import Subject
    from ecgkd_bench.result import Evidence

ARTEFACTS = (".onnx", ".ort", ".tflite", ".c", ".pt2")


def subjects_of(models: list[str], folder: Path, dry_run: bool) -> "list[Subject]":
    """Returns what to measure; PyTorch programs of runs are written into `folder`.

    Files of one name are called by their folder too. Raises: UsageError for a model that is none of the three.
    """
    from ecgkd.cli.load import model_path

    subjects: list[Subject] = []
    for model in models:
        path = model_path(model)
        if path.is_file() and path.suffix in ARTEFACTS:
            subjects.append(_artefact(path, dry_run))
        elif (path / "weights.safetensors").is_file():
            subjects.append(_program(path, folder / f"{len(subjects)}.pt2", dry_run))
        elif artefacts := sorted(one for one in path.glob("*") if one.suffix in ARTEFACTS):
            subjects += [_artefact(one, dry_run) for one in artefacts]
        else:
            raise UsageError(f"{model}: neither a run, an export folder nor an artefact ({', '.join(ARTEFACTS)})")
    names = [subject.name for subject in subjects]
    return [
        replace(one, name=f"{one.path.resolve().parent.name}/{one.name}") if names.count(one.name) > 1 else one
        for one in subjects
    ]


def _artefact(path: Path, dry_run: bool) -> "Subject":
    from ecgkd_bench.plan import Subject

    precision = path.stem.rpartition("_")[2]
    contract = contract_of(path)
    return Subject(
        path.name,
        path,
        precision if precision in ("fp32", "int8", "w8") else "",
        windows_to_accept=_windows_to_accept(contract),
        evidence=evidence_of(contract, path),
        outputs=() if contract is None else tuple(one.name for one in contract.outputs),
        expected=None if dry_run else expected_of(path),
    )


def expected_of(path: Path) -> dict[str, tuple[float, ...]] | None:
    """Returns what each output of an artefact is on the bench's noise, by export's runtimes and reference kernels.

    None where the runtime or the compiler is not here, or the file is none that export reads: then the bench says so.
    """
    from ecgkd_export.errors import ExportError

    try:
        found = _all_outputs(path)
    except ExportError:
        return None
    return {name: tuple(float(value) for value in values.ravel()) for name, values in found.items()}


def _all_outputs(path: Path) -> "dict[str, NDArray[Any]]":
    import numpy as np

    from ecgkd_bench.backends import float_noise, integer_noise
    from ecgkd_bench.static_runner import noise

    if path.suffix == ".c":
        from ecgkd_export.run.c99 import C99Session

        network = C99Session(path)
        window = np.frombuffer(noise(int(np.prod(network.input_shape))), np.int8)
        return dict(network.run_all_integers(window.reshape(1, *network.input_shape[1:])))
    if path.suffix == ".tflite":
        from ecgkd_export.run.litert import LiteRtSession

        session = LiteRtSession(path, kernels="reference")
        if session.input_dtype.kind == "f":
            return dict(session.run_all(float_noise(session.input_shape)[0]))
        return dict(session.run_all_integers(integer_noise(session.input_shape, session.input_dtype)))
    from ecgkd_export.run.ort import OrtSession

    graph = OrtSession(path)
    return dict(graph.run_all(float_noise([axis if isinstance(axis, int) else 1 for axis in graph.input_shape])[0]))


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
    form = export_form(model, with_activity=bool(info.activities))
    save_program(form, np.zeros((1, max(1, len(info.contract.leads)), WINDOW_SAMPLES), np.float32), path)
    windows, outputs = _windows_to_accept(info.contract), ("embedding", "activity")[: 2 if info.activities else 1]
    return Subject(name, path, "fp32", info.contract.weights_sha256, windows_to_accept=windows, outputs=outputs)
