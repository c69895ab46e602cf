import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ecgkd.losses import batch_hard_triplet
from ecgkd.models.deit1d import import_timm


def on_circle(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def batch(n_subjects: int = 4, n_windows: int = 3, width: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(n_subjects).repeat_interleave(n_windows)
    return F.normalize(torch.randn(len(labels), width), dim=1), labels


def reference(embedding: np.ndarray, labels: np.ndarray, margin: float) -> tuple[float, float]:
    distance = np.linalg.norm(embedding[:, None] - embedding[None], axis=2)
    hinges = []
    for i in range(len(labels)):
        positive = [distance[i, j] for j in range(len(labels)) if labels[j] == labels[i] and j != i]
        negative = [distance[i, j] for j in range(len(labels)) if labels[j] != labels[i]]
        if positive and negative:
            hinges.append(max(0.0, margin + max(positive) - min(negative)))
    return float(np.mean(hinges)), float(np.mean(np.array(hinges) > 0))


def test_golden_four_points_on_a_circle():
    # chords 2 sin(angle / 2): anchors at 60 and 90 degrees lie nearest to the wrong neighbour, the others do not
    loss = batch_hard_triplet(on_circle(0, 60, 90, 180), torch.tensor([0, 0, 1, 1]), margin=0.3)
    near = 2 * math.sin(math.radians(15))
    assert loss.loss.item() == pytest.approx(((0.3 + 1 - near) + (0.3 + math.sqrt(2) - near)) / 4, abs=1e-6)
    assert loss.loss.item() == pytest.approx(0.4947345, abs=1e-6)
    assert loss.active.item() == 0.5


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
def test_agrees_with_a_plain_loop(margin):
    embedding, labels = batch()
    loss = batch_hard_triplet(embedding, labels, margin)
    expected, active = reference(embedding.double().numpy(), labels.numpy(), margin)
    assert loss.loss.item() == pytest.approx(expected, abs=1e-5)
    assert loss.active.item() == pytest.approx(active)


def test_agrees_with_pytorch_metric_learning():
    import_timm()  # lets torchvision load, which the package looks at
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    embedding, labels = batch(n_subjects=6, n_windows=4, width=16)
    distance = distances.LpDistance(normalize_embeddings=True)
    triplets = BatchHardMiner(distance=distance)(embedding, labels)
    expected = TripletMarginLoss(margin=0.3, distance=distance, reducer=MeanReducer())(embedding, labels, triplets)
    assert batch_hard_triplet(embedding, labels, 0.3).loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_well_separated_subjects_cost_nothing():
    loss = batch_hard_triplet(on_circle(0, 5, 180, 185), torch.tensor([7, 7, 2, 2]))
    assert loss.loss.item() == 0
    assert loss.active.item() == 0


def test_collapse_costs_exactly_the_margin_and_keeps_finite_gradients():
    raw = torch.ones(6, 4, requires_grad=True)
    loss = batch_hard_triplet(F.normalize(raw, dim=1), torch.tensor([0, 0, 1, 1, 2, 2]), margin=0.3)
    loss.loss.backward()
    assert loss.loss.item() == pytest.approx(0.3)
    assert loss.active.item() == 1
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


def test_order_and_names_of_subjects_do_not_matter():
    embedding, labels = batch()
    order = torch.randperm(len(labels))
    shuffled = batch_hard_triplet(embedding[order], 100 - labels[order])
    torch.testing.assert_close(shuffled.loss, batch_hard_triplet(embedding, labels).loss)


def test_windows_without_a_partner_do_not_count_as_anchors():
    embedding, labels = on_circle(0, 60, 90, 180), torch.tensor([0, 0, 1, 2])
    expected, _ = reference(embedding.double().numpy(), labels.numpy(), 0.3)
    assert batch_hard_triplet(embedding, labels).loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_triplets_costs_zero_with_a_gradient(labels):
    raw = torch.randn(3, 4, requires_grad=True)
    loss = batch_hard_triplet(F.normalize(raw, dim=1), torch.tensor(labels))
    loss.loss.backward()
    assert loss.loss.item() == 0
    assert raw.grad is not None
    assert torch.equal(raw.grad, torch.zeros_like(raw))


def test_halves_against_the_gathered_batch_average_to_the_whole():
    embedding, labels = batch(n_subjects=4, n_windows=2)
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])  # every subject in both halves
    embedding, labels = embedding[order], labels[order]
    whole = batch_hard_triplet(embedding, labels)
    halves = [batch_hard_triplet(embedding[h], labels[h], 0.3, embedding, labels) for h in (slice(4), slice(4, 8))]
    torch.testing.assert_close((halves[0].loss + halves[1].loss) / 2, whole.loss)
    torch.testing.assert_close((halves[0].active + halves[1].active) / 2, whole.active)


def test_autocast_does_not_lower_the_precision():
    embedding, labels = batch()
    with torch.autocast("cpu", torch.bfloat16):
        reduced = batch_hard_triplet(embedding, labels).loss
    assert torch.equal(reduced, batch_hard_triplet(embedding, labels).loss)
    assert batch_hard_triplet(embedding.bfloat16(), labels).loss.dtype == torch.float32


def test_gradient_pulls_the_far_positive_nearer():
    raw = on_circle(0, 60, 90, 180).requires_grad_()
    batch_hard_triplet(F.normalize(raw, dim=1), torch.tensor([0, 0, 1, 1])).loss.backward()
    assert raw.grad is not None
    moved = F.normalize(raw.detach() - 0.05 * raw.grad, dim=1)
    before = batch_hard_triplet(raw.detach(), torch.tensor([0, 0, 1, 1])).loss
    assert batch_hard_triplet(moved, torch.tensor([0, 0, 1, 1])).loss < before
