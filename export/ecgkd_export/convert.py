"""The one public door: a network and windows in, artefacts with their gate results out."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import c99_artefacts, ort_int8, parity, structure, tflite_artefacts
from ecgkd_export.artefact import C_FORMATS, ONNX_FORMATS, TFLITE_FORMATS, Artefact
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph
from ecgkd_export.metadata import to_bytes
from ecgkd_export.ort_int8 import Ranges, Settings
from ecgkd_export.parity import Outputs
from ecgkd_export.rewrite import Profile
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.ort import OrtSession
from ecgkd_export.torch_onnx import OUTPUT, to_onnx

if TYPE_CHECKING:
    import onnx
    from torch import nn

__all__ = ["Artefact", "convert", "describe", "run_torch", "run_torch_all", "runner"]

Progress = Callable[[int, int, str], None]
TOTAL = 6
"""Steps that progress is told in."""


def convert(
    source: "nn.Module | onnx.ModelProto",
    windows: NDArray[np.float32],
    *,
    outputs: Sequence[str] = (OUTPUT,),
    int8: bool = True,
    formats: Sequence[str] = ONNX_FORMATS,
    settings: Settings | None = None,
    ranges: Ranges | None = None,
    origin: Mapping[str, Any] | None = None,
    profile: Profile = Profile.CPU,
    float_tflite: bool = False,
    tuning: tflite_artefacts.Tuning | None = None,
    extra_gates: Mapping[str, parity.Score] | None = None,
    class_gates: Mapping[str, tuple[str, parity.Score]] | None = None,
    progress: Progress | None = None,
) -> list[Artefact]:
    """Returns the float artefact and, with `int8`, those of ONNX Runtime and of TFLite (int8 and w8), by `formats`.

    `source` is a network in export form, or a float graph that was exported before; `outputs` names its outputs:
    `embedding`, then those that are scores of classes (1, n). `windows` (n, …) calibrate and compare; with `ranges`, of
    this very graph, they only compare, and `origin` is what is known of them. For another `profile` than `cpu` there is
    TFLite int8 alone. `float_tflite`: also the float graph for LiteRT, to compare times with. `tuning` is TFLite
    int8's. `extra_gates` are run on every artefact but the float one, on its embedding; so are `class_gates`, by name
    of the gate, each on the output that it names.

    Raises: GraphError where the network cannot be converted; a gate that says no is a result, not an error.
    """
    tell = progress or (lambda done, total, what: None)
    tell(0, TOTAL, "float graph")
    float_artefact, reference = _float(source, windows, outputs)
    further = {**{name: (OUTPUT, gate) for name, gate in (extra_gates or {}).items()}, **(class_gates or {})}
    if not int8:
        return [float_artefact]
    model = float_artefact.model
    assert not isinstance(model, Graph)
    known: Ranges = dict(ranges or {})
    settings = settings or Settings()
    calibration = _Calibration(float_artefact.graph_sha256, windows, dict(origin or {}))
    made = []
    if set(formats) & set(ONNX_FORMATS) and profile == Profile.CPU:
        tell(1, TOTAL, "int8 for ONNX Runtime")
        made.append(_ort_int8(model, windows, reference, settings, known, calibration))
    if set(formats) & set(TFLITE_FORMATS):
        tell(2, TOTAL, "int8 for TFLite")
        made.append(_tflite(model, windows, reference, settings, known, calibration, profile, tuning))
        weights_alone = tflite_artefacts.prepared(model, settings.input_step, whole=False)
        if profile == Profile.CPU:
            made.append(tflite_artefacts.w8_artefact(weights_alone, windows, reference))
        if float_tflite:
            made.append(tflite_artefacts.float_artefact(weights_alone, windows, reference))
    if set(formats) & set(C_FORMATS) and profile == Profile.CPU:
        tell(3, TOTAL, "int8 as C")
        made.append(_c99(model, windows, reference, settings, known, calibration, tuning, _twin(made)))
    gated: list[Artefact] = []
    for position, one in enumerate(made):
        tell(3 + position, TOTAL, f"gates of {one.runtime}")
        twin = _twin(gated) if one.written else None
        if twin is not None:
            said = "of the TFLite file, whose graph it is"
            scored = {name: {**twin.gates[name], "quoted": said} for name in further}
        else:
            scored = {name: score(runner(float_artefact, of), runner(one, of)) for name, (of, score) in further.items()}
        gated.append(replace(one, gates={**one.gates, **scored}, ranges=dict(known)))
    tell(TOTAL, TOTAL, "done")
    kept = calibration.describe() if calibration.measured else calibration.origin
    return [replace(float_artefact, ranges=dict(known), quantisation=kept if known else {}), *gated]


def runner(artefact: Artefact, output: str = OUTPUT) -> parity.Run:
    """Returns what runs an artefact: inputs (n, …) to one of its outputs (n, size).

    Raises: GraphError for an output that it has not.
    """
    if output not in artefact.outputs:
        raise GraphError(f"no output {output}; the {artefact.runtime} graph has {', '.join(artefact.outputs)}")
    if isinstance(artefact.model, Graph) and artefact.written == C_FORMATS:
        return c99_artefacts.run_of(artefact.model, output=output)
    session = LiteRtSession if isinstance(artefact.model, Graph) else OrtSession
    run_all = session(artefact.file(artefact.formats[0], {})).run_all
    return lambda windows: run_all(windows)[output]


@dataclass
class _Calibration:
    """Where activation ranges come from."""

    graph_sha256: str
    """Of the float graph."""
    windows: NDArray[np.float32]
    origin: dict[str, Any]
    """What is known of ranges that were given: `ranges_of`, the float graph's hash, and the windows' hash."""
    measured: bool = False
    """Whether any range was measured here."""

    def describe(self) -> dict[str, Any]:
        """Returns what the contract says of ranges that were measured here."""
        return {"ranges_from": "windows", "ranges_of": self.graph_sha256, **describe(self.windows)}

    def of(self, stored: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns what the contract says of an artefact's ranges, and the gate: are they this graph's?"""
        if not stored:
            self.measured = True
            return self.describe(), {"result": parity.PASSED}
        said = {"ranges_from": "contract", **{key: self.origin[key] for key in self.origin if key != "ranges_from"}}
        return said, calibration_gate(said, self.graph_sha256)


def calibration_gate(said: Mapping[str, Any], graph_sha256: str) -> dict[str, Any]:
    """Returns whether ranges, of which a contract says `said`, were measured on the float graph of this hash."""
    of = said.get("ranges_of")
    if of is None:
        return {"result": parity.ABSENT, "why": "the contract does not say on which graph its ranges were measured"}
    if of != graph_sha256:
        why = f"its activation ranges were measured on another graph ({of[:12]}…; this is {graph_sha256[:12]}…)"
        return {"result": parity.FAILED, "why": f"{why}; calibrate again: --data and --protocol"}
    return {"result": parity.PASSED}


def _ort_int8(
    model: "onnx.ModelProto",
    windows: NDArray[np.float32],
    reference: Outputs,
    settings: Settings,
    known: Ranges,
    calibration: _Calibration,
) -> Artefact:
    """Returns ONNX Runtime's int8 artefact; ranges that `known` lacks are measured and added to it."""
    stored = set(known) >= set(ort_int8.calibrated(model))
    if not stored:
        known |= ort_int8.calibrate(model, windows)
    quantised = ort_int8.quantise(model, known, settings)
    said, gate = calibration.of(stored)
    gates = {
        "structure": structure.int8_gate(quantised, tuple(reference)),
        "calibration": gate,
        **parity.output_gates(reference, OrtSession(to_bytes(quantised, {})).run_all(windows)),
    }
    return Artefact("int8", "ort-int8", quantised, gates, {**settings.describe(model), **said})


def _tflite(
    model: "onnx.ModelProto",
    windows: NDArray[np.float32],
    reference: Outputs,
    settings: Settings,
    known: Ranges,
    calibration: _Calibration,
    profile: Profile,
    tuning: tflite_artefacts.Tuning | None,
) -> Artefact:
    """Returns TFLite's int8 artefact; ranges as for `_ort_int8`."""
    graph, own, said, gate = _prepared(model, windows, settings, known, calibration, profile)
    int8 = tflite_artefacts.int8_artefact(graph, model, windows, reference, own, settings.input_step, profile, tuning)
    gates = {"structure": int8.gates["structure"], "calibration": gate, **int8.gates}
    return replace(int8, gates=gates, quantisation={**int8.quantisation, **said})


def _prepared(
    model: "onnx.ModelProto",
    windows: NDArray[np.float32],
    settings: Settings,
    known: Ranges,
    calibration: _Calibration,
    profile: Profile,
) -> tuple[Graph, Ranges, dict[str, Any], dict[str, Any]]:
    """Returns the graph that is quantised, its ranges, what the contract says of them and their gate."""
    graph = tflite_artefacts.prepared(model, settings.input_step, profile=profile)
    names = {tflite_artefacts.PREFIX + name for name in (*graph.inputs, *(op.output for op in graph.ops))}
    stored = names <= set(known)
    if not stored:
        known |= tflite_artefacts.ranges_of(graph, windows)
    return graph, {name: known[name] for name in sorted(names)}, *calibration.of(stored)


def _c99(
    model: "onnx.ModelProto",
    windows: NDArray[np.float32],
    reference: Outputs,
    settings: Settings,
    known: Ranges,
    calibration: _Calibration,
    tuning: tflite_artefacts.Tuning | None,
    twin: Artefact | None,
) -> Artefact:
    """Returns the C artefact: of the graph of the TFLite file where there is one, else of one made here."""
    if twin is not None:
        assert isinstance(twin.model, Graph)
        said, gate = twin.quantisation, twin.gates["calibration"]
        return c99_artefacts.int8_artefact(twin.model, windows, reference, said, gate, known)
    graph, own, origin, gate = _prepared(model, windows, settings, known, calibration, Profile.CPU)
    how = tuning or tflite_artefacts.Tuning()
    int8, tuned = tflite_artefacts.int8_graph(graph, model, own, settings.input_step, how)
    said = {"profile": Profile.CPU.value, "ranges": "percentile", **tuned, **origin}
    return c99_artefacts.int8_artefact(int8, windows, reference, said, gate, known)


def _twin(made: Sequence[Artefact]) -> Artefact | None:
    """Returns TFLite's int8 artefact, whose graph the C artefact shares."""
    return next((one for one in made if one.runtime == "int8" and one.formats == TFLITE_FORMATS), None)


def describe(windows: NDArray[np.float32]) -> dict[str, Any]:
    """Returns how many windows there are and their hash."""
    content = np.ascontiguousarray(windows, "<f4").tobytes()
    return {"windows": len(windows), "windows_sha256": hashlib.sha256(content).hexdigest()}


def _float(
    source: "nn.Module | onnx.ModelProto", windows: NDArray[np.float32], names: Sequence[str]
) -> tuple[Artefact, Outputs]:
    """Returns the float artefact and its outputs for `windows`."""
    if not len(windows):
        raise GraphError("no windows to calibrate and compare on")
    model: Any = source
    if not callable(source):
        given = OrtSession(to_bytes(model, {})).run_all(windows)
        if tuple(given) != tuple(names):
            raise GraphError(f"the graph gives {', '.join(given)}; expected {', '.join(names)}")
        same: dict[str, Any] = {"result": parity.ABSENT, "why": "made from an ONNX file, not from PyTorch"}
    else:
        model = to_onnx(source, windows[:1], names)
        given = OrtSession(to_bytes(model, {})).run_all(windows)
        same = parity.over_outputs(parity.float_gate, run_torch_all(source, windows, names), given)
    gates = {"structure": structure.float_gate(model, names), "float_parity": same}
    return Artefact("fp32", "onnx-fp32", model, gates), given


def run_torch(module: "nn.Module", windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns PyTorch's first output for `windows` (n, …), one at a time as the export form takes them."""
    return _run_torch(module, windows)[0]


def run_torch_all(
    module: "nn.Module", windows: NDArray[np.float32], outputs: Sequence[str] = (OUTPUT,)
) -> dict[str, NDArray[np.float32]]:
    """Returns PyTorch's outputs, which `outputs` names in the module's order; as `run_torch`."""
    return dict(zip(outputs, _run_torch(module, windows), strict=True))


def _run_torch(module: "nn.Module", windows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    import torch

    with torch.no_grad():
        rows = [module(torch.from_numpy(windows[i : i + 1])) for i in range(len(windows))]
    together = zip(*(row if isinstance(row, tuple) else (row,) for row in rows), strict=True)
    return [np.concatenate([value.numpy() for value in one]) for one in together]
