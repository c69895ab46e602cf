"""Cases of convolutions, fully connected layers and matrix products."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from vector_make import DIRT, Fields, Int8, layer, rounded, run, step, values
from vector_text import Case

from ecgkd_export import simulate_linear as linear
from ecgkd_export import simulate_pointwise as pointwise
from ecgkd_export.graph import DType, Kind, Quant
from ecgkd_export.simulate_linear import Rounding

LAYER = "layer"
Tensors = list[tuple[NDArray[Any], Quant]]
Weighted = tuple[Int8, Int8, NDArray[np.int32]]
"""Input, weights, bias."""


CONVOLUTIONS: Mapping[str, tuple[int, int, int, int, int, int, int, str]] = {
    # steps, channels, taps, stride, left, right, outputs, activation
    "stem": (60, 1, 15, 2, 7, 7, 16, "relu"),
    "stem_odd": (41, 1, 7, 3, 3, 3, 5, "none"),
    "odd_step": (33, 3, 5, 1, 2, 2, 6, "none"),
    "residual": (37, 16, 7, 1, 3, 3, 16, "none"),
    "down": (40, 16, 7, 2, 3, 3, 8, "relu"),
    "shortcut": (21, 32, 1, 2, 0, 0, 9, "none"),
    "gate": (45, 2, 15, 1, 7, 7, 1, "none"),
    "short": (2, 8, 7, 1, 3, 3, 3, "none"),
    "one_side": (19, 4, 3, 2, 0, 2, 4, "relu"),
    "wide": (9, 48, 3, 1, 1, 1, 7, "none"),
}


def convolutions() -> Iterator[Case]:
    for seed, (what, (steps, channels, taps, stride, left, right, outputs, activation)) in enumerate(
        CONVOLUTIONS.items()
    ):
        rng = np.random.default_rng(seed)
        x, weights = values(rng, 1, 1, steps, channels), values(rng, outputs, 1, taps, channels, low=-127)
        if what == "residual":
            x[0, 0, 4:18], weights[:3] = -128, -127
        bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
        yield _convolution(rng, what, (x, weights, bias), stride, (left, right), activation, chunk=6 if seed % 2 else 2)
    rng = np.random.default_rng(100)
    x, weights = values(rng, 1, 1, 20, 8), values(rng, 6, 1, 3, 8, low=-127)
    weights[2], weights[4] = 0, 0
    bias = np.array([0, 3000, 1 << 30, 7, -(1 << 30), 0], np.int32)
    scale = np.array([0.01, 0.002, 1e-9, 40.0, 2e-9, 0.01], np.float32)
    yield _convolution(rng, "dead_channels", (x, weights, bias), 1, (1, 1), "none", scale=scale)
    scale, large = np.full(6, 5e-8, np.float32), rng.integers(-(1 << 29), 1 << 29, 6).astype(np.int32)
    yield _convolution(rng, "tiny_steps", (x, weights, large), 1, (1, 1), "none", scale=scale)
    yield _convolution(rng, "relu", (x, weights, bias // 1024), 1, (1, 1), "relu", out_zero_point=-128)
    x, bias = np.full_like(x, -9), np.zeros(6, np.int32)
    yield _convolution(rng, "nothing", (x, weights, bias), 1, (1, 1), "relu", x_zero_point=-9)


def _convolution(
    rng: Generator,
    what: str,
    data: Weighted,
    stride: int,
    pad: tuple[int, int],
    activation: str,
    scale: NDArray[np.float32] | None = None,
    x_zero_point: int | None = None,
    out_zero_point: int | None = None,
    chunk: int = 4,
) -> Case:
    x, weights, bias = data
    outputs, _, taps, channels = weights.shape
    quant = step(0.03, int(rng.integers(-128, 128)) if x_zero_point is None else x_zero_point)
    of = Quant(rng.uniform(0.001, 0.02, outputs).astype(np.float32) if scale is None else scale, 0, 0)
    zero_point = int(rng.integers(-20, 20)) if out_zero_point is None else out_zero_point
    out = step(0.03 * 0.01 * 74 * (taps * channels) ** 0.5, zero_point)
    steps = (x.shape[2] + sum(pad) - taps) // stride + 1
    tensors: Tensors = [
        (x, quant),
        (weights, of),
        (bias, Quant((quant.scale * of.scale).astype(np.float32), 0, 0)),
    ]
    expected = run(Kind.CONV, tensors, (1, 1, steps, outputs), out, stride=stride, pad=pad, activation=activation)
    fields: Fields = {
        LAYER: layer(weights.reshape(outputs, -1), bias, quant, of, out, activation),
        "in_steps": x.shape[2],
        "channels": channels,
        "taps": taps,
        "stride": stride,
        "pad_left": pad[0],
        "out_steps": steps,
        "chunk": chunk,
        "in_zero_point": quant.zero_point,
    }
    scratch = f"ECGKD_CONV1D_SCRATCH({channels}, {taps}, {stride}, {chunk})"
    return Case("conv1d", what, fields, (x,), expected, scratch)


def depthwise() -> Iterator[Case]:
    """A depthwise convolution is a convolution of each channel by itself."""
    rng = np.random.default_rng(1)
    steps, channels, taps, stride, pad = 23, 19, 5, 2, (2, 2)
    x, weights = values(rng, steps, channels), values(rng, taps, channels, low=-127)
    bias = rng.integers(-3000, 3000, channels).astype(np.int32)
    quant, of, out = step(0.03, 11), rng.uniform(0.001, 0.02, channels).astype(np.float32), step(0.05, -3)
    parts = []
    for c in range(channels):
        own = Quant(of[c : c + 1], 0, 0)
        tensors: Tensors = [
            (x[None, None, :, c : c + 1], quant),
            (weights[:, c].reshape(1, 1, taps, 1), own),
            (bias[c : c + 1], Quant(quant.scale * own.scale, 0, 0)),
        ]
        shape = (1, 1, (steps + sum(pad) - taps) // stride + 1, 1)
        parts.append(run(Kind.CONV, tensors, shape, out, stride=stride, pad=pad, activation="none")[0, 0])
    fields: Fields = layer(weights.T.copy(), bias, quant, Quant(of, 0, 0), out, "none") | {"weights": weights}
    rest = {"in_steps": steps, "taps": taps, "stride": stride, "pad_left": pad[0], "out_steps": len(parts[0])}
    whole: Fields = {LAYER: fields, **rest, "in_zero_point": quant.zero_point}
    yield Case("depthwise_conv1d", "odd", whole, (x,), np.concatenate(parts, 1))


FULLY_CONNECTED: Mapping[str, tuple[int, int, int, str, bool]] = {
    # rows, inputs, outputs, activation, one scale for each output
    "patches": (25, 65, 10, "none", True),
    "tokens": (27, 64, 12, "none", True),
    "one_row": (1, 128, 13, "none", True),
    "one_column": (27, 64, 1, "none", False),
    "squeeze": (1, 32, 8, "relu", True),
    "excite": (1, 8, 32, "none", True),
    "tiny": (3, 1, 2, "none", True),
    "two_rows": (2, 48, 5, "relu", False),
    "odd": (5, 33, 7, "none", True),
}


def fully_connected() -> Iterator[Case]:
    for seed, (what, (n, inputs, outputs, activation, per_channel)) in enumerate(FULLY_CONNECTED.items()):
        rng = np.random.default_rng(200 + seed)
        x, weights = values(rng, n, inputs), values(rng, outputs, inputs, low=-127)
        if what == "tokens":
            x[3], weights[2] = -128, -127
        bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
        yield _connected(rng, what, x, weights, bias, activation, per_channel)
    rng = np.random.default_rng(250)
    x, weights = values(rng, 6, 40), values(rng, 9, 40, low=-127)
    yield _connected(rng, "gelu", x, weights, np.zeros(9, np.int32), "none", True, table=True)
    # Rows that are part of longer ones, on both sides; what lies between stays as the test filled it.
    x, weights = values(rng, 7, 48), values(rng, 8, 48, low=-127)
    case = _connected(rng, "strided", x, weights, np.zeros(8, np.int32), "none", True, table=True)
    wide_in, wide_out = values(rng, 7, 53), np.full((7, 11), DIRT, np.int8)
    wide_in[:, :48], wide_out[:, :8] = x, case.expected
    fields: Fields = {**case.fields, "in_stride": 53, "out_stride": 11}
    part = (wide_in.reshape(-1)[: 6 * 53 + 48],)
    yield Case("fully_connected", "strided", fields, part, wide_out.reshape(-1)[: 6 * 11 + 8], case.scratch)


def _connected(
    rng: Generator,
    what: str,
    x: Int8,
    weights: Int8,
    bias: NDArray[np.int32],
    activation: str,
    per_channel: bool,
    table: bool = False,
) -> Case:
    outputs, inputs = weights.shape
    quant = step(0.03, int(rng.integers(-128, 128)))
    of = Quant(
        rng.uniform(0.001, 0.02, outputs if per_channel else 1).astype(np.float32), 0, 0 if per_channel else None
    )
    out = step(0.03 * 0.01 * 74 * inputs**0.5, int(rng.integers(-20, 20)))
    tensors: Tensors = [
        (x, quant),
        (weights, of),
        (bias, Quant((quant.scale * of.scale).astype(np.float32), 0, of.axis)),
    ]
    expected = run(Kind.FULLY_CONNECTED, tensors, (len(x), outputs), out, activation=activation)
    fields = layer(weights, bias, quant, of, out, activation)
    if not per_channel:
        alone = linear.product_rescale(quant, of, out, DType.INT8, activation, Rounding.FIXED).multiplier
        fields["multiplier"] = np.full(outputs, alone.mantissa[0], np.int32)
        fields["shift"] = np.full(outputs, alone.shift[0], np.int8)
    if table:
        after = step(0.04, -60)
        fields["table"] = pointwise.gelu_table(out, after)
        expected = run(Kind.GELU, [(expected, out)], expected.shape, after)
    chunk = 4 if inputs % 2 else 10
    rest = {"rows": len(x), "in_stride": inputs, "out_stride": outputs, "chunk": chunk}
    scratch = f"ECGKD_FULLY_CONNECTED_SCRATCH({inputs}, {chunk})"
    return Case("fully_connected", what, {LAYER: fields, **rest}, (x,), expected, scratch)


MATRIX_PRODUCTS: Mapping[str, tuple[int, int, int, int, bool, int, int]] = {
    # batch, rows, inner, columns, transpose_b, zero points
    "scores": (2, 27, 32, 27, True, 0, 0),
    "mix": (2, 13, 27, 32, False, -128, 0),
    "class_tokens": (2, 2, 32, 11, True, 8, 0),
    "odd": (3, 5, 7, 9, False, 3, -5),
    "odd_transposed": (1, 4, 19, 6, True, -128, 127),
    "single": (1, 1, 1, 1, False, 1, 0),
    "extreme": (1, 6, 48, 5, True, 0, 0),
    "extreme_mix": (1, 3, 48, 6, False, -128, 0),
}


def matrix_products() -> Iterator[Case]:
    for seed, (what, shape) in enumerate(MATRIX_PRODUCTS.items()):
        batch, n, inner, columns, transpose_b, a_zero_point, b_zero_point = shape
        rng = np.random.default_rng(300 + seed)
        a = values(rng, batch, n, inner)
        b = values(rng, batch, *((columns, inner) if transpose_b else (inner, columns)))
        if what.startswith("extreme"):
            a[:, :2], b[:, :2] = -128, -128
        yield _product(what, a, b, a_zero_point, b_zero_point, transpose_b)
    # Heads side by side: queries, keys and values are columns of one matrix, and so is the result.
    rng = np.random.default_rng(350)
    tokens, heads, depth = 7, 2, 20
    joint = values(rng, tokens, 3 * heads * depth)
    parts = [part.reshape(tokens, heads, depth).swapaxes(0, 1) for part in np.split(joint, 3, 1)]
    case = _product("heads", np.ascontiguousarray(parts[0]), np.ascontiguousarray(parts[1]), 0, 0, True)
    strides = {"a_batch": depth, "a_row": joint.shape[1], "b_batch": depth, "b_row": joint.shape[1]}
    inputs = (joint.reshape(-1)[: joint.size - 2 * heads * depth], joint.reshape(-1)[heads * depth :])
    yield Case("matmul", "heads", {**case.fields, **strides}, inputs, case.expected, case.scratch)
    weights = values(rng, heads, tokens, tokens)
    case = _product("heads_mix", weights, np.ascontiguousarray(parts[2]), -128, 0, False)
    strides = {"b_batch": depth, "b_row": joint.shape[1], "out_batch": depth, "out_row": heads * depth}
    expected = case.expected.swapaxes(0, 1).copy()
    inputs = (weights, joint.reshape(-1)[2 * heads * depth :])
    yield Case("matmul", "heads_mix", {**case.fields, **strides}, inputs, expected, case.scratch)


def _product(what: str, a: Int8, b: Int8, a_zero_point: int, b_zero_point: int, transpose_b: bool) -> Case:
    batch, n, inner = a.shape
    columns = b.shape[1] if transpose_b else b.shape[2]
    left, right = step(0.02, a_zero_point), step(0.03, b_zero_point)
    out = step(0.02 * 0.03 * 100 * 74 * inner**0.5, 5)
    expected = run(Kind.MATMUL, [(a, left), (b, right)], (batch, n, columns), out, transpose_b=transpose_b)
    to = linear.product_rescale(left, right, out, DType.INT8, "none", Rounding.FIXED)
    fields: Fields = {"batch": batch, "rows": n, "inner": inner, "columns": columns}
    fields |= {"a_batch": n * inner, "a_row": inner, "b_batch": b[0].size, "b_row": b.shape[2]}
    fields |= {"out_batch": n * columns, "out_row": columns, **rounded(to)}
    fields |= {"a_zero_point": a_zero_point, "b_zero_point": b_zero_point, "transpose_b": int(transpose_b)}
    return Case("matmul", what, fields, (a, b), expected, f"ECGKD_MATMUL_SCRATCH({n}, {inner}, {columns})")
