"""Where a tensor is best written: inside what it will be part of, so that nothing has to be moved there."""

from collections.abc import Mapping

from ecgkd_export.c99.fuse import Node
from ecgkd_export.c99.program import OUTPUTS
from ecgkd_export.c99.views import View, reshaped, sliced, transposed, whole
from ecgkd_export.graph import Graph, Kind


def homes_of(graph: Graph, nodes: list[Node]) -> Mapping[str, View]:
    """Returns the tensors that do not lie in a buffer of their own: outputs, parts of concatenations, rows of heads.

    From the last node to the first: what a node writes tells where its inputs had better be.
    """
    return _Homes(graph, nodes).found


class _Homes:
    def __init__(self, graph: Graph, nodes: list[Node]) -> None:
        self.graph = graph
        self.makers = {name: node for node in nodes for name in node.outputs}
        self.readers: dict[str, int] = {}
        for node in nodes:
            for name in {name for name in node.inputs if name}:
                self.readers[name] = self.readers.get(name, 0) + 1
        self.found = {
            name: whole(root, graph.tensors[name].shape) for name, root in zip(graph.outputs, OUTPUTS, strict=False)
        }
        for node in reversed(nodes):
            self._offer(node)

    def _offer(self, node: Node) -> None:
        op, name = node.op, node.outputs[0]
        target = self.found.get(name)
        shapes = [self.graph.tensors[one].shape for one in op.inputs]
        if node.what == Kind.CONCAT:
            target = self.found.setdefault(name, whole(name, self.graph.tensors[name].shape))
            axis, begin = op.attributes["axis"] % len(shapes[0]), 0
            for one, shape in zip(op.inputs, shapes, strict=True):
                start = [begin if i == axis else 0 for i in range(len(shape))]
                self._give(one, sliced(target, start, shape))
                begin += shape[axis]
        elif node.what == Kind.RESHAPE and target is not None:
            part = reshaped(target, shapes[0])
            if part is not None:
                self._give(op.inputs[0], part)
        elif node.what == Kind.TRANSPOSE:
            permutation = op.attributes["permutation"]
            inverse = sorted(range(len(permutation)), key=lambda axis: permutation[axis])
            wanted = target or whole(name, self.graph.tensors[name].shape)
            if self._give(op.inputs[0], transposed(wanted, inverse)):
                self.found[name] = wanted

    def _give(self, name: str, view: View) -> bool:
        """Makes `view` the home of a tensor if what makes it can write there; returns whether it can."""
        maker = self.makers.get(name)
        if maker is None or name in self.found or self.readers.get(name, 0) != 1 or not self._writes(maker, view):
            return False
        self.found[name] = view
        return True

    def _writes(self, maker: Node, view: View) -> bool:
        match maker.what:
            case Kind.FULLY_CONNECTED | Kind.MATMUL:
                return view.shape[-1] == 1 or view.strides[-1] == 1
            case Kind.RESHAPE:
                return reshaped(view, self.graph.tensors[maker.op.inputs[0]].shape) is not None
            case Kind.CONCAT:
                return True
            case Kind.TRANSPOSE | Kind.SLICE:
                return False
            case _:
                return view.contiguous
