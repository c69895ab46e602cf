"""Where the buffers of a network lie in the caller's arena: lives that never meet share memory, and so may a step's
output and an input that it reads for the last time.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALIGNMENT = 16
"""Of the arena and of every buffer in it, bytes: what vector loads want."""
TRIALS = 400
"""Orders that are tried beyond the plain ones, until one meets the lower bound."""
SEED = 6


@dataclass(frozen=True)
class Buffer:
    """Memory that one or more tensors live in."""

    name: str
    size: int
    """Bytes."""
    first: int
    """The step that writes it first."""
    last: int
    """The step that reads it last."""


@dataclass(frozen=True)
class Reuse:
    """A step that reads `source` for the last time and may write `output` to the very same address."""

    source: str
    output: str


@dataclass(frozen=True)
class Arena:
    """Where every buffer lies."""

    offsets: Mapping[str, int]
    size: int
    """Bytes, a multiple of `ALIGNMENT`."""
    bound: int
    """No placement of these buffers, in this order of steps, is smaller."""


def place(buffers: Sequence[Buffer], reuses: Iterable[Reuse] = ()) -> Arena:
    """Returns offsets for `buffers`, none of which overlaps another that lives in the same step, but for `reuses`.

    The same arguments give the same arena. Buffers are placed one after another at the lowest offset that is free, in
    several orders; the best order is improved by moving buffers in it, most of all those that lie on top.
    """
    at = {buffer.name: buffer for buffer in buffers}
    pairs = {(one.source, one.output) for one in reuses if at[one.source].last == at[one.output].first}
    bound = lower_bound(buffers, pairs)
    near = _neighbours(buffers)
    orders = [sorted(buffers, key=key) for key in _KEYS]
    found = [_first_fit(order, near, pairs) for order in orders]
    best = min(range(len(orders)), key=lambda i: _top(buffers, found[i]))
    order, offsets = orders[best], found[best]
    chance = random.Random(SEED)
    for _ in range(TRIALS):
        size = _top(buffers, offsets)
        if size <= bound:
            break
        highest = [buffer for buffer in order if aligned(offsets[buffer.name] + buffer.size) == size]
        moved = chance.choice(highest if chance.random() < 0.5 else order)
        other = [buffer for buffer in order if buffer is not moved]
        other.insert(chance.randrange(len(order)), moved)
        tried = _first_fit(other, near, pairs)
        if _top(buffers, tried) <= size:
            order, offsets = other, tried
    return Arena(offsets, _top(buffers, offsets), bound)


_KEYS: tuple[Callable[[Buffer], tuple[Any, ...]], ...] = (
    lambda buffer: (-buffer.size, buffer.first, buffer.name),
    lambda buffer: (-buffer.size * (buffer.last - buffer.first + 1), buffer.name),
    lambda buffer: (buffer.first - buffer.last, -buffer.size, buffer.name),
    lambda buffer: (buffer.first, -buffer.size, buffer.name),
    lambda buffer: (-buffer.last, -buffer.size, buffer.name),
)


def lower_bound(buffers: Sequence[Buffer], pairs: Iterable[tuple[str, str]] = ()) -> int:
    """Returns the most bytes, each buffer rounded up to the alignment, that live in one step.

    `pairs` of a source and an output at one address count as the larger of them.
    """
    steps = range(max((buffer.last for buffer in buffers), default=-1) + 1)
    known = set(pairs)
    return max((live_bytes(step, buffers, known) for step in steps), default=0)


def live_bytes(step: int, buffers: Sequence[Buffer], pairs: set[tuple[str, str]]) -> int:
    """Returns the bytes that live in a step, as `lower_bound` counts them."""
    alive = [buffer for buffer in buffers if buffer.first <= step <= buffer.last]
    outputs = [one for one in alive if one.first == step]
    sources = [one for one in alive if one.last == step and one.first < step]
    return sum(aligned(buffer.size) for buffer in alive) - _shared(outputs, sources, pairs)


def _shared(outputs: Sequence[Buffer], sources: Sequence[Buffer], pairs: set[tuple[str, str]]) -> int:
    """Returns the most bytes that outputs and sources can have in common, each source for one output."""
    if not outputs:
        return 0
    output, *others = outputs
    best = _shared(others, sources, pairs)
    for source in sources:
        if (source.name, output.name) in pairs:
            left = [one for one in sources if one is not source]
            best = max(best, aligned(min(source.size, output.size)) + _shared(others, left, pairs))
    return best


def _neighbours(buffers: Sequence[Buffer]) -> dict[str, set[str]]:
    """Returns, for every buffer, the others that live in one of its steps."""
    return {
        one.name: {
            other.name for other in buffers if other is not one and other.first <= one.last and one.first <= other.last
        }
        for one in buffers
    }


def _first_fit(order: Sequence[Buffer], near: Mapping[str, set[str]], pairs: set[tuple[str, str]]) -> dict[str, int]:
    """Returns offsets: each buffer of `order` at the lowest that those before it leave free."""
    offsets: dict[str, int] = {}
    placed: list[Buffer] = []
    for buffer in order:
        around = [other for other in placed if other.name in near[buffer.name]]
        starts = {0, *(offsets[other.name] for other in around)}
        starts |= {aligned(offsets[other.name] + other.size) for other in around}
        offsets[buffer.name] = next(
            start
            for start in sorted(starts)
            if all(_fits(buffer, start, other, offsets[other.name], pairs) for other in around)
        )
        placed.append(buffer)
    return offsets


def _fits(buffer: Buffer, start: int, other: Buffer, place: int, pairs: set[tuple[str, str]]) -> bool:
    if start + buffer.size <= place or place + other.size <= start:
        return True
    return start == place and ((other.name, buffer.name) in pairs or (buffer.name, other.name) in pairs)


def _top(buffers: Sequence[Buffer], offsets: Mapping[str, int]) -> int:
    return max((aligned(offsets[buffer.name] + buffer.size) for buffer in buffers), default=0)


def aligned(size: int) -> int:
    """Returns the next multiple of `ALIGNMENT`."""
    return -(-size // ALIGNMENT) * ALIGNMENT
