import pytest
import torch
from safetensors.torch import load, save

from ecgkd.errors import UsageError
from ecgkd.losses import angular
from ecgkd.models import (
    COSINE_SCALE,
    EMBEDDING_SIZE,
    PRESETS,
    build_model,
    count_macs,
    count_parameters,
    without_classifier,
)

SIZES = {  # parameters without the embedding head, multiply-accumulates of a window with it
    "resnet34": (7_218_240, 352_971_520),
    "resnet34_k7": (16_589_888, 813_460_224),
    "resnet34_half": (1_808_928, 88_323_456),
    "resnet34_base24": (1_019_160, 49_712_160),
    "resnet34_quarter": (454_416, 22_121_152),
    "deit_tiny": (5_353_152, 288_726_528),
    "deit_micro": (677_952, 18_870_144),
    "deit_nano": (204_544, 5_757_952),
    "dt4ecg": (213_869, 25_040_660),
    "dt4ecg_plain": (211_216, 25_023_680),
    "dt4ecg_wide": (817_661, 99_775_188),
}


def test_every_preset_has_its_published_size():
    assert set(SIZES) == set(PRESETS)
    for preset, (parameters, macs) in SIZES.items():
        model = build_model(preset)
        assert count_parameters(model) - count_parameters(model.head) == parameters, preset
        assert count_macs(model) == macs, preset


def test_macs_of_the_teacher_follow_from_its_layer_table():
    base, kernel = 16, 3
    macs = 500 * 7 * base  # stem
    width, length = base, 250
    for level, n_blocks in enumerate((3, 4, 6, 3)):
        n_out = base * 2**level
        length = -(-length // 2) if level else length
        macs += length * kernel * (width * n_out + (2 * n_blocks - 1) * n_out * n_out)
        macs += length * width * n_out if level else 0
        width = n_out
    assert count_macs(build_model("resnet34_quarter")) == macs + width * EMBEDDING_SIZE


def test_macs_of_the_student_follow_from_its_shape():
    width, depth, tokens, patch = 64, 4, 27, 40
    per_block = tokens * 12 * width * width + 2 * tokens * tokens * width
    expected = 25 * patch * width + depth * per_block + width * EMBEDDING_SIZE
    assert count_macs(build_model("deit_nano")) == expected


def test_counting_leaves_the_mode_of_the_network_alone():
    model = build_model("deit_nano").train()
    count_macs(model)
    assert model.training


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gives_unit_embeddings_of_the_same_size(preset):
    output = build_model(preset).eval()(torch.randn(2, 1, 1000))
    assert output.embedding.shape == (2, EMBEDDING_SIZE)
    assert output.embedding.dtype == torch.float32
    torch.testing.assert_close(output.embedding.norm(dim=1), torch.ones(2))
    assert output.logits is None
    assert output.distil_logits is None
    assert output.features == ()


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_gradients_reach_every_trainable_weight(preset, head):
    torch.manual_seed(0)
    model = build_model(preset, 5, head=head, distil_head=True, drop_path=0.0)
    output = model(torch.randn(4, 1, 1000))
    loss = torch.nn.functional.cross_entropy(output.logits, torch.arange(4))
    if output.distil_logits is not None:
        loss = loss + output.distil_logits.square().mean()
    loss.backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []


def test_seed_decides_the_weights():
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_model("deit_nano", 4).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["head.project.weight"], states[2]["head.project.weight"])


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_weights_without_classifier_survive_a_file_and_give_the_same_embedding(preset, seasoned):
    trained = seasoned(preset, 6, head="cosine", distil_head=True)
    deployed = build_model(preset).eval()
    deployed.load_state_dict(load(save(without_classifier(trained.state_dict()))))
    windows = torch.randn(3, 1, 1000)
    assert torch.equal(deployed(windows).embedding, trained(windows).embedding)


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_bfloat16_training_keeps_the_head_in_float32(preset, seasoned):
    model = seasoned(preset, 6, head="cosine")
    windows = torch.randn(3, 1, 1000)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        reduced = model(windows)
    assert reduced.embedding.dtype == reduced.logits.dtype == torch.float32
    cosine = (reduced.embedding * model(windows).embedding).sum(1)
    assert cosine.min() > 0.999


def test_cosine_head_and_margin_losses_agree_on_the_scale():
    assert angular.SCALE == COSINE_SCALE


def test_unknown_preset_is_refused_with_those_known():
    with pytest.raises(UsageError, match=r"'resnet50'; known: resnet34, .*deit_nano"):
        build_model("resnet50", 2)


def test_unknown_head_is_refused():
    with pytest.raises(UsageError, match="linear or cosine"):
        build_model("deit_nano", 2, head="softmax")


def test_negative_number_of_classes_is_refused():
    with pytest.raises(UsageError, match="-1 classes"):
        build_model("deit_nano", -1)
