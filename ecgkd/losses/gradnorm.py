"""GradNorm: task weights that bring the gradients of several tasks to comparable lengths.

Source: Chen et al. 2018 (arXiv 1711.02257), algorithm 1. The length of a weighted gradient is the weight times that of
the gradient, so that one first-order gradient a task is all that is needed.
"""

from collections.abc import Sequence

FLOOR = 0.01
"""Least weight of a task: one that vanished would have no gradient to come back by."""
TINY = 1e-12


def gradnorm_targets(
    weights: Sequence[float],
    norms: Sequence[float],
    losses: Sequence[float],
    initial: Sequence[float],
    alpha: float,
) -> tuple[float, ...]:
    """Returns how long each task's weighted gradient should be: the mean length times r_i^alpha.

    norms: lengths of the unweighted gradients at the last shared layer. r_i is how little of task i has been learned,
    losses[i] / initial[i], over the mean of that.
    """
    n = len(weights)
    mean = sum(w * norm for w, norm in zip(weights, norms, strict=True)) / n
    ratios = [loss / max(start, TINY) for loss, start in zip(losses, initial, strict=True)]
    average = max(sum(ratios) / n, TINY)
    return tuple(mean * (ratio / average) ** alpha for ratio in ratios)


def gradnorm_weights(
    weights: Sequence[float],
    norms: Sequence[float],
    losses: Sequence[float],
    initial: Sequence[float],
    alpha: float = 1.0,
    lr: float = 0.025,
) -> tuple[float, ...]:
    """Returns the weights after one step down Σ |w_i · norms[i] − target_i|, targets held fixed; they sum to n.

    The slope is sign(w_i · norms[i] − target_i) · norms[i], here over the mean norm, so that `lr` means the same for
    losses of any scale. A step ends at its target and does not pass it.
    """
    n = len(weights)
    targets = gradnorm_targets(weights, norms, losses, initial, alpha)
    average = max(sum(norms) / n, TINY)
    moved = []
    for weight, norm, target in zip(weights, norms, targets, strict=True):
        gap = weight - target / max(norm, TINY)
        step = min(lr * norm / average, abs(gap))
        moved.append(max(weight - step if gap > 0 else weight + step, FLOOR))
    return normalised(moved)


def normalised(weights: Sequence[float]) -> tuple[float, ...]:
    """Returns positive weights scaled to a sum of n, none below the floor."""
    n = len(weights)
    total = sum(weights)
    scaled = [n * weight / total for weight in weights]
    low = [max(weight, FLOOR) for weight in scaled]
    spare = sum(low) - n
    room = sum(weight - FLOOR for weight in low)
    return tuple(weight - spare * (weight - FLOOR) / room for weight in low) if room > 0 else tuple(low)
