"""Is a graph what its name says: fixed shapes, agreed names, and int8 where it counts?"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ecgkd_export.metadata import read_onnx
from ecgkd_export.nodes import PRODUCTS, heavy_nodes, infer_shapes, single_rows
from ecgkd_export.parity import FAILED, PASSED
from ecgkd_export.torch_onnx import INPUT, OPSET, OUTPUT

if TYPE_CHECKING:
    import onnx

FLOAT_KERNELS = (*PRODUCTS, "FusedConv", "FusedGemm", "FusedMatMul")
INT8_KERNELS = ("QLinearConv", "QGemm", "QLinearMatMul", "MatMulIntegerToFloat", "ConvInteger", "MatMulInteger")


def float_gate(model: "onnx.ModelProto", outputs: Sequence[str] = (OUTPUT,)) -> dict[str, Any]:
    """Returns the verdict on a float graph: names, shapes, opset, everything inside the file."""
    return _verdict(_problems(model, outputs), operators=_count(model))


def int8_gate(model: "onnx.ModelProto", outputs: Sequence[str] = (OUTPUT,)) -> dict[str, Any]:
    """Returns the verdict on an int8 graph: as `float_gate`, and every operator with weights runs in int8.

    Only layers on a single row may stay float. Asked twice: of the file, and of the graph that ONNX Runtime makes of
    it, where an operator that stayed between QuantizeLinear and DequantizeLinear without becoming an int8 kernel is
    slower than float.
    """
    problems = _problems(model, outputs)
    makers = {output: node for node in model.graph.node for output in node.output}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    heavy = [node for node in products if any(_is_weight(name, makers) for name in node.input[:2])]
    for node in heavy_nodes(model):
        problems.append(f"{node.op_type} {node.name} has float weights")
    for node in heavy:
        if not all(_is_dequantised(name, makers) for name in node.input[:2]):
            problems.append(f"{node.op_type} {node.name} takes float input")
    if not heavy:
        problems.append("no operator with int8 weights")
    single = single_rows(model)
    running = _as_run(model)
    kernels = _count(running)
    int8 = sum(kernels.get(name, 0) for name in INT8_KERNELS)
    constants = {tensor.name for tensor in running.graph.initializer}
    for node in running.graph.node:
        weights = constants & set(node.input[:2])
        unpacked = {name for name in node.input[:2] if name not in constants}
        if (
            node.op_type in FLOAT_KERNELS
            and node.input[0] not in single
            and (weights or _from_constant(unpacked, running, constants))
        ):
            problems.append(f"ONNX Runtime runs {node.op_type} {node.name} in float")
    return _verdict(problems, operators=_count(model), kernels=kernels, int8_kernels=int8, weighted=len(heavy))


def _problems(model: "onnx.ModelProto", outputs: Sequence[str]) -> list[str]:
    """Returns what is wrong with any graph of ours that has these outputs, in words."""
    import onnx

    problems = []
    for what, values, names in (("input", model.graph.input, (INPUT,)), ("output", model.graph.output, outputs)):
        problems += wrong_names(what, [value.name for value in values], names)
    for value in model.graph.output[1:]:
        problems += no_scores(value.name, [axis.dim_value for axis in value.type.tensor_type.shape.dim])
    shaped = infer_shapes(model)
    for value in [*shaped.graph.input, *shaped.graph.value_info, *shaped.graph.output]:
        if any(not axis.HasField("dim_value") for axis in value.type.tensor_type.shape.dim):
            problems.append(f"{value.name} has a dynamic shape")
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            problems.append(f"{value.name} is not float32")
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            problems.append(f"{tensor.name} lies outside the file")
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    if opsets.get("", 0) < OPSET:
        problems.append(f"opset {opsets.get('', 0)}; expected {OPSET} or newer")
    problems += [f"{node.op_type} {node.name} is a custom operator" for node in model.graph.node if node.domain]
    return problems


def wrong_names(what: str, found: Sequence[str], expected: Sequence[str]) -> list[str]:
    """Returns how the names of a file's inputs or outputs are not those agreed, in words; their order counts."""
    if list(found) == list(expected):
        return []
    asked = ", ".join(expected) + (" in this order" if len(expected) > 1 else " alone")
    return [f"{what}s {', '.join(found) or 'absent'}; expected {asked}"]


def no_scores(name: str, shape: Sequence[int]) -> list[str]:
    """Returns why a further output cannot be scores of classes, in words."""
    if len(shape) == 2 and shape[0] == 1 and shape[1] > 1:
        return []
    return [f"{name} is {tuple(shape)}; expected (1, n), scores of two classes or more"]


def _verdict(problems: list[str], **figures: Any) -> dict[str, Any]:
    return {"result": FAILED if problems else PASSED, "problems": problems, **figures}


def _count(model: "onnx.ModelProto") -> dict[str, int]:
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))


def _is_dequantised(name: str, makers: dict[str, Any]) -> bool:
    return name in makers and makers[name].op_type == "DequantizeLinear"


def _is_weight(name: str, makers: dict[str, Any]) -> bool:
    return _is_dequantised(name, makers) and makers[name].input[0] not in makers


def _from_constant(names: set[str], model: "onnx.ModelProto", constants: set[str]) -> bool:
    return any(
        node.op_type == "DequantizeLinear" and node.input[0] in constants and names & set(node.output)
        for node in model.graph.node
    )


def _as_run(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Returns the graph after ONNX Runtime's own fusions."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    with TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "run.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return read_onnx(options.optimized_model_filepath)
