import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ecgkd.losses import (
    ChannelStatistics,
    FeatureProjectors,
    common_grids,
    feature_alignment,
    hierarchical_alignment,
    pool_time,
)
from ecgkd.models import build_model

CHANNELS = (16, 32, 64, 128)
TEACHER_STEPS = (250, 125, 63, 32)


def teacher_maps(n_batch: int = 4) -> list[torch.Tensor]:
    return [torch.rand(n_batch, c, t) * c + c for c, t in zip(CHANNELS, TEACHER_STEPS, strict=True)]


def test_grids_are_those_of_the_design():
    assert common_grids(50, TEACHER_STEPS) == (50, 25, 25, 25)
    assert common_grids(25, TEACHER_STEPS) == (25, 25, 25, 25)


@pytest.mark.parametrize("n_tokens", [10, 20, 25, 40, 50, 100, 125])
def test_grids_are_no_finer_than_either_side_and_never_refine(n_tokens):
    grids = common_grids(n_tokens, TEACHER_STEPS)
    assert all(n <= min(n_tokens, steps) for n, steps in zip(grids, TEACHER_STEPS, strict=True))
    assert all(n_tokens % n == 0 for n in grids)
    assert list(grids) == sorted(grids, reverse=True)


def test_pooling_takes_means_of_equal_stretches():
    assert pool_time(torch.tensor([[[1.0, 3.0, 5.0, 9.0]]]), 2).tolist() == [[[2.0, 7.0]]]


@pytest.mark.parametrize(("length", "steps"), [(250, 50), (125, 25), (63, 25), (32, 25), (25, 25)])
def test_pooling_is_adaptive_average_pooling(length, steps):
    maps = torch.randn(2, 3, length)
    torch.testing.assert_close(pool_time(maps, steps), F.adaptive_avg_pool1d(maps, steps))


def test_golden_alignment_of_two_steps():
    # step 1 at a right angle, step 2 parallel: cosine part 1/2; differences 1, −1, 0, 1: smooth L1 3/8, halved
    student = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    teacher = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    assert feature_alignment(student, teacher).item() == pytest.approx(0.5 + 0.5 * 0.375, abs=1e-6)


def test_alignment_agrees_with_numpy():
    student, teacher = torch.randn(3, 5, 4), torch.randn(3, 5, 4)
    s, t = student.double().numpy(), teacher.double().numpy()
    cosine = (s * t).sum(1) / np.sqrt((s * s).sum(1) * (t * t).sum(1))
    gap = np.abs(s - t)
    smooth = np.where(gap < 1, gap**2 / 2, gap - 0.5)
    expected = (1 - cosine).mean() + 0.5 * smooth.mean()
    assert feature_alignment(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_identical_maps_cost_nothing():
    maps = torch.randn(2, 6, 25)
    assert feature_alignment(maps, maps).item() == pytest.approx(0, abs=1e-6)


def test_cosine_part_ignores_the_gain_of_the_student():
    student, teacher = torch.randn(2, 6, 25), torch.randn(2, 6, 25)

    def cosine_part(gain: float) -> torch.Tensor:
        return feature_alignment(gain * student, teacher) - 0.5 * F.smooth_l1_loss(gain * student, teacher)

    torch.testing.assert_close(cosine_part(4.0), cosine_part(1.0))


def test_silent_student_has_finite_gradients():
    student = torch.zeros(2, 6, 25, requires_grad=True)
    feature_alignment(student, torch.randn(2, 6, 25)).backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_statistics_of_batches_are_those_of_the_whole_set():
    grids = common_grids(25, TEACHER_STEPS)
    batches = [teacher_maps(3), teacher_maps(5)]
    statistics = ChannelStatistics(CHANNELS)
    for batch in batches:
        statistics.accumulate(batch, grids)
    for level, steps in enumerate(grids):
        whole = pool_time(torch.cat([batch[level] for batch in batches]), steps).double().numpy()
        mean, std = statistics.mean_std(level)
        np.testing.assert_allclose(mean.numpy(), whole.mean((0, 2)), rtol=1e-5)
        np.testing.assert_allclose(std.numpy(), whole.std((0, 2)), rtol=1e-4)
        standard = statistics.standardise(level, torch.tensor(whole))
        torch.testing.assert_close(standard.mean((0, 2)), torch.zeros(CHANNELS[level]), atol=1e-3, rtol=0)
        torch.testing.assert_close(standard.std((0, 2), correction=0), torch.ones(CHANNELS[level]), atol=1e-3, rtol=0)


def test_statistics_of_two_processes_add_up():
    grids = common_grids(25, TEACHER_STEPS)
    first, second, both = (ChannelStatistics(CHANNELS) for _ in range(3))
    for batch, own in ((teacher_maps(), first), (teacher_maps(), second)):
        own.accumulate(batch, grids)
        both.accumulate(batch, grids)
    for mine, theirs in zip(first.buffers(), second.buffers(), strict=True):
        mine.add_(theirs)
    torch.testing.assert_close(first.mean_std(2), both.mean_std(2))


def test_statistics_survive_a_checkpoint():
    statistics, restored = ChannelStatistics(CHANNELS), ChannelStatistics(CHANNELS)
    statistics.accumulate(teacher_maps(), (25, 25, 25, 25))
    restored.load_state_dict(statistics.state_dict())
    assert torch.equal(restored.mean_std(3)[1], statistics.mean_std(3)[1])


def test_dead_channels_stay_quiet():
    statistics = ChannelStatistics((2,))
    maps = torch.randn(8, 2, 25)
    maps[:, 1] = 5.0
    statistics.accumulate([maps], (25,))
    _, std = statistics.mean_std(0)
    assert std[1].item() == pytest.approx(1e-3 * std[0].item(), rel=1e-5)
    assert statistics.standardise(0, maps)[:, 1].abs().max() < 0.01


@pytest.mark.parametrize(("width", "lifted"), [(16, [False, True, True, True]), (64, [False, False, False, True])])
def test_projectors_give_teacher_channels_and_lift_where_the_student_is_narrower(width, lifted):
    projectors = FeatureProjectors(width, CHANNELS)
    projected = projectors([torch.randn(2, width, 50)] * 4, (50, 25, 25, 25))
    assert [tuple(maps.shape) for maps in projected] == [(2, 16, 50), (2, 32, 25), (2, 64, 25), (2, 128, 25)]
    assert [isinstance(p, torch.nn.Sequential) for p in projectors.projections] == lifted


def test_hierarchical_alignment_is_the_weighted_mean_of_its_levels():
    statistics, projectors = ChannelStatistics(CHANNELS), FeatureProjectors(8, CHANNELS)
    teacher, student = teacher_maps(), [torch.randn(4, 8, 25) for _ in range(4)]
    statistics.accumulate(teacher, (25,) * 4)
    levels = [
        hierarchical_alignment(student, teacher, projectors, statistics, [float(i == level) for i in range(4)])
        for level in range(4)
    ]
    expected = (0.5 * levels[0] + 0.75 * levels[1] + levels[2] + levels[3]) / 3.25
    torch.testing.assert_close(hierarchical_alignment(student, teacher, projectors, statistics), expected)


def test_gradient_of_a_level_reaches_no_later_block():
    student = build_model("deit_nano", drop_path=0.0)
    statistics, projectors = ChannelStatistics(CHANNELS), FeatureProjectors(64, CHANNELS)
    teacher = teacher_maps(2)
    statistics.accumulate(teacher, (25,) * 4)
    features = student(torch.randn(2, 1, 1000), features=True).features
    hierarchical_alignment(features, teacher, projectors, statistics, (0.0, 1.0, 0.0, 0.0)).backward()
    gradients = [block.mlp.fc1.weight.grad for block in student.transformer.blocks]
    assert [bool(gradient.abs().max() > 0) for gradient in gradients] == [True, True, False, False]


def test_a_student_that_follows_the_term_comes_nearer():
    statistics, projectors = ChannelStatistics(CHANNELS), FeatureProjectors(32, CHANNELS)
    teacher, student = teacher_maps(), [torch.randn(4, 32, 25) for _ in range(4)]
    statistics.accumulate(teacher, (25,) * 4)
    optimiser = torch.optim.Adam(projectors.parameters(), lr=0.01)
    values = []
    for _ in range(20):
        loss = hierarchical_alignment(student, teacher, projectors, statistics)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values[-1] < 0.8 * values[0]
