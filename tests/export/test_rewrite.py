"""Rewrites keep the numbers, and do what they are for."""

from collections import Counter

import numpy as np
import pytest

from ecgkd_export.errors import GraphError
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import Graph, Kind, Tensor
from ecgkd_export.rewrite import Form, Profile, prepare, rotation
from ecgkd_export.rewrite.attention import split_attention
from ecgkd_export.rewrite.draft import Draft
from ecgkd_export.rewrite.norm import fold_layer_norms
from ecgkd_export.rewrite.roots import Norms, spell_norms
from ecgkd_export.rewrite.tidy import tidy
from ecgkd_export.rewrite.tokens import embed_positions, mean_into_layer, raise_small_rows

from .transformer import WIDTH, transformer, windows


def difference(before: Graph, after: Graph) -> float:
    given = windows()
    a, b = (run_float(graph, given)[graph.outputs[0]] for graph in (before, after))
    return float(np.abs(a - b).max())


def kinds(graph: Graph) -> Counter[Kind]:
    return Counter(op.kind for op in graph.ops)


def folded() -> Graph:
    return fold_layer_norms(transformer(), rotation(WIDTH))


@pytest.mark.parametrize("turned", [False, True])
def test_layer_norms_become_l2_norms_epsilon_included(turned: bool) -> None:
    graph = transformer()
    after = fold_layer_norms(graph, rotation(WIDTH) if turned else None)
    assert difference(graph, after) < 1e-6
    assert kinds(after)[Kind.L2_NORM] == kinds(graph)[Kind.LAYER_NORM] + 1
    assert len(after.ops) == len(graph.ops)


def test_rotation_is_orthogonal_and_mixes_every_channel() -> None:
    turn = rotation(96)
    assert np.allclose(turn @ turn.T, np.eye(96), atol=1e-12)
    assert np.abs(turn).max() < 0.5


def test_a_stream_that_something_else_reads_is_refused_by_name() -> None:
    draft = Draft(transformer())
    draft.add(Kind.GELU, "stranger", ("rows",), draft.shape("rows"))
    draft.outputs = (*draft.outputs, "stranger")
    with pytest.raises(GraphError, match="stranger"):
        fold_layer_norms(draft.finish())


def test_layer_norms_of_several_epsilons_are_refused() -> None:
    draft = Draft(transformer())
    op = draft.ops["norm"]
    draft.ops["norm"] = type(op)(op.kind, op.name, op.inputs, op.output, {"epsilon": 1e-6})
    with pytest.raises(GraphError, match="epsilon"):
        fold_layer_norms(draft.finish())


def test_attention_keeps_its_numbers() -> None:
    graph = folded()
    after = split_attention(graph)
    assert difference(graph, after) < 1e-6
    assert kinds(after)[Kind.TRANSPOSE] == 5
    assert len(after.ops) < len(graph.ops)


def test_split_attention_brings_its_channels_to_one_size() -> None:
    after = split_attention(folded())
    product = next(op for op in after.ops if op.name.endswith(":qkv"))
    lengths = np.sqrt(np.square(after.constant(product.inputs[1])).sum(1) / WIDTH).reshape(3, WIDTH)
    assert np.allclose(lengths[2], lengths[2, 0])
    assert lengths[1].max() / lengths[0].max() < 1.5


def test_positions_move_into_the_embedding() -> None:
    graph = folded()
    after = embed_positions(graph, 1 / 16)
    assert difference(graph, after) < 1e-6
    assert kinds(after)[Kind.ADD] == kinds(graph)[Kind.ADD] - 1
    marks = after.constant("placed:marks")
    assert np.array_equal(marks * 16, np.rint(marks * 16))
    assert marks.max() * 16 <= 127


def test_constant_first_rows_are_raised_until_the_second_sum() -> None:
    graph = embed_positions(folded(), 1 / 16)
    after = raise_small_rows(graph, 4.0)
    assert difference(graph, after) < 1e-6
    given = windows(3)
    before, raised = (run_float(one, given, keep=["rows", "0.sum1", "0.sum2"]) for one in (graph, after))
    for name, factor in (("rows", 4.0), ("0.sum1", 4.0), ("0.sum2", 1.0)):
        assert np.allclose(raised[name][:, :1], before[name][:, :1] * factor, atol=1e-5)
        assert np.allclose(raised[name][:, 1:], before[name][:, 1:], atol=1e-5)


def test_a_mean_of_few_rows_moves_into_its_layer() -> None:
    graph = folded()
    after = mean_into_layer(graph)
    assert difference(graph, after) < 1e-6
    assert kinds(after)[Kind.MEAN] == 0


def test_prepared_graphs_keep_their_numbers_in_every_form() -> None:
    graph = transformer()
    for place in (False, True):
        assert difference(graph, prepare(graph, Form(place=place, rotate=place))) < 1e-6


def test_norms_by_roots_keep_their_numbers_and_wait_for_two_sums() -> None:
    graph = folded()
    for norms, roots in ((Norms.L2, 0), (Norms.SUM, 3), (Norms.MEAN, 5)):
        after = spell_norms(graph, norms)
        assert difference(graph, after) < 1e-6
        assert kinds(after)[Kind.RSQRT] == roots


def test_microcontrollers_get_no_gelu_and_nearly_the_same_numbers() -> None:
    graph = transformer()
    after = prepare(graph, Form(profile=Profile.MCU))
    assert kinds(after)[Kind.GELU] == 0
    assert kinds(after)[Kind.LOGISTIC] == 2
    assert difference(graph, after) < 0.05


def test_without_a_last_norm_the_direction_stays() -> None:
    graph, given = transformer(), windows()
    after = prepare(graph, Form(unit_output=False))
    unit, bare = run_float(graph, given)["unit"], run_float(after, given)["unit"]
    assert after.outputs == graph.outputs
    assert np.allclose(bare / np.linalg.norm(bare, axis=2, keepdims=True), unit, atol=1e-5)


def row(draft: Draft, kind: Kind, name: str, *inputs: str, **attributes: object) -> str:
    return draft.add(kind, name, inputs, draft.shape(inputs[0]), **attributes)


def test_tidy_folds_drops_merges_straightens_and_fuses() -> None:
    draft = Draft(Graph({"window": Tensor("window", (1, 4))}, (), ("window",), ("window",)))
    doubled = row(
        draft, Kind.ADD, "doubled", draft.constant("a", np.ones((1, 4))), draft.constant("b", np.ones((1, 4)))
    )
    x = draft.linear("layer", "window", np.eye(4), np.zeros(4))
    x = row(draft, Kind.ADD, "shifted", x, doubled)
    x = row(draft, Kind.RELU, "relu", x)
    x = draft.add(Kind.RESHAPE, "tall", (x,), (4, 1))
    x = draft.add(Kind.TRANSPOSE, "flat", (x,), (1, 4), permutation=(1, 0))
    x = draft.add(Kind.SLICE, "whole", (x,), (1, 4), begin=(0, 0), size=(1, 4))
    draft.outputs = (row(draft, Kind.MUL, "out", x, "window"),)
    graph = draft.finish()
    after = tidy(graph)
    given = np.array([[-5.0, -1.0, 0.0, 2.0]], np.float32)
    assert [op.kind for op in after.ops] == [Kind.FULLY_CONNECTED, Kind.MUL]
    assert np.array_equal(run_float(after, given)["out"], run_float(graph, given)["out"])
    assert run_float(after, given)["out"].ravel().tolist() == [0.0, -1.0, 0.0, 8.0]


def test_tidy_keeps_the_name_of_the_output() -> None:
    draft = Draft(Graph({"window": Tensor("window", (1, 4))}, (), ("window",), ("window",)))
    x = draft.linear("layer", "window", np.eye(4), np.zeros(4))
    draft.outputs = (draft.add(Kind.RESHAPE, "embedding", (x,), (1, 4)),)
    after = tidy(draft.finish())
    assert after.outputs == ("embedding",)
    assert len(after.ops) == 1
