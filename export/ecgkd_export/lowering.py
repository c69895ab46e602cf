"""What the lowering of one ONNX graph carries along: known facts, values with their layouts, operators so far.

A signal is (1, channels, time) in ONNX and (1, 1, time, channels) in the graph; one that was flattened in ONNX's order
is (1, channels · time) with its numbers still in the graph's order, until a matrix product sorts its weights by it.
A value is moved from one layout to another only where an operator asks for it, and then once.
"""

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import ATTRIBUTES, DType, Kind, Op, Shape, Tensor

if TYPE_CHECKING:
    import onnx


class Layout(Enum):
    PLAIN = "plain"
    """As in ONNX."""
    SIGNAL = "signal"
    """(1, channels, time) of ONNX as (1, 1, time, channels)."""
    FLAT = "flat"
    """(1, channels · time) of ONNX, its numbers in the order (time, channels)."""


@dataclass(frozen=True)
class Value:
    """Where a tensor of the ONNX graph is found in the new graph."""

    name: str
    layout: Layout = Layout.PLAIN
    n_channels: int = 0
    """Of a FLAT one."""


@dataclass(frozen=True)
class Facts:
    """What is known about the ONNX graph."""

    shapes: dict[str, Shape]
    """Of every tensor."""
    constants: dict[str, NDArray[Any]]
    readers: Counter[str]
    """How many operators and outputs read each tensor."""
    for_signals: frozenset[str]
    """Tensors that convolutions and poolings read."""


class Lowering:
    """The new graph while it grows, beside the facts about the old one."""

    def __init__(self, facts: Facts) -> None:
        self.shapes = facts.shapes
        self.constants = facts.constants
        self.readers = facts.readers
        self.for_signals = facts.for_signals
        self.values: dict[str, Value] = {}
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.lengths: dict[str, str] = {}
        """Tensors of the ONNX graph that hold another one's length along its last axis, and whose."""
        self._moved: dict[tuple[str, Layout], str] = {}

    # --- writing

    def add_constant(self, name: str, data: NDArray[Any]) -> str:
        """Returns the name of a float32 constant; `name`, unless other numbers have it."""
        data = np.ascontiguousarray(data, np.float32)
        free, number = name, 1
        while free in self.tensors:
            old = self.tensors[free].data
            if old is not None and np.array_equal(old, data):
                return free
            number += 1
            free = f"{name}:{number}"
        self.tensors[free] = Tensor(free, data.shape, DType.FLOAT32, None, data)
        return free

    def emit(self, kind: Kind, name: str, inputs: tuple[str, ...], output: str, shape: Shape, **attributes: Any) -> str:
        """Adds an operator and its output, and returns the output's name; an activation not given is none."""
        if "activation" in ATTRIBUTES.get(kind, ()):
            attributes.setdefault("activation", "none")
        self.tensors[output] = Tensor(output, shape)
        self.ops.append(Op(kind, name, inputs, output, attributes))
        return output

    def define(self, output: str, name: str, layout: Layout = Layout.PLAIN, n_channels: int = 0) -> None:
        """Says that ONNX's tensor `output` is `name` in the new graph."""
        self.values[output] = Value(name, layout, n_channels)

    def maker(self, output: str) -> int | None:
        """Returns the position of the operator that makes ONNX's tensor `output`, which only the caller reads.

        None where others read it too, or where it is another tensor's values under a new name or shape.
        """
        value = self.values.get(output)
        if value is None or value.name != output or self.readers[output] != 1:
            return None
        return next((position for position, op in enumerate(self.ops) if op.output == value.name), None)

    def change(self, position: int, output: str, **fields: Any) -> None:
        """Gives an operator other fields and makes it the maker of ONNX's tensor `output`, which is of its shape."""
        old = self.ops[position]
        tensor = self.tensors.pop(old.output)
        before = next(value for value in self.values.values() if value.name == old.output)
        self.tensors[output] = replace(tensor, name=output)
        self.ops[position] = replace(old, output=output, **fields)
        self.define(output, output, before.layout, before.n_channels)

    def remove(self, position: int) -> None:
        """Takes out an operator that nothing reads."""
        del self.tensors[self.ops.pop(position).output]

    # --- reading

    def plain(self, name: str) -> str:
        """Returns ONNX's tensor `name` laid out as in ONNX."""
        if name in self.constants:
            data = self.constants[name]
            return self.add_constant(name, data.reshape(data.shape or (1,)))
        value = self.values[name]
        if value.layout == Layout.PLAIN:
            return value.name
        return self._move(name, value, Layout.PLAIN)

    def signal(self, name: str) -> str:
        """Returns ONNX's tensor `name`, of at most three axes, as (1, 1, time, channels).

        Raises: GraphError where it has more than one row.
        """
        shape = (1,) * (3 - len(self.shapes[name])) + self.shapes[name]
        if len(shape) != 3 or shape[0] != 1:
            raise GraphError(f"{name} is {self.shapes[name]}; expected a signal (1, channels, time)")
        if name in self.constants:
            data = self.constants[name].reshape(shape).transpose(0, 2, 1)[None]
            return self.add_constant(name if data.size == 1 else f"{name}:signal", data)
        value = self.values[name]
        return value.name if value.layout == Layout.SIGNAL else self._move(name, value, Layout.SIGNAL)

    def batched(self, name: str) -> str:
        """Returns ONNX's matrix `name` as a batch of one; a batch as it is."""
        plain = self.plain(name)
        shape = self.tensors[plain].shape
        if len(shape) == 3:
            return plain
        if name in self.constants:
            return self.add_constant(f"{name}:batch", self.constants[name][None])
        batch = f"{name}:batch"
        if batch not in self.tensors:
            self.emit(Kind.RESHAPE, batch, (plain,), batch, (1, *shape))
        return batch

    def is_signal(self, name: str) -> bool:
        return name in self.values and self.values[name].layout == Layout.SIGNAL

    def _move(self, name: str, value: Value, to: Layout) -> str:
        """Returns the value in another layout; a transpose where the order changes, a reshape where only axes do."""
        if (name, to) in self._moved:
            return self._moved[name, to]
        shape = self.shapes[name]
        if value.layout == Layout.FLAT:
            n_channels, n_steps = value.n_channels, shape[1] // value.n_channels
        else:
            _, n_channels, n_steps = (1,) * (3 - len(shape)) + shape
        target = (1, 1, n_steps, n_channels) if to == Layout.SIGNAL else shape
        source = value.name
        before, after = (
            (n_channels, n_steps) if layout == Layout.PLAIN else (n_steps, n_channels) for layout in (value.layout, to)
        )
        if before != after and 1 not in before:
            reshaped, turned = (1, *before), (1, *after)
            if self.tensors[source].shape != reshaped:
                source = self.emit(Kind.RESHAPE, f"{name}:rows", (source,), f"{name}:rows", reshaped)
            last = f"{name}:turned" if turned != target else f"{name}:{to.value}"
            source = self.emit(Kind.TRANSPOSE, last, (source,), last, turned, permutation=(0, 2, 1))
        if self.tensors[source].shape != target:
            source = self.emit(Kind.RESHAPE, f"{name}:{to.value}", (source,), f"{name}:{to.value}", target)
        self._moved[name, to] = source
        return source


@dataclass(frozen=True)
class Node:
    """One operator of the ONNX graph, ready to be asked."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    """An input that is left out is an empty name."""
    output: str
    attributes: dict[str, Any]

    @classmethod
    def of(cls, node: "onnx.NodeProto") -> "Node":
        from onnx import helper

        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        texts = {name: v.decode(errors="replace") if isinstance(v, bytes) else v for name, v in attributes.items()}
        return cls(node.op_type, node.name or node.output[0], tuple(node.input), node.output[0], texts)

    def input(self, position: int) -> str:
        """Returns an input's name; empty where it is left out."""
        return self.inputs[position] if position < len(self.inputs) else ""

    def refuse(self, why: str) -> GraphError:
        """Returns the error to raise about this operator."""
        return GraphError(f"{self.kind} {self.name}: {why}")

    def demand(self, **expected: Any) -> None:
        """Raises: GraphError where an attribute is there with another value."""
        for name, value in expected.items():
            got = self.attributes.get(name, value)
            if got != value:
                raise self.refuse(f"{name} is {got}; only {value} is known")

    def constant(self, state: Lowering, position: int, what: str) -> NDArray[Any]:
        """Returns the numbers of an input. Raises: GraphError where it is computed or left out."""
        name = self.input(position)
        if name not in state.constants:
            raise self.refuse(f"its {what} {'is computed' if name else 'is missing'}; expected a constant")
        return state.constants[name]
