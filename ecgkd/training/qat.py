"""Quantisation-aware fine-tuning: an int8 graph learns to give the embeddings of the float network it was made of.

The float network teaches, without labels: a cosine loss, and for scores of classes, where there are some, their squared
error in the same measure. What is trained are the constants of the very graph that is
quantised, through the rounding that its integer form does (`ecgkd_export.torch_graph`); ranges stay. Windows are those
of people the protocol trains on, lightly augmented.

Source: Jacob et al. 2018 (fake quantisation), Bengio et al. 2013 (straight-through gradients).
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ecgkd.config import AugmentConfig
from ecgkd.data.prepared import PreparedSet
from ecgkd.protocols.protocol import Protocol
from ecgkd.signal.chain import INPUT_SCALE
from ecgkd.training.dataset import Draw, Stretches, draw_windows, training_stretches
from ecgkd.training.loader import ahead
from ecgkd_export.graph import Graph
from ecgkd_export.torch_graph import TorchGraph

Progress = Callable[[int, int, str], None]
Refine = Callable[[Graph, Graph, Graph], tuple[Graph, dict[str, Any]]]
"""The float network, the graph that is quantised and its integer form, to the second fine-tuned and a record of it."""

LIGHT = AugmentConfig(
    amplitude_p=0.2, wander_p=0.1, muscle_p=0.1, motion_p=0.05, mains_p=0.1, mask_p=0.05, warp_p=0.2, lead_p=0.2,
    lowpass_p=0.1, adc_p=0.1,
)  # fmt: skip
"""Embeddings shall be right where the network is used: mostly on windows as they are."""
CHECKED = 256
"""Windows that the loss is compared on before and after; none of them is trained on."""
CHECK_BATCH = 64


@dataclass(frozen=True)
class QatConfig:
    """How long and how boldly is fine-tuned."""

    steps: int = 1000
    batch: int = 32
    lr: float = 3e-4
    """Of Adam at its highest; falls to zero along a cosine."""
    warmup: int = 20
    """Steps in which it rises."""
    seed: int = 0
    augment: AugmentConfig = field(default_factory=lambda: LIGHT)


def refiner(
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    config: QatConfig | None = None,
    progress: Progress | None = None,
) -> Refine:
    """Returns what fine-tunes on the protocol's training people. Raises: UsageError where it trains on nobody."""
    config = config or QatConfig()
    stretches = training_stretches(protocol.train, {one.name: one for one in sets})

    def refine(network: Graph, graph: Graph, quantised: Graph) -> tuple[Graph, dict[str, Any]]:
        tuned, record = fine_tune(network, graph, quantised, windows_of(stretches, config), config, progress)
        return tuned, {**record, "people": len(stretches.subjects), "protocol_sha256": protocol.sha256}

    return refine


def windows_of(stretches: Stretches, config: QatConfig) -> Iterator[NDArray[np.int8]]:
    """Gives batches of the front end's windows: first `CHECKED` to compare on, then those of each step.

    They are (n, 1000), of several leads (n, n_leads, 1000). Sets take turns as often as each other, whatever their
    size.
    """
    members = [np.flatnonzero(stretches.set == number) for number in np.unique(stretches.set)]
    sizes = [CHECKED, *[config.batch] * config.steps]
    for step, size in enumerate(sizes):
        rng = np.random.default_rng([config.seed, 0, step])
        chosen = np.array([rng.choice(members[number]) for number in rng.integers(0, len(members), size)], np.int64)
        draw = Draw(chosen, rng.random(size))
        yield draw_windows(stretches, draw, config.augment, (config.seed, 1, step))


def fine_tune(
    network: Graph,
    graph: Graph,
    quantised: Graph,
    windows: Iterator[NDArray[np.int8]],
    config: QatConfig,
    progress: Progress | None = None,
) -> tuple[Graph, dict[str, Any]]:
    """Returns `graph` with constants whose int8 form is nearer to `network`, and a record of how that went.

    `graph` computes (about) what `network` does, `quantised` is what it was quantised to; embeddings may differ in
    length. `windows` as `windows_of` gives them. Where the loss on the first batch did not fall, the graph comes back
    as it was. The same arguments give the same constants on one machine.
    """
    teacher, student = TorchGraph(network).requires_grad_(False), TorchGraph(graph, quantised)
    trained = [one for one in student.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=config.lr)
    digest = hashlib.sha256()
    batches = ahead(_counted(windows, digest))
    checked = _as_input(next(batches))
    before = _mean_losses(teacher, student, checked)
    for step, batch in enumerate(batches):
        if progress is not None:
            progress(step, config.steps, "fine-tuning int8")
        for group in optimiser.param_groups:
            group["lr"] = _rate(config, step)
        x = _as_input(batch)
        optimiser.zero_grad()
        sum(_losses(teacher, student, x).values(), torch.zeros(())).backward()
        optimiser.step()
    after = _mean_losses(teacher, student, checked)
    kept = sum(after.values()) < sum(before.values())
    more = len(before) > 1
    record = {
        "kept": kept,
        "steps": config.steps,
        "batch": config.batch,
        "lr": config.lr,
        "seed": config.seed,
        "augment": _plain(asdict(config.augment)),
        "windows_sha256": digest.hexdigest(),
        "loss_before": round(sum(before.values()), 6),
        "loss_after": round(sum(after.values()), 6),
        **({"losses": {name: [round(before[name], 6), round(after[name], 6)] for name in before}} if more else {}),
        "torch": torch.__version__.partition("+")[0],
    }
    return student.trained_graph() if kept else graph, record


def _counted(windows: Iterator[NDArray[np.int8]], digest: Any) -> Iterator[NDArray[np.int8]]:
    for batch in windows:
        digest.update(np.ascontiguousarray(batch).tobytes())
        yield batch


def _rate(config: QatConfig, step: int) -> float:
    return config.lr * min(1.0, (step + 1) / config.warmup) * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def _as_input(windows: NDArray[np.int8]) -> Tensor:
    return torch.from_numpy(windows).float() * INPUT_SCALE


def _losses(teacher: TorchGraph, student: TorchGraph, x: Tensor) -> dict[str, Tensor]:
    """Returns the loss of each output, by name.

    Of the embedding one minus the mean cosine; of scores of classes half their squared error, their mean left out, as a
    share of their square: small errors of either kind then count alike.
    """
    with torch.no_grad():
        wanted = teacher.run_all(x)
    given = student.run_all(x)
    (first, embedding), *others = ((name, values.flatten(1)) for name, values in given.items())
    losses = {first: (1 - functional.cosine_similarity(embedding, wanted[first].flatten(1))).mean()}
    for name, scores in others:
        asked, told = (one - one.mean(1, keepdim=True) for one in (wanted[name].flatten(1), scores))
        size = asked.square().mean().clamp_min(torch.finfo(asked.dtype).tiny)
        losses[name] = (told - asked).square().mean() / (2 * size)
    return losses


@torch.no_grad()
def _mean_losses(teacher: TorchGraph, student: TorchGraph, x: Tensor) -> dict[str, float]:
    parts = [_losses(teacher, student, part) for part in x.split(CHECK_BATCH)]
    return {name: float(np.mean([float(part[name]) for part in parts])) for name in parts[0]}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
