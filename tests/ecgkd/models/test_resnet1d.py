import torch

from ecgkd.models import build_model


def test_features_are_the_four_stages(seasoned):
    model = seasoned("resnet34_quarter")
    output = model(torch.randn(2, 1, 1000), features=True)
    assert [tuple(maps.shape) for maps in output.features] == [
        (2, 16, 250),
        (2, 32, 125),
        (2, 64, 63),
        (2, 128, 32),
    ]
    assert model.feature_channels == (16, 32, 64, 128)


def test_embedding_is_the_head_on_the_time_average_of_the_last_stage(seasoned):
    model = seasoned("resnet34_quarter")
    output = model(torch.randn(2, 1, 1000), features=True)
    embedding, _ = model.head(output.features[3].mean(2))
    torch.testing.assert_close(output.embedding, embedding)


def test_asking_for_features_changes_nothing_else(seasoned):
    model = seasoned("resnet34_quarter", 4)
    windows = torch.randn(2, 1, 1000)
    plain, with_features = model(windows), model(windows, features=True)
    assert torch.equal(plain.embedding, with_features.embedding)
    assert torch.equal(plain.logits, with_features.logits)


def test_features_reach_as_far_as_their_receptive_field(seasoned):
    model = seasoned("resnet34_quarter")
    windows = torch.randn(1, 1, 1000)
    changed = windows.clone()
    changed[..., 600] += 1
    levels = zip(model(windows, features=True).features, model(changed, features=True).features, strict=True)
    first, *_ = ((before - after).abs().amax((0, 1)) > 0 for before, after in levels)
    touched = first.nonzero().flatten()
    # C2: seven 3-tap convolutions' reach of 4 samples each, around sample 600
    assert touched.min() >= 600 / 4 - 8
    assert touched.max() <= 600 / 4 + 8


def test_a_fresh_block_passes_its_input_through():
    block = build_model("resnet34_quarter").stages[0][0]
    x = torch.rand(2, 16, 1, 20)
    assert torch.equal(block(x), x)
