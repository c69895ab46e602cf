"""Batches as tensors, prepared in a thread beside the training."""

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ecgkd.config import Recipe
from ecgkd.training.dataset import Draw, Stretches, draw_windows
from ecgkd.training.embed import as_input
from ecgkd.training.sampler import Sampler

Item = TypeVar("Item")
AHEAD = 4
"""Batches that wait, at most."""


@dataclass(frozen=True)
class Part:
    """Windows that go through the network together: a batch, or a micro-batch of it."""

    x: Tensor
    """(B, n_leads, 1000) float32, scaled."""
    labels: Tensor
    """(B,) int64, positions in the training people."""
    activities: Tensor
    """(B,) int64, positions in the training activities, -1 without a label."""
    seed: int
    """Of what the network itself draws, such as stochastic depth."""


class Loader:
    """Gives the batches of an epoch, each as this process's micro-batches.

    A batch is cut into `n_parts` = processes · micro-batches parts by people. What a part holds depends on its number
    alone, not on who computes it.
    """

    def __init__(self, stretches: Stretches, recipe: Recipe, rank: int = 0, world: int = 1) -> None:
        self.stretches = stretches
        self.recipe = recipe
        self.sampler = Sampler(stretches, recipe.data, recipe.optim)
        micro = recipe.optim.micro_batches
        self.n_parts = world * micro
        self.mine = range(rank * micro, (rank + 1) * micro)

    @property
    def n_batches(self) -> int:
        return self.sampler.n_batches

    def epoch(self, epoch: int) -> Generator[list[Part], None, None]:
        """Gives the batches of an epoch; the next ones are prepared meanwhile."""
        return ahead(self._make(epoch))

    def _make(self, epoch: int) -> Iterator[list[Part]]:
        for batch, draw in enumerate(self.sampler.batches(epoch)):
            size = len(draw.stretch) // self.n_parts
            parts = [(n, slice(n * size, (n + 1) * size)) for n in self.mine]
            yield [self._part(Draw(draw.stretch[rows], draw.place[rows]), epoch, batch, n) for n, rows in parts]

    def _part(self, draw: Draw, epoch: int, batch: int, number: int) -> Part:
        seed = (self.recipe.optim.seed, epoch, 2, batch, number)
        windows = draw_windows(self.stretches, draw, self.recipe.augment, seed)
        x = as_input(windows)
        labels = torch.from_numpy(self.stretches.subject[draw.stretch])
        activity = self.stretches.activity
        known = np.full(len(labels), -1) if activity is None else activity[draw.stretch]
        return Part(x, labels, torch.from_numpy(known), int(np.random.SeedSequence(seed).generate_state(1)[0]))


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Gives `items`, which a thread of their own makes up to AHEAD in advance; its errors are raised here."""
    waiting: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(entry: tuple[Item | None, BaseException | None]) -> None:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put((item, None))
                if stopped.is_set():
                    return
            put((None, None))
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=work, name="windows", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
