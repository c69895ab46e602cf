"""Integer graphs built by hand, with random numbers of a fixed seed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Shape, Tensor, check


class Net:
    """A graph that grows: every method returns the name of what it adds."""

    def __init__(self, shape: Shape, seed: int = 0, zero_point: int = -3) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.input = self.tensor("window", shape, 1 / 16, zero_point)

    def tensor(self, name: str, shape: Shape, scale: float = 0.05, zero_point: int = 0) -> str:
        quant = Quant(np.full(1, scale, np.float32), zero_point)
        self.tensors[name] = Tensor(name, shape, DType.INT8, quant)
        return name

    def constant(self, name: str, shape: Shape, scale: float = 0.05, zero_point: int = 0) -> str:
        data = self.rng.integers(-128, 128, shape).astype(np.int8)
        quant = Quant(np.full(1, scale, np.float32), zero_point)
        self.tensors[name] = Tensor(name, shape, DType.INT8, quant, data)
        return name

    def op(self, kind: Kind, inputs: tuple[str, ...], shape: Shape, like: str | None = None, **attributes: Any) -> str:
        """Adds an operator whose output has the quantisation of `like`, or any."""
        name = f"{kind.value}{len(self.ops)}"
        if like is None:
            fixed = {Kind.SOFTMAX: (1 / 256, -128), Kind.LOGISTIC: (1 / 256, -128), Kind.L2_NORM: (1 / 128, 0)}
            scale = float(self.rng.uniform(0.03, 0.09))
            self.tensor(name, shape, *fixed.get(kind, (scale, int(self.rng.integers(-20, 20)))))
        else:
            quant = self.tensors[like].quant
            self.tensors[name] = Tensor(name, shape, DType.INT8, quant)
        self.ops.append(Op(kind, name, inputs, name, attributes))
        return name

    def same(self, kind: Kind, source: str, shape: Shape, **attributes: Any) -> str:
        """Adds an operator that changes no value."""
        return self.op(kind, (source,), shape, source, **attributes)

    def layer(self, kind: Kind, source: str, weights: Shape, shape: Shape, scales: int = 1, **attributes: Any) -> str:
        """Adds a convolution or a fully connected layer whose outputs fill their range."""
        name, quant = f"{kind.value}{len(self.ops)}", self.tensors[source].quant
        assert quant is not None
        data = self.rng.integers(-127, 128, weights).astype(np.int8)
        step = self.rng.uniform(0.001, 0.004, scales).astype(np.float32)
        axis = 0 if scales > 1 else None
        bias = self.rng.integers(-3000, 3000, weights[:1]).astype(np.int32)
        self.tensors[f"{name}.w"] = Tensor(f"{name}.w", weights, DType.INT8, Quant(step, axis=axis), data)
        self.tensors[f"{name}.b"] = Tensor(
            f"{name}.b", bias.shape, DType.INT32, Quant(step * quant.scale, 0, axis), bias
        )
        attributes.setdefault("activation", "none")
        return self.op(kind, (source, f"{name}.w", f"{name}.b"), shape, **attributes)

    def add(self, a: str, b: str, kind: Kind = Kind.ADD, activation: str = "none") -> str:
        shape = np.broadcast_shapes(self.tensors[a].shape, self.tensors[b].shape)
        return self.op(kind, (a, b), shape, activation=activation)

    def graph(self, *outputs: str) -> Graph:
        return check(Graph(self.tensors, tuple(self.ops), (self.input,), outputs))

    def windows(self, count: int = 6) -> NDArray[np.int8]:
        """Returns random windows; the last two hold the ends of the range."""
        found = self.rng.integers(-128, 128, (count, *self.tensors[self.input].shape)).astype(np.int8)
        found[-2], found[-1] = 127, -128
        return found
