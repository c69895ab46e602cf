"""From calls to places: room that is left over goes to the layers, and the arena does not grow for it."""

from itertools import combinations

import pytest

from ecgkd_export.c99.arena import place
from ecgkd_export.c99.layout import _buffers, _grown, lay_out
from ecgkd_export.c99.lower import lower
from ecgkd_export.c99.products import CHUNK
from ecgkd_export.graph import Kind
from tests.export.c99.nets import Net
from tests.export.c99.test_two_outputs import two_heads


def two_convolutions() -> Net:
    """Returns a net whose first layer has the most memory, so that there is room in the second."""
    net = Net((1, 1, 400, 4))
    x = net.layer(Kind.CONV, net.input, (16, 1, 5, 4), (1, 1, 400, 16), stride=1, pad=(2, 2))
    x = net.layer(Kind.CONV, x, (16, 1, 5, 16), (1, 1, 400, 16), stride=1, pad=(2, 2))
    net.layer(Kind.CONV, x, (4, 1, 5, 16), (1, 1, 400, 4), stride=1, pad=(2, 2))
    return net


def test_chunks_grow_into_what_is_free_and_the_arena_stays() -> None:
    net = two_convolutions()
    program = lower(net.graph(net.ops[-1].output))

    wider, arena = lay_out(program)

    chunks = [step.op.fields["chunk"] for step in wider.steps]
    assert arena.size == place(*_buffers(program)).size
    assert max(chunks) > CHUNK
    assert min(chunks) == CHUNK
    assert all(chunk % 2 == 0 for chunk in chunks)


def test_the_callers_buffers_take_no_room_in_the_arena() -> None:
    net = Net((4, 16))
    program = lower(net.graph(net.op(Kind.L2_NORM, (net.input,), (4, 16))))

    assert lay_out(program)[1].size == 0


def test_a_view_keeps_its_buffer_alive() -> None:
    net = Net((8, 16))
    x = net.layer(Kind.FULLY_CONNECTED, net.input, (16, 16), (8, 16))
    part = net.same(Kind.SLICE, x, (2, 16), begin=(0, 0), size=(2, 16))
    other = net.op(Kind.L2_NORM, (x,), (8, 16))
    last = net.same(Kind.SLICE, other, (2, 16), begin=(0, 0), size=(2, 16))
    program = lower(net.graph(net.add(part, last)))

    wider, arena = lay_out(program)

    reads = [view for view in wider.steps[-1].inputs if view]
    places = [arena.offsets[view.root] + view.offset for view in reads]
    assert abs(places[0] - places[1]) >= 32


@pytest.mark.parametrize("leads", [1, 3])
def test_where_no_placement_is_found_for_larger_chunks_they_grow_into_the_gaps(leads: int) -> None:
    programs = (lower(two_heads(leads)), lower(two_convolutions().graph("conv2")))
    for program in programs:
        arena = place(*_buffers(program))

        wider, found = _grown(program, arena)

        assert found.size == arena.size
        grown = [a.scratch.size - b.scratch.size for a, b in zip(wider.steps, program.steps, strict=True)]
        assert min(grown) >= 0
        buffers, reuses = _buffers(wider)
        pairs = {frozenset((one.source, one.output)) for one in reuses}
        for a, b in combinations(buffers, 2):
            if a.first <= b.last and b.first <= a.last and {a.name, b.name} not in pairs:
                first, second = (found.offsets[one.name] for one in (a, b))
                assert first + a.size <= second or second + b.size <= first
        assert all(found.offsets[one.name] + one.size <= found.size for one in buffers)
    assert max(grown) > 0
