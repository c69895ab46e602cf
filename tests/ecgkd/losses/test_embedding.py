import pytest
import torch

from ecgkd.losses import embedding_alignment


def test_golden_one_equal_one_at_a_right_angle_one_opposed():
    student = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-0.6, -0.8]])
    assert embedding_alignment(student, teacher).item() == pytest.approx((0 + 1 + 2) / 3, abs=1e-6)


def test_lengths_do_not_matter():
    student, teacher = torch.randn(4, 6), torch.randn(4, 6)
    torch.testing.assert_close(embedding_alignment(3 * student, teacher / 5), embedding_alignment(student, teacher))


def test_no_gradient_flows_to_the_teacher():
    student, teacher = torch.randn(4, 6, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    embedding_alignment(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_bfloat16_is_compared_in_float32():
    student, teacher = torch.randn(4, 6).bfloat16(), torch.randn(4, 6).bfloat16()
    loss = embedding_alignment(student, teacher)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, embedding_alignment(student.float(), teacher.float()))
