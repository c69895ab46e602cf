import pytest
import torch
from torch import nn

from ecgkd.config import LossConfig
from ecgkd.losses import ChannelStatistics, FeatureProjectors, additive_margin
from ecgkd.models import ModelOutput, build_model
from ecgkd.training.objective import (
    Peers,
    distil_terms,
    gradient_norms,
    last_shared,
    margin_at,
    task_terms,
    total_loss,
    weights_at,
)

ALL = LossConfig(kd=9.0, embedding=2.0, features=2.5, relations=1.0, relations_embedding=0.5, triplet_from=1.0)
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def output(seed: int, width: int = 8, grad: bool = True) -> ModelOutput:
    torch.manual_seed(seed)
    embedding = nn.functional.normalize(torch.randn(6, 192), dim=1).requires_grad_(grad)
    features = tuple(torch.randn(6, width, steps, requires_grad=grad) for steps in (25, 25, 25, 25))
    logits = torch.randn(6, 3).requires_grad_(grad)
    return ModelOutput(embedding, logits, None, features)


def test_terms_of_distillation_rise_over_the_ramp():
    start, half, full = (weights_at(ALL, epoch, 10) for epoch in (0.0, 1.0, 2.0))

    assert (start["embedding"], half["embedding"], full["embedding"]) == (0.0, 1.0, 2.0)
    assert (start["kd"], half["relations"], full["relations_embedding"]) == (0.0, 0.5, 0.5)
    assert start["ce"] == half["ce"] == 1.0


def test_the_feature_term_declines_after_its_hold_to_a_tenth():
    weights = [weights_at(ALL, epoch, 10)["features"] for epoch in (2.0, 6.0, 8.0, 10.0)]

    assert weights == pytest.approx([2.5, 2.5, 2.5 * 0.55, 0.25])


def test_the_triplet_loss_joins_after_its_first_epochs():
    assert weights_at(ALL, 0.99, 10)["triplet"] == 0
    assert weights_at(ALL, 1.0, 10)["triplet"] == 1.0


def test_terms_that_are_off_do_not_appear():
    assert set(weights_at(LossConfig(triplet=0.0), 1.0, 10)) == {"ce"}


def test_the_margin_rises_over_its_ramp():
    config = LossConfig(margin=0.2, margin_ramp=2.0)

    assert [margin_at(config, epoch) for epoch in (0.0, 1.0, 5.0)] == [0.0, 0.1, 0.2]
    assert margin_at(LossConfig(margin=0.2), 0.0) == 0.2


def test_task_terms_are_the_losses_of_their_names():
    answer = output(0)
    config = LossConfig(margin=0.2)

    terms = task_terms(answer, LABELS, config, 5.0, Peers(), weights_at(config, 5.0, 10))

    assert set(terms.values) == {"ce", "triplet"}
    torch.testing.assert_close(terms.values["ce"], additive_margin(answer.logits, LABELS, 0.2))
    assert 0 <= float(terms.facts["active"]) <= 1
    assert 0 <= float(terms.facts["accuracy"]) <= 1


def test_a_student_like_its_teacher_has_nothing_to_learn_from_it_but_features():
    student = output(0)
    projectors, statistics = FeatureProjectors(8, (8,) * 4), ChannelStatistics((8,) * 4)
    statistics.accumulate(student.features, (25,) * 4)

    terms = distil_terms(student, student, ALL, projectors, statistics, Peers(), weights_at(ALL, 5.0, 10))

    assert set(terms.values) == {"kd", "embedding", "features", "relations", "relations_embedding"}
    for name in ("kd", "embedding", "relations", "relations_embedding"):
        assert terms.values[name].item() == pytest.approx(0, abs=1e-5), name
    assert terms.values["features"].item() > 0.1


def test_gradients_reach_the_student_and_never_the_teacher():
    student, teacher = output(0), output(1)
    projectors, statistics = FeatureProjectors(8, (8,) * 4), ChannelStatistics((8,) * 4)
    statistics.accumulate(teacher.features, (25,) * 4)
    weights = weights_at(ALL, 5.0, 10)

    terms = distil_terms(student, teacher, ALL, projectors, statistics, Peers(), weights)
    total_loss(terms.values, weights).backward()

    assert student.embedding.grad is not None
    assert all(level.grad is not None for level in student.features)
    assert teacher.embedding.grad is None
    assert all(level.grad is None for level in teacher.features)


@pytest.mark.parametrize("preset", ["resnet34_quarter", "deit_nano"])
def test_pulls_are_measured_without_leaving_gradients(preset):
    model = build_model(preset, 3)
    answer = model(torch.randn(6, 1, 1000), features=True)
    values = {"ce": nn.functional.cross_entropy(answer.logits, LABELS), "features": answer.features[-1].square().mean()}

    pulls = gradient_norms(values, LossConfig(features=2.0), last_shared(model))
    twice = gradient_norms(values, LossConfig(features=4.0), last_shared(model))

    assert all(pull > 0 for pull in pulls.values())
    assert twice["features"] == pytest.approx(2 * pulls["features"])
    assert all(parameter.grad is None for parameter in model.parameters())
