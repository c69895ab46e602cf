import math

import numpy as np
import pytest
import torch

from ecgkd.losses import distillation, standardised_kd


def softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def reference(student: np.ndarray, teacher: np.ndarray, temperature: float) -> float:
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return float(temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=1)))


def test_golden_plain_distillation():
    # teacher 3 : 1 at T = 4, student undecided: 16 · (0.75 ln 1.5 + 0.25 ln 0.5)
    loss = distillation(torch.zeros(1, 2), torch.tensor([[4 * math.log(3), 0.0]]), temperature=4)
    assert loss.item() == pytest.approx(2.092993, abs=1e-5)


def test_golden_standardised_distillation():
    # they become (−1, 0, 1) and (1, 0, −1); at T = 2 the divergence is p₁ − p₃ = 0.320156, times 4
    loss = standardised_kd(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[30.0, 20.0, 10.0]]), temperature=2)
    p = np.exp([0.5, 0.0, -0.5]) / np.exp([0.5, 0.0, -0.5]).sum()
    assert loss.item() == pytest.approx(4 * (p[0] - p[2]), abs=1e-5)
    assert loss.item() == pytest.approx(1.280625, abs=1e-5)


def test_both_agree_with_numpy():
    student, teacher = torch.randn(5, 7), 3 * torch.randn(5, 7)
    s, t = student.double().numpy(), teacher.double().numpy()
    assert distillation(student, teacher).item() == pytest.approx(reference(s, t, 4.0), rel=1e-5)
    standard = [(z - z.mean(1, keepdims=True)) / z.std(1, ddof=1, keepdims=True) for z in (s, t)]
    assert standardised_kd(student, teacher).item() == pytest.approx(reference(*standard, 2.0), rel=1e-4)


@pytest.mark.parametrize("loss", [distillation, standardised_kd])
def test_nothing_to_learn_from_an_equal(loss):
    logits = torch.randn(4, 9, requires_grad=True)
    value = loss(logits, logits.detach())
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("loss", [distillation, standardised_kd])
def test_no_gradient_flows_to_the_teacher(loss):
    student, teacher = torch.randn(4, 9, requires_grad=True), torch.randn(4, 9, requires_grad=True)
    loss(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_standardised_loss_ignores_scale_and_shift_of_either_side():
    student, teacher = torch.randn(4, 9), torch.randn(4, 9)
    torch.testing.assert_close(standardised_kd(5 * student - 2, 0.1 * teacher + 7), standardised_kd(student, teacher))


def test_plain_loss_ignores_a_shift_but_not_the_scale():
    student, teacher = torch.randn(4, 9), torch.randn(4, 9)
    torch.testing.assert_close(distillation(student + 3, teacher - 1), distillation(student, teacher))
    assert distillation(student, 3 * teacher) > distillation(student, teacher)


def test_constant_logits_of_a_fresh_student_are_finite():
    student = torch.zeros(3, 5, requires_grad=True)
    standardised_kd(student, torch.randn(3, 5)).backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_autocast_does_not_lower_the_precision():
    student, teacher = torch.randn(4, 9), torch.randn(4, 9)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(standardised_kd(student, teacher), standardised_kd(student, teacher).float())
        reduced = distillation(student, teacher)
    assert torch.equal(reduced, distillation(student, teacher))
