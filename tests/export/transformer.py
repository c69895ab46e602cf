"""A small transformer as the lowering writes one, for tests of what is done to it."""

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.graph import Graph, Kind, Tensor
from ecgkd_export.rewrite.draft import Draft

PATCHES, SAMPLES, WIDTH, HEADS, EMBEDDING = 6, 10, 12, 3, 16
LENGTH = PATCHES * SAMPLES


def windows(n: int = 40, seed: int = 1) -> NDArray[np.float32]:
    """Returns windows (n, 1, LENGTH) on the grid of 1/16."""
    noise = np.random.default_rng(seed).normal(size=(n, 1, LENGTH)).cumsum(2) * 0.3
    return np.asarray(np.clip(np.rint(noise * 16), -128, 127) / 16, np.float32)


def transformer(blocks: int = 2, seed: int = 0) -> Graph:
    """Returns a pre-norm transformer of one class row and PATCHES rows; the last block computes the class row alone."""
    draw = np.random.default_rng(seed)
    output = Tensor("embedding", (1, EMBEDDING))
    draft = Draft(Graph({"window": Tensor("window", (1, 1, LENGTH)), "embedding": output}, (), ("window",), ()))

    def layer(name: str, x: str, size: int) -> str:
        inside = draft.shape(x)[1]
        return draft.linear(name, x, draw.normal(size=(size, inside)) / np.sqrt(inside), draw.normal(size=size) * 0.1)

    def norm(name: str, x: str) -> str:
        gain, shift = draw.uniform(0.5, 1.5, WIDTH), draw.normal(size=WIDTH) * 0.2
        constants = (draft.constant(f"{name}.gain", gain), draft.constant(f"{name}.shift", shift))
        return draft.add(Kind.LAYER_NORM, name, (x, *constants), draft.shape(x), epsilon=1e-3)

    def heads(name: str, x: str) -> str:
        made = layer(name, x, WIDTH)
        n = draft.shape(x)[0]
        made = draft.add(Kind.RESHAPE, f"{name}.parted", (made,), (n, HEADS, WIDTH // HEADS))
        turned = (HEADS, n, WIDTH // HEADS)
        return draft.add(Kind.TRANSPOSE, f"{name}.turned", (made,), turned, permutation=(1, 0, 2))

    x = draft.add(Kind.RESHAPE, "patches", ("window",), (PATCHES, SAMPLES))
    x = layer("embed", x, WIDTH)
    position = draft.constant("position", draw.normal(size=(PATCHES, WIDTH)) * 0.3)
    x = draft.add(Kind.ADD, "placed", (x, position), (PATCHES, WIDTH))
    prefix = draft.constant("prefix", draw.normal(size=(1, WIDTH)) * 0.1)
    n = PATCHES + 1
    x = draft.add(Kind.CONCAT, "rows", (prefix, x), (n, WIDTH), axis=0)
    for block in range(blocks):
        normed, n_out = norm(f"{block}.norm1", x), 1 if block == blocks - 1 else n
        asked = normed
        if n_out < n:
            asked = draft.add(Kind.SLICE, f"{block}.asked", (normed,), (1, WIDTH), begin=(0, 0), size=(1, WIDTH))
            x = draft.add(Kind.SLICE, f"{block}.read", (x,), (1, WIDTH), begin=(0, 0), size=(1, WIDTH))
        query, key, value = heads(f"{block}.q", asked), heads(f"{block}.k", normed), heads(f"{block}.v", normed)
        scores = draft.add(Kind.MATMUL, f"{block}.scores", (query, key), (HEADS, n_out, n), transpose_b=True)
        shares = draft.add(Kind.SOFTMAX, f"{block}.shares", (scores,), (HEADS, n_out, n))
        depth = WIDTH // HEADS
        mixed = draft.add(Kind.MATMUL, f"{block}.mixed", (shares, value), (HEADS, n_out, depth), transpose_b=False)
        back = (n_out, HEADS, depth)
        mixed = draft.add(Kind.TRANSPOSE, f"{block}.back", (mixed,), back, permutation=(1, 0, 2))
        mixed = draft.add(Kind.RESHAPE, f"{block}.joined", (mixed,), (n_out, WIDTH))
        x = draft.add(Kind.ADD, f"{block}.sum1", (x, layer(f"{block}.project", mixed, WIDTH)), (n_out, WIDTH))
        grown = layer(f"{block}.expand", norm(f"{block}.norm2", x), 4 * WIDTH)
        grown = draft.add(Kind.GELU, f"{block}.gelu", (grown,), (n_out, 4 * WIDTH))
        x = draft.add(Kind.ADD, f"{block}.sum2", (x, layer(f"{block}.contract", grown, WIDTH)), (n_out, WIDTH))
    x = draft.add(Kind.MEAN, "pooled", (norm("norm", x),), (1, WIDTH), axes=(0,), keep=True)
    x = draft.add(Kind.L2_NORM, "unit", (layer("head", x, EMBEDDING),), (1, EMBEDDING))
    draft.outputs = (x,)
    return draft.finish()
