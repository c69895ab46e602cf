"""Means beside maxima: each part of what pooling gives gets a layer of its own.

A concatenation has one int8 scale for all its parts, and maxima are several times as large as means: those then have
a few steps. Two layers and their sum cost next to nothing on a single row.
"""

from ecgkd_export.graph import Graph, Kind
from ecgkd_export.rewrite.draft import Draft


def part_pooled(graph: Graph) -> Graph:
    """Returns the graph with a layer for each part of a row [mean, maximum] in place of one for both."""
    draft = Draft(graph)
    for op in graph.ops:
        joined = draft.maker(op.inputs[0], Kind.CONCAT) if op.kind == Kind.FULLY_CONNECTED else None
        if joined is None or len(joined.inputs) != 2 or not _read_by_layers(draft, joined.output):
            continue
        kinds = {maker.kind for name in joined.inputs if (maker := draft.maker(name)) is not None}
        rows, axis = draft.shape(joined.output), joined.attributes["axis"] % len(draft.shape(joined.output))
        weights, bias = draft.data(op.inputs[1]), draft.data(op.inputs[2])
        if kinds != {Kind.MEAN, Kind.REDUCE_MAX} or axis != 1 or rows[0] != 1 or weights is None or bias is None:
            continue
        first = draft.shape(joined.inputs[0])[1]
        parts = (weights[:, :first], bias), (weights[:, first:], 0 * bias)
        made = [
            draft.linear(f"{op.output}:{number}", name, *layer)
            for number, (name, layer) in enumerate(zip(joined.inputs, parts, strict=True))
        ]
        shape = draft.shape(op.output)
        total = draft.add(Kind.ADD, f"{op.output}:sum", (made[0], made[1]), shape, **op.attributes)
        draft.redirect(op.output, total)
    return draft.finish()


def _read_by_layers(draft: Draft, name: str) -> bool:
    """Do layers alone read the tensor, so that nothing needs it once each of them has its parts?"""
    readers = draft.readers(name)
    return all(one.kind == Kind.FULLY_CONNECTED for one in readers) and name not in draft.outputs
