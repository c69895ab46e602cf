"""A graph while it is being changed: operators by what they make, put in order again at the end."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.graph import ATTRIBUTES, DType, Graph, Kind, Op, Shape, Tensor, check


class Draft:
    """A float graph that may be changed; `finish` gives the new graph without what is no longer read."""

    def __init__(self, graph: Graph) -> None:
        self.inputs = graph.inputs
        self.outputs = graph.outputs
        self.tensors: dict[str, Tensor] = dict(graph.tensors)
        self.ops: dict[str, Op] = {op.output: op for op in graph.ops}
        """By output."""

    # --- asking

    def maker(self, name: str, *kinds: Kind) -> Op | None:
        """Returns the operator behind a tensor, None where it has none or it is not of these kinds."""
        op = self.ops.get(name)
        return op if op is not None and (not kinds or op.kind in kinds) else None

    def readers(self, name: str) -> list[Op]:
        return [op for op in self.ops.values() if name in op.inputs]

    def read_once(self, name: str) -> bool:
        """Is the tensor read by exactly one operator, and no output?"""
        return len(self.readers(name)) == 1 and name not in self.outputs

    def shape(self, name: str) -> Shape:
        return self.tensors[name].shape

    def data(self, name: str) -> NDArray[np.float64] | None:
        """Returns a constant's values in float64, None for what is computed."""
        values = self.tensors[name].data
        return None if values is None else values.astype(np.float64)

    # --- changing

    def free(self, name: str) -> str:
        """Returns `name`, or `name:2`, `name:3` … where it is taken."""
        unused, number = name, 1
        while unused in self.tensors:
            number += 1
            unused = f"{name}:{number}"
        return unused

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Adds a float32 constant and returns its name."""
        name = self.free(name)
        data = np.ascontiguousarray(values, np.float32)
        self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data)
        return name

    def add(self, kind: Kind, name: str, inputs: tuple[str, ...], shape: Shape, **attributes: Any) -> str:
        """Adds an operator, its output under its own name, and returns that; an activation not given is none."""
        if "activation" in ATTRIBUTES.get(kind, ()):
            attributes.setdefault("activation", "none")
        name = self.free(name)
        self.tensors[name] = Tensor(name, shape)
        self.ops[name] = Op(kind, name, inputs, name, attributes)
        return name

    def linear(self, name: str, x: str, weights: NDArray[Any], bias: NDArray[Any], **attributes: Any) -> str:
        """Adds a fully connected layer over rows (n, in) and returns its output (n, out)."""
        constants = (self.constant(f"{name}:weights", weights), self.constant(f"{name}:bias", bias))
        shape = (self.shape(x)[0], len(weights))
        return self.add(Kind.FULLY_CONNECTED, name, (x, *constants), shape, **attributes)

    def replace_constant(self, op: Op, position: int, values: NDArray[Any]) -> None:
        """Gives one operator other numbers in place of one of its constants; who else read those keeps them."""
        current = self.ops[op.output]
        name = self.constant(current.inputs[position], values)
        inputs = (*current.inputs[:position], name, *current.inputs[position + 1 :])
        self.ops[op.output] = replace(current, inputs=inputs)

    def redirect_one(self, output: str, old: str, new: str) -> None:
        """Lets the maker of `output` read `new` where it read `old`."""
        op = self.ops[output]
        self.ops[output] = replace(op, inputs=tuple(new if name == old else name for name in op.inputs))

    def redirect(self, old: str, new: str) -> None:
        """Lets all who read `old` read `new`; an output keeps its name."""
        if old in self.outputs:
            self._rename_output(old, new)
            return
        for output, op in self.ops.items():
            if old in op.inputs and output != new:
                self.redirect_one(output, old, new)

    def _rename_output(self, old: str, new: str) -> None:
        maker, tensor = self.ops.pop(new), self.tensors.pop(new)
        self.ops.pop(old)
        self.ops[old] = replace(maker, output=old)
        self.tensors[old] = replace(tensor, name=old)
        for output in self.ops:
            self.redirect_one(output, new, old)

    def finish(self) -> Graph:
        """Returns the graph, in order, without operators and tensors that nobody reads. Raises: GraphError."""
        order: list[Op] = []
        seen: set[str] = set()
        stack: list[tuple[str, bool]] = [(name, False) for name in reversed(self.outputs)]
        while stack:
            name, inputs_done = stack.pop()
            op = self.ops.get(name)
            if op is None or (name in seen and not inputs_done):
                continue
            if inputs_done:
                order.append(op)
                continue
            seen.add(name)
            stack.append((name, True))
            stack.extend((source, False) for source in reversed(op.inputs) if source not in seen)
        used = {*self.inputs, *self.outputs, *(name for op in order for name in (*op.inputs, op.output))}
        tensors = {name: tensor for name, tensor in self.tensors.items() if name in used}
        return check(Graph(tensors, tuple(order), self.inputs, self.outputs))
