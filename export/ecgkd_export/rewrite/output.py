"""The embedding, whose length means nothing: no last norm, and int8 steps that are used up.

It is the first output. Further ones are numbers that mean what they are, and are left as they are.
"""

import numpy as np

from ecgkd_export.graph import Graph, Kind
from ecgkd_export.rewrite.draft import Draft

Ranges = dict[str, tuple[float, float]]

STEP = 1 / 128
"""Of the int8 output, whatever its numbers stand for."""
LAYERS = (Kind.FULLY_CONNECTED, Kind.CONV)


def without_last_norm(graph: Graph) -> Graph:
    """Returns the graph without the L2 norm that its first output ends in, where layers are behind it.

    Not where something else reads that output: to it the length means something.
    """
    draft, name = Draft(graph), graph.outputs[0]
    last = draft.maker(name, Kind.L2_NORM)
    alone = last is not None and draft.read_once(last.inputs[0]) and not draft.readers(name)
    if last is not None and alone and _ending(draft, last.inputs[0]) is not None:
        draft.redirect(name, last.inputs[0])
    return draft.finish()


def fill_output(graph: Graph, ranges: Ranges) -> tuple[Graph, Ranges]:
    """Returns the graph with its last layer multiplied so that the largest number of the first output is 127 `STEP`s.

    With the ranges that belong to it. A graph that still ends in a norm is left as it is.
    """
    draft, output = Draft(graph), graph.outputs[0]
    ending = None if draft.readers(output) else _ending(draft, output)
    if ending is None:
        return graph, ranges
    largest = max(abs(end) for end in ranges[output])
    factor = 127 * STEP / largest if largest else 1.0
    for name in ending:
        layer = draft.ops[name]
        for position in (1, 2) if layer.kind in LAYERS else ():
            draft.replace_constant(layer, position, graph.constant(layer.inputs[position]).astype(np.float64) * factor)
    moved = {name: (ranges[name][0] * factor, ranges[name][1] * factor) for name in ending if name in ranges}
    return draft.finish(), {**ranges, **moved}


def _ending(draft: Draft, name: str) -> list[str] | None:
    """Returns the tensors from the last layers on to `name`, where only sums and reshapes are between; else None."""
    op = draft.maker(name)
    if op is None or op.attributes.get("activation", "none") != "none":
        return None
    if op.kind in LAYERS:
        return [name]
    if op.kind not in (Kind.RESHAPE, Kind.ADD):
        return None
    parts = [_ending(draft, source) for source in op.inputs]
    if not all(draft.read_once(source) for source in op.inputs):
        return None
    return [name, *(one for part in parts for one in part or ())] if all(parts) else None
