"""Float graph and ranges → integer graph, by the rules of TFLite's quantisation specification.

Weights int8, symmetric, one scale for each output; biases int32 in steps of input × weight; activations int8 with a
zero point. What only moves numbers keeps its input's scale. Softmax, logistic and L2 norm give the scales that their
kernels demand.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor, check
from ecgkd_export.quantise_plan import (
    DEMANDED,
    KEEPS_SCALE,
    Plan,
    Ranges,
    Stream,
    activation,
    limits,
    make_plan,
    same,
)

INPUT_STEP = 1 / 16
"""Of the graph's input: the front end's own grid, so that int8 loses nothing there."""
WEIGHTED = (Kind.CONV, Kind.FULLY_CONNECTED)
UNKNOWN = (Kind.LAYER_NORM, Kind.QUANTISE, Kind.DEQUANTISE)
MAX_BIAS = 2**30
CARRY_REACH = 0.51
"""Steps of a sum that a carry can hold: a half, and what kernels add to it by rounding."""
MAX_RATIO = 200
"""Largest scale of a sum's input over its output's; XNNPACK's kernels end at 256."""


class Mode(StrEnum):
    INT8 = "int8"
    W8 = "w8"
    """int8 weights, float activations."""


@dataclass(frozen=True)
class Options:
    """What is fixed about the quantisation."""

    mode: Mode = Mode.INT8
    stream: Stream = Stream.CARRY
    linear_per_channel: bool = True
    """One weight scale for each output of a fully connected layer; else one for the layer."""
    input_step: float = INPUT_STEP
    output_step: float | None = None
    """Of the int8 output, with zero point 0; None: as its range asks."""


def quantise(graph: Graph, ranges: Ranges, options: Options | None = None) -> Graph:
    """Returns the integer graph; `ranges` are those of this very graph's tensors.

    Raises: GraphError for an operator that int8 does not have, or where a range is missing.
    """
    options = options or Options()
    if options.mode == Mode.W8:
        return _weights_only(graph, options)
    unknown = [op for op in graph.ops if op.kind in UNKNOWN]
    if unknown:
        raise GraphError(f"{unknown[0].kind} {unknown[0].name}: not known in int8; rewrite the graph first")
    lacking = [op.output for op in graph.ops if op.output not in ranges and op.kind not in DEMANDED]
    if lacking:
        raise GraphError(f"no activation range for {lacking[0]} and {len(lacking) - 1} more; calibrate again")
    plan = make_plan(graph, ranges, options.stream, options.input_step, options.output_step)
    return _Writer(graph, options, plan).write()


class _Writer:
    """Writes the integer graph operator by operator."""

    def __init__(self, graph: Graph, options: Options, plan: Plan) -> None:
        self.graph, self.options, self.plan = graph, options, plan
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.carries: dict[str, str] = {}
        """What rounding took from a sum, by the sum."""

    def write(self) -> Graph:
        for name in self.graph.inputs:
            self._computed(name)
        for op in self.graph.ops:
            if op.kind in WEIGHTED:
                self._layer(op)
            elif op.output in self.plan.sums:
                self._sum(op)
            else:
                self._other(op)
        return check(Graph(self.tensors, tuple(self.ops), self.graph.inputs, self.graph.outputs))

    def _layer(self, op: Op) -> None:
        source, weights, bias = op.inputs
        x = self._as(source, self.plan.quants[source])
        per_channel = op.kind == Kind.CONV or self.options.linear_per_channel
        step = float(self.plan.quants[source].scale[0])
        kernel, scale = integer_weights(self.graph.constant(weights), self.graph.constant(bias), step, per_channel)
        axis = 0 if per_channel else None
        shift = np.rint(self.graph.constant(bias).astype(np.float64) / (step * scale.astype(np.float64)))
        names = (
            self._constant(weights, kernel, DType.INT8, Quant(scale, axis=axis)),
            self._constant(
                bias, shift.astype(np.int32), DType.INT32, Quant((step * scale).astype(np.float32), 0, axis)
            ),
        )
        self._emit(op, (x, *names))

    def _other(self, op: Op) -> None:
        """Gives every input the output's scale where the operator asks for that."""
        tied = op.kind in KEEPS_SCALE
        self._emit(op, tuple(self._as(name, self.plan.quants[op.output if tied else name]) for name in op.inputs))

    def _sum(self, op: Op) -> None:
        """Writes y = x + u with u = branch + carry, and the next carry u − (y − x), where somebody asks for it."""
        x, branch = self.plan.sums[op.output]
        step, carry = float(self.plan.quants[x].scale[0]), self._carry(x)
        added, own = branch, self.plan.quants[branch]
        if carry is not None:
            low, high = limits(own)
            own = activation(low - step / 2, high + step / 2)
            added = self._new(f"{op.output}:added", Kind.ADD, (branch, carry), own)
        self._emit(op, (x, added))
        if op.output not in self.plan.carried:
            return
        taken = self._new(f"{op.output}:step", Kind.SUB, (op.output, x), Quant(np.full(1, step, np.float32)))
        fine = max(CARRY_REACH * step / 127, float(own.scale[0]) / MAX_RATIO, step / MAX_RATIO)
        quant = Quant(np.full(1, fine, np.float32))
        self.carries[op.output] = self._new(f"{op.output}:carry", Kind.SUB, (added, taken), quant)

    def _carry(self, rows: str) -> str | None:
        """Returns the carry that belongs to the rows; that of a slice is sliced."""
        whole = self._sliced(rows)
        if whole is None or whole not in self.carries:
            return self.carries.get(rows)
        op = next(op for op in self.ops if op.output == rows)
        source = self.carries[whole]
        name = self._free(f"{source}:rows")
        self.tensors[name] = replace(self.tensors[source], name=name, shape=self.tensors[rows].shape)
        self.ops.append(Op(Kind.SLICE, name, (source,), name, op.attributes))
        return name

    def _sliced(self, rows: str) -> str | None:
        op = next((op for op in self.graph.ops if op.output == rows and op.kind == Kind.SLICE), None)
        return None if op is None else op.inputs[0]

    def _new(self, name: str, kind: Kind, inputs: tuple[str, str], quant: Quant) -> str:
        name = self._free(name)
        self.tensors[name] = Tensor(name, self.tensors[inputs[0]].shape, DType.INT8, quant)
        self.ops.append(Op(kind, name, inputs, name, {"activation": "none"}))
        return name

    def _emit(self, op: Op, inputs: tuple[str, ...]) -> None:
        self._computed(op.output)
        self.ops.append(replace(op, inputs=inputs))

    def _computed(self, name: str) -> None:
        self.tensors[name] = replace(self.graph.tensors[name], dtype=DType.INT8, quant=self.plan.quants[name])

    def _as(self, name: str, quant: Quant) -> str:
        """Returns the tensor in these steps; another one where it is kept in others."""
        source = self.graph.tensors[name]
        kept = self.tensors.get(name)
        if kept is not None and kept.quant is not None and same(kept.quant, quant):
            return name
        if source.data is not None:
            steps = np.rint(source.data.astype(np.float64) / float(quant.scale[0])) + quant.zero_point
            return self._constant(name, np.clip(steps, -128, 127).astype(np.int8), DType.INT8, quant)
        for op in self.ops:
            found = self.tensors[op.output]
            wanted = found.quant is not None and same(found.quant, quant)
            if wanted and op.kind == Kind.QUANTISE and op.inputs == (name,):
                return op.output
        fresh = self._free(f"{name}:int8")
        self.tensors[fresh] = Tensor(fresh, source.shape, DType.INT8, quant)
        self.ops.append(Op(Kind.QUANTISE, fresh, (name,), fresh))
        return fresh

    def _constant(self, name: str, data: NDArray[np.generic], dtype: DType, quant: Quant) -> str:
        name = self._free(name)
        self.tensors[name] = Tensor(name, data.shape, dtype, quant, data)
        return name

    def _free(self, name: str) -> str:
        unused, number = name, 1
        while unused in self.tensors:
            number += 1
            unused = f"{name}:{number}"
        return unused


def integer_weights(
    weights: NDArray[np.float32], bias: NDArray[np.float32], step: float, per_channel: bool
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Returns int8 weights, outputs first, and their scales: no bias, in steps of `step` × scale, leaves int32."""
    rows = np.abs(weights.reshape(len(weights), -1).astype(np.float64)).max(1)
    scale = np.maximum(rows / 127, np.abs(bias.astype(np.float64)) / (step * MAX_BIAS))
    scale = np.where(scale > 0, scale, 1 / 127)
    if not per_channel:
        scale = scale.max(keepdims=True)
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    spread = scale.astype(np.float64).reshape(-1, *[1] * (weights.ndim - 1))
    return np.clip(np.rint(weights / spread), -127, 127).astype(np.int8), scale


def _weights_only(graph: Graph, options: Options) -> Graph:
    """Returns the graph with int8 weights and float everything else.

    The last layers stay float where they are on a single row: runtimes round what goes in to int8 too, with zero in the
    middle, and pooled features lie all on one side (a trained DT4ECG: cosine 0.9911 with its head in int8, 0.9994
    without).
    """
    tensors = dict(graph.tensors)
    last = _heads(graph)
    ops = []
    for op in graph.ops:
        if op.kind not in WEIGHTED or op.output in last:
            ops.append(op)
            continue
        name = op.inputs[1]
        per_channel = op.kind == Kind.CONV or options.linear_per_channel
        data = graph.constant(name)
        kernel, scale = integer_weights(data, np.zeros(len(data), np.float32), 1.0, per_channel)
        tensors[name] = Tensor(name, data.shape, DType.INT8, Quant(scale, axis=0 if per_channel else None), kernel)
        ops.append(op)
    return check(replace(graph, tensors=tensors, ops=tuple(ops)))


def _heads(graph: Graph) -> set[str]:
    """Returns the outputs of the layers on a single row that are the last before an output of the graph.

    Of a further output all that it has to itself.
    """
    found: set[str] = set()
    for position, name in enumerate(graph.outputs):
        behind = graph.behind(name)
        others = set().union(*(graph.behind(other) for other in graph.outputs if other != name))
        layers = [op for op in graph.ops if op.kind in WEIGHTED and op.output in behind]
        alone = [op for op in layers if position and op.output not in others]
        found |= {op.output for op in (*alone, *layers[-1:]) if _single_row(graph, op)}
    return found


def _single_row(graph: Graph, op: Op) -> bool:
    return op.kind == Kind.FULLY_CONNECTED and math.prod(graph.tensors[op.inputs[0]].shape[:-1]) == 1
