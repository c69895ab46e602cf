"""Artefacts as bytes: the contract inside, and every runtime of this machine that can run them."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.windows import as_input
from ecgkd.contract import ACTIVITY, METADATA_KEY, Contract
from ecgkd.errors import GateError

RunAll = Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
"""Windows to every output by name, the embedding first."""
Files = Mapping[str, bytes]
"""By name: the artefact, and for C the header beside it."""
ARTEFACTS = (".onnx", ".ort", ".tflite", ".c")


@dataclass(frozen=True)
class OpenArtefact:
    """An artefact in one runtime: what enrolment and verification take as a model."""

    runtime: str
    contract: Contract
    run: RunAll

    def embed(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
        """Returns the unit-norm embeddings (n, size) of the front end's windows (n, 1000)."""
        return unit_rows(next(iter(self.run(as_input(windows)).values())))

    def tell(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
        """Returns the activity's logits (n, A); only of a network whose contract has that output."""
        return self.run(as_input(windows))[ACTIVITY]


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns rows (n, size) of any length at length one, in steps of 2^-15; rows of zeros stay zero.

    Steps, so that int8 embeddings, whose length means nothing, become the integers that C code makes of them: a double
    holds the quotient well enough to round it as exact arithmetic does.
    """
    exact = rows.astype(np.float64)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, length, out=np.zeros_like(exact), where=length > 0)
    stepped: NDArray[np.float32] = (np.rint(unit * 2**15) / 2**15).astype(np.float32)
    return stepped


def is_artefact(name: str) -> bool:
    """Returns whether a member of that name is a network."""
    return PurePosixPath(name).suffix in ARTEFACTS and not name.endswith("_decision.c")


def files_of(name: str) -> tuple[str, ...]:
    """Returns the names of the files that the artefact `name` consists of."""
    return (name, f"{name.removesuffix('c')}h") if name.endswith(".c") else (name,)


def contract_inside(name: str, files: Files) -> Contract:
    """Returns the contract inside an artefact. Raises: GateError where there is none, or a file is broken."""
    from ecgkd_export.c99.read import read as read_c
    from ecgkd_export.errors import ExportError
    from ecgkd_export.run.ort import OrtSession
    from ecgkd_export.tflite.read import read as read_tflite

    try:
        if name.endswith(".c"):
            text = read_c(*_c_files(name, files)).metadata.get(METADATA_KEY)
        elif name.endswith(".tflite"):
            text = read_tflite(files[name]).metadata.get(METADATA_KEY)
        else:
            text = OrtSession(files[name]).metadata.get(METADATA_KEY)
    except ExportError as error:
        raise GateError(f"{name}: {error}") from error
    if text is None:
        raise GateError(f"{name}: no contract inside; export it again")
    return Contract.from_json(text, name)


def open_everywhere(name: str, files: Files, contract: Contract) -> Iterator[tuple[str, OpenArtefact | str]]:
    """Yields, for every runtime that the artefact is made for, the artefact in it, or why this machine has none.

    The first is the one whose numbers a bundle keeps. Raises: GateError where a runtime refuses the file.
    """
    from ecgkd_export.errors import ExportError, MissingPackageError

    for runtime, opened in _runtimes(name, files):
        try:
            yield runtime, OpenArtefact(runtime, contract, opened())
        except MissingPackageError as error:
            yield runtime, str(error)
        except ExportError as error:
            raise GateError(f"{name}: {error}") from error


def _runtimes(name: str, files: Files) -> list[tuple[str, Callable[[], RunAll]]]:
    from ecgkd_export.c99.read import read
    from ecgkd_export.run.c99 import C99Session
    from ecgkd_export.run.litert import LiteRtSession
    from ecgkd_export.run.ort import OrtSession
    from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession

    if name.endswith(".c"):
        return [("C, compiled here", lambda: C99Session(read(*_c_files(name, files))).run_all)]
    content = files[name]
    if not name.endswith(".tflite"):
        return [("ONNX Runtime", lambda: OrtSession(content).run_all)]
    found: list[tuple[str, Callable[[], RunAll]]] = [
        ("LiteRT", lambda: LiteRtSession(content).run_all),
        ("tflite-runtime", lambda: TfliteRuntimeSession(content).run_all),
    ]
    if re.search(r"_int8[a-z-]*\.tflite$", name):
        found.insert(1, ("LiteRT, reference kernels", lambda: LiteRtSession(content, kernels="reference").run_all))
    return found


def _c_files(name: str, files: Files) -> tuple[bytes, bytes]:
    """Returns header and source. Raises: GateError where the header is missing."""
    source, header = files_of(name)
    if header not in files:
        raise GateError(f"{header} is missing, without which {source} is no artefact")
    return files[header], files[source]
