"""The float graph in the form that is quantised."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.graph import Graph, Kind
from ecgkd_export.rewrite.attention import split_attention
from ecgkd_export.rewrite.gelu import logistic_gelu
from ecgkd_export.rewrite.norm import fold_layer_norms
from ecgkd_export.rewrite.output import without_last_norm
from ecgkd_export.rewrite.pooled import part_pooled
from ecgkd_export.rewrite.roots import Norms, spell_norms
from ecgkd_export.rewrite.tidy import tidy
from ecgkd_export.rewrite.tokens import embed_positions, mean_into_layer, raise_small_rows

RAISE = 4.0
"""Of constant first rows: between 2 and 8 it makes little difference on trained students."""


class Profile(StrEnum):
    """What the graph will run on."""

    CPU = "cpu"
    """LiteRT's kernels."""
    MCU = "mcu"
    """TensorFlow Lite for Microcontrollers: no GELU."""
    NPU = "npu"
    """Ethos-U, compiled by Vela: as `mcu`."""


@dataclass(frozen=True)
class Form:
    """Which rewrites are made; each but those said to be otherwise keeps the numbers."""

    profile: Profile = Profile.CPU
    """`mcu` and `npu` get another GELU: other numbers, by about 0.001 of cosine."""
    norms: Norms = Norms.SUM
    """`mean` is for float activations."""
    rotate: bool = True
    """Turn the stream of a transformer, so that its channels have one range."""
    place: bool = True
    """Positions inside the embedding's product, first rows raised: for int8 activations only."""
    part: bool = True
    """Means and maxima through layers of their own: for int8 activations only."""
    unit_output: bool = True
    """False: the last L2 norm is left out. Its int8 steps of 1/128 cost 0.0005 of cosine with 192 numbers."""
    input_step: float = 1 / 16


def prepare(graph: Graph, form: Form | None = None) -> Graph:
    """Returns the graph rewritten for `form`. Raises: GraphError naming what cannot be rewritten."""
    form = form or Form()
    graph = tidy(graph)
    norms = [op for op in graph.ops if op.kind == Kind.LAYER_NORM]
    width = graph.tensors[norms[0].inputs[0]].shape[-1] if norms else 0
    graph = fold_layer_norms(graph, rotation(width) if form.rotate and norms else None)
    graph = split_attention(graph)
    if form.profile != Profile.CPU:
        graph = logistic_gelu(graph)
    if form.part:
        graph = part_pooled(graph)
    if form.place:
        graph = raise_small_rows(embed_positions(graph, form.input_step), RAISE)
    graph = spell_norms(mean_into_layer(graph), form.norms)
    return tidy(graph if form.unit_output else without_last_norm(graph))


def rotation(width: int) -> NDArray[np.float64]:
    """Returns an orthogonal matrix (width, width) that mixes all channels, the same on every machine.

    Two cosine transforms with random signs between and behind them.
    """
    steps = np.arange(width)
    cosines = np.cos(np.pi / width * np.outer(steps, steps + 0.5)) * np.sqrt(2 / width)
    cosines[0] /= np.sqrt(2)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (2, width))
    turn: NDArray[np.float64] = (cosines * signs[0]) @ (cosines * signs[1])
    return turn
