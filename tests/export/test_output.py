"""Embeddings without their last norm: the same directions, int8 steps that are used up."""

import numpy as np

from ecgkd_export.fake_quant import cosine_loss
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.quantise import Options, quantise
from ecgkd_export.ranges import Ranges, collect, estimate
from ecgkd_export.rewrite import Form, prepare
from ecgkd_export.rewrite.output import STEP, fill_output
from ecgkd_export.simulate import simulate

from .transformer import transformer, windows


def filled() -> tuple[Graph, Ranges]:
    graph = prepare(transformer(), Form(unit_output=False))
    return fill_output(graph, estimate(collect(graph, windows())))


def test_without_its_norm_the_output_points_where_it_did() -> None:
    want = run_float(prepare(transformer()), windows())["unit"]
    graph, _ = filled()
    assert graph.makers()["unit"].kind == Kind.FULLY_CONNECTED
    assert cosine_loss(want, run_float(graph, windows())["unit"]) < 1e-6


def test_the_largest_output_is_127_steps() -> None:
    graph, ranges = filled()
    assert np.isclose(max(abs(end) for end in ranges["unit"]), 127 * STEP)
    made = quantise(graph, ranges, Options(output_step=STEP))
    quant = made.tensors["unit"].quant
    assert quant is not None
    assert (quant.scale.tolist(), quant.zero_point) == ([STEP], 0)
    integers = simulate(made, (windows() * 16).astype(np.int8))["unit"]
    assert 120 <= np.abs(integers.astype(int)).max() <= 128


def test_a_graph_that_ends_in_a_norm_is_left_alone() -> None:
    graph = prepare(transformer())
    ranges = estimate(collect(graph, windows()))
    assert fill_output(graph, ranges) == (graph, ranges)
