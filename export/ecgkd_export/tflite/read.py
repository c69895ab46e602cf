"""TFLite flatbuffer → what is in it, as plain data; a damaged file is an error here and not a crash in a runtime."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import ArtefactError
from ecgkd_export.tflite.schema import ALIGNMENT, IDENTIFIER, load

SIZES = {"FLOAT32": 4, "FLOAT16": 2, "INT32": 4, "UINT8": 1, "INT64": 8, "BOOL": 1, "INT16": 2, "INT8": 1}
"""Bytes of an element, of the types whose constants are checked for their size."""


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor as the file has it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """By the schema's name: `INT8`, `FLOAT32`, …"""
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int
    data: bytes | None
    """None of a computed tensor."""
    external: bool
    """Its data lie outside the flatbuffer."""
    dynamic: bool


@dataclass(frozen=True)
class FileOp:
    """An operator as the file has it, its tensors by their place in `TfliteFile.tensors`; −1 is an absent one."""

    code: str
    """By the schema's name; `CUSTOM`, or `Flex…`, for what is no part of TFLite."""
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteFile:
    """A TFLite file."""

    description: str
    tensors: tuple[FileTensor, ...]
    ops: tuple[FileOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    """Names of inputs and outputs, by key."""
    metadata: Mapping[str, str]
    subgraphs: int
    misaligned: int
    """Buffers that do not start at a multiple of 16 bytes."""

    def names(self, places: tuple[int, ...]) -> list[str]:
        """Returns the names of tensors."""
        return [self.tensors[place].name for place in places]


def read(content: bytes) -> TfliteFile:
    """Returns what the file says. Raises: ArtefactError where it is no TFLite file, damaged or cut short."""
    if content[4:8] != IDENTIFIER:
        raise ArtefactError("no TFLite file: its first bytes are not those of one")
    schema = load()
    try:
        return _read(schema, content)
    except (struct.error, IndexError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise ArtefactError("the TFLite file is damaged or cut short: an offset leads outside of it") from error


def unsound(file: TfliteFile) -> list[str]:
    """Returns why old runtimes would read zeros or beyond the file's end, in words; they do not ask themselves."""
    problems = [f"{tensor.name} lies outside the file" for tensor in file.tensors if tensor.external]
    made = {*file.inputs, *(place for op in file.ops for place in op.outputs)}
    read_from = {place for op in file.ops for place in op.inputs if place >= 0} | set(file.outputs)
    for place in sorted(read_from - made):
        tensor = file.tensors[place]
        size = int(np.prod(tensor.shape)) * SIZES.get(tensor.dtype, 0)
        if tensor.data is None and not tensor.external and size:
            problems.append(f"{tensor.name} is neither in the file nor made by an operator")
        elif tensor.data is not None and len(tensor.data) != size:
            problems.append(f"{tensor.name} has {len(tensor.data)} bytes; {tensor.dtype} {tensor.shape} takes {size}")
    return problems


def _read(schema: Any, content: bytes) -> TfliteFile:
    model = schema.ModelT.InitFromPackedBuf(content)
    if not model.subgraphs or not model.buffers:
        raise ValueError
    codes = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    types = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    subgraph = model.subgraphs[0]
    tensors = tuple(_tensor(tensor, model.buffers, types) for tensor in _list(subgraph.tensors))
    ops = tuple(_op(operator, model.operatorCodes, codes) for operator in _list(subgraph.operators))
    inputs, outputs = _places(subgraph.inputs), _places(subgraph.outputs)
    for place in (*inputs, *outputs, *(place for op in ops for place in (*op.inputs, *op.outputs))):
        if not -1 <= place < len(tensors):
            raise IndexError
    signatures = {
        _text(signature.signatureKey): (_mapped(signature.inputs), _mapped(signature.outputs))
        for signature in _list(model.signatureDefs)
    }
    metadata = {
        _text(entry.name): _bytes(model.buffers[entry.buffer]).decode(errors="replace")
        for entry in _list(model.metadata)
    }
    return TfliteFile(
        _text(model.description),
        tensors,
        ops,
        inputs,
        outputs,
        signatures,
        metadata,
        len(model.subgraphs),
        sum(place % ALIGNMENT != 0 for place in _starts(schema, content)),
    )


def _tensor(tensor: Any, buffers: list[Any], types: Mapping[int, str]) -> FileTensor:
    quantisation = tensor.quantization
    buffer = buffers[tensor.buffer]
    data = _bytes(buffer)
    shape = tuple(int(length) for length in _list(tensor.shape))
    return FileTensor(
        name=_text(tensor.name),
        shape=shape,
        dtype=types[tensor.type],
        scale=np.array(_list(quantisation and quantisation.scale), np.float32),
        zero_point=np.array(_list(quantisation and quantisation.zeroPoint), np.int64),
        axis=int(quantisation.quantizedDimension) if quantisation else 0,
        data=data or None,
        external=bool(tensor.externalBuffer) or buffer.offset > 1 or buffer.size > 1,
        dynamic=any(length < 0 for length in (*shape, *_list(tensor.shapeSignature))),
    )


def _op(operator: Any, operator_codes: list[Any], codes: Mapping[int, str]) -> FileOp:
    code = operator_codes[operator.opcodeIndex]
    name = codes[max(code.builtinCode, code.deprecatedBuiltinCode)]
    if name == "CUSTOM":
        name = _text(code.customCode) or name
    return FileOp(name, int(code.version), _places(operator.inputs), _places(operator.outputs))


def _starts(schema: Any, content: bytes) -> list[int]:
    """Returns where in the file the bytes of each buffer begin."""
    model = schema.Model.GetRootAs(content)
    tables = [model.Buffers(place)._tab for place in range(model.BuffersLength())]
    fields = [(table, table.Offset(4)) for table in tables]
    return [table.Vector(field) for table, field in fields if field and table.VectorLen(field)]


def _bytes(buffer: Any) -> bytes:
    if buffer.data is None or isinstance(buffer.data, int):
        return b""
    return np.asarray(buffer.data, np.uint8).tobytes()


def _places(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in _list(values))


def _list(values: Any) -> Any:
    """Returns a vector; an absent one is empty (LiteRT's reader gives 0 for an empty one)."""
    return [] if values is None or isinstance(values, int) else values


def _mapped(entries: Any) -> tuple[str, ...]:
    return tuple(_text(entry.name) for entry in _list(entries))


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
