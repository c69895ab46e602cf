"""The typed graph in PyTorch: what `float_run` computes, with gradients.

A quantised graph runs with every tensor rounded to its own grid, as `float_run` has it (halves to even in place of
away from zero), and with gradients as if nothing had been rounded; where a value was cut, none flows. Layers read the
float weights and biases of the graph that was quantised, and round them anew in every run: those are what is trained.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ecgkd_export.fake_quant import real
from ecgkd_export.float_run import L2_EPSILON, RSQRT_LEAST
from ecgkd_export.graph import DType, Graph, Kind, Op
from ecgkd_export.graph import Tensor as GraphTensor
from ecgkd_export.quantise import WEIGHTED

MOVES = (Kind.RESHAPE, Kind.TRANSPOSE, Kind.SLICE, Kind.CONCAT, Kind.MAX_POOL, Kind.REDUCE_MAX)
"""Their outputs are on their inputs' grids."""
MOST_WEIGHT = 127


class TorchGraph(nn.Module):
    """A graph that runs on (n, *shape of its one input) and gives its first output (n, *shape)."""

    def __init__(self, graph: Graph, quantised: Graph | None = None) -> None:
        """`graph` is float; with `quantised`, the integer graph that was made of it, rounding is part of the run."""
        super().__init__()
        self.graph = graph
        self.running = graph if quantised is None else quantised
        self.rounded = quantised is not None
        self.layers = {op.output: op for op in graph.ops if op.kind in WEIGHTED}
        self.trained = nn.ParameterDict()
        """Weights and biases of the layers, by `_key` of their names; sums that are written as layers stay."""
        self.places: dict[str, str] = {}
        for op in self.layers.values():
            summing = np.ptp(graph.constant(op.inputs[1])) == 0
            for name in op.inputs[1:]:
                self.places[name] = _key(len(self.places)) if name not in self.places else self.places[name]
                values = torch.from_numpy(graph.constant(name).astype(np.float32))
                self.trained[self.places[name]] = nn.Parameter(values, requires_grad=not summing)
        self.constants = {
            name: torch.from_numpy(np.ascontiguousarray(real(tensor)))
            for name, tensor in self.running.tensors.items()
            if tensor.data is not None
        }

    def forward(self, windows: Tensor) -> Tensor:
        return self.run_all(windows)[self.running.outputs[0]]

    def run_all(self, windows: Tensor) -> dict[str, Tensor]:
        """Returns every output (n, *shape), by name."""
        entry = self.running.tensors[self.running.inputs[0]]
        values = {entry.name: self._on_grid(entry, windows.reshape(len(windows), *entry.shape))}
        for op in self.running.ops:
            tensor = self.running.tensors[op.output]
            result = COMPUTE[op.kind](op, self._inputs(op, values), (len(windows), *tensor.shape))
            if op.attributes.get("activation") == "relu":
                result = functional.relu(result)
            values[op.output] = result if op.kind in MOVES else self._on_grid(tensor, result)
        return {name: values[name] for name in self.running.outputs}

    def _inputs(self, op: Op, values: Mapping[str, Tensor]) -> list[Tensor]:
        layer = self.layers.get(op.output)
        if layer is None:
            return [values[name] if name in values else self.constants[name][None] for name in op.inputs]
        weights, bias = (self.trained[self.places[name]] for name in layer.inputs[1:])
        if self.rounded:
            weights = _rounded_weights(weights, self.running.tensors[op.inputs[1]])
        return [values[op.inputs[0]], weights, bias]

    def _on_grid(self, tensor: GraphTensor, values: Tensor) -> Tensor:
        if tensor.quant is None or tensor.dtype == DType.FLOAT32:
            return values
        scale, zero_point = float(tensor.quant.scale[0]), int(tensor.quant.zero_point)
        return _round(values, scale, (-128 - zero_point) * scale, (127 - zero_point) * scale)

    def trained_graph(self) -> Graph:
        """Returns the float graph with the weights and biases as they are now."""
        tensors = dict(self.graph.tensors)
        for name, key in self.places.items():
            data: NDArray[np.float32] = self.trained[key].detach().cpu().numpy().copy()
            tensors[name] = replace(tensors[name], data=data)
        return replace(self.graph, tensors=tensors)


class _Round(torch.autograd.Function):
    """Rounding to whole steps inside limits; the gradient of the limits alone. Faster than PyTorch's own by far."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, step: float, low: float, high: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.limits = low, high
        return values.clamp(low, high).mul_(1 / step).round_().mul_(step)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (values,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, values, *ctx.limits), None, None, None


def _round(values: Tensor, step: float, low: float, high: float) -> Tensor:
    rounded: Tensor = _Round.apply(values, step, low, high)
    return rounded


def _key(number: int) -> str:
    return f"constant_{number}"


def _rounded_weights(weights: Tensor, tensor: GraphTensor) -> Tensor:
    """Returns weights on the grid that `quantise.integer_weights` would give them now (bar its bound on biases)."""
    assert tensor.quant is not None
    flat = weights.detach().abs()
    least = float(np.finfo(np.float32).tiny)
    if tensor.quant.axis is None:
        scale = (flat.max() / MOST_WEIGHT).clamp_min(least)
        return torch.fake_quantize_per_tensor_affine(weights, float(scale), 0, -MOST_WEIGHT, MOST_WEIGHT)
    scale = (flat.flatten(1).amax(1) / MOST_WEIGHT).clamp_min(least)
    zero_point = torch.zeros(len(weights), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weights, scale, zero_point, 0, -MOST_WEIGHT, MOST_WEIGHT)


def _conv(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    x, weights, bias = inputs
    padded = functional.pad(x[:, 0, 0].transpose(1, 2), op.attributes["pad"])
    result = functional.conv1d(padded, weights[:, 0].transpose(1, 2), bias, stride=op.attributes["stride"])
    return result.transpose(1, 2).reshape(shape)


def _max_pool(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    padded = functional.pad(inputs[0][:, 0, 0].transpose(1, 2), op.attributes["pad"], value=-torch.inf)
    result = functional.max_pool1d(padded, op.attributes["size"], op.attributes["stride"])
    return result.transpose(1, 2).reshape(shape)


def _fully_connected(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    return functional.linear(*inputs)


def _matmul(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    a, b = inputs
    return a @ (b.transpose(2, 3) if op.attributes["transpose_b"] else b)


def _layer_norm(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    x, gain, shift = inputs
    return functional.layer_norm(x, x.shape[-1:], gain[0], shift[0], op.attributes["epsilon"])


def _l2_norm(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    return functional.normalize(inputs[0], dim=-1, eps=L2_EPSILON)


def _mean(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    return inputs[0].mean(_axes(op, inputs[0]), keepdim=op.attributes["keep"])


def _reduce_max(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    return inputs[0].amax(_axes(op, inputs[0]), keepdim=op.attributes["keep"])


def _axes(op: Op, x: Tensor) -> tuple[int, ...]:
    return tuple(axis % (x.ndim - 1) + 1 for axis in op.attributes["axes"])


def _concat(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    whole = [value.expand(shape[0], *value.shape[1:]) for value in inputs]
    return torch.cat(whole, op.attributes["axis"] % (len(shape) - 1) + 1)


def _transpose(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    return inputs[0].permute(0, *(axis + 1 for axis in op.attributes["permutation"]))


def _slice(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    spans = zip(op.attributes["begin"], op.attributes["size"], strict=True)
    return inputs[0][(slice(None), *(slice(begin, begin + size) for begin, size in spans))]


def _elementwise(function: Callable[[Tensor, Tensor], Tensor]) -> "Compute":
    def compute(op: Op, inputs: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
        a, b = (value.reshape(len(value), *(1,) * (len(shape) - value.ndim), *value.shape[1:]) for value in inputs)
        return function(a, b)

    return compute


Compute = Callable[[Op, Sequence[Tensor], tuple[int, ...]], Tensor]

COMPUTE: dict[Kind, Compute] = {
    Kind.CONV: _conv,
    Kind.MAX_POOL: _max_pool,
    Kind.FULLY_CONNECTED: _fully_connected,
    Kind.MATMUL: _matmul,
    Kind.SOFTMAX: lambda op, inputs, shape: inputs[0].softmax(-1),
    Kind.LAYER_NORM: _layer_norm,
    Kind.L2_NORM: _l2_norm,
    Kind.RSQRT: lambda op, inputs, shape: inputs[0].clamp_min(RSQRT_LEAST).rsqrt(),
    Kind.GELU: lambda op, inputs, shape: functional.gelu(inputs[0]),
    Kind.LOGISTIC: lambda op, inputs, shape: inputs[0].sigmoid(),
    Kind.RELU: lambda op, inputs, shape: functional.relu(inputs[0]),
    Kind.ADD: _elementwise(torch.add),
    Kind.SUB: _elementwise(torch.sub),
    Kind.MUL: _elementwise(torch.mul),
    Kind.MEAN: _mean,
    Kind.REDUCE_MAX: _reduce_max,
    Kind.CONCAT: _concat,
    Kind.RESHAPE: lambda op, inputs, shape: inputs[0].reshape(shape),
    Kind.TRANSPOSE: _transpose,
    Kind.SLICE: _slice,
    Kind.QUANTISE: lambda op, inputs, shape: inputs[0],
}
"""How each operator is computed: (operator, inputs, output's shape) to the output. Rounding happens outside."""
