"""Graph → TFLite flatbuffer: everything inside the file, the same bytes for the same graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph, Quant, Tensor, check
from ecgkd_export.tflite.checks import check_op
from ecgkd_export.tflite.ops import Node, translate
from ecgkd_export.tflite.schema import IDENTIFIER, SCHEMA_VERSION, SIGNATURE, TYPE_NUMBERS, Content, load

LARGEST_FILE = 2**31 - 1
"""Bytes; offsets in a flatbuffer are signed and have 32 bits."""


def emit(graph: Graph, *, metadata: Mapping[str, str], description: str) -> bytes:
    """Returns `graph` as a TFLite file, each entry of `metadata` in a buffer of its own.

    Input, outputs and all other tensors keep their names. Operators whose padding TFLite does not have get a PAD before
    them. Raises: GraphError naming the operator that TFLite cannot run, or a graph over 2 GB; MissingPackageError.
    """
    schema = load()
    check(graph)
    nodes, tensors = _translated(graph)
    size = sum(tensor.data.nbytes for tensor in tensors if tensor.data is not None)
    if size > LARGEST_FILE // 2:
        raise GraphError(f"{size / 1e9:.1f} GB of constants; a TFLite file holds no more than 1 GB of them")
    buffers = _Buffers()
    model = schema.ModelT()
    model.version = SCHEMA_VERSION
    model.description = description
    codes = sorted({(node.code, node.version) for node in nodes})
    model.operatorCodes = [_code(schema, *code) for code in codes]
    subgraph = schema.SubGraphT()
    subgraph.name = "main"
    subgraph.tensors = [_tensor(schema, tensor, buffers) for tensor in tensors]
    index = {tensor.name: position for position, tensor in enumerate(tensors)}
    subgraph.inputs, subgraph.outputs = ([index[name] for name in names] for names in (graph.inputs, graph.outputs))
    subgraph.operators = [_operator(schema, node, codes, index) for node in nodes]
    model.subgraphs = [subgraph]
    model.signatureDefs = [_signature(schema, graph, index)]
    model.metadata = [_entry(schema, name, metadata[name], buffers) for name in sorted(metadata)]
    model.buffers = buffers.contents
    builder = schema.flatbuffers.Builder(size + 65536)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Buffers:
    """Buffers in the order of their first use; the first is empty, as TFLite wants it, equal ones are stored once."""

    def __init__(self) -> None:
        self.contents = [Content(b"")]
        self._places: dict[bytes, int] = {}

    def place(self, data: bytes) -> int:
        if data not in self._places:
            self._places[data] = len(self.contents)
            self.contents.append(Content(data))
        return self._places[data]


def _translated(graph: Graph) -> tuple[list[Node], list[Tensor]]:
    """Returns all TFLite operators in order, and the tensors they use: as they are first met, unused ones dropped."""
    nodes: list[Node] = []
    known = dict(graph.tensors)
    for op in graph.ops:
        check_op(graph, op)
        part = translate(graph, op)
        nodes += part.nodes
        for tensor in part.tensors:
            if tensor.name in graph.tensors:
                raise GraphError(f"{op.kind} {op.name} needs the name {tensor.name}, which another tensor has")
            known[tensor.name] = tensor
    used = dict.fromkeys(graph.inputs)
    for node in nodes:
        used |= dict.fromkeys((*node.inputs, node.output))
    used |= dict.fromkeys(graph.outputs)
    return nodes, [known[name] for name in used]


def _code(schema: Any, name: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    return code


def _tensor(schema: Any, tensor: Tensor, buffers: _Buffers) -> Any:
    packed = schema.TensorT()
    packed.name = tensor.name
    packed.shape = list(tensor.shape)
    packed.hasRank = True
    packed.type = TYPE_NUMBERS[tensor.dtype]
    if tensor.data is not None:
        little = np.ascontiguousarray(tensor.data, np.dtype(tensor.dtype).newbyteorder("<"))
        packed.buffer = buffers.place(little.tobytes())
    if tensor.quant is not None:
        packed.quantization = _quantisation(schema, tensor.quant)
    return packed


def _quantisation(schema: Any, quant: Quant) -> Any:
    packed = schema.QuantizationParametersT()
    packed.scale = np.ascontiguousarray(quant.scale, "<f4")
    packed.zeroPoint = np.full(len(quant.scale), quant.zero_point, "<i8")
    packed.quantizedDimension = quant.axis or 0
    return packed


def _operator(schema: Any, node: Node, codes: Sequence[tuple[str, int]], index: Mapping[str, int]) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = codes.index((node.code, node.version))
    operator.inputs = [index[name] for name in node.inputs]
    operator.outputs = [index[node.output]]
    table, values = node.options
    if table:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
        operator.builtinOptions = getattr(schema, f"{table}T")(**values)
    return operator


def _signature(schema: Any, graph: Graph, index: Mapping[str, int]) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    signature.inputs = [schema.TensorMapT(name, index[name]) for name in graph.inputs]
    signature.outputs = [schema.TensorMapT(name, index[name]) for name in graph.outputs]
    return signature


def _entry(schema: Any, name: str, value: str, buffers: _Buffers) -> Any:
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = buffers.place(value.encode())
    return entry
