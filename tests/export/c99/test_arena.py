"""The memory plan: nothing that lives together overlaps, and little is wasted."""

import random
from itertools import combinations

import pytest

from ecgkd_export.c99.arena import ALIGNMENT, Arena, Buffer, Reuse, lower_bound, place


def overlapping(buffers: list[Buffer], arena: Arena) -> list[tuple[str, str]]:
    """Returns the pairs that share bytes and a step."""
    found = []
    for a, b in combinations(buffers, 2):
        alive = a.first <= b.last and b.first <= a.last
        start, other = arena.offsets[a.name], arena.offsets[b.name]
        if alive and start < other + b.size and other < start + a.size:
            found.append((a.name, b.name))
    return found


def some(seed: int, n: int = 30) -> list[Buffer]:
    chance = random.Random(seed)
    births = [chance.randrange(20) for _ in range(n)]
    return [Buffer(f"b{i}", chance.randrange(1, 4000), t, t + chance.randrange(6)) for i, t in enumerate(births)]


def test_two_lives_that_never_meet_share_their_bytes() -> None:
    buffers = [Buffer("a", 100, 0, 1), Buffer("b", 50, 1, 2), Buffer("c", 100, 2, 3)]

    arena = place(buffers)

    assert arena.offsets["a"] == arena.offsets["c"]
    assert arena.size == arena.bound == 112 + 64


@pytest.mark.parametrize("seed", range(8))
def test_nothing_that_lives_together_overlaps(seed: int) -> None:
    buffers = some(seed)

    arena = place(buffers)

    assert not overlapping(buffers, arena)
    assert all(offset % ALIGNMENT == 0 for offset in arena.offsets.values())
    assert arena.size % ALIGNMENT == 0
    assert all(arena.offsets[one.name] + one.size <= arena.size for one in buffers)


@pytest.mark.parametrize("seed", range(8))
def test_the_arena_is_near_its_lower_bound(seed: int) -> None:
    arena = place(some(seed))

    assert arena.bound <= arena.size <= 1.1 * arena.bound


def test_the_same_buffers_give_the_same_arena() -> None:
    assert place(some(3)) == place(some(3))


def test_an_output_may_lie_over_what_is_read_for_the_last_time() -> None:
    buffers = [Buffer("x", 800, 0, 1), Buffer("y", 800, 1, 2)]

    arena = place(buffers, [Reuse("x", "y")])

    assert arena.offsets["x"] == arena.offsets["y"]
    assert arena.size == arena.bound == 800


def test_an_output_lies_over_one_source_or_apart_from_it() -> None:
    buffers = [Buffer("x", 800, 0, 1), Buffer("y", 640, 0, 1), Buffer("z", 800, 1, 2), Buffer("k", 320, 0, 2)]

    arena = place(buffers, [Reuse("x", "z"), Reuse("y", "z")])

    pairs = overlapping(buffers, arena)
    assert len(pairs) == 1
    assert all(arena.offsets[a] == arena.offsets[b] for a, b in pairs)
    assert arena.size == arena.bound == 800 + 640 + 320


def test_two_outputs_do_not_share_one_source() -> None:
    buffers = [Buffer("x", 160, 0, 1), Buffer("y", 160, 0, 1), Buffer("a", 160, 1, 2), Buffer("b", 160, 1, 2)]
    everything = [Reuse(source, output) for source in "xy" for output in "ab"]

    arena = place(buffers, everything)

    assert arena.size == arena.bound == 320
    assert arena.offsets["a"] != arena.offsets["b"]


def test_reuse_is_not_taken_where_the_source_is_read_again() -> None:
    buffers = [Buffer("x", 800, 0, 2), Buffer("y", 800, 1, 2)]

    arena = place(buffers, [Reuse("x", "y")])

    assert not overlapping(buffers, arena)
    assert arena.size == 1600


def test_the_bound_counts_source_and_output_once() -> None:
    buffers = [Buffer("x", 800, 0, 1), Buffer("k", 160, 0, 2), Buffer("y", 1600, 1, 2)]

    assert lower_bound(buffers) == 2560
    assert lower_bound(buffers, [("x", "y")]) == 1760


def test_no_buffers_need_no_arena() -> None:
    assert place([]) == Arena({}, 0, 0)
