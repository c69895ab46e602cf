"""Float ONNX → TFLite: one rewritten graph, quantised whole (int8) or in its weights alone (w8), behind its gates."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import parity, tflite_structure
from ecgkd_export.artefact import Artefact
from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.graph import Graph
from ecgkd_export.lower import lower
from ecgkd_export.ort_int8 import Ranges
from ecgkd_export.quantise import Mode, Options, quantise
from ecgkd_export.ranges import Estimator, collect, estimate
from ecgkd_export.rewrite import Form, prepare
from ecgkd_export.rewrite.roots import Norms
from ecgkd_export.run.interpreter import InterpreterSession, Kernels
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.simulate import Arithmetic, simulate

if TYPE_CHECKING:
    import onnx

Windows = NDArray[np.float32]
PREFIX = "graph:"
"""Of this graph's ranges beside those of the ONNX graph."""
COMPARED = 64
"""Windows that every runtime is held against the integer simulation on."""
OUTPUT_STEPS = 128
"""Of the int8 embedding, in one."""
LSB_BOUND = 8
"""Largest step of the int8 output by which optimised kernels may differ from the reference arithmetic."""


def prepared(model: "onnx.ModelProto", input_step: float, whole: bool = True) -> Graph:
    """Returns the float graph in the form that is quantised whole, or in its weights alone.

    Raises: GraphError naming what TFLite has not.
    """
    norms = Norms.SUM if whole else Norms.MEAN
    return prepare(lower(model), Form(rotate=whole, place=whole, norms=norms, input_step=input_step))


def ranges_of(graph: Graph, windows: Windows) -> Ranges:
    """Returns the range over `windows` (n, …) of every tensor of the prepared graph."""
    found = estimate(collect(graph, windows), Estimator.PERCENTILE)
    return {PREFIX + name: limits for name, limits in found.items()}


def int8_artefact(graph: Graph, windows: Windows, reference: Windows, ranges: Ranges, input_step: float) -> Artefact:
    """Returns the fully-int8 artefact; `reference` (n, size) is the float graph's output for `windows`."""
    own = {name.removeprefix(PREFIX): limits for name, limits in ranges.items() if name.startswith(PREFIX)}
    quantised = quantise(graph, own, Options(input_step=input_step))
    content = Artefact("int8", "int8", quantised, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.int8_gate(content),
        "output_parity": parity.int8_gate(reference, LiteRtSession(content).run(windows)),
        "integer_parity": integer_gate(quantised, content, windows[:COMPARED]),
    }
    return Artefact("int8", "int8", quantised, gates, {"format": "TFLite int8", "ranges": "percentile"}, dict(ranges))


def w8_artefact(graph: Graph, windows: Windows, reference: Windows) -> Artefact:
    """Returns the artefact with int8 weights and float activations, `reference` as for `int8_artefact`.

    Fully connected layers have one scale each: tflite-runtime 2.14 ignores all but the first of several.
    """
    quantised = quantise(graph, {}, Options(mode=Mode.W8, linear_per_channel=False))
    content = Artefact("w8", "w8", quantised, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.w8_gate(content),
        "output_parity": parity.int8_gate(reference, LiteRtSession(content).run(windows)),
        "old_runtime": _old_runtime(content, windows[:COMPARED], reference[:COMPARED]),
    }
    return Artefact("w8", "w8", quantised, gates, {"format": "TFLite dynamic range", "weights": "int8"})


def integer_gate(graph: Graph, content: bytes, windows: Windows) -> dict[str, Any]:
    """Returns whether the runtimes give the simulation's integers: references bit for bit, fast kernels nearly.

    A runtime that is not installed is `absent` in its line. LiteRT's reference rounds fully connected layers in double
    precision, tflite-runtime's in integers; each is held against the simulation of its own arithmetic.
    """
    step = float(graph.tensors[graph.inputs[0]].quant.scale[0])  # type: ignore[union-attr]
    integers = np.clip(np.rint(windows / step), -128, 127).astype(np.int8)
    expected = {arithmetic: simulate(graph, integers, arithmetic=arithmetic)["embedding"] for arithmetic in Arithmetic}

    def steps_off(session: InterpreterSession, arithmetic: Arithmetic) -> int:
        given = session.run_integers(integers)
        return int(np.abs(given.astype(int) - expected[arithmetic].reshape(given.shape).astype(int)).max())

    return {"windows": len(windows), **_runtimes(content, steps_off)}


def _runtimes(
    content: bytes, steps_off: Callable[[InterpreterSession, Arithmetic], int], references: int = 0
) -> dict[str, Any]:
    """Returns by how many steps each runtime is off; reference kernels may be by `references`."""
    found: dict[str, Any] = {}
    for name, (runtime, kernels, arithmetic) in RUNTIMES.items():
        bound = references if kernels == Kernels.REFERENCE else LSB_BOUND
        try:
            most = steps_off(runtime(content, kernels=kernels), arithmetic)
        except MissingPackageError as error:
            found[name] = {"result": parity.ABSENT, "why": str(error)}
        except ArtefactError as error:
            found[name] = {"result": parity.FAILED, "why": str(error)}
        else:
            result = parity.PASSED if most <= bound else parity.FAILED
            found[name] = {"result": result, "lsb": most, "lsb_bound": bound}
    failed = [name for name, one in found.items() if one["result"] == parity.FAILED]
    return {"result": parity.FAILED if failed else parity.PASSED, "runtimes": found}


RUNTIMES: Mapping[str, tuple[Callable[..., InterpreterSession], str, Arithmetic]] = {
    "LiteRT, reference": (LiteRtSession, Kernels.REFERENCE, Arithmetic.LITERT),
    "LiteRT, XNNPACK": (LiteRtSession, Kernels.XNNPACK, Arithmetic.LITERT),
    "tflite-runtime, reference": (TfliteRuntimeSession, Kernels.REFERENCE, Arithmetic.FIXED),
    "tflite-runtime, XNNPACK": (TfliteRuntimeSession, Kernels.XNNPACK, Arithmetic.FIXED),
}


def file_gates(content: bytes, precision: str, windows: Windows, reference: Windows) -> dict[str, dict[str, Any]]:
    """Returns the gates that a TFLite file alone allows; `reference` is the float graph's output for `windows`.

    Without its graph there is no simulation: runtimes are held against LiteRT's reference kernels.
    """
    if precision == "w8":
        gates = {"structure": tflite_structure.w8_gate(content)}
        gates["old_runtime"] = _old_runtime(content, windows[:COMPARED], reference[:COMPARED])
    else:
        expected = LiteRtSession(content, kernels=Kernels.REFERENCE).run(windows[:COMPARED])

        def steps_off(session: InterpreterSession, _: Arithmetic) -> int:
            return round(float(np.abs(session.run(windows[:COMPARED]) - expected).max()) * OUTPUT_STEPS)

        gates = {"structure": tflite_structure.int8_gate(content)}
        gates["runtimes"] = _runtimes(content, steps_off, LSB_BOUND)
    return {**gates, "output_parity": parity.int8_gate(reference, LiteRtSession(content).run(windows))}


def _old_runtime(content: bytes, windows: Windows, reference: Windows) -> dict[str, Any]:
    try:
        given = TfliteRuntimeSession(content).run(windows)
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    return parity.int8_gate(reference, given)
