"""Rewrites treat every output as read: each keeps its numbers, and only the first may lose its norm."""

import numpy as np
import pytest

from ecgkd_export.errors import GraphError
from ecgkd_export.fake_quant import cosine_loss
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.quantise import Options, quantise
from ecgkd_export.ranges import collect, estimate
from ecgkd_export.rewrite import Form, Profile, prepare
from ecgkd_export.rewrite.draft import Draft
from ecgkd_export.rewrite.output import STEP, fill_output
from ecgkd_export.rewrite.roots import Norms
from ecgkd_export.rewrite.tidy import tidy
from ecgkd_export.rewrite.tokens import raise_small_rows

from .transformer import WIDTH, transformer, windows

FORMS = [Form(), Form(profile=Profile.MCU), Form(norms=Norms.MEAN, place=False, part=False), Form(unit_output=False)]


def with_scores() -> Graph:
    """The transformer with a second head on what the first one reads."""
    draft, draw = Draft(transformer()), np.random.default_rng(7)
    hidden = draft.linear("hidden", "pooled", draw.normal(size=(8, WIDTH)), draw.normal(size=8), activation="relu")
    draft.outputs = ("unit", draft.linear("scores", hidden, draw.normal(size=(4, 8)), draw.normal(size=4)))
    return draft.finish()


def with_inner(name: str) -> Graph:
    """The transformer with a tensor inside it as its second output."""
    draft = Draft(transformer())
    draft.outputs = ("unit", name)
    return draft.finish()


@pytest.mark.parametrize("form", FORMS)
def test_scores_beside_the_embedding_keep_their_numbers(form: Form) -> None:
    given, graph = windows(), with_scores()
    after = prepare(graph, form)
    want, found = run_float(graph, given), run_float(after, given)
    assert after.outputs == ("unit", "scores")
    loose = form.profile != Profile.CPU
    np.testing.assert_allclose(found["scores"], want["scores"], atol=0.2 if loose else 1e-4)
    assert cosine_loss(want["unit"], found["unit"]) < (0.01 if loose else 1e-6)


def test_scores_keep_a_scale_of_their_own_in_int8() -> None:
    given, graph = windows(), with_scores()
    prepared = prepare(graph, Form(unit_output=False))
    made = quantise(*fill_output(prepared, estimate(collect(prepared, given))), Options(output_step=STEP))
    want, found = run_float(graph, given)["scores"], run_float(made, given)["scores"]
    quant = made.tensors["scores"].quant
    assert quant is not None
    assert float(quant.scale[0]) != STEP
    assert np.abs(found - want).max() < 0.1 * np.ptp(want)


def test_a_product_that_is_an_output_is_not_moved_into_its_reader() -> None:
    graph, given = with_inner("0.expand"), windows()
    after = prepare(graph, Form(profile=Profile.MCU))
    np.testing.assert_allclose(run_float(after, given)["0.expand"], run_float(graph, given)["0.expand"], atol=1e-4)


def test_the_stream_of_a_transformer_is_no_output() -> None:
    for name in ("0.sum1", "norm"):
        with pytest.raises(GraphError, match=r"is an (input or )?output of the graph"):
            prepare(with_inner(name))


def test_rows_that_are_an_output_are_not_raised() -> None:
    draft = Draft(prepare(transformer(), Form(place=False, norms=Norms.L2)))
    first = next(op for op in draft.ops.values() if op.kind == Kind.CONCAT)
    total = next(op for op in draft.readers(first.output) if op.kind == Kind.ADD)
    given = windows(8)
    for inner in (first.output, total.output):
        draft.outputs = ("unit", inner)
        graph = draft.finish()
        want, found = (run_float(one, given)[inner] for one in (graph, raise_small_rows(graph, 4.0)))
        np.testing.assert_allclose(found, want, atol=1e-5)


def test_a_norm_that_something_else_reads_stays() -> None:
    draft, draw = Draft(transformer()), np.random.default_rng(7)
    draft.outputs = ("unit", draft.linear("scores", "unit", draw.normal(size=(4, 16)), np.zeros(4)))
    graph, given = draft.finish(), windows()
    after = prepare(graph, Form(unit_output=False))
    assert after.makers()["unit"].kind == Kind.L2_NORM
    ranges = estimate(collect(after, given))
    assert fill_output(after, ranges) == (after, ranges)
    np.testing.assert_allclose(run_float(after, given)["scores"], run_float(graph, given)["scores"], atol=1e-4)


def test_tidying_keeps_an_output_that_another_is_made_of() -> None:
    draft = Draft(transformer())
    wide = draft.add(Kind.RESHAPE, "wide", ("unit",), (1, 1, 16))
    same = draft.add(Kind.RESHAPE, "same", (wide,), (1, 16))
    draft.outputs = ("unit", draft.add(Kind.RELU, "relu", (same,), (1, 16)))
    graph, given = draft.finish(), windows(4)
    after = tidy(graph)
    assert after.outputs == ("unit", "relu")
    for name in after.outputs:
        np.testing.assert_allclose(run_float(after, given)[name], run_float(graph, given)[name], atol=1e-6)


def test_what_an_output_is_made_of_is_known() -> None:
    graph = with_scores()
    behind = graph.behind("unit")
    assert {"window", "pooled", "unit"} <= behind
    assert not {"hidden", "scores"} & behind
