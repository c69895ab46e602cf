"""ONNX → graph: every operator that the networks need, channels last; anything else is refused by name."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ecgkd_export import lower_algebra, lower_shape, lower_signal
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph, Kind, Op, Shape, Tensor, check
from ecgkd_export.lower_shape import SIGNAL_READERS
from ecgkd_export.lowering import Facts, Lowering, Node
from ecgkd_export.nodes import infer_shapes
from ecgkd_export.torch_onnx import INPUT, OUTPUT, check_outputs

if TYPE_CHECKING:
    import onnx

OLDEST_OPSET = 18
"""From here on reductions have their axes as an input."""
DAMAGE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading a file raises in which bytes were changed: any field may be absent or of another type."""
RANK = 3
"""Most axes of a tensor in a network's export form."""

HANDLERS: dict[str, Callable[[Lowering, Node], None]] = {
    "Add": lower_algebra.arithmetic,
    "BatchNormalization": lower_signal.batch_norm,
    "Clip": lower_algebra.clip,
    "Concat": lower_shape.concat,
    "Conv": lower_signal.convolution,
    "Div": lower_algebra.divide,
    "Flatten": lower_shape.reshape,
    "Gelu": lower_algebra.gelu,
    "Gemm": lower_algebra.gemm,
    "GlobalAveragePool": lower_signal.global_pool,
    "GlobalMaxPool": lower_signal.global_pool,
    "Identity": lower_shape.identity,
    "LayerNormalization": lower_algebra.layer_norm,
    "LpNormalization": lower_algebra.unit_length,
    "MatMul": lower_algebra.matmul,
    "MaxPool": lower_signal.max_pool,
    "Mul": lower_algebra.arithmetic,
    "ReduceL2": lower_algebra.length,
    "ReduceMax": lower_shape.reduce,
    "ReduceMean": lower_shape.reduce,
    "Relu": lower_algebra.relu,
    "Reshape": lower_shape.reshape,
    "Sigmoid": lower_algebra.sigmoid,
    "Slice": lower_shape.slice_,
    "Softmax": lower_algebra.softmax,
    "Squeeze": lower_shape.reshape,
    "Sub": lower_algebra.arithmetic,
    "Transpose": lower_shape.transpose,
    "Unsqueeze": lower_shape.reshape,
}


def lower(model: "onnx.ModelProto") -> Graph:
    """Returns the float graph of an ONNX model as `to_onnx` writes it: input `window`, first output `embedding`.

    Raises: GraphError naming the operator that is not known, or what makes the model another kind of thing.
    """
    try:
        return _lowered(model)
    except DAMAGE as error:
        raise GraphError(f"the graph is damaged ({type(error).__name__}: {error}); export it again") from error


def _lowered(model: "onnx.ModelProto") -> Graph:
    _demand_ours(model)
    facts = _facts(model)
    state = Lowering(facts)
    state.tensors[INPUT] = Tensor(INPUT, facts.shapes[INPUT])
    state.define(INPUT, INPUT)
    for proto in model.graph.node:
        node = Node.of(proto)
        for name in filter(None, node.inputs):
            if name not in state.values and name not in state.constants and name not in state.lengths:
                raise node.refuse(f"reads {name}, which nothing makes; the file is incomplete, export it again")
            if name in state.lengths and node.kind not in ("Clip", "Div"):
                raise node.refuse("reads a tensor's length; only dividing that tensor by it is known")
        try:
            HANDLERS[node.kind](state, node)
        except DAMAGE as error:
            raise node.refuse(f"not as ecgkd's own export writes it ({type(error).__name__}: {error})") from error
    outputs = tuple(value.name for value in model.graph.output)
    for name in outputs:
        if name not in state.values:
            raise GraphError(f"nothing makes {name}; the file is incomplete, export it again")
    made = [state.plain(name) for name in outputs]
    if len({*made, INPUT}) != len(made) + 1:
        raise GraphError(f"outputs {', '.join(outputs)}: one is another, or the input; expected a tensor for each")
    return check(_pruned(state, made, outputs))


def _demand_ours(model: "onnx.ModelProto") -> None:
    """Raises: GraphError for other inputs and outputs, an old opset, or operators that are not known."""
    initial = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in initial]
    outputs = [value.name for value in model.graph.output]
    if inputs != [INPUT] or outputs[:1] != [OUTPUT]:
        found = f"{', '.join(inputs) or 'nothing'} to {', '.join(outputs) or 'nothing'}"
        raise GraphError(f"the graph leads from {found}; expected {INPUT} to {OUTPUT}, as ecgkd's own export writes it")
    check_outputs(outputs)
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < OLDEST_OPSET:
        raise GraphError(f"the graph is of ONNX opset {opset}; expected {OLDEST_OPSET} or later: export it again")
    for node in model.graph.node:
        if node.op_type not in HANDLERS or node.domain not in ("", "ai.onnx"):
            kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            name = node.name or (node.output[0] if node.output else "without a name")
            raise GraphError(f"{kind} {name}: an operator that cannot be converted to int8")
        if len([name for name in node.output if name]) != 1:
            raise GraphError(f"{node.op_type} {node.name}: {len(node.output)} outputs; expected one")


def _facts(model: "onnx.ModelProto") -> Facts:
    """Returns shapes, constants and readers. Raises: GraphError for shapes that are not fixed, or missing weights."""
    from onnx import numpy_helper
    from onnx.external_data_helper import uses_external_data

    constants = {}
    for tensor in model.graph.initializer:
        if uses_external_data(tensor):
            raise GraphError(f"{tensor.name} lies in another file; expected all weights inside the ONNX file")
        try:
            constants[tensor.name] = numpy_helper.to_array(tensor)
        except DAMAGE as error:
            raise GraphError(f"{tensor.name} cannot be read ({error}); export the file again") from error
    shaped = infer_shapes(model).graph
    shapes: dict[str, Shape] = {name: data.shape for name, data in constants.items()}
    for value in [*shaped.input, *shaped.value_info, *shaped.output]:
        sizes = value.type.tensor_type.shape.dim
        if not all(size.HasField("dim_value") and size.dim_value > 0 for size in sizes):
            raise GraphError(f"{value.name} has a dynamic shape; expected fixed sizes: export it again")
        shapes[value.name] = tuple(size.dim_value for size in sizes)
        if len(sizes) > RANK:
            raise GraphError(f"{value.name} has {len(sizes)} axes; expected at most {RANK}")
    for node in model.graph.node:
        if node.output[0] not in shapes:
            raise GraphError(f"{node.op_type} {node.name}: the shape of {node.output[0]} cannot be worked out")
    outputs = (value.name for value in model.graph.output)
    readers = Counter([*(name for node in model.graph.node for name in node.input), *outputs])
    for_signals = {node.input[0] for node in model.graph.node if node.op_type in SIGNAL_READERS and node.input}
    return Facts(shapes, constants, readers, frozenset(for_signals))


def _pruned(state: Lowering, made: Sequence[str], outputs: tuple[str, ...]) -> Graph:
    """Returns the graph from the window to the tensors `made`, which get the names `outputs`; the rest is left out."""
    ops, needed = [], set(made)
    for op in reversed(_reshaped_once(state.ops)):
        if op.output in needed:
            ops.append(op)
            needed.update(op.inputs)
    tensors = {name: tensor for name, tensor in state.tensors.items() if name in needed or name == INPUT}
    graph = Graph(tensors, tuple(reversed(ops)), (INPUT,), tuple(made))
    for position, name in enumerate(outputs):
        graph = _renamed(graph, graph.outputs[position], name)
    return graph


def _reshaped_once(ops: list[Op]) -> list[Op]:
    """Returns the operators with each reshape reading what the reshapes before it read."""
    sources: dict[str, str] = {}
    joined = []
    for op in ops:
        if op.kind == Kind.RESHAPE:
            sources[op.output] = sources.get(op.inputs[0], op.inputs[0])
            op = replace(op, inputs=(sources[op.output],))
        joined.append(op)
    return joined


def _renamed(graph: Graph, old: str, agreed: str) -> Graph:
    """Returns the graph with the output `old` called `agreed`; a tensor that had that name in another layout swaps."""
    if old == agreed:
        return graph
    new = {old: agreed, agreed: old}
    tensors = {new.get(name, name): replace(tensor, name=new.get(name, name)) for name, tensor in graph.tensors.items()}
    ops = tuple(
        replace(op, output=new.get(op.output, op.output), inputs=tuple(new.get(name, name) for name in op.inputs))
        for op in graph.ops
    )
    return Graph(tensors, ops, graph.inputs, tuple(new.get(name, name) for name in graph.outputs))
