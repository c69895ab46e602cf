"""Operators of the graph as TFLite's, each with the lowest version that knows its types.

Versions: tensorflow/lite/tools/versioning/op_version.cc.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.tflite.checks import same_scale
from ecgkd_export.tflite.padding import Window, place
from ecgkd_export.tflite.schema import ACTIVATIONS, TYPE_NUMBERS

Options = tuple[str, Mapping[str, Any]]
"""Name of the options table, and its fields that differ from the schema's defaults."""


@dataclass(frozen=True)
class Node:
    """One TFLite operator."""

    code: str
    version: int
    inputs: tuple[str, ...]
    output: str
    options: Options


@dataclass(frozen=True)
class Part:
    """What one operator of the graph becomes, and the tensors that the graph has not."""

    nodes: tuple[Node, ...]
    tensors: tuple[Tensor, ...] = field(default=())


def translate(graph: Graph, op: Op) -> Part:
    """Returns the TFLite operators that do what `op` does; `check_op` must have passed it."""
    return _TRANSLATIONS[op.kind](graph, op)


def _conv(graph: Graph, op: Op) -> Part:
    source, weights, bias = (graph.tensors[name] for name in op.inputs)
    stride, pad = op.attributes["stride"], op.attributes["pad"]
    window = place(Window(source.shape[2], weights.shape[2], stride, pad))
    before = _pad(graph, op, window.explicit) if window.explicit != (0, 0) else Part(())
    options = {
        "padding": window.padding,
        "strideW": stride,
        "strideH": 1,
        "fusedActivationFunction": ACTIVATIONS[op.attributes["activation"]],
    }
    known = {DType.FLOAT32: 1, DType.INT8: 3, DType.INT16: 4}[source.dtype]
    version = 5 if _is_hybrid(graph, op) else known
    wide = _wide_bias(source, bias)
    first = before.nodes[0].output if before.nodes else source.name
    inputs = (first, weights.name, wide[0].name if wide else bias.name)
    node = Node("CONV_2D", version, inputs, op.output, ("Conv2DOptions", options))
    return Part((*before.nodes, node), (*before.tensors, *wide))


def _max_pool(graph: Graph, op: Op) -> Part:
    source = graph.tensors[op.inputs[0]]
    size, stride = op.attributes["size"], op.attributes["stride"]
    window = place(Window(source.shape[2], size, stride, op.attributes["pad"]))
    before = _pad(graph, op, window.explicit, lowest=True) if window.explicit != (0, 0) else Part(())
    options = {"padding": window.padding, "strideW": stride, "strideH": 1, "filterWidth": size, "filterHeight": 1}
    version = {DType.FLOAT32: 1, DType.INT8: 2, DType.INT16: 3}[source.dtype]
    first = before.nodes[0].output if before.nodes else source.name
    node = Node("MAX_POOL_2D", version, (first,), op.output, ("Pool2DOptions", options))
    return Part((*before.nodes, node), before.tensors)


def _pad(graph: Graph, op: Op, amounts: tuple[int, int], lowest: bool = False) -> Part:
    """Returns the operator that widens `op`'s input in time: by zeros, or by the lowest value where zero could win."""
    source = graph.tensors[op.inputs[0]]
    one, lanes, length, channels = source.shape
    shape = (one, lanes, length + sum(amounts), channels)
    padded = Tensor(f"{op.name}/padded", shape, source.dtype, source.quant)
    where = _integers(f"{op.name}/padding", [(0, 0), (0, 0), amounts, (0, 0)])
    version = {DType.FLOAT32: 1, DType.INT8: 2, DType.INT16: 3}[source.dtype]
    if not lowest or _is_rectified(graph, source.name):
        node = Node("PAD", version, (source.name, where.name), padded.name, ("PadOptions", {}))
        return Part((node,), (padded, where))
    limits = np.finfo(np.float32) if source.dtype == DType.FLOAT32 else np.iinfo(np.dtype(source.dtype))
    value = np.array([limits.min], np.dtype(source.dtype))
    fill = Tensor(f"{op.name}/lowest", (1,), source.dtype, source.quant, value)
    node = Node("PADV2", version, (source.name, where.name, fill.name), padded.name, ("PadV2Options", {}))
    return Part((node,), (padded, where, fill))


def _is_rectified(graph: Graph, name: str) -> bool:
    """Returns whether no value of the tensor is below zero, so that a zero beside them never wins."""
    maker = graph.makers().get(name)
    if maker is None:
        return False
    return maker.kind == Kind.RELU or maker.attributes.get("activation") == "relu"


def _fully_connected(graph: Graph, op: Op) -> Part:
    source, _, bias = (graph.tensors[name] for name in op.inputs)
    options: dict[str, Any] = {"fusedActivationFunction": ACTIVATIONS[op.attributes["activation"]]}
    version = {DType.FLOAT32: 1, DType.INT8: 4, DType.INT16: 7}[source.dtype]
    if _is_hybrid(graph, op):
        version, options["asymmetricQuantizeInputs"] = _hybrid_version(graph.tensors[op.inputs[1]]), True
    wide = _wide_bias(source, bias)
    inputs = (*op.inputs[:2], wide[0].name if wide else bias.name)
    return Part((Node("FULLY_CONNECTED", version, inputs, op.output, ("FullyConnectedOptions", options)),), wide)


def _is_hybrid(graph: Graph, op: Op) -> bool:
    source, weights = (graph.tensors[name] for name in op.inputs[:2])
    return source.dtype == DType.FLOAT32 and weights.dtype == DType.INT8


def _hybrid_version(weights: Tensor) -> int:
    """Returns 12 where the weights have several scales, so that tflite-runtime 2.14 refuses what it would get wrong."""
    return 12 if weights.quant is not None and len(weights.quant.scale) > 1 else 9


def _wide_bias(source: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """Returns the bias in 64 bits where the kernel adds up in 64 bits: with int16 activations."""
    if source.dtype != DType.INT16 or bias.dtype == DType.INT64 or bias.data is None:
        return ()
    return (Tensor(f"{bias.name}/wide", bias.shape, DType.INT64, bias.quant, bias.data.astype(np.int64)),)


def _matmul(graph: Graph, op: Op) -> Part:
    options = {"adjX": False, "adjY": bool(op.attributes["transpose_b"])}
    return _plain(graph, op, "BATCH_MATMUL", ("BatchMatMulOptions", options), (1, 2, 3))


def _reduce(code: str) -> Callable[[Graph, Op], Part]:
    def translated(graph: Graph, op: Op) -> Part:
        axes = _integers(f"{op.name}/axes", list(op.attributes["axes"]))
        options = ("ReducerOptions", {"keepDims": bool(op.attributes["keep"])})
        return _plain(graph, op, code, options, (1, 2, 3), axes)

    return translated


def _concat(graph: Graph, op: Op) -> Part:
    return _plain(graph, op, "CONCATENATION", ("ConcatenationOptions", {"axis": op.attributes["axis"]}), (1, 2, 3))


def _reshape(graph: Graph, op: Op) -> Part:
    shape = graph.tensors[op.output].shape
    options = ("ReshapeOptions", {"newShape": list(shape)})
    return _plain(graph, op, "RESHAPE", options, (1, 1, 1), _integers(f"{op.name}/shape", list(shape)))


def _transpose(graph: Graph, op: Op) -> Part:
    order = _integers(f"{op.name}/permutation", list(op.attributes["permutation"]))
    return _plain(graph, op, "TRANSPOSE", ("TransposeOptions", {}), (1, 2, 5), order)


def _slice(graph: Graph, op: Op) -> Part:
    begin = _integers(f"{op.name}/begin", list(op.attributes["begin"]))
    size = _integers(f"{op.name}/size", list(op.attributes["size"]))
    return _plain(graph, op, "SLICE", ("SliceOptions", {}), (1, 2, 4), begin, size)


def _quantise(graph: Graph, op: Op) -> Part:
    """Returns QUANTIZE; but int8 to int16 goes by CAST, which tflite-runtime 2.14 has, and from there by QUANTIZE.

    CAST copies integers, so that a zero point cannot go this way: then it is QUANTIZE, and 2.14 refuses the file.
    """
    source, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    version = 2 if output.dtype == DType.INT16 else 1
    node = Node("QUANTIZE", version, op.inputs, op.output, ("QuantizeOptions", {}))
    if source.dtype != DType.INT8 or output.dtype != DType.INT16 or source.quant is None or source.quant.zero_point:
        return Part((node,))
    types = ("CastOptions", {"inDataType": TYPE_NUMBERS[source.dtype], "outDataType": TYPE_NUMBERS[output.dtype]})
    if same_scale(source.quant, output.quant):
        return Part((Node("CAST", 1, op.inputs, op.output, types),))
    wide = Tensor(f"{op.name}/wide", source.shape, DType.INT16, source.quant)
    cast = Node("CAST", 1, op.inputs, wide.name, types)
    return Part((cast, replace(node, inputs=(wide.name,))), (wide,))


def _arithmetic(code: str, versions: tuple[int, int, int], table: str) -> Callable[[Graph, Op], Part]:
    def translated(graph: Graph, op: Op) -> Part:
        options: dict[str, Any] = {"fusedActivationFunction": ACTIVATIONS[op.attributes["activation"]]}
        if code != "MUL":
            options["potScaleInt16"] = False
        part = _plain(graph, op, code, (table, options), versions)
        if code == "MUL" and graph.tensors[op.output].dtype == DType.INT8 and _product_scale(graph, op) >= 1:
            part = Part((replace(part.nodes[0], version=3),))
        return part

    return translated


def _product_scale(graph: Graph, op: Op) -> float:
    """Returns by what the product of two integers is multiplied."""
    first, second, output = (_scale(graph.tensors[name].quant) for name in (*op.inputs, op.output))
    return first * second / output


def _scale(quant: Quant | None) -> float:
    return float(quant.scale[0]) if quant else 1.0


def _simple(code: str, versions: tuple[int, int, int], table: str = "", **options: Any) -> Callable[[Graph, Op], Part]:
    return lambda graph, op: _plain(graph, op, code, (table, options), versions)


def _plain(
    graph: Graph, op: Op, code: str, options: Options, versions: tuple[int, int, int], *constants: Tensor
) -> Part:
    """Returns one operator; `versions` are those for float32, int8 and int16 input, `constants` its last inputs."""
    order = (DType.FLOAT32, DType.INT8, DType.INT16)
    version = versions[order.index(graph.tensors[op.inputs[0]].dtype)]
    inputs = (*op.inputs, *(tensor.name for tensor in constants))
    return Part((Node(code, version, inputs, op.output, options),), constants)


def _integers(name: str, values: Any) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, DType.INT32, None, data)


_TRANSLATIONS: Mapping[Kind, Callable[[Graph, Op], Part]] = {
    Kind.CONV: _conv,
    Kind.MAX_POOL: _max_pool,
    Kind.FULLY_CONNECTED: _fully_connected,
    Kind.MATMUL: _matmul,
    Kind.SOFTMAX: _simple("SOFTMAX", (1, 2, 3), "SoftmaxOptions", beta=1.0),
    Kind.L2_NORM: _simple("L2_NORMALIZATION", (1, 2, 2), "L2NormOptions"),
    Kind.RSQRT: _simple("RSQRT", (1, 2, 3)),
    Kind.GELU: _simple("GELU", (1, 2, 2), "GeluOptions", approximate=False),
    Kind.LOGISTIC: _simple("LOGISTIC", (1, 2, 3)),
    Kind.RELU: _simple("RELU", (1, 2, 3)),
    Kind.ADD: _arithmetic("ADD", (1, 2, 3), "AddOptions"),
    Kind.SUB: _arithmetic("SUB", (1, 2, 5), "SubOptions"),
    Kind.MUL: _arithmetic("MUL", (1, 2, 4), "MulOptions"),
    Kind.MEAN: _reduce("MEAN"),
    Kind.REDUCE_MAX: _reduce("REDUCE_MAX"),
    Kind.CONCAT: _concat,
    Kind.RESHAPE: _reshape,
    Kind.TRANSPOSE: _transpose,
    Kind.SLICE: _slice,
    Kind.QUANTISE: _quantise,
    Kind.DEQUANTISE: _simple("DEQUANTIZE", (1, 2, 3), "DequantizeOptions"),
}
