"""Graph → program: what moves no value becomes a view, everything else a call of a kernel."""

from collections.abc import Mapping
from math import prod

from ecgkd_export.c99 import elementwise, products
from ecgkd_export.c99.fuse import CARRY, LOOKUP, Node, fuse
from ecgkd_export.c99.homes import homes_of
from ecgkd_export.c99.program import OUTPUTS, WINDOW, Program, Scratch, Step, Struct
from ecgkd_export.c99.views import View, merged, reshaped, sliced, together, transposed, whole
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import DType, Graph, Kind, Shape


def lower(graph: Graph) -> Program:
    """Returns the calls that compute an int8 graph of one input and one or two outputs: embedding, activity.

    Raises: GraphError naming the operator that no kernel computes.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) not in (1, 2) or len(set(graph.outputs)) < len(graph.outputs):
        raise GraphError(
            f"{len(graph.inputs)} input(s), {len(graph.outputs)} output(s); expected one input, and one output or two"
        )
    for name in (*graph.inputs, *graph.outputs):
        if graph.tensors[name].dtype != DType.INT8:
            raise GraphError(f"{name} is {graph.tensors[name].dtype}; the C kernels are int8")
    nodes = fuse(graph)
    return _Lowering(graph, homes_of(graph, nodes)).program(nodes)


class _Lowering:
    def __init__(self, graph: Graph, homes: Mapping[str, View]) -> None:
        self.graph, self.homes = graph, homes
        entry = graph.inputs[0]
        self.views = {entry: whole(WINDOW, graph.tensors[entry].shape)}
        self.sizes = {WINDOW: prod(graph.tensors[entry].shape)}
        self.constants = {name: tensor.data for name, tensor in graph.tensors.items() if tensor.data is not None}
        self.steps: list[Step] = []

    def program(self, nodes: list[Node]) -> Program:
        for node in nodes:
            try:
                self._node(node)
            except GraphError as error:
                raise GraphError(f"{node.op.kind} {node.op.name}: {error}") from error
        read = {view.root for step in self.steps for view in step.inputs if view}
        constants = {name: data for name, data in self.constants.items() if name in read}
        return Program(tuple(self.steps), self.sizes, constants)

    def _node(self, node: Node) -> None:
        match node.what:
            case Kind.RESHAPE | Kind.TRANSPOSE | Kind.SLICE | Kind.CONCAT:
                self._move(node)
            case Kind.CONV | Kind.FULLY_CONNECTED:
                self._layer(node)
            case Kind.ADD | Kind.SUB | Kind.MUL:
                self._pair(node)
            case Kind.MATMUL:
                self._matmul(node)
            case _:
                self._rows(node)

    def _move(self, node: Node) -> None:
        op, target = node.op, node.outputs[0]
        source = self._view(op.inputs[0])
        if op.kind == Kind.CONCAT:
            axis, begin, home = op.attributes["axis"] % len(self._shape(target)), 0, self._out(target)
            for name in op.inputs:
                part = self._shape(name)
                start = [begin if i == axis else 0 for i in range(len(part))]
                self._copy(node, self._view(name), sliced(home, start, part))
                begin += part[axis]
            return
        if op.kind == Kind.RESHAPE:
            view = reshaped(source, self._shape(target)) or reshaped(
                self._packed(node, op.inputs[0]), self._shape(target)
            )
            assert view is not None
        elif op.kind == Kind.TRANSPOSE:
            view = transposed(source, op.attributes["permutation"])
        else:
            view = sliced(source, op.attributes["begin"], op.attributes["size"])
        self.views[target] = view
        if target in self.homes:
            self._copy(node, view, self._out(target))

    def _layer(self, node: Node) -> None:
        graph, op, out = self.graph, node.op, self._out(node.outputs[0])
        weights = graph.tensors[op.inputs[1]].shape
        point = op.kind == Kind.CONV and weights[2] == 1 and tuple(op.attributes["pad"]) == (0, 0)
        source = self._view(op.inputs[0])
        if op.kind == Kind.CONV and not point:
            source = self._packed(node, op.inputs[0])
            struct, scratch = products.conv1d(graph, op, node.table, products.even(out.shape[2]))
            macs = out.size * prod(weights[1:])
            self._call(node, "conv1d", struct, [source], [out], scratch, macs=macs)
            return
        if source.shape[-1] > 1 and source.strides[-1] != 1:
            source = self._packed(node, op.inputs[0])
        axis, step = (2, op.attributes["stride"]) if point else (0, 1)
        rows = out.shape[axis]
        strides = (step * source.strides[axis], out.strides[axis])
        if rows == 1:
            strides = (source.shape[-1], out.shape[-1])
        struct, scratch = products.fully_connected(
            graph, op, node.table, rows=rows, strides=strides, chunk=products.even(rows)
        )
        self._call(node, "fully_connected", struct, [source], [out], scratch, macs=out.size * weights[-1])

    def _matmul(self, node: Node) -> None:
        names, out = node.op.inputs, self._out(node.outputs[0])
        a, b = (self._packed(node, n) if self._view(n).strides[2] != 1 else self._view(n) for n in names)
        struct, scratch = products.matmul(self.graph, node.op, a, b, out)
        self._call(node, "matmul", struct, [a, b], [out], scratch, macs=out.size * a.shape[2])

    def _pair(self, node: Node) -> None:
        op, out = node.op, self._out(node.outputs[0])
        a, b = (self._view(name) for name in op.inputs)
        shape = elementwise.broadcast(op, out, a, b)
        if shape is None:
            a, b = (self._packed(node, name) for name in op.inputs)
            shape = elementwise.broadcast(op, out, a, b)
        if shape is None:
            raise GraphError(f"{a.shape} and {b.shape} meet in a way that no kernel walks")
        in_place = tuple((i, 0) for i, one in enumerate((a, b)) if one.contiguous and one.shape == out.shape)
        if op.kind == Kind.MUL:
            self._call(node, "mul", elementwise.mul(self.graph, op, shape), [a, b], [out], in_place=in_place)
            return
        struct = elementwise.add(self.graph, op, op.inputs, shape)
        scratch = Scratch(2048, "ECGKD_ADD_SCRATCH")
        self._call(node, op.kind.value, struct, [a, b], [out], scratch, in_place=in_place)

    def _rows(self, node: Node) -> None:
        """Operators that take contiguous tensors and give one."""
        graph, op = self.graph, node.op
        inputs = [None if name is None else self._packed(node, name) for name in node.inputs]
        outputs: list[View | None] = [self._out(name) for name in node.outputs]
        scratch = Scratch()
        in_place: tuple[tuple[int, int], ...] = ((0, 0),)
        match node.what:
            case _ if node.what == CARRY:
                rows, branch, before = node.inputs
                assert rows is not None
                assert branch is not None
                struct = elementwise.carry(graph, node.ops, rows, branch, before, prod(self._shape(rows)))
                scratch, kernel = Scratch(8192, "ECGKD_CARRY_SCRATCH"), "carry"
                in_place = ((0, 0), (1, 0), (2, 0), (1, 1), (2, 1))
                outputs += [None] * (2 - len(outputs))
            case _ if node.what == LOOKUP:
                assert node.table is not None
                struct, kernel = elementwise.lookup(node.table, prod(self._shape(node.outputs[0]))), "lookup"
            case Kind.SOFTMAX:
                (struct, scratch), kernel = elementwise.softmax(graph, op), "softmax"
            case Kind.L2_NORM:
                struct, kernel = elementwise.l2_norm(graph, op), "l2_norm"
            case Kind.MEAN:
                (struct, scratch), kernel, in_place = elementwise.mean(graph, op), "mean", ()
            case Kind.REDUCE_MAX:
                struct, kernel, in_place = elementwise.reduce_max(graph, op), "reduce_max", ()
            case Kind.MAX_POOL:
                struct, kernel, in_place = elementwise.max_pool(graph, op), "max_pool", ()
            case _:
                raise GraphError("has no C kernel")
        self._call(node, kernel, struct, inputs, outputs, scratch, in_place=in_place)

    def _call(
        self,
        node: Node,
        kernel: str,
        struct: Struct,
        inputs: list[View | None] | list[View],
        outputs: list[View | None] | list[View],
        scratch: Scratch = Scratch(),
        *,
        in_place: tuple[tuple[int, int], ...] = (),
        macs: int = 0,
    ) -> None:
        shapes = " ".join(str(list(view.shape)) for view in inputs if view)
        results = " ".join(str(list(view.shape)) for view in outputs if view)
        note = f"{node.op.name}: {shapes} -> {results}"
        self.steps.append(Step(kernel, struct, tuple(inputs), tuple(outputs), scratch, note, in_place, macs))

    def _copy(self, node: Node, source: View, target: View) -> None:
        """Moves values to where they belong, if they are not there yet."""
        if (source.root, source.offset, merged(source)) == (target.root, target.offset, merged(target)):
            return
        struct = elementwise.copy(together(source.shape, source, target))
        self._call(node, "copy", struct, [source], [target])

    def _packed(self, node: Node, name: str) -> View:
        """Returns the tensor without gaps; a copy where it has some."""
        view = self._view(name)
        if view.contiguous:
            return view
        root = f"{name}:packed"
        target = whole(root, view.shape)
        self.sizes[root] = target.size
        self._copy(node, view, target)
        return target

    def _view(self, name: str) -> View:
        """Returns where the tensor lies; constants lie in buffers of their own."""
        found = self.views.get(name)
        return whole(name, self._shape(name)) if found is None else found

    def _out(self, name: str) -> View:
        """Returns where a tensor is written, and remembers it."""
        view = self.homes.get(name) or whole(name, self._shape(name))
        self.views[name] = view
        self.sizes.setdefault(view.root, self._bytes(view.root))
        return view

    def _bytes(self, root: str) -> int:
        name = dict(zip(OUTPUTS, self.graph.outputs, strict=False)).get(root, root)
        return prod(self._shape(name))

    def _shape(self, name: str) -> Shape:
        return self.graph.tensors[name].shape
