"""Artefacts as bytes: the contract inside, and every runtime of this machine that can run them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.windows import as_input
from ecgkd.contract import METADATA_KEY, Contract
from ecgkd.errors import GateError

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
ARTEFACTS = (".onnx", ".ort", ".tflite")


@dataclass(frozen=True)
class OpenArtefact:
    """An artefact in one runtime: what enrolment and verification take as a model."""

    runtime: str
    contract: Contract
    run: Run

    def embed(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
        """Returns the unit-norm embeddings (n, size) of the front end's windows (n, 1000)."""
        rows = self.run(as_input(windows)).astype(np.float64)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(
            np.float32
        )
        return unit


def is_artefact(name: str) -> bool:
    """Returns whether a member of that name is a network."""
    return PurePosixPath(name).suffix in ARTEFACTS


def contract_inside(name: str, content: bytes) -> Contract:
    """Returns the contract inside an artefact. Raises: GateError where there is none, or the file is broken."""
    from ecgkd_export.errors import ExportError
    from ecgkd_export.run.ort import OrtSession
    from ecgkd_export.tflite.read import read

    try:
        if name.endswith(".tflite"):
            text = read(content).metadata.get(METADATA_KEY)
        else:
            text = OrtSession(content).metadata.get(METADATA_KEY)
    except ExportError as error:
        raise GateError(f"{name}: {error}") from error
    if text is None:
        raise GateError(f"{name}: no contract inside; export it again")
    return Contract.from_json(text, name)


def open_everywhere(name: str, content: bytes, contract: Contract) -> Iterator[tuple[str, OpenArtefact | str]]:
    """Yields, for every runtime that the artefact is made for, the artefact in it, or why this machine has none.

    The first is the one whose numbers a bundle keeps. Raises: GateError where a runtime refuses the file.
    """
    from ecgkd_export.errors import ExportError, MissingPackageError

    for runtime, opened in _runtimes(name, content):
        try:
            yield runtime, OpenArtefact(runtime, contract, opened())
        except MissingPackageError as error:
            yield runtime, str(error)
        except ExportError as error:
            raise GateError(f"{name}: {error}") from error


def _runtimes(name: str, content: bytes) -> list[tuple[str, Callable[[], Run]]]:
    from ecgkd_export.run.litert import LiteRtSession
    from ecgkd_export.run.ort import OrtSession
    from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession

    if not name.endswith(".tflite"):
        return [("ONNX Runtime", lambda: OrtSession(content).run)]
    found: list[tuple[str, Callable[[], Run]]] = [
        ("LiteRT", lambda: LiteRtSession(content).run),
        ("tflite-runtime", lambda: TfliteRuntimeSession(content).run),
    ]
    if re.search(r"_int8\.tflite$", name):
        found.insert(1, ("LiteRT, reference kernels", lambda: LiteRtSession(content, kernels="reference").run))
    return found
