import numpy as np
import pytest
import torch
from torch import nn

from ecgkd.errors import UsageError
from ecgkd.models import build_model, count_macs, count_parameters, export_form
from ecgkd.models.dt4ecg import ATTENTION_KERNEL, SHARED_SIZE, SequenceChannelAttention
from ecgkd.models.resnet1d import BasicBlock
from ecgkd.training.objective import last_shared

REACH = ATTENTION_KERNEL // 2


@pytest.fixture
def attention() -> SequenceChannelAttention:
    torch.manual_seed(3)
    return SequenceChannelAttention(32)


def test_gates_lie_between_nothing_and_all(attention):
    x = 3 * torch.randn(2, 32, 1, 50)
    channels, steps = attention.channel_gate(x), attention.sequence_gate(x)
    assert channels.shape == (2, 32, 1, 1)
    assert steps.shape == (2, 1, 1, 50)
    for gate in (channels, steps):
        assert 0 < gate.min() < gate.max() < 1


def test_attention_adds_what_both_gates_let_through(attention):
    x = torch.randn(2, 32, 1, 50)
    gated = attention.channel_gate(x) * x
    torch.testing.assert_close(attention(x), x + attention.sequence_gate(gated) * gated)


def test_channel_gate_follows_its_formula(attention):
    x = torch.randn(2, 32, 1, 50)
    inner, outer = attention.squeeze.weight, attention.expand.weight
    mean, peak = x.mean(3)[:, :, 0], x.amax(3)[:, :, 0]
    want = torch.sigmoid(torch.relu(mean @ inner.T) @ outer.T + torch.relu(peak @ inner.T) @ outer.T)
    torch.testing.assert_close(attention.channel_gate(x)[:, :, 0, 0], want)


def test_channel_gate_does_not_ask_when(attention):
    x = torch.randn(2, 32, 1, 50)
    torch.testing.assert_close(attention.channel_gate(x[..., torch.randperm(50)]), attention.channel_gate(x))


def test_sequence_gate_does_not_ask_which_channel(attention):
    x = torch.randn(2, 32, 1, 50)
    torch.testing.assert_close(attention.sequence_gate(x[:, torch.randperm(32)]), attention.sequence_gate(x))


def test_sequence_gate_moves_with_the_signal(attention):
    x = torch.randn(1, 32, 1, 60)
    inside = slice(REACH, 50 - REACH)
    moved = attention.sequence_gate(x[..., 10:])[..., inside]
    torch.testing.assert_close(moved, attention.sequence_gate(x)[..., 10:][..., inside])


def test_constant_maps_have_a_constant_gate_away_from_the_ends(attention):
    x = torch.randn(1, 32, 1, 1).expand(1, 32, 1, 50)
    gate = attention.sequence_gate(x)[..., REACH:-REACH]
    torch.testing.assert_close(gate, gate[..., :1].expand_as(gate))


@pytest.mark.parametrize(("channels", "hidden"), [(32, 8), (64, 8), (128, 16)])
def test_attention_has_two_small_matrices_and_one_kernel(channels, hidden):
    assert count_parameters(SequenceChannelAttention(channels)) == 2 * channels * hidden + 2 * ATTENTION_KERNEL + 1


def test_attention_follows_the_last_three_stages():
    stages = build_model("dt4ecg").stages
    assert [isinstance(stage[-1], SequenceChannelAttention) for stage in stages] == [False, True, True, True]
    assert [sum(isinstance(part, BasicBlock) for part in stage) for stage in stages] == [1, 2, 2, 1]


@pytest.mark.parametrize(("preset", "width"), [("dt4ecg", 16), ("dt4ecg_wide", 32)])
def test_parameters_follow_from_the_layer_table(preset, width):
    channels = (width, 2 * width, 4 * width, 4 * width)
    total = 15 * width + 2 * width  # stem and its norm
    n_in = width
    for level, (n_blocks, n_out) in enumerate(zip((1, 2, 2, 1), channels, strict=True)):
        total += 7 * n_in * n_out + (2 * n_blocks - 1) * 7 * n_out * n_out + 4 * n_blocks * n_out
        total += n_in * n_out + 2 * n_out if level else 0  # shortcut and its norm
        total += 2 * n_out * max(8, n_out // 8) + 31 if level else 0
        n_in = n_out
    total += 2 * n_in * SHARED_SIZE + SHARED_SIZE
    model = build_model(preset)
    assert count_parameters(model) - count_parameters(model.head) == total


def test_three_leads_cost_a_wider_stem_only():
    one, three = build_model("dt4ecg"), build_model("dt4ecg", n_leads=3)
    assert count_parameters(three) - count_parameters(one) == 2 * 15 * 16
    assert count_macs(three) - count_macs(one) == 2 * 15 * 16 * 500


@pytest.mark.parametrize("n_leads", [1, 3])
def test_features_are_the_four_stages(n_leads, seasoned):
    model = seasoned("dt4ecg", n_leads=n_leads)
    output = model(torch.randn(2, n_leads, 1000), features=True)
    shapes = [tuple(maps.shape) for maps in output.features]
    assert shapes == [(2, 16, 500), (2, 32, 250), (2, 64, 125), (2, 64, 63)]
    assert model.feature_channels == (16, 32, 64, 64)


def test_asking_for_features_changes_nothing_else(seasoned):
    model = seasoned("dt4ecg", 4)
    windows = torch.randn(2, 1, 1000)
    plain, with_features = model(windows), model(windows, features=True)
    assert plain.features == ()
    assert torch.equal(plain.embedding, with_features.embedding)
    assert torch.equal(plain.logits, with_features.logits)


def test_both_heads_read_mean_and_maximum_over_time(seasoned):
    model = seasoned("dt4ecg", 4, n_activities=5)
    windows = torch.randn(2, 1, 1000)
    last = model(windows, features=True).features[3]
    shared = model.shared(torch.cat([last.mean(2), last.amax(2)], 1))
    output = model(windows)
    embedding, neck = model.head(shared)
    torch.testing.assert_close(output.embedding, embedding)
    torch.testing.assert_close(output.logits, model.classifier(neck))
    torch.testing.assert_close(output.activity, model.activity(shared))
    assert output.activity.shape == (2, 5)


def test_without_activities_there_is_no_activity_head(seasoned):
    model = seasoned("dt4ecg", 4)
    assert model.activity is None
    assert model(torch.randn(1, 1, 1000)).activity is None


def test_without_attention_the_stages_are_the_same_but_for_the_gates():
    with_gates, plain = (build_model(name, 3, n_activities=2) for name in ("dt4ecg", "dt4ecg_plain"))
    ours = {name for name, _ in with_gates.named_parameters()}
    theirs = {name for name, _ in plain.named_parameters()}
    assert theirs < ours
    assert all(part in name for name in ours - theirs for part in ("stages.",))
    assert not any(isinstance(module, SequenceChannelAttention) for module in plain.modules())


@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_gradients_reach_every_weight_from_both_tasks(head):
    torch.manual_seed(0)
    model = build_model("dt4ecg", 5, head=head, n_activities=3)
    output = model(torch.randn(4, 1, 1000))
    labels = torch.tensor([0, 1, 2, 0])
    loss = nn.functional.cross_entropy(output.logits, labels) + nn.functional.cross_entropy(output.activity, labels)
    loss.backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_the_layer_before_the_heads_is_the_last_that_all_terms_pull():
    model = build_model("dt4ecg", 3, n_activities=2)
    assert last_shared(model) is model.shared.weight


def test_bfloat16_training_keeps_the_heads_in_float32(seasoned):
    model = seasoned("dt4ecg", 6, head="cosine", n_activities=3)
    windows = torch.randn(3, 1, 1000)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = model(windows)
    assert output.embedding.dtype == output.logits.dtype == output.activity.dtype == torch.float32
    assert (output.embedding * model(windows).embedding).sum(1).min() > 0.999


def test_a_fresh_network_is_stable_in_depth():
    torch.manual_seed(0)
    model = build_model("dt4ecg").train()
    with torch.no_grad():
        levels = model(torch.randn(8, 1, 1000), features=True).features
    assert all(0.1 < float(level.std()) < 10 for level in levels)


@pytest.mark.parametrize("n_leads", [1, 3])
def test_export_form_gives_the_same_embedding_whatever_the_leads(n_leads, seasoned):
    model = seasoned("dt4ecg", 4, n_leads=n_leads, n_activities=3)
    form = export_form(model)
    windows = 2 * torch.randn(3, n_leads, 1000)
    with torch.no_grad():
        got = torch.cat([form(window[None]) for window in windows])
        assert (got - model(windows).embedding).abs().max() <= 1e-5


def test_export_form_has_no_activity_and_no_tensor_of_more_than_three_axes(seasoned):
    form = export_form(seasoned("dt4ecg", 11, n_activities=7))
    program = torch.export.export(form, (torch.zeros(1, 1, 1000),))
    values = [node.meta["val"] for node in program.graph.nodes if "val" in node.meta]
    assert max(value.ndim for value in values) == 3
    assert not any({7, 11} & set(parameter.shape[:1]) for parameter in form.parameters())


def test_shared_layer_and_embedding_are_exported_as_one(seasoned):
    form = export_form(seasoned("dt4ecg"))
    assert form.head.linear.weight.shape == (192, 128)
    assert count_macs(seasoned("dt4ecg")) - count_macs(form) == 2 * 64 * SHARED_SIZE


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_exported_network_becomes_the_graph_of_the_devices(seasoned):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from ecgkd_export.float_run import run_float
    from ecgkd_export.graph import Kind
    from ecgkd_export.lower import lower
    from ecgkd_export.torch_onnx import to_onnx

    form = export_form(seasoned("dt4ecg", n_leads=3))
    graph = lower(to_onnx(form, np.zeros((1, 3, 1000), np.float32)))
    windows = np.random.default_rng(0).normal(size=(3, 3, 1000)).astype(np.float32)
    with torch.no_grad():
        want = torch.cat([form(torch.from_numpy(window)[None]) for window in windows]).numpy()
    assert np.abs(run_float(graph, windows)["embedding"][:, 0] - want).max() <= 1e-5
    assert [op.kind for op in graph.ops].count(Kind.TRANSPOSE) == 1  # the leads, at the door


@pytest.mark.parametrize("n_leads", [0, 2, 12])
def test_other_numbers_of_leads_are_refused(n_leads):
    with pytest.raises(UsageError, match=f"dt4ecg: {n_leads} leads; expected 1 or 3"):
        build_model("dt4ecg", n_leads=n_leads)


def test_a_negative_number_of_activities_is_refused():
    with pytest.raises(UsageError, match="-1 activities"):
        build_model("dt4ecg", n_activities=-1)


@pytest.mark.parametrize("options", [{"n_leads": 3}, {"n_activities": 4}])
@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_other_networks_have_neither_leads_nor_activities(preset, options):
    with pytest.raises(UsageError, match=f"{preset} takes one lead and has no activity head"):
        build_model(preset, **options)


def test_the_export_form_tells_both_as_the_network_does(seasoned):
    model = seasoned("dt4ecg", n_activities=5).eval()
    windows = torch.randn(3, 1, 1000)
    form = export_form(model, with_activity=True)
    with torch.no_grad():
        whole = model(windows)
        for row in range(3):
            embedding, activity = form(windows[row : row + 1])
            torch.testing.assert_close(embedding[0], whole.embedding[row], atol=1e-5, rtol=0)
            torch.testing.assert_close(activity[0], whole.activity[row], atol=1e-4, rtol=1e-4)


def test_a_network_without_an_activity_head_exports_none(seasoned):
    with pytest.raises(UsageError, match="no activity head to export"):
        export_form(seasoned("dt4ecg"), with_activity=True)
