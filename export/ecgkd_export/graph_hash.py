"""The hash of a typed graph: what TFLite files and C sources made of it share."""

import hashlib
import json
from typing import Any

import numpy as np

from ecgkd_export.graph import Graph, Quant, Tensor


def graph_sha256(graph: Graph) -> str:
    """Returns the SHA-256, in hex, of operators, shapes, quantisation and constants; metadata are no part of it."""
    used = {*graph.inputs, *graph.outputs, *(name for op in graph.ops for name in (*op.inputs, op.output))}
    document = {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "ops": [[op.kind, op.inputs, op.output, dict(op.attributes)] for op in graph.ops],
        "tensors": {name: _tensor(graph.tensors[name]) for name in used},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _tensor(tensor: Tensor) -> list[Any]:
    data = None
    if tensor.data is not None:
        little = np.ascontiguousarray(tensor.data, tensor.data.dtype.newbyteorder("<"))
        data = hashlib.sha256(little.tobytes()).hexdigest()
    return [list(tensor.shape), tensor.dtype, _quant(tensor.quant), data]


def _quant(quant: Quant | None) -> list[Any] | None:
    if quant is None:
        return None
    return [np.ascontiguousarray(quant.scale, "<f4").tobytes().hex(), int(quant.zero_point), quant.axis]
