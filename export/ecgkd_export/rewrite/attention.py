"""Self-attention with few operators: one product, heads as rows.

Query, key and value as one layer (the queries apart where they are fewer), one transpose in front and one
behind. One tensor then holds all three, so their channels are brought to one size: queries times what keys are divided
by, values times what the projection is divided by.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.graph import Graph, Kind, Op
from ecgkd_export.rewrite.draft import Draft

Layer = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights (out, in) and bias (out,)."""


FAINT = 1e-6
"""Size below which a channel counts as empty."""


@dataclass(frozen=True)
class Attention:
    """One attention as the lowering writes it."""

    query_rows: str
    """What queries are made of (n_queries, width)."""
    rows: str
    """What keys and values are made of (n_tokens, width)."""
    query: Layer
    key: Layer
    value: Layer
    project: Layer
    heads: int
    output: Op
    """The layer that writes the stream."""


def split_attention(graph: Graph) -> Graph:
    """Returns the graph with every attention in the split form; the same numbers."""
    draft = Draft(graph)
    for output in list(draft.ops):
        found = _find(draft, output)
        if found is not None:
            draft.redirect(output, _split(draft, found))
    return draft.finish()


def _split(draft: Draft, one: Attention) -> str:
    one = _balanced(one)
    name, heads = one.output.name, one.heads
    n_queries = draft.shape(one.query_rows)[0]
    together = one.query_rows == one.rows
    layers = [one.query, one.key, one.value] if together else [one.key, one.value]
    parts = _heads(draft, f"{name}:qkv", one.rows, layers, heads)
    if not together:
        parts = _heads(draft, f"{name}:q", one.query_rows, [one.query], heads) + parts
    query, key, value = parts
    n_tokens, depth = draft.shape(value)[1:]
    scores = draft.add(Kind.MATMUL, f"{name}:scores", (query, key), (heads, n_queries, n_tokens), transpose_b=True)
    shares = draft.add(Kind.SOFTMAX, f"{name}:shares", (scores,), (heads, n_queries, n_tokens))
    mixed = draft.add(Kind.MATMUL, f"{name}:mixed", (shares, value), (heads, n_queries, depth), transpose_b=False)
    turned = (n_queries, heads, depth)
    mixed = draft.add(Kind.TRANSPOSE, f"{name}:turned", (mixed,), turned, permutation=(1, 0, 2))
    mixed = draft.add(Kind.RESHAPE, f"{name}:heads", (mixed,), (n_queries, heads * depth))
    return draft.linear(f"{name}:give", mixed, *one.project)


def _balanced(one: Attention) -> Attention:
    """Returns the attention with query, key and value channels of about one size, without key and value biases.

    Rows have length one, so that a channel's size is about the length of its weights over √width.
    """
    width = one.query[0].shape[1]
    query, key, value = (
        np.maximum(np.sqrt(np.square(weights).sum(1) / width + np.square(bias)), FAINT)
        for weights, bias in (one.query, (one.key[0], np.zeros(1)), (one.value[0], np.zeros(1)))
    )
    more, size = np.sqrt(key / query), np.sqrt(key * query)
    most = np.sqrt(np.square(size).mean()) / value
    return replace(
        one,
        query=(one.query[0] * more[:, None], one.query[1] * more),
        key=(one.key[0] / more[:, None], np.zeros_like(one.key[1])),
        value=(one.value[0] * most[:, None], np.zeros_like(one.value[1])),
        project=(one.project[0] / most, one.project[1] + one.project[0] @ one.value[1]),
    )


def _heads(draft: Draft, name: str, rows: str, layers: list[Layer], heads: int) -> list[str]:
    """Returns one tensor (heads, n, depth) for each layer, all from one product."""
    weights, bias = (np.concatenate(parts) for parts in zip(*layers, strict=True))
    n, depth, groups = draft.shape(rows)[0], len(weights) // (heads * len(layers)), heads * len(layers)
    product = draft.linear(name, rows, weights, bias)
    product = draft.add(Kind.RESHAPE, f"{name}:groups", (product,), (n, groups, depth))
    product = draft.add(Kind.TRANSPOSE, f"{name}:turned", (product,), (groups, n, depth), permutation=(1, 0, 2))
    if len(layers) == 1:
        return [product]
    size = (heads, n, depth)
    return [
        draft.add(Kind.SLICE, f"{name}:{part}", (product,), size, begin=(part * heads, 0, 0), size=size)
        for part in range(len(layers))
    ]


def _find(draft: Draft, output: str) -> Attention | None:
    """Returns the attention that ends in the layer with this output."""
    last = draft.maker(output, Kind.FULLY_CONNECTED)
    joined = last and draft.maker(last.inputs[0], Kind.RESHAPE)
    turned = joined and draft.maker(joined.inputs[0], Kind.TRANSPOSE)
    mixed = turned and draft.maker(turned.inputs[0], Kind.MATMUL)
    if last is None or turned is None or mixed is None or turned.attributes["permutation"] != (1, 0, 2):
        return None
    shares = draft.maker(mixed.inputs[0], Kind.SOFTMAX)
    scores = shares and draft.maker(shares.inputs[0], Kind.MATMUL)
    if scores is None:
        return None
    parts = (scores.inputs[0], scores.inputs[1], mixed.inputs[1])
    flipped = (False, not scores.attributes["transpose_b"], mixed.attributes["transpose_b"])
    sources = [_source(draft, part, flip) for part, flip in zip(parts, flipped, strict=True)]
    project = _layer(draft, last)
    if project is None or any(source is None for source in sources):
        return None
    (query_rows, query), (rows, key), (value_rows, value) = (source for source in sources if source is not None)
    heads = draft.shape(mixed.output)[0]
    if rows != value_rows or last.attributes["activation"] != "none":
        return None
    return Attention(query_rows, rows, query, key, value, project, heads, last)


def _source(draft: Draft, name: str, flipped: bool) -> tuple[str, Layer] | None:
    """Returns the rows and the layer behind heads (heads, n, depth); `flipped`: (heads, depth, n)."""
    turned = draft.maker(name, Kind.TRANSPOSE)
    parted = turned and draft.maker(turned.inputs[0], Kind.RESHAPE)
    made = parted and draft.maker(parted.inputs[0], Kind.FULLY_CONNECTED)
    if turned is None or made is None or turned.attributes["permutation"] != ((1, 2, 0) if flipped else (1, 0, 2)):
        return None
    layer = _layer(draft, made)
    return None if layer is None or made.attributes["activation"] != "none" else (made.inputs[0], layer)


def _layer(draft: Draft, op: Op) -> Layer | None:
    weights, bias = draft.data(op.inputs[1]), draft.data(op.inputs[2])
    return None if weights is None or bias is None else (weights, bias)
