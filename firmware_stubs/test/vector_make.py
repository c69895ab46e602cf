"""What every case is made with: random numbers, one operator through the simulation, the fields of a layer."""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ecgkd_export import simulate_linear as linear
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Shape, Tensor, check
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.simulate_linear import Rescale, Rounding

Int8 = NDArray[np.int8]
Fields = dict[str, Any]
DIRT = 0x5A
"""What test_main.c fills outputs with before it calls a kernel."""


def step(scale: float, zero_point: int = 0) -> Quant:
    return Quant(np.full(1, scale, np.float32), zero_point)


def values(rng: Generator, *shape: int, low: int = -128, high: int = 127) -> Int8:
    return rng.integers(low, high, shape, np.int8, endpoint=True)


def run(kind: Kind, tensors: list[tuple[NDArray[Any], Quant]], shape: Shape, out: Quant, **attributes: Any) -> Int8:
    """Returns what one operator gives; the first tensor is its input, the others are constants."""
    data, quant = tensors[0]
    known = {"x": Tensor("x", data.shape, DType.INT8, quant), "y": Tensor("y", shape, DType.INT8, out)}
    names = ["x"]
    for n, (value, of) in enumerate(tensors[1:]):
        kept = DType.INT32 if value.dtype == np.int32 else DType.INT8
        known[f"c{n}"] = Tensor(f"c{n}", value.shape, kept, of, value)
        names.append(f"c{n}")
    graph = check(Graph(known, (Op(kind, "op", tuple(names), "y", attributes),), ("x",), ("y",)))
    return simulate(graph, data[None], arithmetic=Arithmetic.FIXED)["y"][0].astype(np.int8)


def layer(weights: Int8, bias: NDArray[np.int32], x: Quant, of: Quant, out: Quant, activation: str) -> dict[str, Any]:
    """Returns the fields of ecgkd_layer_t; weights (outputs, depth)."""
    to = linear.layer_rescale(x, of, out, DType.INT8, activation, Rounding.FIXED)
    outputs, depth = weights.shape
    padded = np.zeros((outputs, -(-depth // 16) * 16), np.int8)
    padded[:, :depth] = weights
    total = np.abs(weights.astype(np.int64)).sum(1)
    folded = bias.astype(np.int64) - x.zero_point * weights.astype(np.int64).sum(1)
    shift = np.broadcast_to(to.multiplier.shift, outputs)
    return {
        "weights": padded,
        "bias": folded.astype(np.int32),
        "multiplier": np.broadcast_to(to.multiplier.mantissa, outputs).astype(np.int32),
        "shift": shift.astype(np.int8),
        "table": None,
        "outputs": outputs,
        "depth": depth,
        "out_zero_point": out.zero_point,
        "low": to.low,
        "high": to.high,
        "quick": int(bool(np.all(shift < 0) and np.all(np.abs(folded) + 128 * total < 1 << 30))),
    }


def rounded(to: Rescale) -> dict[str, int]:
    return {
        "multiplier": int(to.multiplier.mantissa.reshape(-1)[0]),
        "shift": int(to.multiplier.shift.reshape(-1)[0]),
        "out_zero_point": to.zero_point,
        "low": to.low,
        "high": to.high,
    }
