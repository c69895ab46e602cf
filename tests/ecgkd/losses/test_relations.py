import math

import numpy as np
import pytest
import torch

from ecgkd.losses import EMBEDDING_TAU, relational_graph


def rows(features: np.ndarray, tau: float) -> list[np.ndarray]:
    nodes = features / np.linalg.norm(features, axis=1, keepdims=True)
    found = []
    for i in range(len(nodes)):
        affinity = np.delete(nodes @ nodes[i], i) / tau
        powers = np.exp(affinity - affinity.max())
        found.append(powers / powers.sum())
    return found


def reference(student: np.ndarray, teacher: np.ndarray, tau: float) -> float:
    pairs = zip(rows(teacher, tau), rows(student, tau), strict=True)
    return tau * float(np.mean([np.sum(p * np.log(p / q)) for p, q in pairs]))


def test_golden_graph_of_three_windows():
    # teacher: two windows alike, a third at a right angle; student: all alike, so its rows are (1/2, 1/2)
    teacher = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    p = math.e / (1 + math.e)
    divergence = math.log(2) + p * math.log(p) + (1 - p) * math.log(1 - p)
    loss = relational_graph(torch.ones(3, 5), teacher, tau=1.0)
    assert loss.item() == pytest.approx(2 * divergence / 3, abs=1e-6)
    assert loss.item() == pytest.approx(0.073963, abs=1e-5)


@pytest.mark.parametrize("tau", [0.1, EMBEDDING_TAU, 1.0])
def test_agrees_with_numpy_for_different_widths(tau):
    student, teacher = torch.randn(6, 4), torch.randn(6, 9)
    expected = reference(student.double().numpy(), teacher.double().numpy(), tau)
    assert relational_graph(student, teacher, tau).item() == pytest.approx(expected, rel=1e-4)


def test_maps_are_averaged_over_time():
    student, teacher = torch.randn(5, 4, 25), torch.randn(5, 8, 63)
    torch.testing.assert_close(relational_graph(student, teacher), relational_graph(student.mean(2), teacher.mean(2)))


def test_a_rotated_and_rescaled_copy_has_the_same_graph():
    teacher = torch.randn(6, 5)
    rotation, _ = torch.linalg.qr(torch.randn(5, 5))
    assert relational_graph(3 * teacher @ rotation, teacher).item() == pytest.approx(0, abs=1e-5)


def test_order_of_the_windows_does_not_matter():
    student, teacher, order = torch.randn(6, 4), torch.randn(6, 9), torch.randperm(6)
    torch.testing.assert_close(relational_graph(student[order], teacher[order]), relational_graph(student, teacher))


def test_gradients_are_finite_and_reach_the_student_alone():
    student, teacher = torch.randn(6, 4, requires_grad=True), torch.randn(6, 9, requires_grad=True)
    relational_graph(student, teacher).backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert student.grad.abs().max() > 0
    assert teacher.grad is None


def test_windows_of_all_zero_features_do_no_harm():
    student = torch.zeros(4, 3, requires_grad=True)
    loss = relational_graph(student, torch.zeros(4, 8))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_halves_against_the_gathered_batch_average_to_the_whole():
    student, teacher = torch.randn(8, 4), torch.randn(8, 9)
    halves = [
        relational_graph(
            student[i : i + 4], teacher[i : i + 4], gathered_student=student, gathered_teacher=teacher, offset=i
        )
        for i in (0, 4)
    ]
    torch.testing.assert_close((halves[0] + halves[1]) / 2, relational_graph(student, teacher))


def test_autocast_does_not_lower_the_precision():
    student, teacher = torch.randn(6, 4), torch.randn(6, 9)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = relational_graph(student, teacher)
    assert torch.equal(reduced, relational_graph(student, teacher))
