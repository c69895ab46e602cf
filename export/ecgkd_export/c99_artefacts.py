"""The int8 graph as C: the artefact behind its gates, and the gates of its two files again.

Its numbers are those of `simulate` with `Arithmetic.FIXED`, bit for bit: what the integer gate asks of the compiled
code. Without a compiler the simulation stands in where outputs are needed, and the gate is absent.
"""

from collections.abc import Mapping
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
    reference: Windows,
    quantisation: Mapping[str, Any],
    calibration: dict[str, Any],
    ranges: Ranges,
) -> Artefact:
    """Returns the C artefact of an int8 graph; `reference` (n, size) is the float graph's output for `windows`.

    `quantisation` and `calibration` are what the contract says of the graph, and the gate of its ranges.
    """
    files = emit(graph, name="network")
    gates = {"structure": structure_gate(files.header, files.source, graph), "calibration": calibration}
    gates["output_parity"] = parity.int8_gate(reference, run_of(graph, files)(windows))
    gates["integer_parity"] = integer_gate(graph, files, windows[:COMPARED])
    made = {**quantisation, "format": "C99 int8"}
    return Artefact("int8", "int8", graph, gates, made, dict(ranges), written=C_FORMATS)


def run_of(graph: Graph, files: Sources | None = None) -> parity.Run:
    """Returns the graph as compiled C, or its simulation where there is no compiler: the numbers are the same."""
    try:
        return C99Session(files or emit(graph, name="network")).run
    except MissingPackageError:
        return lambda windows: simulated(graph, windows)


def simulated(graph: Graph, windows: Windows) -> Windows:
    """Returns the simulation's outputs (n, size), as floats on both sides."""
    entry, output = (graph.tensors[name].quant for name in (graph.inputs[0], graph.outputs[0]))
    assert entry is not None
    assert output is not None
    integers = quantised(windows, float(entry.scale[0]), entry.zero_point, np.dtype(np.int8))
    steps = simulate(graph, integers, arithmetic=Arithmetic.FIXED)[graph.outputs[0]].reshape(len(windows), -1)
    floats: Windows = (steps.astype(np.float32) - np.float32(output.zero_point)) * output.scale[0]
    return floats


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
    entry = graph.tensors[graph.inputs[0]]
    assert entry.quant is not None
    integers = quantised(windows, float(entry.quant.scale[0]), entry.quant.zero_point, np.dtype(np.int8))
    integers = np.concatenate([integers, extremes(integers.shape[1:])])
    try:
        session = C99Session(files)
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    given = session.run_integers(integers).astype(int)
    expected = simulate(graph, integers, arithmetic=Arithmetic.FIXED)[graph.outputs[0]].reshape(given.shape)
    most = int(np.abs(given - expected).max())
    verdict = parity.PASSED if most == 0 else parity.FAILED
    why = {} if most == 0 else {"why": f"compiled code is up to {most} steps off the integer definition"}
    return {"result": verdict, "windows": len(integers), "lsb": most, "lsb_bound": 0, **why}


def extremes(shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Returns windows (4, *shape) that hold the ends of the range: constants, and jumps from end to end."""
    found = np.empty((4, *shape), np.int8)
    found[0], found[1], found[2], found[3] = -128, 127, 0, -128
    found[3].reshape(-1)[::2] = 127
    return found


def file_gates(path: Path, windows: Windows, reference: Windows, twin: Path | None) -> dict[str, dict[str, Any]]:
    """Returns the gates that the files alone allow; `reference` is the float graph's output for `windows`.

    `twin` is the TFLite file of the same graph, if it is there: tflite-runtime's reference kernels, which compute in
    integers as the C does, have to give the same bits, and LiteRT's nearly.
    """
    from ecgkd_export.tflite_artefacts import lsb_bound

    try:
        found = read_path(path)
    except ArtefactError as error:
        return {"structure": {"result": parity.FAILED, "problems": [str(error)]}}
    gates = {"structure": structure_gate(found.header, found.source)}
    try:
        session = C99Session(found)
    except MissingPackageError as error:
        absent = {"result": parity.ABSENT, "why": str(error)}
        return {**gates, "output_parity": absent, "runtimes": absent}
    except ArtefactError as error:
        return {**gates, "output_parity": {"result": parity.FAILED, "why": str(error)}}
    given = session.run(windows)
    gates["output_parity"] = parity.int8_gate(reference, given)
    bound = lsb_bound(given / float(session.facts["output"]["scale"]))
    gates["runtimes"] = _runtimes(session, twin, windows[:COMPARED], bound)
    return gates


def _runtimes(session: C99Session, twin: Path | None, windows: Windows, bound: int) -> dict[str, Any]:
    from ecgkd_export.run.litert import LiteRtSession
    from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession

    if twin is None:
        return {"result": parity.ABSENT, "why": "the TFLite file of this graph is not beside it"}
    given = session.run(windows)
    found: dict[str, Any] = {}
    for name, runtime, most in (
        ("tflite-runtime, reference", TfliteRuntimeSession, 0),
        ("LiteRT, reference", LiteRtSession, bound),
    ):
        try:
            other = runtime(twin, kernels="reference").run(windows)
        except MissingPackageError as error:
            found[name] = {"result": parity.ABSENT, "why": str(error)}
            continue
        except ArtefactError as error:
            found[name] = {"result": parity.FAILED, "why": str(error)}
            continue
        off = round(float(np.abs(other - given).max()) / float(session.facts["output"]["scale"]))
        found[name] = {"result": parity.PASSED if off <= most else parity.FAILED, "lsb": off, "lsb_bound": most}
    failed = any(one["result"] == parity.FAILED for one in found.values())
    return {"result": parity.FAILED if failed else parity.PASSED, "runtimes": found}
