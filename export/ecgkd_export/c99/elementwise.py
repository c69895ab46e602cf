"""Parameters of the kernels over rows and single values: what `ecgkd_nn.h` wants, from the graph's scales.

The integers are those of `simulate`.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from ecgkd_export import simulate_pointwise as pointwise
from ecgkd_export import simulate_rows as rows
from ecgkd_export.c99.arena import aligned
from ecgkd_export.c99.fuse import Table
from ecgkd_export.c99.parameters import one_multiplier, output_range, quant
from ecgkd_export.c99.program import Pointer, Scratch, Struct, Value
from ecgkd_export.c99.views import View, together
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Op, Tensor

MAX_ROW = 1 << 15


def softmax(graph: Graph, op: Op) -> tuple[Struct, Scratch]:
    x = graph.tensors[op.inputs[0]]
    width = x.shape[-1]
    table = rows.softmax_table(quant(x), width).astype(np.int32)
    fields: dict[str, Value] = {"table": table, "rows": prod(x.shape[:-1]), "width": width}
    return Struct("ecgkd_softmax_t", fields), Scratch(4 * aligned(width), f"ECGKD_SOFTMAX_SCRATCH({width})")


def l2_norm(graph: Graph, op: Op) -> Struct:
    x = graph.tensors[op.inputs[0]]
    if x.shape[-1] > MAX_ROW:
        raise GraphError(f"rows of {x.shape[-1]}; up to {MAX_ROW} are possible")
    fields = {"rows": prod(x.shape[:-1]), "width": x.shape[-1], "zero_point": quant(x).zero_point}
    return Struct("ecgkd_l2_norm_t", fields)


def mean(graph: Graph, op: Op) -> tuple[Struct, Scratch]:
    x, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    outer, count, inner = middle(op, x)
    to = rows.mean_parameters(quant(x), quant(output), DType.INT8, count)
    fields: dict[str, Value] = {
        "outer": outer,
        "count": count,
        "inner": inner,
        **one_multiplier(to),
        "in_zero_point": quant(x).zero_point,
        **output_range(to),
    }
    return Struct("ecgkd_mean_t", fields), Scratch(4 * aligned(inner), f"ECGKD_MEAN_SCRATCH({inner})")


def reduce_max(graph: Graph, op: Op) -> Struct:
    outer, count, inner = middle(op, graph.tensors[op.inputs[0]])
    return Struct("ecgkd_reduce_max_t", {"outer": outer, "count": count, "inner": inner})


def middle(op: Op, x: Tensor) -> tuple[int, int, int]:
    """Returns the shape as (outer, count, inner) with everything that is reduced in the middle.

    Raises: GraphError where other axes lie between the reduced ones.
    """
    axes = {axis % len(x.shape) for axis in op.attributes["axes"]}
    real = sorted(axis for axis in axes if x.shape[axis] > 1) or sorted(axes)[:1]
    between = [axis for axis in range(real[0], real[-1]) if axis not in axes and x.shape[axis] > 1]
    if between:
        raise GraphError(f"axes {sorted(axes)} of {x.shape} do not lie side by side")
    return prod(x.shape[: real[0]]), prod(x.shape[axis] for axis in axes), prod(x.shape[real[-1] + 1 :])


def max_pool(graph: Graph, op: Op) -> Struct:
    x, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    return Struct(
        "ecgkd_max_pool_t",
        {
            "in_steps": x.shape[2],
            "channels": x.shape[3],
            "size": op.attributes["size"],
            "stride": op.attributes["stride"],
            "pad_left": op.attributes["pad"][0],
            "out_steps": output.shape[2],
        },
    )


def lookup(table: Table, count: int) -> Struct:
    return Struct("ecgkd_lookup_t", {"table": table, "count": count})


def broadcast(op: Op, output: View, a: View, b: View) -> Struct | None:
    """Returns how two inputs meet; None where their steps are of no form that the kernels walk."""
    runs = together(output.shape, a, b)
    if len(runs) == 1:
        runs = [(1, 0, 0), *runs]
    (height, a_row, b_row), (columns, a_column, b_column) = runs[:2]
    if len(runs) > 2 or not {a_column, b_column} <= {0, 1}:
        return None
    fields = {
        "rows": height,
        "columns": columns,
        "a_row": a_row,
        "a_column": a_column,
        "b_row": b_row,
        "b_column": b_column,
    }
    return Struct("ecgkd_broadcast_t", fields)


def add(graph: Graph, op: Op, names: Sequence[str], shape: Struct) -> Struct:
    """Returns a sum or difference of `names`, which are the operator's inputs, a sum's in any order."""
    a, b = (graph.tensors[name] for name in names)
    p = pointwise.sum_parameters(
        quant(a), quant(b), quant(graph.tensors[op.output]), DType.INT8, op.attributes["activation"]
    )
    return Struct(
        "ecgkd_add_t",
        {
            "shape": shape,
            "a_multiplier": int(p.a.mantissa),
            "b_multiplier": int(p.b.mantissa),
            "out_multiplier": int(p.output.mantissa),
            "a_shift": int(p.a.shift),
            "b_shift": int(p.b.shift),
            "out_shift": int(p.output.shift),
            "a_zero_point": p.a_zero_point,
            "b_zero_point": p.b_zero_point,
            "out_zero_point": p.output_zero_point,
            "low": p.low,
            "high": p.high,
        },
    )


def carry(graph: Graph, ops: Sequence[Op | None], rows: str, branch: str, before: str | None, count: int) -> Struct:
    """Returns the sum with what goes before and behind it; see `ecgkd_carry_t`."""
    inner, total, taken, rest = ops
    assert total is not None
    added = inner.output if inner else branch
    flat = {"rows": 1, "columns": count, "a_row": 0, "b_row": 0, "a_column": 1, "b_column": 1}
    shape = Struct("ecgkd_broadcast_t", flat)

    def of(op: Op | None, *names: str | None) -> Pointer | None:
        return None if op is None else Pointer(add(graph, op, [name for name in names if name], shape))

    step = taken.output if taken else None
    fields: dict[str, Value] = {
        "count": count,
        "added": of(inner, branch, before),
        "sum": of(total, rows, added),
        "taken": of(taken, total.output, rows),
        "carry": of(rest, added, step),
    }
    return Struct("ecgkd_carry_t", fields)


def mul(graph: Graph, op: Op, shape: Struct) -> Struct:
    a, b = (graph.tensors[name] for name in op.inputs)
    to = pointwise.product_parameters(
        quant(a), quant(b), quant(graph.tensors[op.output]), DType.INT8, op.attributes["activation"]
    )
    fields: dict[str, Value] = {
        "shape": shape,
        **one_multiplier(to),
        "a_zero_point": quant(a).zero_point,
        "b_zero_point": quant(b).zero_point,
        **output_range(to),
    }
    return Struct("ecgkd_mul_t", fields)


def copy(sizes: Sequence[tuple[int, int, int]]) -> Struct:
    """Returns a move of axes (size, stride of the input, stride of the output), at most four."""
    if len(sizes) > 4:
        raise GraphError(f"a move along {len(sizes)} axes; up to 4 are possible")
    full = [(1, 0, 0)] * (4 - len(sizes)) + list(sizes)
    size, source, target = (tuple(one[i] for one in full) for i in range(3))
    return Struct("ecgkd_copy_t", {"size": size, "in_stride": source, "out_stride": target})
