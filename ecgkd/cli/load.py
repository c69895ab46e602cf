"""Opens what users name on the command line: models (a run or any artefact) and prepared sets."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import ACTIVITY, METADATA_KEY, Contract
from ecgkd.errors import DataError, UsageError
from ecgkd.signal.chain import definition_sha256

if TYPE_CHECKING:
    from ecgkd.data.prepared import PreparedSet

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Outputs = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]
RUNS = Path("runs")
STAMP = re.compile(r"\d{8}T\d{6}Z")
"""How folders of runs are named, by the time they began; others, such as those of a study, are no run of their own."""
SHIPPED = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to embed windows."""

    name: str
    path: Path
    contract: Contract
    embed: Embed
    """int8 windows (n, 1000), or (n, leads, 1000), to unit-norm embeddings (n, embedding_size) float32."""
    kind: str
    """`run`, `onnx`, `tflite` or `c`."""
    tell: Embed | None = None
    """Such windows to logits (n, A) float32 of `contract.activities`; None for a network that tells none."""


def shipped_model() -> Path:
    """Returns the network that the package brings. Raises: UsageError where this build has none."""
    from ecgkd.weights import DEFAULT

    found = sorted((SHIPPED / DEFAULT).glob("*_fp32.onnx"))
    if not found:
        raise UsageError("this build of ecgkd brings no trained network; name one with --model")
    return found[0]


def model_path(path: str | Path) -> Path:
    """Returns `path`, or where the package's network of that name lies if there is no such path.

    Raises: UsageError where there is neither.
    """
    if Path(path).exists():
        return Path(path)
    known = sorted(one.parent.name for one in SHIPPED.glob("*/*_fp32.onnx"))
    if str(path) in known:
        return SHIPPED / path
    raise UsageError(f"{path}: no such run or artefact; the package brings {', '.join(known) or 'none'}")


def newest_run(role: str | None = None, root: Path = RUNS) -> Path | None:
    """Returns the newest finished run under `root` (of that role: `student` or `teacher`), None without one."""
    import json

    stamped = (path for path in root.glob("*/*/contract.json") if STAMP.match(path.parent.name))
    finished = sorted(stamped, key=lambda path: path.parent.name, reverse=True)
    for path in finished:
        metrics = path.with_name("metrics.json")
        if role is None or (metrics.is_file() and json.loads(metrics.read_text()).get("role") == role):
            return path.parent
    return None


def float_artefact(folder: Path) -> Path:
    """Returns the float ONNX of an export folder. Raises: UsageError where there is none, or more than one."""
    found = sorted(folder.glob("*_fp32.onnx"))
    if len(found) != 1:
        raise UsageError(
            f"{folder}: neither a finished run (weights.safetensors) nor an export with one float ONNX file"
        )
    return found[0]


def check_front_end(contract: Contract, where: Path | str) -> None:
    """Raises: UsageError where the network was trained behind another front end than this ecgkd's."""
    from ecgkd.files import sha256_of

    if sha256_of(contract.front_end) != definition_sha256():
        raise UsageError(
            f"{where}: made for another version of the front end; train or export it again with this ecgkd"
        )


def _load_onnx(path: Path) -> LoadedModel:
    from ecgkd.bundle.windows import as_input
    from ecgkd_export.run.ort import OrtSession

    session = OrtSession(path)
    contract = read_contract(session.metadata.get(METADATA_KEY), path)
    tell = _tell(contract, session.run_all)
    return LoadedModel(path.stem, path, contract, lambda windows: session.run(as_input(windows)), "onnx", tell)


def _load_tflite(path: Path) -> LoadedModel:
    from ecgkd.bundle.open_artefact import unit_rows
    from ecgkd.bundle.windows import as_input
    from ecgkd_export.errors import ArtefactError
    from ecgkd_export.run.interpreter import named
    from ecgkd_export.run.litert import LiteRtSession
    from ecgkd_export.tflite.read import read

    _, content = named(path, "LiteRT")
    try:
        text = read(content).metadata.get(METADATA_KEY)
    except ArtefactError as error:
        raise DataError(f"{path}: {error}; export it again") from error
    contract = read_contract(text, path)
    session = LiteRtSession(path)
    tell = _tell(contract, session.run_all)
    return LoadedModel(
        path.stem, path, contract, lambda windows: unit_rows(session.run(as_input(windows))), "tflite", tell
    )


def _load_c(path: Path) -> LoadedModel:
    from ecgkd.bundle.open_artefact import unit_rows
    from ecgkd.bundle.windows import as_input
    from ecgkd_export.c99.read import read_path
    from ecgkd_export.run.c99 import C99Session

    found = read_path(path)
    contract = read_contract(found.metadata.get(METADATA_KEY), path)
    session = C99Session(found)
    tell = _tell(contract, session.run_all)
    return LoadedModel(path.name, path, contract, lambda windows: unit_rows(session.run(as_input(windows))), "c", tell)


def read_contract(text: str | None, path: Path) -> Contract:
    """Returns the contract inside the artefact at `path`. Raises: DataError where there is none, UsageError if old."""
    if text is None:
        raise DataError(f"{path}: a file without ecgkd's contract; expected one that `ecgkd export` wrote")
    contract = Contract.from_json(text, str(path))
    check_front_end(contract, path)
    return contract


def _tell(contract: Contract, outputs: Outputs) -> Embed | None:
    """Returns what asks a runtime, which gives all outputs by name, for the activity; None where there is none."""
    from ecgkd.bundle.windows import as_input

    return (lambda windows: outputs(as_input(windows))[ACTIVITY]) if contract.tells_activity else None


def _load_run(path: Path) -> LoadedModel:
    from ecgkd.training.embed import activity_logits, embed_windows
    from ecgkd.training.fit import load_run

    model, info = load_run(path)
    check_front_end(info.contract, path)
    return LoadedModel(
        f"{path.parent.name}/{path.name}",
        path,
        info.contract.telling(info.activities),
        lambda windows: embed_windows(model, windows),
        "run",
        (lambda windows: activity_logits(model, windows)) if info.activities else None,
    )


def load_model(path: str | Path) -> LoadedModel:
    """Returns the model at `path`: a run folder, an export folder with one float ONNX, or an artefact.

    Or the package's network of that name. Raises: UsageError for a path that is none of these, DataError for a broken
    one.
    """
    path = model_path(path)
    if path.is_dir():
        if (path / "weights.safetensors").is_file():
            return _load_run(path)
        return _load_onnx(float_artefact(path))
    if path.suffix == ".onnx":
        return _load_onnx(path)
    if path.suffix == ".tflite":
        return _load_tflite(path)
    if path.suffix == ".c":
        return _load_c(path)
    raise UsageError(
        f"{path}: not a model that this ecgkd can run; expected a run folder, an .onnx, .tflite or .c artefact"
    )


def open_sets(paths: list[str]) -> "list[PreparedSet]":
    """Returns the prepared sets at `paths`. Raises: UsageError where two have one name, DataError if unreadable."""
    from ecgkd.data.prepared import open_set

    sets = [open_set(path) for path in paths]
    names = [one.name for one in sets]
    if len(set(names)) != len(names):
        raise UsageError(f"two of the sets have the same name: {', '.join(names)}")
    return sets
