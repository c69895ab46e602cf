"""The learning rate over a training."""

import math

from ecgkd.config import OptimConfig


def lr_at(optim: OptimConfig, step: int, steps_per_epoch: int) -> float:
    """Returns the learning rate of a step: a straight rise, then half a cosine down to lr · lr_end."""
    epoch = (step + 1) / steps_per_epoch
    if epoch < optim.warmup:
        return optim.lr * epoch / optim.warmup
    done = (epoch - optim.warmup) / max(optim.epochs - optim.warmup, 1e-9)
    return optim.lr * (optim.lr_end + (1 - optim.lr_end) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
