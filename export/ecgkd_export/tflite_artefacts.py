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
from ecgkd_export.parity import Outputs
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
SCORE_LSB_BOUND = 20
"""The same of scores of classes, which fill the 255 steps. Of 22 trained DT4ECGs the worst in XNNPACK is 5 steps off on
moving people, 9 on synthetic windows, where scores spread less; a head of zeros is 150 off."""

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
    reference: Outputs,
    ranges: Ranges,
    input_step: float,
    profile: Profile = Profile.CPU,
    tuning: Tuning | None = None,
) -> Artefact:
    """Returns the fully-int8 artefact of `graph`, which was prepared from `model`.

    `reference` are the float graph's outputs for `windows`.
    """
    quantised, tuned = int8_graph(graph, model, ranges, input_step, tuning or Tuning())
    content = Artefact("int8", "int8", quantised, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.int8_gate(content, profile, tuple(reference)),
        **parity.output_gates(reference, LiteRtSession(content).run_all(windows)),
        "integer_parity": integer_gate(quantised, content, windows[:COMPARED]),
        **target_gates(content, profile, simulated(quantised, windows[:COMPARED]), dict.fromkeys(reference, 0)),
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


def w8_artefact(graph: Graph, windows: Windows, reference: Outputs) -> Artefact:
    """Returns the artefact with int8 weights and float activations, `reference` as for `int8_artefact`.

    Fully connected layers have one scale each: tflite-runtime 2.14 ignores all but the first of several.
    """
    quantised = quantise(graph, {}, Options(mode=Mode.W8, linear_per_channel=False))
    content = Artefact("w8", "w8", quantised, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.w8_gate(content, tuple(reference)),
        **parity.output_gates(reference, LiteRtSession(content).run_all(windows)),
        "old_runtime": _old_runtime(content, windows, reference),
    }
    return Artefact("w8", "w8", quantised, gates, {"format": "TFLite dynamic range", "weights": "int8"})


def float_artefact(graph: Graph, windows: Windows, reference: Outputs) -> Artefact:
    """Returns the float graph for LiteRT, which the others' times are compared with; arguments as for the others."""
    content = Artefact("fp32", "tflite-fp32", graph, {}).file("tflite", {})
    gates = {
        "structure": tflite_structure.float_gate(content, tuple(reference)),
        "output_parity": parity.over_outputs(parity.close_gate, reference, LiteRtSession(content).run_all(windows)),
    }
    return Artefact("fp32", "tflite-fp32", graph, gates, {"format": "TFLite float"})


def simulated(graph: Graph, windows: Windows) -> Steps:
    """Returns what says by how many steps a session is off the integer simulation, as microcontrollers round."""
    step = float(graph.tensors[graph.inputs[0]].quant.scale[0])  # type: ignore[union-attr]
    integers = np.clip(np.rint(windows / step), -128, 127).astype(np.int8)

    def steps_off(session: TflmSession) -> dict[str, NDArray[np.int64]]:
        return _steps_off(simulate(graph, integers, arithmetic=Arithmetic.FIXED), session.run_all_integers(integers))

    return steps_off


def _steps_off(expected: Mapping[str, NDArray[Any]], given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.int64]]:
    """Returns by how many steps each window of each output (n, …) of integers is off at most (n,).

    Raises: ArtefactError where an output is missing or of another size.
    """
    found = {}
    for name, values in expected.items():
        one = given.get(name)
        if one is None or one.size != values.size:
            raise ArtefactError(f"{'no output' if one is None else 'another size of output'} {name}")
        a, b = (rows.reshape(len(rows), -1).astype(np.int64) for rows in (values, one))
        found[name] = np.abs(a - b).max(1)
    return found


def integer_gate(graph: Graph, content: bytes, windows: Windows) -> dict[str, Any]:
    """Returns whether the runtimes give the simulation's integers: references bit for bit, fast kernels nearly.

    A runtime that is not installed is `absent` in its line. LiteRT's reference rounds fully connected layers in double
    precision, tflite-runtime's in integers; each is held against the simulation of its own arithmetic.
    """
    step = float(graph.tensors[graph.inputs[0]].quant.scale[0])  # type: ignore[union-attr]
    integers = np.clip(np.rint(windows / step), -128, 127).astype(np.int8)
    expected = {arithmetic: simulate(graph, integers, arithmetic=arithmetic) for arithmetic in Arithmetic}

    def steps_off(session: InterpreterSession, arithmetic: Arithmetic) -> dict[str, NDArray[np.int64]]:
        return _steps_off(expected[arithmetic], session.run_all_integers(integers))

    fast = fast_bounds(expected[Arithmetic.LITERT])
    return {"windows": len(windows), **_runtimes(content, steps_off, fast, dict.fromkeys(fast, 0))}


def fast_bounds(expected: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Returns by how many steps optimised kernels may be off each output (n, …) of integers."""
    first, *others = expected
    return {first: lsb_bound(expected[first]), **dict.fromkeys(others, SCORE_LSB_BOUND)}


def lsb_bound(steps: NDArray[Any]) -> int:
    """Returns by how many steps optimised kernels may be off outputs (n, …) of integers."""
    length = np.median(np.linalg.norm(steps.reshape(len(steps), -1).astype(np.float64), axis=1))
    return int(np.ceil(LSB_BOUND * max(1.0, float(length) / UNIT)))


def _runtimes(
    content: bytes,
    steps_off: Callable[[InterpreterSession, Arithmetic], Mapping[str, NDArray[np.int64]]],
    fast: Mapping[str, int],
    references: Mapping[str, int],
) -> dict[str, Any]:
    """Returns by how many steps each runtime is off; optimised kernels may be by `fast`, others by `references`."""
    found: dict[str, Any] = {}
    for name, (runtime, kernels, arithmetic) in RUNTIMES.items():
        bounds = references if kernels == Kernels.REFERENCE else fast
        try:
            off = steps_off(runtime(content, kernels=kernels), arithmetic)
        except MissingPackageError as error:
            found[name] = {"result": parity.ABSENT, "why": str(error)}
        except ArtefactError as error:
            found[name] = {"result": parity.FAILED, "why": str(error)}
        else:
            found[name] = parity.steps_gate({name: int(most.max(initial=0)) for name, most in off.items()}, bounds)
    failed = [name for name, one in found.items() if one["result"] == parity.FAILED]
    return {"result": parity.FAILED if failed else parity.PASSED, "runtimes": found}


RUNTIMES: Mapping[str, tuple[Callable[..., InterpreterSession], str, Arithmetic]] = {
    "LiteRT, reference": (LiteRtSession, Kernels.REFERENCE, Arithmetic.LITERT),
    "LiteRT, XNNPACK": (LiteRtSession, Kernels.XNNPACK, Arithmetic.LITERT),
    "tflite-runtime, reference": (TfliteRuntimeSession, Kernels.REFERENCE, Arithmetic.FIXED),
    "tflite-runtime, XNNPACK": (TfliteRuntimeSession, Kernels.XNNPACK, Arithmetic.FIXED),
}


def file_gates(
    content: bytes, precision: str, windows: Windows, reference: Outputs, profile: Profile = Profile.CPU
) -> dict[str, dict[str, Any]]:
    """Returns the gates that a TFLite file alone allows; `reference` are the float graph's outputs for `windows`.

    Without its graph there is no simulation: runtimes are held against LiteRT's reference kernels.
    """
    session = LiteRtSession(content)
    given = session.run_all(windows)
    if precision == "fp32":
        close = parity.over_outputs(parity.close_gate, reference, given)
        return {"structure": tflite_structure.float_gate(content, tuple(reference)), "output_parity": close}
    if precision == "w8":
        gates = {"structure": tflite_structure.w8_gate(content, tuple(reference))}
        gates["old_runtime"] = _old_runtime(content, windows, reference)
    else:
        gates = {"structure": tflite_structure.int8_gate(content, profile, tuple(reference))}
        gates |= _runtime_gates(content, session.as_input(windows[:COMPARED]), profile)
    return {**gates, **parity.output_gates(reference, given)}


def _runtime_gates(content: bytes, integers: NDArray[Any], profile: Profile) -> dict[str, dict[str, Any]]:
    """Returns whether all runtimes give about the integers of LiteRT's reference kernels for `integers` (n, …)."""
    expected = LiteRtSession(content, kernels=Kernels.REFERENCE).run_all_integers(integers)
    bounds = fast_bounds(expected)

    def steps_off(session: InterpreterSession, _: Arithmetic | None = None) -> dict[str, NDArray[np.int64]]:
        return _steps_off(expected, session.run_all_integers(integers))

    gates = target_gates(content, profile, steps_off, bounds)
    return {**gates, "runtimes": _runtimes(content, steps_off, bounds, bounds)}


def _old_runtime(content: bytes, windows: Windows, reference: Outputs) -> dict[str, Any]:
    expected = {name: rows[:COMPARED] for name, rows in reference.items()}
    try:
        given = TfliteRuntimeSession(content).run_all(windows[:COMPARED])
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    return parity.over_outputs(parity.int8_gate, expected, given, parity.class_gate)
