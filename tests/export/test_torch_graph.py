"""The graph in PyTorch computes what the graph in NumPy computes, and its constants can be trained."""

import numpy as np
import pytest
import torch

from ecgkd_export.fake_quant import cosine_loss
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.quantise import Options, quantise
from ecgkd_export.quantise_plan import Stream
from ecgkd_export.ranges import collect, estimate
from ecgkd_export.rewrite import Form, Profile, prepare
from ecgkd_export.rewrite.draft import Draft
from ecgkd_export.rewrite.output import STEP, fill_output
from ecgkd_export.torch_graph import TorchGraph

from .transformer import transformer, windows


def tensor(n: int = 8) -> torch.Tensor:
    return torch.from_numpy(windows(n))


def quantised(graph: Graph, options: Options | None = None) -> Graph:
    return quantise(graph, estimate(collect(graph, windows())), options)


def squeezed_convolution() -> Graph:
    """Everything that attention of channels does: convolutions, pooling, gates, maxima, sums of products."""
    draw = np.random.default_rng(0)
    draft = Draft(prepare(transformer()))
    x = draft.add(Kind.RESHAPE, "signal", ("window",), (1, 1, 60, 1))
    weights = (draft.constant("w", draw.normal(size=(6, 1, 5, 1))), draft.constant("b", draw.normal(size=6)))
    x = draft.add(Kind.CONV, "conv", (x, *weights), (1, 1, 30, 6), stride=2, pad=(2, 2), activation="relu")
    x = draft.add(Kind.MAX_POOL, "pool", (x,), (1, 1, 15, 6), size=3, stride=2, pad=(1, 1))
    mean = draft.add(Kind.MEAN, "mean", (x,), (1, 1, 1, 6), axes=(2,), keep=True)
    most = draft.add(Kind.REDUCE_MAX, "most", (x,), (1, 1, 1, 6), axes=(2,), keep=True)
    gate = draft.add(Kind.LOGISTIC, "gate", (draft.add(Kind.SUB, "gap", (most, mean), (1, 1, 1, 6)),), (1, 1, 1, 6))
    x = draft.add(Kind.MUL, "gated", (x, gate), (1, 1, 15, 6))
    x = draft.add(Kind.RESHAPE, "rows", (x,), (1, 90))
    draft.outputs = (draft.linear("embedding", x, draw.normal(size=(16, 90)), draw.normal(size=16)),)
    return draft.finish()


@pytest.mark.parametrize("form", [Form(), Form(profile=Profile.MCU), Form(unit_output=False)])
def test_the_float_graph_gives_what_numpy_gives(form: Form) -> None:
    graph = prepare(transformer(), form)
    want = run_float(graph, windows(8))[graph.outputs[0]]
    np.testing.assert_allclose(TorchGraph(graph)(tensor()).detach().numpy(), want, atol=2e-6)


@pytest.mark.parametrize("stream", [Stream.INT8, Stream.CARRY])
@pytest.mark.parametrize("graph", [prepare(transformer(blocks=3)), squeezed_convolution()], ids=["rows", "signal"])
def test_rounding_is_that_of_the_integer_graph(graph: Graph, stream: Stream) -> None:
    made = quantised(graph, Options(stream=stream))
    (output,) = made.outputs
    rounded, exact = (run_float(one, windows(40))[output] for one in (made, graph))
    given = TorchGraph(graph, made)(tensor(40)).detach().numpy()
    assert cosine_loss(rounded, given) < 0.3 * cosine_loss(rounded, exact)


def test_a_network_with_layer_norms_runs_as_it_was_lowered() -> None:
    graph = transformer()
    want = run_float(graph, windows(8))[graph.outputs[0]]
    np.testing.assert_allclose(TorchGraph(graph)(tensor()).detach().numpy(), want, atol=2e-6)


def test_every_weight_and_bias_gets_a_gradient() -> None:
    graph, ranges = fill_output(*_prepared())
    module = TorchGraph(graph, quantise(graph, ranges, Options(output_step=STEP)))
    module(tensor()).square().sum().backward()
    trained = [one for one in module.parameters() if one.requires_grad]
    assert trained
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in trained)


def test_sums_written_as_layers_stay_as_they_are() -> None:
    graph, _ = _prepared()
    still = [one for one in TorchGraph(graph).parameters() if not one.requires_grad]
    assert len(still) == 2 * sum(op.output.endswith(":total") for op in graph.ops)


def test_trained_constants_come_back_as_a_graph() -> None:
    graph, _ = _prepared()
    module = TorchGraph(graph)
    with torch.no_grad():
        for one in module.parameters():
            one.mul_(1.5)
    given = module.trained_graph()
    assert given.ops == graph.ops
    want = module(tensor()).detach().numpy()
    np.testing.assert_allclose(run_float(given, windows(8))[given.outputs[0]], want, rtol=1e-4, atol=1e-4)


def _prepared() -> tuple[Graph, dict[str, tuple[float, float]]]:
    graph = prepare(transformer(blocks=3), Form(unit_output=False))
    return graph, estimate(collect(graph, windows()))
