"""Several processes train one network: what they exchange besides gradients."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ecgkd.config import OptimConfig
from ecgkd.training.objective import Peers


def make_fabric(optim: OptimConfig) -> Fabric:
    """Returns the fabric of this process: one device, or those that torchrun gives."""
    if optim.threads:
        torch.set_num_threads(optim.threads)
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        fabric = Fabric(accelerator=accelerator, devices=1)
    else:
        local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        fabric = Fabric(
            accelerator=accelerator,
            devices=local,
            num_nodes=world // local,
            strategy=DDPStrategy(**_own_buffers()),
        )
    fabric.launch()
    return fabric


def _own_buffers() -> dict[str, Any]:
    """Returns the option, by the name this PyTorch knows it, that leaves each process its running statistics."""
    known = inspect.signature(DistributedDataParallel).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}


def is_first() -> bool:
    """Returns whether this process speaks for all of them."""
    return os.environ.get("RANK", "0") == "0"


def one_folder(make: Callable[[], Path], optim: OptimConfig) -> Path:
    """Returns the folder that `make` makes, made by one process and known to all."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return make()
    fabric = make_fabric(optim)
    return fabric.broadcast(make() if fabric.is_global_zero else Path())


def peers_of(fabric: Fabric) -> Peers:
    """Returns how this process sees the windows of all."""
    if fabric.world_size == 1:
        return Peers()

    def gather(tensor: Tensor) -> Tensor:
        found = fabric.all_gather(tensor, sync_grads=tensor.requires_grad)
        assert isinstance(found, Tensor)
        return found.flatten(0, 1)

    return Peers(gather, fabric.global_rank)


def average_buffers(fabric: Fabric, model: nn.Module) -> None:
    """Brings the running statistics of all processes to their mean; each normalises by its own batch in training."""
    if fabric.world_size == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            _reduce(fabric, buffer, "mean")


def sum_buffers(fabric: Fabric, model: nn.Module) -> None:
    """Adds up what all processes have counted."""
    if fabric.world_size == 1:
        return
    for buffer in model.buffers():
        _reduce(fabric, buffer, "sum")


def _reduce(fabric: Fabric, buffer: Tensor, how: str) -> None:
    reduced = fabric.all_reduce(buffer, reduce_op=how)
    assert isinstance(reduced, Tensor)
    buffer.copy_(reduced)


class SameStart:
    """Lets every micro-batch update the running statistics from one start, and keeps their mean, as processes do.

    Writes through `.data`: the statistics stand in the graph of the backward pass, which does not read them.
    """

    def __init__(self, model: nn.Module) -> None:
        self.buffers = list(model.buffers())
        self.start = [buffer.clone() for buffer in self.buffers]
        self.total = [torch.zeros_like(buffer) for buffer in self.buffers]

    def next(self) -> None:
        """Notes what one micro-batch left and goes back to the start."""
        for buffer, start, total in zip(self.buffers, self.start, self.total, strict=True):
            total += buffer
            buffer.data.copy_(start)

    def finish(self, n: int) -> None:
        """Puts the mean of what `n` micro-batches left."""
        for buffer, total in zip(self.buffers, self.total, strict=True):
            buffer.data.copy_(total / n)
