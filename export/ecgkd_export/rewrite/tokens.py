"""How tokens enter and leave the stream: positions inside the embedding's product, small rows written large, the mean
of the last rows inside the head's product.
"""

import numpy as np

from ecgkd_export.graph import Graph, Kind
from ecgkd_export.rewrite.draft import Draft


def embed_positions(graph: Graph, input_step: float) -> Graph:
    """Returns the graph with constants (n, width) that are added to a layer's output inside that layer.

    Its input gets n more columns, row i holding a number in the i-th of them; the constant's rows are weights then. The
    number is a multiple of `input_step`, so that int8 holds it, and large enough that those weights stay inside the
    range of the others. One operator for the sum of two, and one rounding.
    """
    draft = Draft(graph)
    for op in graph.ops:
        if op.kind != Kind.ADD or op.attributes["activation"] != "none":
            continue
        for source, added in (op.inputs, op.inputs[::-1]):
            layer, rows = draft.maker(source, Kind.FULLY_CONNECTED), draft.data(added)
            if layer is None or rows is None or rows.shape != draft.shape(source) or not draft.read_once(source):
                continue
            weights, bias = draft.data(layer.inputs[1]), draft.data(layer.inputs[2])
            if weights is None or bias is None or layer.attributes["activation"] != "none":
                continue
            shift = bias + rows.mean(0)
            rest = rows - rows.mean(0)
            largest = np.abs(weights).max(1)
            asked = np.max(np.abs(rest).max(0) / np.where(largest > 0, largest, 1)) / input_step
            mark = input_step * float(np.clip(np.ceil(asked), 1, 127))
            marks = draft.constant(f"{op.name}:marks", mark * np.eye(len(rows)))
            shape = (len(rows), weights.shape[1] + len(rows))
            marked = draft.add(Kind.CONCAT, f"{op.name}:marked", (layer.inputs[0], marks), shape, axis=1)
            joined = draft.linear(f"{op.name}:placed", marked, np.hstack([weights, rest.T / mark]), shift)
            draft.redirect(op.output, joined)
            break
    return draft.finish()


def raise_small_rows(graph: Graph, factor: float) -> Graph:
    """Returns the graph with constant rows at the start of the stream written `factor` times as large.

    Class tokens start far smaller than patches and grow in the first attention and the first MLP; in steps of the
    whole stream they would be two or three. What norms read may be scaled row by row for nothing; only what the first
    branch adds is multiplied for those rows, and the stream is divided again before the second branch is added.
    """
    draft = Draft(graph)
    for op in graph.ops:
        if op.kind != Kind.CONCAT or op.attributes["axis"] != 0 or len(draft.shape(op.output)) != 2:
            continue
        sizes = [draft.shape(name)[0] for name in op.inputs]
        constant = [draft.tensors[name].data is not None for name in op.inputs]
        factors = np.concatenate(
            [np.full(n, factor if fixed else 1.0) for n, fixed in zip(sizes, constant, strict=True)]
        )
        sums = [reader for reader in draft.readers(op.output) if reader.kind == Kind.ADD]
        if not any(constant) or all(constant) or len(sums) != 1 or not _normed(draft, op.output):
            continue
        first = sums[0]
        if not _normed(draft, first.output):
            continue
        for position, fixed in enumerate(constant):
            rows = draft.data(op.inputs[position])
            if fixed and rows is not None:
                draft.replace_constant(op, position, rows * factor)
        branch = first.inputs[1 - first.inputs.index(op.output)]
        shape = draft.shape(first.output)
        up = draft.constant(f"{first.name}:raise", factors[:, None])
        down = draft.constant(f"{first.name}:lower", 1 / factors[:, None])
        raised = draft.add(Kind.MUL, f"{first.name}:raised", (branch, up), shape)
        lowered = draft.add(Kind.MUL, f"{first.name}:lowered", (first.output, down), shape)
        draft.redirect_one(first.output, branch, raised)
        for reader in draft.readers(first.output):
            if reader.kind not in (Kind.L2_NORM, Kind.MUL):
                draft.redirect_one(reader.output, first.output, lowered)
    return draft.finish()


def _normed(draft: Draft, name: str) -> bool:
    """Is the tensor read by an L2 norm, and else by sums alone?"""
    kinds = [reader.kind for reader in draft.readers(name)]
    return Kind.L2_NORM in kinds and set(kinds) <= {Kind.L2_NORM, Kind.ADD} and name not in draft.outputs


def mean_into_layer(graph: Graph, most_rows: int = 4) -> Graph:
    """Returns the graph with a mean over few rows inside the layer that reads it, which gets them side by side."""
    draft = Draft(graph)
    for op in graph.ops:
        if op.kind != Kind.MEAN or not draft.read_once(op.output):
            continue
        reader = draft.readers(op.output)[0]
        n, width = draft.shape(op.inputs[0]) if len(draft.shape(op.inputs[0])) == 2 else (0, 0)
        axes = {axis % 2 for axis in op.attributes["axes"]}
        if not 0 < n <= most_rows or axes != {0} or reader.kind != Kind.FULLY_CONNECTED or not op.attributes["keep"]:
            continue
        weights = draft.data(reader.inputs[1])
        if weights is None:
            continue
        wide = draft.add(Kind.RESHAPE, f"{op.name}:wide", op.inputs, (1, n * width))
        draft.replace_constant(reader, 1, np.tile(weights, n) / n)
        draft.redirect_one(reader.output, op.output, wide)
    return draft.finish()
