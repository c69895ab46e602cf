import pytest
import torch

from ecgkd.models import PRESETS
from ecgkd.models.deit1d import DeitShape, import_timm


@pytest.mark.parametrize(
    ("depth", "blocks"), [(12, (3, 6, 9, 12)), (6, (2, 3, 5, 6)), (4, (1, 2, 3, 4)), (5, (2, 3, 4, 5))]
)
def test_levels_stand_at_the_quarters_of_the_depth(depth, blocks):
    assert DeitShape(width=96, depth=depth, heads=3, patch=40).level_blocks == blocks


def test_small_presets_keep_heads_of_32_channels():
    for preset in ("deit_micro", "deit_nano"):
        shape = PRESETS[preset]
        assert isinstance(shape, DeitShape)
        assert shape.width // shape.heads == 32


@pytest.mark.parametrize(("preset", "width", "steps"), [("deit_tiny", 192, 50), ("deit_micro", 96, 25)])
def test_features_are_patch_tokens_of_four_blocks(preset, width, steps, seasoned):
    model = seasoned(preset)
    output = model(torch.randn(2, 1, 1000), features=True)
    assert [tuple(maps.shape) for maps in output.features] == [(2, width, steps)] * 4
    assert model.feature_channels == (width,) * 4


def test_features_are_what_leaves_the_blocks(seasoned):
    model = seasoned("deit_micro")
    seen = {}
    for index, block in enumerate(model.transformer.blocks):
        block.register_forward_hook(lambda _m, _i, out, index=index: seen.__setitem__(index + 1, out))
    output = model(torch.randn(2, 1, 1000), features=True)
    for maps, block in zip(output.features, (2, 3, 5, 6), strict=True):
        assert torch.equal(maps, seen[block][:, 2:].transpose(1, 2))


def test_asking_for_features_changes_nothing_else(seasoned):
    model = seasoned("deit_nano", 4, distil_head=True)
    windows = torch.randn(2, 1, 1000)
    plain, with_features = model(windows), model(windows, features=True)
    torch.testing.assert_close(plain.embedding, with_features.embedding)
    torch.testing.assert_close(plain.logits, with_features.logits)


def test_embedding_comes_from_the_mean_of_both_tokens(seasoned):
    model = seasoned("deit_nano")
    windows = torch.randn(2, 1, 1000)
    tokens = model.transformer.forward_features(windows.unsqueeze(2))
    embedding, _ = model.head((tokens[:, 0] + tokens[:, 1]) / 2)
    torch.testing.assert_close(model(windows).embedding, embedding)


def test_heads_are_separate_in_training_and_averaged_in_use(seasoned):
    model = seasoned("deit_nano", 5, head="cosine", distil_head=True, drop_path=0.0)
    windows = torch.randn(3, 1, 1000)
    used = model(windows)
    model.train()
    model.head.eval()  # the batch norm would see another batch
    trained = model(windows)
    assert torch.equal(used.distil_logits, trained.distil_logits)
    torch.testing.assert_close(used.logits, (trained.logits + trained.distil_logits) / 2)


def test_without_distillation_head_the_class_logits_stand_alone(seasoned):
    model = seasoned("deit_nano", 5)
    output = model(torch.randn(2, 1, 1000))
    assert output.distil_logits is None
    assert output.logits.shape == (2, 5)


def test_drop_path_acts_in_training_only(seasoned):
    model = seasoned("deit_nano", drop_path=0.5)
    windows = torch.randn(8, 1, 1000)
    assert torch.equal(model(windows).embedding, model(windows).embedding)
    model.train()
    model.head.eval()
    assert not torch.equal(model(windows).embedding, model(windows).embedding)


def test_timm_can_be_imported_again_and_again():
    assert import_timm() is import_timm()
