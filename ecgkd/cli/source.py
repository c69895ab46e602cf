"""What `ecgkd export` and `ecgkd check` start from: a network, and the recordings that it is held against."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgkd.cli.output import say
from ecgkd.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ecgkd.bundle.make import Evidence
    from ecgkd.bundle.recheck import RunAll
    from ecgkd.contract import Contract
    from ecgkd_export.parity import Outputs
    from ecgkd_export.tflite_artefacts import Tuning


@dataclass(frozen=True)
class Source:
    """What is exported."""

    name: str
    network: Any
    """A network in export form, or a float ONNX graph."""
    contract: "Contract"
    out: Path
    """Where the artefacts go by default."""
    data: tuple[str, ...] = ()
    protocol: Path | None = None
    released: tuple[dict[str, Any], ...] = ()
    """Sidecars of the quantised artefacts that were released beside it."""
    tuned: "Tuning | None" = None
    """The fine-tuned int8 TFLite file that was released beside it, if there is one."""


def load_source(path: Path | None) -> Source:
    """Returns what the user means: a run, a float artefact or its folder, a network of the package by its name.

       None means the newest student, else the network that the package brings.
    Raises: UsageError for
       anything else.
    """
    from ecgkd.cli.load import float_artefact, model_path, newest_run, shipped_model

    if path is None:
        path = newest_run("student") or shipped_model()
        say(f"exporting {path}")
    path = model_path(path)
    if path.is_dir() and (path / "weights.safetensors").is_file():
        return _run_source(path)
    if path.is_dir():
        path = float_artefact(path)
    if path.suffix == ".onnx":
        return _onnx_source(path)
    raise UsageError(f"{path}: neither a run folder nor a float .onnx of ecgkd")


def _run_source(path: Path) -> Source:
    from ecgkd.models import export_form
    from ecgkd.training.fit import load_run

    model, info = load_run(path)
    name = f"{path.resolve().parent.name}/{path.resolve().name}"
    return Source(
        name,
        export_form(model, with_activity=bool(info.activities)),
        info.contract.telling(info.activities),
        path / "artefacts",
        tuple(info.data_paths),
        info.protocol_path,
    )


def _onnx_source(path: Path) -> Source:
    from ecgkd.cli.load import read_contract
    from ecgkd.contract import METADATA_KEY
    from ecgkd.files import read_json
    from ecgkd_export.metadata import metadata_of, read_onnx

    model = read_onnx(path)
    contract = read_contract(metadata_of(model).get(METADATA_KEY), path)
    if contract.precision != "fp32":
        raise UsageError(f"{path}: is {contract.precision} already; export the float artefact beside it")
    stem = path.name.removesuffix("fp32.onnx")
    sidecars = sorted(one for one in path.parent.glob(f"{stem}*.json") if "_fp32." not in one.name)
    released = tuple(read_json(one, "sidecar of an artefact") for one in sidecars)
    tuned = _tuned(path.parent, released, contract)
    return Source(path.name, model, contract, Path("artefacts") / contract.model, released=released, tuned=tuned)


def _tuned(folder: Path, released: tuple[dict[str, Any], ...], contract: "Contract") -> "Tuning | None":
    """Returns the released TFLite file of these weights whose contract says that it was fine-tuned."""
    from ecgkd_export.tflite_artefacts import Tuning

    for one in released:
        path, record = folder / one["file"]["name"], one["quantisation"].get("qat")
        same = one["weights_sha256"] == contract.weights_sha256 and path.suffix == ".tflite"
        if record and same and path.is_file():
            return Tuning(released=path.read_bytes(), record=record)
    return None


def load_evidence(data: list[str], protocol: Path | None, given: bool) -> "Evidence | None":
    """Returns the recordings to calibrate and compare on; None where the run's own are no longer there."""
    from ecgkd.bundle.make import Evidence
    from ecgkd.bundle.windows import calibration_spans
    from ecgkd.cli.load import open_sets
    from ecgkd.protocols.protocol import Protocol

    if given and not (data and protocol):
        raise UsageError("--data and --protocol belong together: the sets, and the protocol that was made for them")
    if protocol is None or not data:
        return None
    lost = [path for path in data if not Path(path).exists()]
    if lost and not given:
        say(f"ecgkd: warning: {lost[0]}, which the run was trained with, is not here; name it with --data")
        return None
    loaded, sets = Protocol.load(protocol), open_sets(data)
    used = [*calibration_spans(loaded), *(span for row in loaded.rows for span in (*row.enrol, *row.probe))]
    loaded.check_sets(sets, used)
    return Evidence(loaded, tuple(sets))


def run_beside(folder: Path, contract: "Contract") -> "tuple[RunAll | None, list[str], Path | None]":
    """Returns PyTorch's network, the sets and the protocol of the run that an export folder lies in, if it does.

    The network gives the outputs that `contract`, an artefact's, has.
    """
    run = folder.resolve().parent
    if not (run / "weights.safetensors").is_file():
        return None, [], None
    from ecgkd.bundle.make import outputs_of
    from ecgkd_export.convert import run_torch_all

    source = _run_source(run)
    if source.contract.weights_sha256 != contract.weights_sha256:
        return None, [], None
    names = outputs_of(source.contract)

    def run_all(windows: "NDArray[np.float32]") -> "Outputs":
        found = run_torch_all(source.network, windows, names)
        return {name: found[name] for name in outputs_of(contract)}

    return run_all, list(source.data), source.protocol
