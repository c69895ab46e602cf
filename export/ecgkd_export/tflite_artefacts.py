"""Float ONNX → TFLite: one rewritten graph, quantised whole (int8) or in its weights alone (w8), behind its gates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from ecgkd_export.released import with_integers_of
from ecgkd_export.rewrite import Form, Profile, prepare
from ecgkd_export.rewrite.output import STEP, fill_output
from ecgkd_export.rewrite.roots import Norms
from ecgkd_export.rewrite.tidy import tidy
from ecgkd_export.run.interpreter import InterpreterSession, Kernels
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.run.tflm import TflmSession
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.targets import Steps, target_gates

if TYPE_CHECKING:
    import onnx

Windows = NDArray[np.float32]
PREFIX = "tflite:"
"""Of this graph's ranges beside those of the ONNX graph. Another one (once `graph:`) when the form changes, so that
ranges of an older form are measured again."""
COMPARED = 64
"""Windows that every runtime is held against the integer simulation on."""
LSB_BOUND = 8
"""Steps by which optimised kernels may differ from the reference arithmetic at an output of `UNIT` steps' length.

In proportion where it is longer."""
UNIT = 128

Refine = Callable[[Graph, Graph, Graph], tuple[Graph, dict[str, Any]]]
"""The float network, the graph that is quantised and its integer form, to the second fine-tuned and a record of it."""


@dataclass(frozen=True)
class Tuning:
    """What gives an int8 graph other integers than rounding alone: fine-tuning, or the file that came of it."""

    refine: Refine | None = None
    released: bytes | None = None
    """A TFLite file of the same network, released after fine-tuning."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """What the contract of the released file says of its fine-tuning."""


def prepared(model: "onnx.ModelProto", input_step: float, whole: bool = True, profile: Profile = Profile.CPU) -> Graph:
    """Returns the float graph in the form that is quantised whole, or in its weights alone.

    Raises: GraphError naming what TFLite has not.
    """
    norms = Norms.SUM if whole else Norms.MEAN
    form = Form(
        profile, rotate=whole, place=whole, part=whole, norms=norms, input_step=input_step, unit_output=not whole
    )
    return prepare(lower(model), form)


def ranges_of(graph: Graph, windows: Windows) -> Ranges:
    """Returns the range over `windows` (n, …) of every tensor of the prepared graph."""
    found = estimate(collect(graph, windows), Estimator.PERCENTILE)
    return {PREFIX + name: limits for name, limits in found.items()}


def int8_artefact(
    graph: Graph,
    model: "onnx.ModelProto",
    windows: Windows,
    reference: Windows,
    ranges: Ranges,
    input_step: float,
    profile: Profile = Profile.CPU,
    tuning: Tuning | None = None,
) -> Artefact:
    """Returns the fully-int8 artefact of `graph`, which was prepared from `model`.

    `reference` (n, size) is the float graph's output for `windows`.
    """
    quantised, tuned = int8_graph(graph, model, ranges, input_step, tuning or Tuning())
    content = Artefact("int8", "int8", quantised, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.int8_gate(content, profile),
        "output_parity": parity.int8_gate(reference, LiteRtSession(content).run(windows)),
        "integer_parity": integer_gate(quantised, content, windows[:COMPARED]),
        **target_gates(content, profile, simulated(quantised, windows[:COMPARED]), 0),
    }
    return Artefact(
        "int8",
        "int8",
        quantised,
        gates,
        {"format": "TFLite int8", "profile": profile.value, "ranges": "percentile", **tuned},
        dict(ranges),
    )


def int8_graph(
    graph: Graph, model: "onnx.ModelProto", ranges: Ranges, input_step: float, tuning: Tuning
) -> tuple[Graph, dict[str, Any]]:
    """Returns the integer graph of a prepared one, and what the contract says of its fine-tuning (`qat`)."""
    own = {name.removeprefix(PREFIX): limits for name, limits in ranges.items() if name.startswith(PREFIX)}
    graph, own = fill_output(graph, own)
    options = Options(input_step=input_step, output_step=STEP)
    quantised = quantise(graph, own, options)
    if tuning.released is not None:
        return with_integers_of(quantised, tuning.released), {"qat": dict(tuning.record), "integers_from": "release"}
    if tuning.refine is None:
        return quantised, {}
    tuned, record = tuning.refine(tidy(lower(model)), graph, quantised)
    return quantise(tuned, own, options), {"qat": record}


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


def float_artefact(graph: Graph, windows: Windows, reference: Windows) -> Artefact:
    """Returns the float graph for LiteRT, which the others' times are compared with; arguments as for the others."""
    content = Artefact("fp32", "tflite-fp32", graph, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.float_gate(content),
        "output_parity": parity.close_gate(reference, LiteRtSession(content).run(windows)),
    }
    return Artefact("fp32", "tflite-fp32", graph, gates, {"format": "TFLite float"})


def simulated(graph: Graph, windows: Windows) -> Steps:
    """Returns what says by how many steps a session is off the integer simulation, as microcontrollers round."""
    step = float(graph.tensors[graph.inputs[0]].quant.scale[0])  # type: ignore[union-attr]
    integers = np.clip(np.rint(windows / step), -128, 127).astype(np.int8)

    def steps_off(session: TflmSession) -> NDArray[np.int64]:
        expected = simulate(graph, integers, arithmetic=Arithmetic.FIXED)[graph.outputs[0]].reshape(len(windows), -1)
        given = session.run_integers(integers).reshape(len(windows), -1)
        return np.abs(given.astype(np.int64) - expected.astype(np.int64)).max(1)

    return steps_off


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

    return {"windows": len(windows), **_runtimes(content, steps_off, lsb_bound(expected[Arithmetic.LITERT]))}


def lsb_bound(steps: NDArray[Any]) -> int:
    """Returns by how many steps optimised kernels may be off outputs (n, …) of integers."""
    length = np.median(np.linalg.norm(steps.reshape(len(steps), -1).astype(np.float64), axis=1))
    return int(np.ceil(LSB_BOUND * max(1.0, float(length) / UNIT)))


def _runtimes(
    content: bytes, steps_off: Callable[[InterpreterSession, Arithmetic], int], fast: int, references: int = 0
) -> dict[str, Any]:
    """Returns by how many steps each runtime is off; optimised kernels may be by `fast`, others by `references`."""
    found: dict[str, Any] = {}
    for name, (runtime, kernels, arithmetic) in RUNTIMES.items():
        bound = references if kernels == Kernels.REFERENCE else fast
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


def file_gates(
    content: bytes, precision: str, windows: Windows, reference: Windows, profile: Profile = Profile.CPU
) -> dict[str, dict[str, Any]]:
    """Returns the gates that a TFLite file alone allows; `reference` is the float graph's output for `windows`.

    Without its graph there is no simulation: runtimes are held against LiteRT's reference kernels.
    """
    if precision == "fp32":
        close = parity.close_gate(reference, LiteRtSession(content).run(windows))
        return {"structure": tflite_structure.float_gate(content), "output_parity": close}
    if precision == "w8":
        gates = {"structure": tflite_structure.w8_gate(content)}
        gates["old_runtime"] = _old_runtime(content, windows[:COMPARED], reference[:COMPARED])
    else:
        expected = LiteRtSession(content, kernels=Kernels.REFERENCE).run(windows[:COMPARED])
        bound = lsb_bound(expected / STEP)

        def steps_off(session: InterpreterSession, _: Arithmetic) -> int:
            return round(float(np.abs(session.run(windows[:COMPARED]) - expected).max()) / STEP)

        def units_off(session: TflmSession) -> NDArray[np.int64]:
            off = np.abs(session.run(windows[:COMPARED]) - expected).max(1) / STEP
            return np.rint(off).astype(np.int64)

        gates = {"structure": tflite_structure.int8_gate(content, profile)}
        gates |= target_gates(content, profile, units_off, bound)
        gates["runtimes"] = _runtimes(content, steps_off, bound, bound)
    return {**gates, "output_parity": parity.int8_gate(reference, LiteRtSession(content).run(windows))}


def _old_runtime(content: bytes, windows: Windows, reference: Windows) -> dict[str, Any]:
    try:
        given = TfliteRuntimeSession(content).run(windows)
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    return parity.int8_gate(reference, given)
