"""Means and maxima of a row go through layers of their own, and int8 no longer loses the means."""

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.fake_quant import cosine_loss
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import Graph, Kind, Tensor
from ecgkd_export.quantise import Options, quantise
from ecgkd_export.ranges import collect, estimate
from ecgkd_export.rewrite import Form, prepare
from ecgkd_export.rewrite.draft import Draft
from ecgkd_export.rewrite.output import STEP, fill_output

CHANNELS = 24


def pooled() -> Graph:
    """[mean, maximum] over time of a signal, a layer, unit length; the layer leans on the small means."""
    draw = np.random.default_rng(0)
    draft = Draft(Graph({"window": Tensor("window", (1, 1, 50, CHANNELS))}, (), ("window",), ()))
    mean = draft.add(Kind.MEAN, "mean", ("window",), (1, CHANNELS), axes=(1, 2), keep=False)
    most = draft.add(Kind.REDUCE_MAX, "most", ("window",), (1, CHANNELS), axes=(1, 2), keep=False)
    row = draft.add(Kind.CONCAT, "row", (mean, most), (1, 2 * CHANNELS), axis=1)
    weights = draw.normal(size=(16, 2 * CHANNELS)) * np.repeat([10.0, 0.3], CHANNELS)
    head = draft.linear("head", row, weights, draw.normal(size=16))
    draft.outputs = (draft.add(Kind.L2_NORM, "unit", (head,), (1, 16)),)
    return draft.finish()


def windows(n: int = 40) -> NDArray[np.float32]:
    steps = np.random.default_rng(1).normal(size=(n, 1, 50, CHANNELS)) * 30
    return (np.clip(np.rint(steps), -128, 127) / 16).astype(np.float32)


def test_parts_keep_the_numbers() -> None:
    graph = pooled()
    after = prepare(graph)
    assert [op.kind for op in after.ops].count(Kind.FULLY_CONNECTED) == 2
    assert Kind.CONCAT not in {op.kind for op in after.ops}
    given = windows()
    np.testing.assert_allclose(run_float(after, given)["unit"], run_float(graph, given)["unit"], atol=1e-5)


def test_parts_lose_far_less_in_int8() -> None:
    given = windows()
    want = run_float(pooled(), given)["unit"]
    losses = []
    for part in (False, True):
        graph = prepare(pooled(), Form(part=part, unit_output=False))
        filled = fill_output(graph, estimate(collect(graph, given)))
        made = quantise(*filled, Options(output_step=STEP))
        losses.append(cosine_loss(want, run_float(made, given)["unit"]))
    assert losses[1] < 0.2 * losses[0]


def test_the_output_is_filled_behind_the_sum_of_both_layers() -> None:
    graph = prepare(pooled(), Form(unit_output=False))
    assert graph.makers()["unit"].kind == Kind.ADD
    _, ranges = fill_output(graph, estimate(collect(graph, windows())))
    assert np.isclose(max(abs(end) for end in ranges["unit"]), 127 * STEP)
