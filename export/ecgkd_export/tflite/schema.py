"""What of TFLite's schema is used here, by the schema's own names and numbers."""

from dataclasses import dataclass
from typing import Any

from ecgkd_export.errors import MissingPackageError
from ecgkd_export.graph import DType

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
SIGNATURE = "serving_default"
ALIGNMENT = 16
"""Bytes; kernels read weights with aligned loads, straight from the file."""

TYPE_NUMBERS = {DType.FLOAT32: 0, DType.INT32: 2, DType.INT64: 4, DType.INT16: 7, DType.INT8: 9}
SAME, VALID = 0, 1
ACTIVATIONS = {"none": 0, "relu": 1}


def load() -> Any:
    """Returns LiteRT's schema module. Raises: MissingPackageError."""
    try:
        from ai_edge_litert import schema_py_generated
    except ModuleNotFoundError as error:
        raise missing(error) from error
    return schema_py_generated


def missing(error: ModuleNotFoundError) -> MissingPackageError:
    """Returns the error to raise where a TFLite package could not be imported."""
    return MissingPackageError(f"TFLite needs {error.name}, which is not installed; type: pip install 'ecgkd[tflite]'")


@dataclass(frozen=True)
class Content:
    """The bytes of a buffer, packed as LiteRT's `BufferT` is, but aligned."""

    data: bytes

    def Pack(self, builder: Any) -> int:  # the name that `ModelT.Pack` calls
        """Returns the buffer's offset. An empty one has no bytes at all: its tensor is computed."""
        schema = load()
        where = 0
        if self.data:
            builder.StartVector(1, len(self.data), ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            where = builder.EndVector()
        schema.BufferStart(builder)
        if where:
            schema.BufferAddData(builder, where)
        return int(schema.BufferEnd(builder))
