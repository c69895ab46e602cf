"""Which operators become one, told by name."""

import numpy as np
import pytest

from ecgkd_export.c99.fuse import CARRY, LOOKUP, fuse, unary_table
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Kind
from ecgkd_export.simulate import simulate
from tests.export.c99.nets import Net
from tests.export.c99.test_compiled import stream


@pytest.mark.parametrize("kind", [Kind.GELU, Kind.LOGISTIC, Kind.RELU, Kind.QUANTISE])
def test_a_table_is_what_the_simulation_says_of_every_integer(kind: Kind) -> None:
    net = Net((1, 256))
    graph = net.graph(net.op(kind, (net.input,), (1, 256)))
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 256)

    table = unary_table(graph, graph.ops[0])

    assert table is not None
    assert np.array_equal(table, simulate(graph, every)[graph.outputs[0]].ravel())


def test_the_square_of_a_tensor_is_a_table_and_a_product_of_two_is_not() -> None:
    net = Net((1, 256))
    other = net.constant("other", (1, 256))
    square, product = net.add(net.input, net.input, Kind.MUL), net.add(net.input, other, Kind.MUL)
    graph = net.graph(net.add(square, product))
    every = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 256)

    table = unary_table(graph, graph.ops[0])

    assert table is not None
    assert np.array_equal(table, simulate(graph, every, keep=[square])[square].ravel())
    assert unary_table(graph, graph.ops[1]) is None


def test_a_carry_has_its_rows_its_branch_and_what_was_carried() -> None:
    net = Net((7, 16))
    nodes = [node for node in fuse(net.graph(stream(net, sums=2))) if node.what == CARRY]

    first, second, last = nodes
    assert first.inputs[2] is None
    assert second.inputs == (first.outputs[0], second.inputs[1], first.outputs[1])
    assert last.outputs == (net.ops[-1].output,)
    assert len(second.outputs) == 2


def test_the_graphs_output_is_never_swallowed() -> None:
    net = Net((7, 9))
    x = net.layer(Kind.FULLY_CONNECTED, net.input, (9, 9), (7, 9))
    net.op(Kind.GELU, (x,), (7, 9))

    assert [node.what for node in fuse(net.graph(x))] == [Kind.FULLY_CONNECTED, LOOKUP]


def test_a_root_of_what_may_be_negative_is_refused_by_its_name() -> None:
    net = Net((7, 9))
    graph = net.graph(net.op(Kind.RSQRT, (net.input,), (7, 9)))

    with pytest.raises(GraphError, match="rsqrt rsqrt0: zero point -3"):
        fuse(graph)
