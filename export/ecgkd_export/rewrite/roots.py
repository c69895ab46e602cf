"""L2 norms by squares, their sum and its root: four small operators that are faster and finer than the one.

TFLite's int8 L2 norm is slow on every CPU (9.6 µs for (27, 96) on x86-64, of 8 for a whole MLP's products) and gives
steps of 1/128, where a channel of 96 is about 13 of them. Squares, sum, root and product take 2.8 µs, and the product's
steps are its own.
"""

from enum import StrEnum

import numpy as np

from ecgkd_export.graph import Graph, Kind
from ecgkd_export.rewrite.draft import Draft

SETTLED = 2
"""Sums that a row has been through before its length is put on 255 steps; before, rows differ too much in length."""


class Norms(StrEnum):
    """How the stream's rows are divided by their lengths."""

    L2 = "l2"
    SUM = "sum"
    """Squares added up by a layer of ones: best in int8."""
    MEAN = "mean"
    """Squares averaged: best in float."""


def spell_norms(graph: Graph, norms: Norms) -> Graph:
    """Returns the graph with roots for the L2 norms of rows; for int8 only of rows that are `SETTLED`."""
    draft = Draft(graph)
    for op in graph.ops if norms != Norms.L2 else ():
        shape = draft.shape(op.output)
        if op.kind != Kind.L2_NORM or len(shape) != 2 or op.output in graph.outputs:
            continue
        source, one = op.inputs[0], (shape[0], 1)
        if norms == Norms.SUM and _sums(graph, source) < SETTLED:
            continue
        squares = draft.add(Kind.MUL, f"{op.output}:squares", (source, source), shape)
        if norms == Norms.SUM:
            total = draft.linear(f"{op.output}:total", squares, np.ones((1, shape[1])), np.zeros(1))
        else:
            mean = draft.add(Kind.MEAN, f"{op.output}:mean", (squares,), one, axes=(1,), keep=True)
            width = draft.constant(f"{op.output}:width", np.full((1, 1), float(shape[1])))
            total = draft.add(Kind.MUL, f"{op.output}:total", (mean, width), one)
        root = draft.add(Kind.RSQRT, f"{op.output}:root", (total,), one)
        draft.redirect(op.output, draft.add(Kind.MUL, f"{op.output}:unit", (source, root), shape))
    return draft.finish()


def _sums(graph: Graph, name: str) -> int:
    """Returns how many sums of computed rows lie behind rows, along the longest way."""
    most: dict[str, int] = {}
    for op in graph.ops:
        before = max((most.get(source, 0) for source in op.inputs), default=0)
        rows = op.kind in (Kind.ADD, Kind.MUL, Kind.SLICE, Kind.CONCAT)
        grown = op.kind == Kind.ADD and all(graph.tensors[source].data is None for source in op.inputs)
        most[op.output] = before + grown if rows else 0
    return most.get(name, 0)
