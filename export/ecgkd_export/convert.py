"""The one public door: a network and windows in, artefacts with their gate results out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import ort_int8, parity, structure
from ecgkd_export.errors import GraphError
from ecgkd_export.metadata import graph_sha256, to_bytes
from ecgkd_export.ort_int8 import Ranges, Settings
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.torch_onnx import to_onnx

if TYPE_CHECKING:
    import onnx
    from torch import nn

FORMATS = ("onnx", "ort")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Artefact:
    """One graph and what is known about it; it has no file yet, since its metadata quote its gates."""

    precision: str
    """`fp32` or `int8`."""
    runtime: str
    """Whose numbers these are: `onnx-fp32` or `ort-int8`."""
    model: "onnx.ModelProto"
    gates: dict[str, dict[str, Any]]
    """By name of the gate: `result` (`passed`, `failed`, `undecided`, `absent`) and its figures."""
    quantisation: dict[str, Any] = field(default_factory=dict)
    ranges: Ranges = field(default_factory=dict)
    """Activation ranges of the float graph, with which the int8 graph can be made again without data."""

    @property
    def graph_sha256(self) -> str:
        return graph_sha256(self.model)

    def file(self, format: str, metadata: Mapping[str, str]) -> bytes:
        """Returns the artefact as a file of `format`, `metadata` inside. Raises: GraphError for an unknown format."""
        content = to_bytes(self.model, metadata)
        if format not in FORMATS:
            raise GraphError(f"unknown format {format!r}; this version writes {', '.join(FORMATS)}")
        return content if format == "onnx" else to_ort(content)


def convert(
    source: "nn.Module | onnx.ModelProto",
    windows: NDArray[np.float32],
    *,
    int8: bool = True,
    settings: Settings | None = None,
    ranges: Ranges | None = None,
    extra_gates: Mapping[str, parity.Score] | None = None,
    progress: Progress | None = None,
) -> list[Artefact]:
    """Returns the float artefact and, with `int8`, the int8 one, each with the results of its gates.

    `source` is a network in export form, or a float graph that was exported before. `windows` (n, …) calibrate and
    compare; with `ranges`, of this very graph, they only compare. `extra_gates` are run on the int8 artefact.

    Raises: GraphError where the network cannot be converted; a gate that says no is a result, not an error.
    """
    settings = settings or Settings()
    tell = progress or (lambda done, total, what: None)
    total = 4 + len(extra_gates or {})
    tell(0, total, "float graph")
    float_artefact, reference = _float(source, windows)
    if not int8:
        return [float_artefact]
    tell(1, total, "activation ranges")
    model = float_artefact.model
    stored = ranges is not None and set(ranges) >= set(ort_int8.calibrated(model))
    known = ranges if ranges is not None and stored else ort_int8.calibrate(model, windows)
    tell(2, total, "int8 graph")
    quantised = ort_int8.quantise(model, known, settings)
    session = OrtSession(to_bytes(quantised, {}))
    tell(3, total, "parity")
    gates = {
        "structure": structure.int8_gate(quantised),
        "output_parity": parity.int8_gate(reference, session.run(windows)),
    }
    run_float = OrtSession(to_bytes(model, {})).run
    for position, (name, score) in enumerate((extra_gates or {}).items()):
        tell(4 + position, total, name)
        gates[name] = score(run_float, session.run)
    tell(total, total, "done")
    calibration = {"ranges_from": "contract"} if stored else {"ranges_from": "windows", **describe(windows)}
    quantisation = {**settings.describe(model), **calibration}
    ranged = Artefact(
        "fp32", float_artefact.runtime, model, float_artefact.gates, float_artefact.quantisation, dict(known)
    )
    return [ranged, Artefact("int8", "ort-int8", quantised, gates, quantisation, dict(known))]


def describe(windows: NDArray[np.float32]) -> dict[str, Any]:
    """Returns how many windows there are and their hash."""
    content = np.ascontiguousarray(windows, "<f4").tobytes()
    return {"windows": len(windows), "windows_sha256": hashlib.sha256(content).hexdigest()}


def to_ort(content: bytes) -> bytes:
    """Returns an ONNX file in ONNX Runtime's own format, which its mobile builds read."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    options.add_session_config_entry("session.save_model_format", "ORT")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.ort"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return path.read_bytes()


def _float(source: "nn.Module | onnx.ModelProto", windows: NDArray[np.float32]) -> tuple[Artefact, NDArray[np.float32]]:
    """Returns the float artefact and its outputs for `windows`."""
    if not len(windows):
        raise GraphError("no windows to calibrate and compare on")
    model: Any = source
    if not callable(source):
        outputs = OrtSession(to_bytes(model, {})).run(windows)
        same: dict[str, Any] = {"result": parity.ABSENT, "why": "made from an ONNX file, not from PyTorch"}
    else:
        model = to_onnx(source, windows[:1])
        outputs = OrtSession(to_bytes(model, {})).run(windows)
        same = parity.float_gate(run_torch(source, windows), outputs)
    gates = {"structure": structure.float_gate(model), "float_parity": same}
    return Artefact("fp32", "onnx-fp32", model, gates), outputs


def run_torch(module: "nn.Module", windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns PyTorch's outputs for `windows` (n, …), one at a time as the export form takes them."""
    import torch

    with torch.no_grad():
        rows = [module(torch.from_numpy(windows[i : i + 1])).numpy() for i in range(len(windows))]
    joined: NDArray[np.float32] = np.concatenate(rows)
    return joined
