"""Activity's losses: golden values by hand, and windows without a label that must not count."""

import math

import pytest
import torch

from ecgkd.losses import UNLABELLED, activity_distillation, activity_entropy, distillation

NOBODY = torch.full((3,), UNLABELLED)


def test_golden_cross_entropy_counts_labelled_windows_alone():
    # the first is told 3 : 1, the second 1 : 1, the third has no label: (ln(4/3) + ln 2) / 2
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0], [50.0, -50.0]])
    loss = activity_entropy(logits, torch.tensor([0, 1, UNLABELLED]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, abs=1e-6)
    assert loss.item() == pytest.approx(0.490415, abs=1e-5)


def test_golden_distillation_counts_labelled_windows_alone():
    # teacher 3 : 1 at T = 4, student undecided, as in test_logits; the second window carries no label
    teacher = torch.tensor([[4 * math.log(3), 0.0], [9.0, 0.0]])
    loss = activity_distillation(torch.zeros(2, 2), teacher, torch.tensor([1, UNLABELLED]), 4.0)
    assert loss.item() == pytest.approx(2.092993, abs=1e-5)


def test_with_labels_everywhere_both_are_what_they_are_called():
    student, teacher, labels = torch.randn(6, 5), torch.randn(6, 5), torch.arange(6) % 5
    torch.testing.assert_close(activity_distillation(student, teacher, labels, 2.0), distillation(student, teacher, 2))
    torch.testing.assert_close(activity_entropy(student, labels), torch.nn.functional.cross_entropy(student, labels))


def test_a_batch_without_labels_teaches_nothing_and_is_no_division_by_zero():
    student = torch.randn(3, 4, requires_grad=True)
    (activity_entropy(student, NOBODY) + activity_distillation(student, torch.randn(3, 4), NOBODY, 2.0)).backward()
    assert student.grad is not None
    assert student.grad.abs().max() == 0
    assert activity_entropy(student, NOBODY).item() == 0


def test_unlabelled_windows_get_no_gradient():
    student = torch.randn(3, 4, requires_grad=True)
    labels = torch.tensor([2, UNLABELLED, 0])
    (activity_entropy(student, labels) + activity_distillation(student, torch.randn(3, 4), labels, 2.0)).backward()
    assert student.grad is not None
    assert (student.grad.abs().sum(1) > 0).tolist() == [True, False, True]
