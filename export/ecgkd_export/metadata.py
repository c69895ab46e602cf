"""ONNX files as documents: reading them, the hash of their graph, and the metadata inside."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ecgkd_export.errors import ArtefactError, missing

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2**31 - 1
"""What protobuf can hold in one message."""


def read_onnx(path: Path | str) -> "onnx.ModelProto":
    """Returns the ONNX model at `path`. Raises: ArtefactError where it is absent, truncated, too big or no ONNX."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise missing(error) from error
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ArtefactError(f"{path}: {size / 1e9:.1f} GB; an ONNX file holds at most 2 GB")
        content = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"cannot read {path}: {error.strerror}") from error
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's DecodeError, which its pure and its compiled form raise from two places
        raise ArtefactError(f"{path}: not an ONNX file, or a truncated one; export it again") from error
    if not model.graph.node:
        raise ArtefactError(f"{path}: an ONNX file without a graph; export it again")
    return model


def metadata_of(model: "onnx.ModelProto") -> dict[str, str]:
    """Returns the model's metadata."""
    return {entry.key: entry.value for entry in model.metadata_props}


def without_metadata(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Returns a copy with graph and opset alone: no metadata, documentation or producer."""
    bare = type(model)()
    bare.ir_version = model.ir_version
    bare.opset_import.extend(sorted(model.opset_import, key=lambda opset: opset.domain))
    bare.graph.CopyFrom(model.graph)
    bare.functions.extend(model.functions)
    parts = [bare.graph, *bare.graph.node, *bare.graph.input, *bare.graph.output, *bare.graph.value_info]
    for part in [*parts, *bare.graph.initializer]:
        part.doc_string = ""
        del part.metadata_props[:]
    return bare


def graph_sha256(model: "onnx.ModelProto") -> str:
    """Returns the SHA-256 of the graph, in hex; metadata do not change it, so that they can quote it."""
    return hashlib.sha256(without_metadata(model).SerializeToString(deterministic=True)).hexdigest()


def to_bytes(model: "onnx.ModelProto", metadata: Mapping[str, str]) -> bytes:
    """Returns the ONNX file: the bare graph with `metadata`; the same bytes for the same arguments."""
    file = without_metadata(model)
    file.producer_name = "ecgkd"
    for key in sorted(metadata):
        file.metadata_props.add(key=key, value=metadata[key])
    content: bytes = file.SerializeToString(deterministic=True)
    return content
