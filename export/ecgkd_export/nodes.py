"""Questions that several stages ask of an ONNX graph."""

from typing import TYPE_CHECKING

from ecgkd_export.errors import GraphError

if TYPE_CHECKING:
    import onnx

PRODUCTS = ("Conv", "Gemm", "MatMul")
SHAPERS = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity")
"""They change no value."""


def infer_shapes(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Returns the model with the shape of every tensor written down."""
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise GraphError(f"the graph's shapes do not fit together ({str(error).splitlines()[0]})") from error


def heavy_nodes(model: "onnx.ModelProto") -> list["onnx.NodeProto"]:
    """Returns the operators that have weights and more than one row to use them on: these are what int8 is for."""
    constants = {tensor.name for tensor in model.graph.initializer}
    weighted = [node for node in model.graph.node if node.op_type in PRODUCTS and constants & set(node.input)]
    single = single_rows(model)
    return [node for node in weighted if node.op_type == "Conv" or node.input[0] not in single]


def single_rows(model: "onnx.ModelProto") -> set[str]:
    """Returns the tensors of shape (1, …, 1, n)."""
    shaped = infer_shapes(model)
    values = [*shaped.graph.input, *shaped.graph.value_info, *shaped.graph.output]
    shapes = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in values}
    return {name for name, shape in shapes.items() if shape and all(size == 1 for size in shape[:-1])}


def same_as_input(model: "onnx.ModelProto") -> set[str]:
    """Returns the input and the tensors that are it in another shape."""
    same = {model.graph.input[0].name}
    for node in model.graph.node:
        if node.op_type in SHAPERS and node.input[0] in same:
            same.add(node.output[0])
    return same
