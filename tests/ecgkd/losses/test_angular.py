import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ecgkd.losses import additive_margin, angular_margin

SCALE = 24.0


def reference(cosines: np.ndarray, labels: np.ndarray, lowered: np.ndarray) -> float:
    losses = []
    for row, label, own in zip(cosines, labels, lowered, strict=True):
        others = np.delete(row, label)
        losses.append(-np.log(np.exp(SCALE * own) / (np.exp(SCALE * own) + np.exp(SCALE * others).sum())))
    return float(np.mean(losses))


def random_batch() -> tuple[torch.Tensor, torch.Tensor]:
    return 2 * torch.rand(6, 5) - 1, torch.randint(0, 5, (6,))


def test_golden_additive_margin_that_makes_two_classes_equal():
    logits = SCALE * torch.tensor([[0.5, 0.3]])
    assert additive_margin(logits, torch.tensor([0]), margin=0.2).item() == pytest.approx(math.log(2), abs=1e-5)


def test_golden_angular_margin_that_makes_two_classes_equal():
    logits = SCALE * torch.tensor([[math.cos(math.pi / 3), 0.0]])  # 60° + 30° = 90°
    loss = angular_margin(logits, torch.tensor([0]), margin=math.pi / 6)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-5)


def test_both_agree_with_numpy():
    cosines, labels = random_batch()
    values, index = cosines.double().numpy(), labels.numpy()
    own = values[np.arange(6), index]
    got = additive_margin(SCALE * cosines, labels).item()
    assert got == pytest.approx(reference(values, index, own - 0.2), rel=1e-5)
    got = angular_margin(SCALE * cosines, labels).item()
    assert got == pytest.approx(reference(values, index, np.cos(np.arccos(own) + 0.2)), rel=1e-5)


@pytest.mark.parametrize("loss", [additive_margin, angular_margin])
def test_no_margin_is_plain_cross_entropy(loss):
    cosines, labels = random_batch()
    torch.testing.assert_close(
        loss(SCALE * cosines, labels, margin=0.0), F.cross_entropy(SCALE * cosines, labels), atol=1e-4, rtol=1e-5
    )


@pytest.mark.parametrize("loss", [additive_margin, angular_margin])
def test_a_larger_margin_costs_more(loss):
    cosines, labels = random_batch()
    values = [loss(SCALE * cosines, labels, margin=margin).item() for margin in (0.0, 0.1, 0.2, 0.4)]
    assert values == sorted(values)
    assert values[0] < values[-1]


@pytest.mark.parametrize("loss", [additive_margin, angular_margin])
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_gradients_stay_finite_at_the_poles(loss, cosine):
    logits = torch.tensor([[SCALE * cosine, 0.0]], requires_grad=True)
    loss(logits, torch.tensor([0])).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_angular_margin_keeps_falling_beyond_a_half_turn():
    cosines = torch.linspace(-1, -0.9, 50)[:, None]
    logits = SCALE * torch.cat([cosines, torch.zeros_like(cosines)], dim=1)
    losses = [angular_margin(row[None], torch.tensor([0])).item() for row in logits]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("loss", [additive_margin, angular_margin])
def test_half_precision_logits_are_computed_in_float32(loss):
    cosines, labels = random_batch()
    logits = (SCALE * cosines).bfloat16()
    value = loss(logits, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits.float(), labels))
