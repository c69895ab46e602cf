"""An export folder: artefacts, the model contract inside each and beside it, and what tells a damaged one.

Beside every artefact stands a sidecar `<file name>.json`: the model contract, and under `file` the artefact's name,
size, SHA-256, and the SHA-256 of its graph.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgkd import __version__
from ecgkd.contract import ACTIVITY, EMBEDDING, METADATA_KEY, Contract, Tensor, embedding_space_id
from ecgkd.errors import DataError, GateError, UsageError
from ecgkd.files import atomic_folder, read_json, sha256_file, sha256_of, write_bytes, write_json
from ecgkd.signal.chain import MODEL_FS, WINDOW_SAMPLES, WINDOW_SECONDS

if TYPE_CHECKING:
    from ecgkd_export.artefact import Artefact

INPUT_UNIT = "front end's int8 output times its input_scale"
VERSIONED = ("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime", "ai-edge-litert")


@dataclass(frozen=True)
class Shipped:
    """An artefact of an export folder whose bytes are what its sidecar says."""

    path: Path
    contract: Contract
    sha256: str
    graph_sha256: str


def file_name(student: str, precision: str, format: str, profile: str = "cpu") -> str:
    """Returns the name of an artefact: `<student>_<seconds>s_<rate>hz_<precision>.<format>`.

    For another profile than `cpu` it stands behind the precision, as in `deit_micro_4s_250hz_int8-mcu.tflite`.
    """
    behind = "" if profile == "cpu" else f"-{profile}"
    return f"{student}_{WINDOW_SECONDS}s_{MODEL_FS}hz_{precision}{behind}.{format}"


def name_of(contract: Contract, format: str) -> str:
    """Returns the name of the artefact that has this contract."""
    return file_name(contract.model, contract.precision, format, contract.quantisation.get("profile", "cpu"))


def artefact_contract(source: Contract, artefact: "Artefact", forced: bool) -> Contract:
    """Returns the contract of one artefact of the network that `source` describes, its gate results included.

    Threshold and calibration stay those of the float network; what the artefact does at that threshold stands among
    the gates. `forced`: it ships although a gate said no.
    """
    from ecgkd_export.parity import failures

    failed = failures(artefact.gates)
    verdict = {"verdict": "failed" if failed else "passed", "failed": failed, "forced": bool(failed) and forced}
    length = "any length: normalise" if artefact.runtime == "int8" else "unit norm"
    window = Tensor("window", (1, max(1, len(source.leads)), WINDOW_SAMPLES), "float32", INPUT_UNIT)
    embedding = Tensor(EMBEDDING, (1, source.embedding_size), "float32", length)
    known = replace(source, inputs=(window,), outputs=(embedding,))
    return replace(
        known.telling(source.activities if ACTIVITY in artefact.outputs else ()),
        precision=artefact.precision,
        embedding_space=embedding_space_id(artefact.runtime, artefact.graph_sha256, sha256_of(source.front_end)),
        versions={**source.versions, **_versions()},
        quantisation={**artefact.quantisation, **_activity_steps(artefact)},
        activation_ranges=artefact.ranges,
        gates={**verdict, **artefact.gates},
    )


def _activity_steps(artefact: "Artefact") -> dict[str, Any]:
    """Returns what the integers of the output `activity` stand for, where it gives integers."""
    from ecgkd_export.graph import Graph

    if not isinstance(artefact.model, Graph) or ACTIVITY not in artefact.outputs:
        return {}
    quant = artefact.model.tensors[ACTIVITY].quant
    return {} if quant is None else {ACTIVITY: {"scale": float(quant.scale[0]), "zero_point": quant.zero_point}}


def _versions() -> dict[str, str]:
    versions = {"ecgkd": __version__}
    for name in VERSIONED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def check_free(out: Path) -> None:
    """Raises: UsageError where `out` is a folder or file that is not an export and would be replaced."""
    if out.is_dir() and any(out.iterdir()) and not _sidecars(out):
        raise UsageError(f"{out}: holds other files and no export; choose a folder of its own with --out")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; choose a folder with --out")


def write_export(
    out: Path, artefacts: Sequence[tuple["Artefact", Contract]], formats: Sequence[str], kernels: bool = False
) -> list[dict[str, Any]]:
    """Writes artefacts and sidecars, all or none, in place of an older export at `out`; returns the `file` parts.

    Beside an `.ort` goes `….config`, the operators that a reduced build of ONNX Runtime needs for it, and with
    `kernels` a folder `firmware` with the C sources that a generated network is compiled with.

    Raises: DataError where the place cannot be written, UsageError where it holds something else.
    """
    from ecgkd_export.firmware_dir import kernel_files
    from ecgkd_export.reduced import required_operators

    check_free(out)
    written = []
    with atomic_folder(out) as folder:
        for artefact, contract in artefacts:
            for format in (one for one in artefact.formats if one in formats):
                name = name_of(contract, format)
                content, header = _contents(artefact, contract, format, name)
                file = {
                    "name": name,
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "graph_sha256": artefact.graph_sha256,
                }
                write_bytes(folder / name, content)
                if header is not None:
                    beside = f"{name.removesuffix(format)}h"
                    write_bytes(folder / beside, header)
                    file["header"] = {"name": beside, "sha256": hashlib.sha256(header).hexdigest()}
                    for place, text in decision_files(contract, name).items():
                        write_bytes(folder / place, text)
                if format == "ort":
                    config = name.removesuffix("ort") + "config"
                    write_bytes(folder / config, required_operators(content, name).encode())
                    file["required_operators"] = config
                write_json(folder / f"{name}.json", {**contract.to_dict(), "file": file})
                written.append(file)
        for name, content in (kernel_files() if kernels else {}).items():
            (folder / "firmware" / name).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / "firmware" / name, content)
    return written


def decision_files(contract: Contract, name: str) -> dict[str, bytes]:
    """Returns the decision's constants in C for the generated network `name` (`….c`); nothing without a threshold."""
    from ecgkd.enrolment.firmware import decision_source

    if contract.threshold is None:
        return {}
    sources = decision_source(contract, name.removesuffix(".c"))
    return {place: text.encode() for place, text in sources.items()}


def _contents(artefact: "Artefact", contract: Contract, format: str, name: str) -> tuple[bytes, bytes | None]:
    """Returns the artefact's file, and for C the header that goes with it, which the contract is in."""
    inside = {METADATA_KEY: contract.to_json()}
    if format != "c":
        return artefact.file(format, inside), None
    classes = {ACTIVITY: contract.activities} if contract.activities else None
    files = artefact.c_files(name.removesuffix(".c"), inside, contract.embedding_space, classes)
    return files.source, files.header


def read_export(folder: Path) -> list[Shipped]:
    """Returns the artefacts of an export folder, in the order of their names, after comparing their bytes.

    Raises: UsageError where it is no export folder, DataError for a broken sidecar, GateError for a damaged artefact.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; expected one that `ecgkd export` wrote")
    sidecars = _sidecars(folder)
    if not sidecars:
        raise UsageError(f"{folder}: no artefact with a sidecar; expected a folder that `ecgkd export` wrote")
    return [_read(path) for path in sidecars]


def _sidecars(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("*.json"))
        if path.suffixes[-2:-1] in ([".onnx"], [".ort"], [".tflite"], [".c"])
    ]


def _read(sidecar: Path) -> Shipped:
    document = read_json(sidecar, "sidecar of an artefact")
    try:
        file = document["file"]
        path, stated, graph = sidecar.with_name(file["name"]), file["sha256"], file["graph_sha256"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{sidecar}: not the sidecar of an artefact; export again") from error
    _check_bytes(path, stated)
    if "header" in file:
        _check_bytes(sidecar.with_name(file["header"]["name"]), file["header"]["sha256"])
    return Shipped(path, Contract.from_dict(document, str(sidecar)), stated, graph)


def _check_bytes(path: Path, stated: str) -> None:
    if not path.is_file():
        raise GateError(f"{path}: missing, though its sidecar is there; export again")
    found = sha256_file(path)
    if found != stated:
        raise GateError(
            f"{path}: damaged or exchanged: SHA-256 {found[:12]}…, its sidecar says {stated[:12]}…; export again"
        )
