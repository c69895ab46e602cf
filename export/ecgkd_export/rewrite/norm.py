"""Layer norms become L2 norms: mean, gain, shift and √D move into the linear layers around them.

A *stream* is what layer norms read: rows written by linear layers and constants and put together by sums,
concatenations and slices of rows. With the mean taken out of everything that is written to it, a layer norm only
divides by a length. Lengths do not change when all rows are turned by one rotation, so the stream may be turned as
well: its numbers then spread evenly over the channels, and one int8 range for all of them wastes little (Ashkboos et
al. 2024, QuaRot, do so for language models).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph, Kind, Op
from ecgkd_export.rewrite.draft import Draft

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """Everything between the layers that write rows (n, width) and the norms that read them."""

    tensors: frozenset[str]
    writers: tuple[Op, ...]
    """Fully connected layers."""
    constants: tuple[tuple[Op, int], ...]
    """Operators of the stream that read a constant, and where."""
    norms: tuple[Op, ...]
    offset: frozenset[str]
    """Of `tensors` and constants: those that carry the one offset that a sum must not get twice."""


def fold_layer_norms(graph: Graph, rotation: Matrix | None = None) -> Graph:
    """Returns the graph with L2 norms for layer norms; the same numbers, epsilon included.

    `rotation` (width, width), orthogonal, turns the stream. Epsilon becomes √epsilon added to every channel: no
    centred row has anything in that direction, so it lengthens the row by as much as the layer norm asks, and the
    readers are blind to it. Raises: GraphError where something else reads or writes the stream.
    """
    draft = Draft(graph)
    norms = [op for op in graph.ops if op.kind == Kind.LAYER_NORM]
    if not norms:
        return graph
    epsilons = {float(op.attributes["epsilon"]) for op in norms}
    if len(epsilons) != 1:
        raise GraphError(f"layer norms with different epsilons {sorted(epsilons)}; expected one")
    stream = find_stream(graph, norms)
    width = draft.shape(norms[0].inputs[0])[-1]
    centre = np.eye(width) - 1 / width
    turn = np.eye(width) if rotation is None else rotation
    _write(draft, stream, turn @ centre, turn @ np.full(width, np.sqrt(epsilons.pop())))
    for op in norms:
        gain, shift = draft.data(op.inputs[1]), draft.data(op.inputs[2])
        if gain is None or shift is None:
            raise GraphError(f"{op.kind} {op.name}: its gain or shift is computed; expected constants")
        norm = draft.add(Kind.L2_NORM, f"{op.output}:l2", op.inputs[:1], draft.shape(op.output))
        read = (np.sqrt(width) * np.diag(gain)) @ centre @ turn.T
        _push(draft, op.output, norm, read, shift)
    return draft.finish()


def find_stream(graph: Graph, norms: list[Op]) -> Stream:
    """Returns the stream of these norms. Raises: GraphError where it is not closed."""
    makers, readers = graph.makers(), graph.readers()
    waiting = [op.inputs[0] for op in norms]
    tensors: set[str] = set()
    writers: dict[str, Op] = {}
    constants: dict[tuple[str, int], Op] = {}
    while waiting:
        name = waiting.pop()
        if name in tensors:
            continue
        tensors.add(name)
        op = makers.get(name)
        if op is None or name in graph.outputs:
            raise GraphError(f"{name}: what a layer norm reads is an input or output of the graph")
        if op.kind == Kind.FULLY_CONNECTED and op.attributes["activation"] == "none":
            writers[name] = op
        elif _passes(graph, op):
            for position, source in enumerate(op.inputs):
                if graph.tensors[source].data is None:
                    waiting.append(source)
                else:
                    constants[name, position] = op
        else:
            raise GraphError(f"{op.kind} {op.name}: writes what a layer norm reads; expected linear layers and sums")
        for reader in readers[name]:
            if reader in norms:
                continue
            if not _passes(graph, reader):
                raise GraphError(f"{reader.kind} {reader.name}: reads what a layer norm reads; expected norms and sums")
            waiting.append(reader.output)
    inside = [op for op in graph.ops if op.output in tensors]
    return Stream(
        frozenset(tensors),
        tuple(op for op in inside if op.output in writers),
        tuple((op, position) for (_, position), op in constants.items()),
        tuple(norms),
        _offset(inside, norms),
    )


def _passes(graph: Graph, op: Op) -> bool:
    """Does the operator only put rows together?"""
    rank = len(graph.tensors[op.output].shape)
    width = graph.tensors[op.output].shape[-1]
    match op.kind:
        case Kind.ADD:
            whole = all(graph.tensors[name].shape[-1] == width for name in op.inputs)
            return whole and op.attributes["activation"] == "none"
        case Kind.CONCAT:
            return bool(op.attributes["axis"] % rank != rank - 1)
        case Kind.SLICE:
            return bool(op.attributes["size"][-1] == graph.tensors[op.inputs[0]].shape[-1])
        case _:
            return False


def _offset(inside: list[Op], norms: list[Op]) -> frozenset[str]:
    """Returns the tensors that must carry the offset, so that what every norm reads has it exactly once."""
    wanted = {op.inputs[0] for op in norms}
    for op in reversed(inside):
        if op.output not in wanted or op.kind == Kind.FULLY_CONNECTED:
            continue
        if op.kind != Kind.ADD:
            wanted.update(op.inputs)
        elif not wanted & set(op.inputs):
            wanted.add(op.inputs[0])
    for op in inside:
        n_wanted = sum(name in wanted for name in op.inputs)
        if op.kind == Kind.ADD and n_wanted != (op.output in wanted):
            raise GraphError(f"{op.kind} {op.name}: adds two rows that are both normalised; this is not known")
    return frozenset(wanted)


def _write(draft: Draft, stream: Stream, matrix: Matrix, offset: NDArray[np.float64]) -> None:
    """Turns everything that is written to the stream by `matrix`, and adds `offset` once."""
    for op in stream.writers:
        weights, bias = draft.data(op.inputs[1]), draft.data(op.inputs[2])
        if weights is None or bias is None:
            raise GraphError(f"{op.kind} {op.name}: its weights are computed; expected constants")
        draft.replace_constant(op, 1, matrix @ weights)
        draft.replace_constant(op, 2, matrix @ bias + offset * (op.output in stream.offset))
    for op, position in stream.constants:
        rows = draft.data(op.inputs[position])
        assert rows is not None
        draft.replace_constant(op, position, rows @ matrix.T + offset * (op.inputs[position] in stream.offset))


def _push(draft: Draft, old: str, new: str, matrix: Matrix, shift: NDArray[np.float64]) -> None:
    """Lets the readers of `old` = matrix · `new` + shift read `new`."""
    if old in draft.outputs:
        raise GraphError(f"{old}: a normalised row is an output of the graph; expected linear layers behind it")
    for op in draft.readers(old):
        if op.kind == Kind.FULLY_CONNECTED and op.inputs[0] == old:
            weights, bias = draft.data(op.inputs[1]), draft.data(op.inputs[2])
            if weights is not None and bias is not None:
                draft.replace_constant(op, 1, weights @ matrix)
                draft.replace_constant(op, 2, bias + weights @ shift)
                draft.redirect_one(op.output, old, new)
                continue
        rank = len(draft.shape(old))
        whole = op.kind == Kind.SLICE and op.attributes["size"][-1] == draft.shape(old)[-1]
        mean = op.kind == Kind.MEAN and all(axis % rank != rank - 1 for axis in op.attributes["axes"])
        if not (whole or mean):
            raise GraphError(f"{op.kind} {op.name}: reads a layer norm; expected linear layers behind it")
        moved = draft.add(op.kind, f"{op.output}:l2", (new,), draft.shape(op.output), **op.attributes)
        _push(draft, op.output, moved, matrix, shift)
