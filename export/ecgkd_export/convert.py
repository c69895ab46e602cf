"""The one public door: a network and windows in, artefacts with their gate results out."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import ort_int8, parity, structure, tflite_artefacts
from ecgkd_export.artefact import ONNX_FORMATS, TFLITE_FORMATS, Artefact
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph
from ecgkd_export.metadata import to_bytes
from ecgkd_export.ort_int8 import Ranges, Settings
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.torch_onnx import to_onnx

if TYPE_CHECKING:
    import onnx
    from torch import nn

__all__ = ["Artefact", "convert", "describe", "run_torch", "runner"]

Progress = Callable[[int, int, str], None]
TOTAL = 6
"""Steps that progress is told in."""


def convert(
    source: "nn.Module | onnx.ModelProto",
    windows: NDArray[np.float32],
    *,
    int8: bool = True,
    formats: Sequence[str] = ONNX_FORMATS,
    settings: Settings | None = None,
    ranges: Ranges | None = None,
    extra_gates: Mapping[str, parity.Score] | None = None,
    progress: Progress | None = None,
) -> list[Artefact]:
    """Returns the float artefact and, with `int8`, those of ONNX Runtime and of TFLite (int8 and w8), by `formats`.

    `source` is a network in export form, or a float graph that was exported before. `windows` (n, …) calibrate and
    compare; with `ranges`, of this very graph, they only compare. `extra_gates` are run on every quantised artefact.

    Raises: GraphError where the network cannot be converted; a gate that says no is a result, not an error.
    """
    tell = progress or (lambda done, total, what: None)
    tell(0, TOTAL, "float graph")
    float_artefact, reference = _float(source, windows)
    if not int8:
        return [float_artefact]
    model = float_artefact.model
    assert not isinstance(model, Graph)
    known: Ranges = dict(ranges or {})
    made = []
    if set(formats) & set(ONNX_FORMATS):
        tell(1, TOTAL, "int8 for ONNX Runtime")
        made.append(_ort_int8(model, windows, reference, settings or Settings(), known))
    if set(formats) & set(TFLITE_FORMATS):
        tell(2, TOTAL, "int8 and w8 for TFLite")
        made += _tflite(model, windows, reference, settings or Settings(), known)
    run_float = OrtSession(to_bytes(model, {})).run
    gated = []
    for position, one in enumerate(made):
        tell(3 + position, TOTAL, f"gates of {one.runtime}")
        further = {name: score(run_float, runner(one)) for name, score in (extra_gates or {}).items()}
        gated.append(replace(one, gates={**one.gates, **further}, ranges=dict(known)))
    tell(TOTAL, TOTAL, "done")
    return [replace(float_artefact, ranges=dict(known)), *gated]


def runner(artefact: Artefact) -> parity.Run:
    """Returns what runs an artefact: inputs (n, …) to outputs (n, size)."""
    if isinstance(artefact.model, Graph):
        return LiteRtSession(artefact.file("tflite", {})).run
    return OrtSession(artefact.file("onnx", {})).run


def _ort_int8(
    model: "onnx.ModelProto",
    windows: NDArray[np.float32],
    reference: NDArray[np.float32],
    settings: Settings,
    known: Ranges,
) -> Artefact:
    """Returns ONNX Runtime's int8 artefact; ranges that `known` lacks are measured and added to it."""
    stored = set(known) >= set(ort_int8.calibrated(model))
    if not stored:
        known |= ort_int8.calibrate(model, windows)
    quantised = ort_int8.quantise(model, known, settings)
    gates = {
        "structure": structure.int8_gate(quantised),
        "output_parity": parity.int8_gate(reference, OrtSession(to_bytes(quantised, {})).run(windows)),
    }
    return Artefact("int8", "ort-int8", quantised, gates, {**settings.describe(model), **_origin(stored, windows)})


def _tflite(
    model: "onnx.ModelProto",
    windows: NDArray[np.float32],
    reference: NDArray[np.float32],
    settings: Settings,
    known: Ranges,
) -> list[Artefact]:
    """Returns TFLite's artefacts, int8 and w8; ranges as for `_ort_int8`."""
    graph = tflite_artefacts.prepared(model, settings.input_step)
    names = {tflite_artefacts.PREFIX + name for name in (*graph.inputs, *(op.output for op in graph.ops))}
    stored = names <= set(known)
    if not stored:
        known |= tflite_artefacts.ranges_of(graph, windows)
    own = {name: known[name] for name in sorted(names)}
    int8 = tflite_artefacts.int8_artefact(graph, windows, reference, own, settings.input_step)
    int8 = replace(int8, quantisation={**int8.quantisation, **_origin(stored, windows)})
    weights_alone = tflite_artefacts.prepared(model, settings.input_step, whole=False)
    return [int8, tflite_artefacts.w8_artefact(weights_alone, windows, reference)]


def _origin(stored: bool, windows: NDArray[np.float32]) -> dict[str, Any]:
    return {"ranges_from": "contract"} if stored else {"ranges_from": "windows", **describe(windows)}


def describe(windows: NDArray[np.float32]) -> dict[str, Any]:
    """Returns how many windows there are and their hash."""
    content = np.ascontiguousarray(windows, "<f4").tobytes()
    return {"windows": len(windows), "windows_sha256": hashlib.sha256(content).hexdigest()}


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
