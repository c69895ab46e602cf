"""What the generator makes of operators, one at a time and together: compiled code gives the simulation's integers."""

import shutil

import numpy as np
import pytest

from ecgkd_export.c99.emit import emit
from ecgkd_export.c99.lower import lower
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.run.c99 import C99Session
from ecgkd_export.simulate import Arithmetic, simulate
from tests.export.c99.nets import Net

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)


def agrees(net: Net, graph: Graph) -> None:
    """Asserts that compiled code gives the simulation's integers, in another order of windows too."""
    windows = net.windows()
    expected = simulate(graph, windows, arithmetic=Arithmetic.FIXED)[graph.outputs[0]].reshape(len(windows), -1)
    session = C99Session(emit(graph, name="net"))

    given = session.run_integers(windows).reshape(len(windows), -1)

    different = np.argwhere(given != expected)
    assert not len(different), (
        f"at {different[0]}: got {given[tuple(different[0])]}, want {expected[tuple(different[0])]}"
    )
    assert np.array_equal(session.run_integers(windows[::-1]).reshape(len(windows), -1), expected[::-1])


def kernels(graph: Graph) -> list[str]:
    return [step.kernel for step in lower(graph).steps]


@pytest.mark.parametrize(
    ("channels", "taps", "stride", "pad"),
    [
        (1, 15, 2, (7, 7)),
        (3, 7, 1, (3, 3)),
        (8, 7, 2, (3, 3)),
        (16, 5, 3, (0, 1)),
        (4, 1, 2, (0, 0)),
        (5, 1, 1, (0, 0)),
    ],
)
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_convolutions(channels: int, taps: int, stride: int, pad: tuple[int, int], activation: str) -> None:
    net = Net((1, 1, 45, channels), seed=channels)
    steps = (45 + sum(pad) - taps) // stride + 1
    x = net.layer(
        Kind.CONV, net.input, (6, 1, taps, channels), (1, 1, steps, 6), 6, stride=stride, pad=pad, activation=activation
    )

    agrees(net, net.graph(x))


@pytest.mark.parametrize("scales", [1, 9])
@pytest.mark.parametrize("width", [1, 15, 16, 33])
def test_fully_connected_layers_with_one_scale_and_with_several(scales: int, width: int) -> None:
    net = Net((7, width), seed=width)

    agrees(net, net.graph(net.layer(Kind.FULLY_CONNECTED, net.input, (9, width), (7, 9), scales)))


@pytest.mark.parametrize("kind", [Kind.GELU, Kind.LOGISTIC, Kind.RELU, Kind.QUANTISE])
def test_a_function_of_one_value_is_part_of_the_layer_before(kind: Kind) -> None:
    net = Net((7, 20))
    x = net.layer(Kind.FULLY_CONNECTED, net.input, (9, 20), (7, 9))
    graph = net.graph(net.op(kind, (x,), (7, 9)))

    assert kernels(graph) == ["fully_connected"]
    agrees(net, graph)


def test_functions_of_one_value_in_a_row_are_one_table() -> None:
    net = Net((7, 20))
    x = net.op(Kind.GELU, (net.input,), (7, 20))
    x = net.op(Kind.MUL, (x, x), (7, 20), activation="relu")
    graph = net.graph(net.op(Kind.LOGISTIC, (x,), (7, 20)))

    assert kernels(graph) == ["lookup"]
    agrees(net, graph)


def test_a_result_that_two_read_is_kept() -> None:
    net = Net((7, 20))
    x = net.layer(Kind.FULLY_CONNECTED, net.input, (9, 20), (7, 9))
    graph = net.graph(net.add(x, net.op(Kind.GELU, (x,), (7, 9))))

    assert kernels(graph) == ["fully_connected", "lookup", "add"]
    agrees(net, graph)


@pytest.mark.parametrize("kind", [Kind.ADD, Kind.SUB, Kind.MUL])
@pytest.mark.parametrize("shape", [(7, 12), (1, 12), (7, 1), (1, 1), (12,)])
@pytest.mark.parametrize("turned", [False, True])
def test_two_tensors_meet_in_every_form(kind: Kind, shape: tuple[int, ...], turned: bool) -> None:
    net = Net((7, 12))
    other = net.constant("other", shape, 0.02, 5)
    pair = (other, net.input) if turned else (net.input, other)

    agrees(net, net.graph(net.add(*pair, kind, "relu")))


def test_a_product_with_a_row_over_time_as_in_an_attention_over_channels() -> None:
    net = Net((1, 1, 30, 8))
    pooled = net.op(Kind.MEAN, (net.input,), (1, 8), axes=(1, 2), keep=False)
    gate = net.same(Kind.RESHAPE, net.op(Kind.LOGISTIC, (pooled,), (1, 8)), (1, 1, 1, 8))
    gated = net.add(gate, net.input, Kind.MUL)
    steps = net.op(Kind.MEAN, (gated,), (1, 1, 30, 1), axes=(3,), keep=True)
    most = net.same(Kind.REDUCE_MAX, gated, (1, 1, 30, 1), axes=(3,), keep=True)
    both = net.op(
        Kind.CONCAT, (net.op(Kind.QUANTISE, (steps,), (1, 1, 30, 1), gated), most), (1, 1, 30, 2), gated, axis=3
    )
    when = net.layer(Kind.CONV, both, (1, 1, 5, 2), (1, 1, 30, 1), stride=1, pad=(2, 2))
    graph = net.graph(net.add(gated, net.add(when, gated, Kind.MUL)))

    agrees(net, graph)


@pytest.mark.parametrize(
    ("axes", "keep", "shape"),
    [((0,), False, (6, 4)), ((1,), True, (5, 1, 4)), ((2,), False, (5, 6)), ((0, 1), True, (1, 1, 4))],
)
def test_means_and_maxima_over_any_neighbouring_axes(axes: tuple[int, ...], keep: bool, shape: tuple[int, ...]) -> None:
    net = Net((5, 6, 4))
    mean = net.op(Kind.MEAN, (net.input,), shape, axes=axes, keep=keep)
    most = net.same(Kind.REDUCE_MAX, net.input, shape, axes=axes, keep=keep)

    agrees(net, net.graph(net.add(mean, most)))


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 2, (1, 1)), (2, 2, (0, 0)), (3, 1, (1, 0))])
def test_max_pools(size: int, stride: int, pad: tuple[int, int]) -> None:
    net = Net((1, 1, 21, 5))
    steps = (21 + sum(pad) - size) // stride + 1

    agrees(net, net.graph(net.same(Kind.MAX_POOL, net.input, (1, 1, steps, 5), size=size, stride=stride, pad=pad)))


def attention(net: Net, tokens: int, heads: int, depth: int) -> str:
    """Returns the mixed values of a small attention; the input is (tokens, any)."""
    width = heads * depth
    x = net.layer(
        Kind.FULLY_CONNECTED, net.input, (3 * width, net.tensors[net.input].shape[1]), (tokens, 3 * width), 3 * width
    )
    grouped = net.same(Kind.RESHAPE, x, (tokens, 3 * heads, depth))
    turned = net.same(Kind.TRANSPOSE, grouped, (3 * heads, tokens, depth), permutation=(1, 0, 2))
    part = (heads, tokens, depth)
    q, k, v = (net.same(Kind.SLICE, turned, part, begin=(i * heads, 0, 0), size=part) for i in range(3))
    scores = net.op(Kind.MATMUL, (q, k), (heads, tokens, tokens), transpose_b=True)
    shares = net.op(Kind.SOFTMAX, (scores,), (heads, tokens, tokens))
    mixed = net.op(Kind.MATMUL, (shares, v), part, transpose_b=False)
    back = net.same(Kind.TRANSPOSE, mixed, (tokens, heads, depth), permutation=(1, 0, 2))
    return net.same(Kind.RESHAPE, back, (tokens, width))


def test_attention_moves_nothing() -> None:
    net = Net((9, 10), zero_point=0)
    mixed = attention(net, tokens=9, heads=2, depth=16)
    graph = net.graph(net.layer(Kind.FULLY_CONNECTED, mixed, (8, 32), (9, 8)))

    assert kernels(graph) == ["fully_connected", "matmul", "softmax", "matmul", "fully_connected"]
    agrees(net, graph)


def test_moves_that_no_view_can_stand_for_are_copies() -> None:
    net = Net((4, 6, 5))
    turned = net.same(Kind.TRANSPOSE, net.input, (5, 4, 6), permutation=(2, 0, 1))
    part = net.same(Kind.SLICE, turned, (3, 4, 2), begin=(1, 0, 3), size=(3, 4, 2))
    flat = net.same(Kind.RESHAPE, part, (6, 4))

    agrees(net, net.graph(net.op(Kind.SOFTMAX, (flat,), (6, 4))))


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_are_written_where_the_whole_will_be(axis: int) -> None:
    net = Net((6, 10))
    x = net.layer(Kind.FULLY_CONNECTED, net.input, (10, 10), (6, 10))
    constant = net.constant("constant", (6, 10))
    net.tensors[constant] = type(net.tensors[x])(
        constant, (6, 10), net.tensors[x].dtype, net.tensors[x].quant, net.tensors[constant].data
    )
    shape = (12, 10) if axis == 0 else (6, 20)
    joined = net.op(Kind.CONCAT, (constant, x), shape, x, axis=axis)
    graph = net.graph(net.op(Kind.GELU, (joined,), shape))

    assert kernels(graph) == ["fully_connected", "copy", "lookup"]
    agrees(net, graph)


def stream(net: Net, sums: int) -> str:
    """Returns a running sum of layers whose rounding is carried on, as the quantiser writes it."""
    shape = net.tensors[net.input].shape
    rows, carry = net.op(Kind.QUANTISE, (net.input,), shape), None
    for _ in range(sums):
        branch = net.layer(Kind.FULLY_CONNECTED, rows, (shape[1], shape[1]), shape)
        added = branch if carry is None else net.add(branch, carry)
        total = net.add(rows, added)
        step = net.add(total, rows, Kind.SUB)
        carry = net.add(added, step, Kind.SUB)
        rows = total
    return net.add(rows, net.add(carry, branch)) if carry else rows


def test_sums_and_their_carry_are_one_pass() -> None:
    net = Net((7, 16))
    graph = net.graph(stream(net, sums=3))

    assert kernels(graph).count("carry") == 4
    assert "add" not in kernels(graph)
    assert "sub" not in kernels(graph)
    agrees(net, graph)


def test_a_carry_that_somebody_else_reads_is_not_taken_apart() -> None:
    net = Net((7, 16))
    branch = net.layer(Kind.FULLY_CONNECTED, net.input, (16, 16), (7, 16))
    total = net.add(net.input, branch)
    step = net.add(total, net.input, Kind.SUB)
    rest = net.add(branch, step, Kind.SUB)

    graph = net.graph(net.add(net.add(rest, step), total))

    assert "sub" in kernels(graph)
    agrees(net, graph)


def test_the_output_may_be_a_mere_view() -> None:
    net = Net((4, 6))
    x = net.layer(Kind.FULLY_CONNECTED, net.input, (5, 6), (4, 5))
    graph = net.graph(net.same(Kind.RESHAPE, x, (1, 20)))

    assert kernels(graph) == ["fully_connected"]
    agrees(net, graph)
    part = net.same(Kind.SLICE, x, (2, 3), begin=(1, 2), size=(2, 3))
    agrees(net, net.graph(part))


def test_rows_of_norms_and_roots() -> None:
    net = Net((6, 10))
    squares = net.op(Kind.MUL, (net.input, net.input), (6, 10), activation="none")
    name = net.tensor("total", (6, 1), 0.2, -128)
    total = net.layer(Kind.FULLY_CONNECTED, squares, (1, 10), (6, 1))
    net.tensors[total] = type(net.tensors[total])(total, (6, 1), net.tensors[total].dtype, net.tensors[name].quant)
    root = net.op(Kind.RSQRT, (total,), (6, 1))
    scaled = net.add(net.input, root, Kind.MUL)

    agrees(net, net.graph(net.op(Kind.L2_NORM, (scaled,), (6, 10))))
