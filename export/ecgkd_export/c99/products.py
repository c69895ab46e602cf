"""Parameters of the kernels that sum products: what `ecgkd_nn.h` wants, from the graph's scales and constants.

The integers are those of `simulate` with `Arithmetic.FIXED`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import simulate_linear as linear
from ecgkd_export.c99.arena import aligned
from ecgkd_export.c99.arrays import padded
from ecgkd_export.c99.fuse import Table
from ecgkd_export.c99.parameters import one_multiplier, output_range, quant
from ecgkd_export.c99.program import Scratch, Step, Struct, Value
from ecgkd_export.c99.views import View
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Op, Tensor
from ecgkd_export.simulate_linear import Rescale, Rounding

QUICK = 1 << 30
"""Below it, and where results are only ever shifted to the right, kernels have a shorter way to the output."""
MAX_DEPTH, MAX_INNER = 1 << 16, 1 << 15
CHUNK = 32
"""Steps or rows that a layer makes at a time, where there are as many."""


def even(count: int) -> int:
    """Returns the smallest chunk for `count` steps, and no more than `CHUNK`."""
    return min(CHUNK, count + count % 2)


def layer(graph: Graph, op: Op, table: Table | None) -> Struct:
    """Returns `ecgkd_layer_t`: weights in padded rows, the input's zero point folded into the bias."""
    x, weights, _ = (graph.tensors[name] for name in op.inputs)
    kernel = graph.constant(op.inputs[1]).reshape(weights.shape[0], -1)
    to = _layer_rescale(op, x, weights, graph.tensors[op.output])
    outputs, depth = kernel.shape
    if depth > MAX_DEPTH:
        raise GraphError(f"sums of {depth} products; up to {MAX_DEPTH} are possible")
    folded = graph.constant(op.inputs[2]).astype(np.int64) - quant(x).zero_point * kernel.astype(np.int64).sum(1)
    reach = np.abs(folded) + 128 * np.abs(kernel.astype(np.int64)).sum(1)
    if reach.max() >= 1 << 31:
        raise GraphError(f"sums reach {reach.max()}, above 32 bits")
    shift = _every(to.multiplier.shift, outputs, np.int8)
    return Struct(
        "ecgkd_layer_t",
        {
            "weights": padded(kernel, (outputs, aligned(depth))),
            "bias": folded.astype(np.int32),
            "multiplier": _every(to.multiplier.mantissa, outputs, np.int32),
            "shift": shift,
            "table": table,
            "outputs": outputs,
            "depth": depth,
            "out_zero_point": to.zero_point,
            "low": to.low,
            "high": to.high,
            "quick": int(bool(shift.max() < 0) and bool(reach.max() < QUICK)),
        },
    )


def _layer_rescale(op: Op, x: Tensor, weights: Tensor, output: Tensor) -> Rescale:
    """Returns the rescaling as `simulate` chooses it: layers with one scale multiply scales in single precision."""
    parameters = quant(x), quant(weights), quant(output), output.dtype, op.attributes["activation"], Rounding.FIXED
    alone = op.kind == Kind.FULLY_CONNECTED and len(quant(weights).scale) == 1
    return linear.product_rescale(*parameters) if alone else linear.layer_rescale(*parameters)


def with_chunk(step: Step, chunk: int) -> Step:
    """Returns a layer's call that makes `chunk` steps or rows at a time."""
    fields = {**step.op.fields, "chunk": chunk}
    if step.kernel == "conv1d":
        sizes = (fields[key] for key in ("channels", "taps", "stride"))
        channels, taps, stride = (size for size in sizes if isinstance(size, int))
        scratch = conv1d_scratch(channels, taps, stride, chunk)
    else:
        weights = fields["layer"]
        assert isinstance(weights, Struct)
        depth = weights.fields["depth"]
        assert isinstance(depth, int)
        scratch = fully_connected_scratch(depth, chunk)
    return replace(step, op=Struct(step.op.ctype, fields), scratch=scratch)


def conv1d(graph: Graph, op: Op, table: Table | None, chunk: int) -> tuple[Struct, Scratch]:
    x, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    _, _, steps, channels = x.shape
    taps, stride = graph.tensors[op.inputs[1]].shape[2], op.attributes["stride"]
    if stride > 2 * taps:
        raise GraphError(f"stride {stride} over {taps} taps; up to {2 * taps} is possible")
    fields: dict[str, Value] = {
        "layer": layer(graph, op, table),
        "in_steps": steps,
        "channels": channels,
        "taps": taps,
        "stride": stride,
        "pad_left": op.attributes["pad"][0],
        "out_steps": output.shape[2],
        "chunk": chunk,
        "in_zero_point": quant(x).zero_point,
    }
    return Struct("ecgkd_conv1d_t", fields), conv1d_scratch(channels, taps, stride, chunk)


def fully_connected(
    graph: Graph, op: Op, table: Table | None, *, rows: int, strides: tuple[int, int], chunk: int
) -> tuple[Struct, Scratch]:
    """`strides`: bytes from row to row of the input and of the output."""
    weights = layer(graph, op, table)
    depth = weights.fields["depth"]
    assert isinstance(depth, int)
    fields: dict[str, Value] = {
        "layer": weights,
        "rows": rows,
        "in_stride": strides[0],
        "out_stride": strides[1],
        "chunk": chunk,
    }
    return Struct("ecgkd_fully_connected_t", fields), fully_connected_scratch(depth, chunk)


def fully_connected_scratch(depth: int, chunk: int) -> Scratch:
    """Returns room for a chunk of rows in 16 bits, and four rows of weights."""
    return Scratch((2 * chunk + 4) * aligned(depth), f"ECGKD_FULLY_CONNECTED_SCRATCH({depth}, {chunk})")


def conv1d_scratch(channels: int, taps: int, stride: int, chunk: int) -> Scratch:
    """Returns room for the windows of a chunk in 16 bits, apart where they cannot overlap, and four rows of weights."""
    depth = aligned(taps * channels)
    windows = chunk * depth if channels % 4 else (taps + stride * (chunk - 1)) * channels + 16
    size = 2 * aligned(windows) + 4 * depth
    return Scratch(size, f"ECGKD_CONV1D_SCRATCH({channels}, {taps}, {stride}, {chunk})")


def matmul(graph: Graph, op: Op, a: View, b: View, out: View) -> tuple[Struct, Scratch]:
    left, right = (graph.tensors[name] for name in op.inputs)
    to = linear.product_rescale(
        quant(left), quant(right), quant(graph.tensors[op.output]), DType.INT8, "none", Rounding.FIXED
    )
    batch, height, inner = a.shape
    columns = out.shape[2]
    if inner > MAX_INNER:
        raise GraphError(f"sums of {inner} products; up to {MAX_INNER} are possible")
    fields: dict[str, Value] = {
        "batch": batch,
        "rows": height,
        "inner": inner,
        "columns": columns,
        "a_batch": a.strides[0],
        "a_row": a.strides[1],
        "b_batch": b.strides[0],
        "b_row": b.strides[1],
        "out_batch": out.strides[0],
        "out_row": out.strides[1],
        **one_multiplier(to),
        "a_zero_point": quant(left).zero_point,
        "b_zero_point": quant(right).zero_point,
        **output_range(to),
        "transpose_b": int(op.attributes["transpose_b"]),
    }
    size = (2 * height + columns + 4) * aligned(inner) + 16 * ((columns + 3) // 4)
    return Struct("ecgkd_matmul_t", fields), Scratch(size, f"ECGKD_MATMUL_SCRATCH({height}, {inner}, {columns})")


def _every(values: NDArray[np.int64], count: int, dtype: type[Any]) -> NDArray[Any]:
    return np.broadcast_to(values.reshape(-1), (count,)).astype(dtype)
