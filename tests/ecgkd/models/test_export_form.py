from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ecgkd.models import PRESETS, count_macs, export_form


@pytest.mark.parametrize("preset", PRESETS)
def test_export_form_gives_the_same_embedding(preset, seasoned):
    model = seasoned(preset, 3, head="cosine", distil_head=True)
    form = export_form(model)
    windows = 2 * torch.randn(3, 1, 1000)
    with torch.no_grad():
        expected = model(windows).embedding
        got = torch.cat([form(window[None]) for window in windows])
    assert got.shape == (3, 192)
    assert (got - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_export_form_has_no_tensor_of_more_than_three_axes(preset, seasoned):
    program = torch.export.export(export_form(seasoned(preset)), (torch.zeros(1, 1, 1000),))
    values = [node.meta["val"] for node in program.graph.nodes if "val" in node.meta]
    assert len(values) > 50
    assert max(value.ndim for value in values) == 3


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_export_form_holds_neither_batch_norms_nor_classifiers(preset, seasoned):
    form = export_form(seasoned(preset, 11))
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in form.modules())
    assert not any(11 in parameter.shape for parameter in form.parameters())
    assert not form.training
    assert not any(parameter.requires_grad for parameter in form.parameters())


def test_export_form_computes_the_last_block_for_two_tokens_only(seasoned):
    model = seasoned("deit_micro")
    width, tokens = 96, 27
    last_block = (tokens - 2) * (10 * width * width + 2 * tokens * width)
    assert count_macs(model) - count_macs(export_form(model)) == last_block


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_export_form_is_a_copy_that_later_training_does_not_reach(preset, seasoned):
    model = seasoned(preset)
    form = export_form(model)
    window = torch.randn(1, 1, 1000)
    before = form(window)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert torch.equal(form(window), before)


def test_foreign_networks_have_no_export_form():
    with pytest.raises(TypeError, match="Linear"):
        export_form(nn.Linear(2, 2))


# torch's own exporter warns about torch's own deprecations
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_export_form_passes_the_dynamo_exporter_with_one_node_per_operator(tmp_path: Path, seasoned):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    form = export_form(seasoned("deit_nano"))
    window = torch.randn(1, 1, 1000)
    program = torch.onnx.export(
        form, (window,), dynamo=True, opset_version=20, input_names=["window"], output_names=["embedding"]
    )
    path = tmp_path / "nano.onnx"
    assert program is not None
    program.save(path)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("Gelu") == 4
    assert operators.count("LayerNormalization") == 9
    assert operators.count("Softmax") == 4
    assert {"Expand", "Gather", "Shape", "Conv", "Erf"}.isdisjoint(operators)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (embedding,) = session.run(None, {"window": window.numpy()})
    assert np.abs(embedding - form(window).numpy()).max() <= 1e-5
