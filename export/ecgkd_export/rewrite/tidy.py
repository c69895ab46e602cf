"""Small rewrites that every graph gets: nothing computed that is known, nothing moved that lies right."""

from dataclasses import replace

import numpy as np

from ecgkd_export.float_run import COMPUTE
from ecgkd_export.graph import Graph, Kind, Op
from ecgkd_export.rewrite.draft import Draft

FUSES_RELU = (Kind.CONV, Kind.FULLY_CONNECTED, Kind.ADD, Kind.SUB, Kind.MUL)


def tidy(graph: Graph) -> Graph:
    """Returns the graph with constants folded, empty moves dropped, reshapes merged and ReLUs fused."""
    draft = Draft(graph)
    changed = True
    while changed:
        changed = sum(_step(draft, output) for output in list(draft.ops)) > 0
    return draft.finish()


def _step(draft: Draft, output: str) -> bool:
    """Changes one operator where a rule fits; says whether one did."""
    op = draft.ops.get(output)
    if op is None or not (draft.readers(output) or output in draft.outputs):
        draft.ops.pop(output, None)
        return op is not None
    return any(rule(draft, op) for rule in (_fold, _drop, _merge_reshapes, _straighten, _fuse_relu, _merge_bias))


def _fold(draft: Draft, op: Op) -> bool:
    values = [draft.tensors[name].data for name in op.inputs]
    if op.output in draft.outputs or any(value is None for value in values):
        return False
    given = [np.asarray(value, np.float32)[None] for value in values]
    result = COMPUTE[op.kind](op, given, draft.shape(op.output))
    if op.attributes.get("activation") == "relu":
        result = np.maximum(result, 0)
    draft.redirect(op.output, draft.constant(op.name, np.broadcast_to(result[0], draft.shape(op.output))))
    del draft.ops[op.output]
    return True


def _drop(draft: Draft, op: Op) -> bool:
    """Drops what gives its input as it is."""
    idle = op.kind == Kind.TRANSPOSE and op.attributes["permutation"] == tuple(range(len(draft.shape(op.output))))
    same = draft.shape(op.inputs[0]) == draft.shape(op.output)
    if not (
        idle or (same and op.kind in (Kind.RESHAPE, Kind.SLICE)) or (op.kind == Kind.CONCAT and len(op.inputs) == 1)
    ):
        return False
    if op.output in draft.outputs and (op.inputs[0] not in draft.ops or not draft.read_once(op.inputs[0])):
        return False
    draft.redirect(op.output, op.inputs[0])
    draft.ops.pop(op.output, None) if op.output not in draft.outputs else None
    return True


def _merge_reshapes(draft: Draft, op: Op) -> bool:
    before = draft.maker(op.inputs[0], Kind.RESHAPE)
    if op.kind != Kind.RESHAPE or before is None:
        return False
    draft.ops[op.output] = replace(op, inputs=before.inputs)
    return True


def _straighten(draft: Draft, op: Op) -> bool:
    """A transpose that only moves axes of size one is a reshape."""
    if op.kind != Kind.TRANSPOSE:
        return False
    shape = draft.shape(op.inputs[0])
    moved = [axis for axis in op.attributes["permutation"] if shape[axis] != 1]
    if moved != sorted(moved):
        return False
    draft.ops[op.output] = Op(Kind.RESHAPE, op.name, op.inputs, op.output)
    return True


def _fuse_relu(draft: Draft, op: Op) -> bool:
    before = draft.maker(op.inputs[0], *FUSES_RELU)
    if op.kind != Kind.RELU or before is None or not draft.read_once(before.output):
        return False
    fused = replace(before, output=op.output, attributes={**before.attributes, "activation": "relu"})
    del draft.ops[before.output]
    draft.ops[op.output] = fused
    return True


def _merge_bias(draft: Draft, op: Op) -> bool:
    """Adds a constant row to the bias of the layer before it."""
    if op.kind != Kind.ADD:
        return False
    for x, shift in (op.inputs, op.inputs[::-1]):
        layer, row = draft.maker(x, Kind.FULLY_CONNECTED, Kind.CONV), draft.data(shift)
        if layer is None or row is None or layer.attributes["activation"] != "none" or not draft.read_once(x):
            continue
        bias = draft.data(layer.inputs[2])
        if bias is None or row.size not in (1, len(bias)) or (row.size > 1 and row.shape[-1] != len(bias)):
            continue
        if draft.shape(op.output) != draft.shape(x):
            continue
        fused = replace(layer, output=op.output, attributes={**layer.attributes, **op.attributes})
        del draft.ops[x]
        draft.ops[op.output] = fused
        draft.replace_constant(fused, 2, bias + row.reshape(-1))
        return True
    return False
