"""A fine-tuned int8 graph made again without data: its integers are taken from the TFLite file that was released."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Quant, Tensor, check
from ecgkd_export.tflite.read import FileTensor, read

TYPES: Mapping[str, DType] = {"INT8": DType.INT8, "INT16": DType.INT16, "INT32": DType.INT32}


def with_integers_of(graph: Graph, content: bytes) -> Graph:
    """Returns `graph` with the constants, scales and zero points of the TFLite file `content`, tensor by tensor.

    The same network rewritten by the same rules has the same tensors; fine-tuning only changes what they hold.
    Raises: GraphError where a tensor is not in the file as the graph has it, ArtefactError for a broken file.
    """
    found = {tensor.name: tensor for tensor in read(content).tensors}
    used = {*graph.inputs, *(name for op in graph.ops for name in (*op.inputs, op.output))}
    tensors = {name: _given(tensor, found.get(name)) for name, tensor in graph.tensors.items() if name in used}
    return check(replace(graph, tensors=tensors))


def _given(tensor: Tensor, given: FileTensor | None) -> Tensor:
    fits = given is not None and given.shape == tensor.shape and TYPES.get(given.dtype) == tensor.dtype
    if given is None or not fits or (given.data is None) != (tensor.data is None) or tensor.quant is None:
        raise GraphError(
            f"the released int8 file has not {tensor.name} as this ecgkd writes it; calibrate anew: --data, --protocol"
        )
    scales = 1 if tensor.quant.axis is None else tensor.shape[tensor.quant.axis]
    if len(given.scale) != scales:
        raise GraphError(f"the released int8 file has {len(given.scale)} scales for {tensor.name}; expected {scales}")
    quant = Quant(given.scale, int(given.zero_point[0]), tensor.quant.axis)
    if given.data is None:
        return replace(tensor, quant=quant)
    little = np.dtype(tensor.dtype).newbyteorder("<")
    data = np.frombuffer(given.data, little).astype(np.dtype(tensor.dtype)).reshape(tensor.shape)
    return replace(tensor, quant=quant, data=data)
