"""The int8 graph as C: the artefact behind its gates, and the gates of its two files again.

Its numbers are those of `simulate` with `Arithmetic.FIXED`, bit for bit: what the integer gate asks of the compiled
code. Without a compiler the simulation stands in where outputs are needed, and the gate is absent.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import parity
from ecgkd_export.artefact import C_FORMATS, Artefact
from ecgkd_export.c99.emit import Sources, emit
from ecgkd_export.c99.read import read, read_path
from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.graph import Graph
from ecgkd_export.ort_int8 import Ranges
from ecgkd_export.run.c99 import C99Session
from ecgkd_export.run.interpreter import quantised
from ecgkd_export.simulate import Arithmetic, simulate

Windows = NDArray[np.float32]
COMPARED = 64
"""Windows that compiled code is held against the integer simulation on, besides the extremes."""
SHOWN = ("arena_bytes", "arena_lower_bound", "weights_bytes", "calls", "macs")
"""What a gate's record says of the files."""


def int8_artefact(
    graph: Graph,
    windows: Windows,
    reference: parity.Outputs,
    quantisation: Mapping[str, Any],
    calibration: dict[str, Any],
    ranges: Ranges,
) -> Artefact:
    """Returns the C artefact of an int8 graph; `reference` are the float graph's outputs (n, size) for `windows`.

    `quantisation` and `calibration` are what the contract says of the graph, and the gate of its ranges.
    """
    files = emit(graph, name="network")
    gates = {"structure": structure_gate(files.header, files.source, graph), "calibration": calibration}
    gates |= parity.output_gates(reference, run_all_of(graph, files)(windows))
    gates["integer_parity"] = integer_gate(graph, files, windows[:COMPARED])
    made = {**quantisation, "format": "C99 int8"}
    return Artefact("int8", "int8", graph, gates, made, dict(ranges), written=C_FORMATS)


def run_of(graph: Graph, files: Sources | None = None, output: str | None = None) -> parity.Run:
    """Returns what gives one output, the first without a name: compiled C, or its simulation without a compiler."""
    run = run_all_of(graph, files)
    return lambda windows: run(windows)[output or graph.outputs[0]]


def run_all_of(graph: Graph, files: Sources | None = None) -> Callable[[Windows], parity.Outputs]:
    """Returns what gives every output: compiled C, or its simulation without a compiler, which has the same numbers."""
    try:
        return C99Session(files or emit(graph, name="network")).run_all
    except MissingPackageError:
        return lambda windows: simulated(graph, windows)


def simulated(graph: Graph, windows: Windows) -> dict[str, Windows]:
    """Returns the simulation's outputs (n, size), as floats on both sides."""
    steps = simulate(graph, _integers(graph, windows), arithmetic=Arithmetic.FIXED)
    floats: dict[str, Windows] = {}
    for name in graph.outputs:
        quant = graph.tensors[name].quant
        assert quant is not None
        values = steps[name].reshape(len(windows), -1).astype(np.float32)
        floats[name] = (values - np.float32(quant.zero_point)) * quant.scale[0]
    return floats


def _integers(graph: Graph, windows: Windows) -> NDArray[np.int8]:
    """Returns windows in the steps of the graph's input."""
    quant = graph.tensors[graph.inputs[0]].quant
    assert quant is not None
    return quantised(windows, float(quant.scale[0]), quant.zero_point, np.dtype(np.int8))


def structure_gate(header: bytes, source: bytes, graph: Graph | None = None) -> dict[str, Any]:
    """Returns whether two files are whole, belong together, and are of `graph`; with their sizes."""
    from ecgkd_export.graph_hash import graph_sha256

    try:
        found = read(header, source)
    except ArtefactError as error:
        return {"result": parity.FAILED, "problems": [str(error)]}
    problems = []
    if graph is not None and found.facts["graph_sha256"] != graph_sha256(graph):
        problems.append("the files are of another graph")
    shown = {key: found.facts[key] for key in SHOWN if key in found.facts}
    return {"result": parity.FAILED if problems else parity.PASSED, "problems": problems, **shown}


def integer_gate(graph: Graph, files: Sources, windows: Windows) -> dict[str, Any]:
    """Returns whether the compiled code gives the simulation's integers, on `windows` and on extremes."""
    integers = _integers(graph, windows)
    integers = np.concatenate([integers, extremes(integers.shape[1:])])
    try:
        session = C99Session(files)
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    given = session.run_all_integers(integers)
    expected = simulate(graph, integers, arithmetic=Arithmetic.FIXED)
    off = {name: _most_off(given[name], expected[name]) for name in graph.outputs}
    return {"windows": len(integers), **parity.steps_gate(off, dict.fromkeys(off, 0))}


def _most_off(a: NDArray[Any], b: NDArray[Any]) -> int:
    return int(np.abs(a.astype(int) - b.reshape(a.shape).astype(int)).max())


def extremes(shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Returns windows (4, *shape) that hold the ends of the range: constants, and jumps from end to end."""
    found = np.empty((4, *shape), np.int8)
    found[0], found[1], found[2], found[3] = -128, 127, 0, -128
    found[3].reshape(-1)[::2] = 127
    return found


def file_gates(path: Path, windows: Windows, reference: parity.Outputs, twin: Path | None) -> dict[str, dict[str, Any]]:
    """Returns the gates that the files alone allow; `reference` are the float graph's outputs for `windows`.

    `twin` is the TFLite file of the same graph, if it is there: tflite-runtime's reference kernels, which compute in
    integers as the C does, have to give the same bits, and LiteRT's nearly.
    """
    try:
        found = read_path(path)
    except ArtefactError as error:
        return {"structure": {"result": parity.FAILED, "problems": [str(error)]}}
    gates = {"structure": structure_gate(found.header, found.source)}
    try:
        session = C99Session(found)
    except MissingPackageError as error:
        absent = {"result": parity.ABSENT, "why": str(error)}
        return {**gates, **_each_output(reference, absent), "runtimes": absent}
    except ArtefactError as error:
        return {**gates, **_each_output(reference, {"result": parity.FAILED, "why": str(error)})}
    gates |= parity.output_gates(reference, session.run_all(windows))
    gates["runtimes"] = _runtimes(session, twin, session.as_input(windows[:COMPARED]))
    return gates


def _each_output(reference: parity.Outputs, verdict: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns one verdict under each name that `parity.output_gates` gives."""
    return dict.fromkeys(parity.output_gates(reference, {}), verdict)


def _runtimes(session: C99Session, twin: Path | None, integers: NDArray[Any]) -> dict[str, Any]:
    """Returns whether the TFLite runtimes give the same integers for `integers` (n, …)."""
    from ecgkd_export.run.litert import LiteRtSession
    from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
    from ecgkd_export.tflite_artefacts import fast_bounds

    if twin is None:
        return {"result": parity.ABSENT, "why": "the TFLite file of this graph is not beside it"}
    given = session.run_all_integers(integers)
    found: dict[str, Any] = {}
    for name, runtime, bounds in (
        ("tflite-runtime, reference", TfliteRuntimeSession, dict.fromkeys(given, 0)),
        ("LiteRT, reference", LiteRtSession, fast_bounds(given)),
    ):
        try:
            other = runtime(twin, kernels="reference").run_all_integers(integers)
        except MissingPackageError as error:
            found[name] = {"result": parity.ABSENT, "why": str(error)}
            continue
        except ArtefactError as error:
            found[name] = {"result": parity.FAILED, "why": str(error)}
            continue
        if set(other) != set(given):
            why = f"its outputs are {', '.join(other)}; the C's are {', '.join(given)}"
            found[name] = {"result": parity.FAILED, "why": why}
            continue
        found[name] = parity.steps_gate({key: _most_off(given[key], other[key]) for key in given}, bounds)
    failed = any(one["result"] == parity.FAILED for one in found.values())
    return {"result": parity.FAILED if failed else parity.PASSED, "runtimes": found}
