"""Program → arena: how long every buffer lives, what may be written over what, and what room is left for speed."""

from collections.abc import Sequence
from dataclasses import replace

from ecgkd_export.c99.arena import Arena, Buffer, Reuse, aligned, live_bytes, place
from ecgkd_export.c99.products import with_chunk
from ecgkd_export.c99.program import OUTPUTS, WINDOW, Program, Step

SHARES = (1.0, 0.75, 0.5)
"""Of the room that a step seems to have; less is tried where buffers do not fit as tightly as they might."""


def lay_out(program: Program) -> tuple[Program, Arena]:
    """Returns where the program's buffers lie, the scratch of step n as `scratch:n` among them.

    Layers make larger chunks at a time, in the program that is returned, where that needs no larger arena: cores with
    the DSP extension unpack weights once a chunk.
    """
    arena = place(*_buffers(program))
    for share in SHARES:
        wider = _widened(program, arena.size, share)
        found = place(*_buffers(wider))
        if found.size <= arena.size:
            return wider, found
    return _grown(program, arena)


def _grown(program: Program, arena: Arena) -> tuple[Program, Arena]:
    """Returns the program with chunks as large as the arena has room for where nothing else moves."""
    buffers, _ = _buffers(program)
    steps, offsets = list(program.steps), dict(arena.offsets)
    for number, step in enumerate(program.steps):
        if "chunk" not in step.op.fields:
            continue
        own = scratch_of(number)
        alive = [one for one in buffers if one.first <= number <= one.last and one.name != own]
        room, start = _largest_gap([(offsets[one.name], aligned(one.size)) for one in alive], arena.size)
        wider = _with_room(step, room)
        if step.scratch.size < wider.scratch.size <= room:
            steps[number], offsets[own] = wider, start
    return replace(program, steps=tuple(steps)), replace(arena, offsets=offsets)


def _largest_gap(taken: Sequence[tuple[int, int]], size: int) -> tuple[int, int]:
    """Returns the largest room, and where it begins, that places `taken` (offset, bytes) leave of `size` bytes."""
    best, end = (0, 0), 0
    for offset, room in [*sorted(taken), (size, 0)]:
        best = max(best, (offset - end, end))
        end = max(end, offset + room)
    return best


def _widened(program: Program, size: int, share: float) -> Program:
    buffers, reuses = _buffers(program)
    pairs = {(one.source, one.output) for one in reuses}
    steps = []
    for number, step in enumerate(program.steps):
        room = step.scratch.size + int(share * (size - live_bytes(number, buffers, pairs)))
        steps.append(_with_room(step, room) if "chunk" in step.op.fields else step)
    return replace(program, steps=tuple(steps))


def _with_room(step: Step, room: int) -> Step:
    """Returns the layer with the largest even chunk whose scratch fits `room`, as large as it is or larger."""
    count, least = (step.op.fields[key] for key in ("out_steps" if step.kernel == "conv1d" else "rows", "chunk"))
    assert isinstance(count, int)
    assert isinstance(least, int)
    chunk = max(least, count + count % 2)
    while chunk > least and with_chunk(step, chunk).scratch.size > room:
        chunk -= 2
    return with_chunk(step, chunk)


def _buffers(program: Program) -> tuple[list[Buffer], list[Reuse]]:
    """Returns the program's buffers with their lives, and the pairs that may lie at one address."""
    lives: dict[str, tuple[int, int]] = {}
    outside = {WINDOW, *OUTPUTS, *program.constants}
    for number, step in enumerate(program.steps):
        for view in (*step.inputs, *step.outputs):
            if view is not None and view.root not in outside:
                lives[view.root] = (lives.get(view.root, (number,))[0], number)
    buffers = [Buffer(name, program.sizes[name], *life) for name, life in lives.items()]
    buffers += [
        Buffer(scratch_of(number), step.scratch.size, number, number)
        for number, step in enumerate(program.steps)
        if step.scratch.size
    ]
    reuses = [reuse for number, step in enumerate(program.steps) for reuse in _reuses(number, step, lives)]
    return buffers, reuses


def scratch_of(number: int) -> str:
    """Returns the name of a step's scratch."""
    return f"scratch:{number}"


def _reuses(number: int, step: Step, lives: dict[str, tuple[int, int]]) -> list[Reuse]:
    """Returns the pairs of buffers that begin with an input and an output of `step` that may lie at one address."""
    found = []
    for i, o in step.in_place:
        source, output = step.inputs[i], step.outputs[o]
        if source is None or output is None or source.root not in lives or output.root not in lives:
            continue
        others = [view for j, view in enumerate(step.inputs) if view and j != i and view.root == source.root]
        whole = source.offset == output.offset == 0 and source.contiguous and output.contiguous
        if whole and not others and lives[source.root][1] == number and lives[output.root][0] == number:
            found.append(Reuse(source.root, output.root))
    return found
