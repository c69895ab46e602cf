"""Float ONNX → int8 ONNX for ONNX Runtime (QDQ).

What measured best on a trained DeiT-micro (embedding cosine to float, mean and worst of 600 windows of unseen people):

    all as ONNX Runtime's defaults, min-max ranges                             0.9987  0.991
    matrix products give float32 instead of int8 (the residual stays float)    0.9991  0.995
    and the input's range is its exact grid of 1/16 instead of what was seen   0.9998  0.9993
    and products of two activations (attention) stay float; also faster        0.9999  0.9996
    and the layer on a single row, after pooling, stays float                  0.9999  0.9997

The last step costs 6 % of the file, no time, and is what saves networks that are less well trained, whose head reads
small differences between windows off channels with large means (0.998, 0.990 without it, 0.9998, 0.999 with it).
Clipping ranges by percentile or by least squared error, and leaving the first layer in float, gained nothing more. A
ReLU is absorbed by the convolution before it, whose output is then quantised after the ReLU.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError, missing
from ecgkd_export.metadata import without_metadata
from ecgkd_export.nodes import PRODUCTS, heavy_nodes, infer_shapes, same_as_input

if TYPE_CHECKING:
    import onnx

Ranges = dict[str, tuple[float, float]]
"""Smallest and largest value of a tensor, by name; zero is always inside."""

QUANTISED = (*PRODUCTS, "Relu", "MaxPool")
FLOAT_OUTPUT = ("Gemm", "MatMul")
"""Their int8 kernels can give float32; the one of Conv cannot."""
FUSED = (
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Elu",
    "Selu",
    "HardSigmoid",
    "Softplus",
    "Softsign",
    "ThresholdedRelu",
)
"""ONNX Runtime fuses these into a matrix product before them that gives float32, and then runs both in float."""


@dataclass(frozen=True)
class Settings:
    """What is fixed about the quantisation."""

    input_range: tuple[float, float] | None = None
    """Exact range of the input where its values lie on a grid of 255 steps: quantising it then loses nothing."""

    @property
    def input_step(self) -> float:
        """The input's grid; 1/16 where it is not said."""
        return 1 / 16 if self.input_range is None else (self.input_range[1] - self.input_range[0]) / 255

    def describe(self, model: "onnx.ModelProto") -> dict[str, Any]:
        """Returns how `model` is quantised, as the contract states it."""
        return {
            "format": "QDQ",
            "operators": list(QUANTISED),
            "weights": "int8 per channel, symmetric",
            "activations": "uint8 per tensor",
            "ranges": "min-max",
            "float_outputs": float_outputs(model),
            "float_products": "of two activations, and on a single row",
            "input_range": list(self.input_range) if self.input_range else None,
        }


def calibrate(model: "onnx.ModelProto", windows: NDArray[np.float32]) -> Ranges:
    """Returns the range over `windows` (n, …) of every tensor that `quantise` asks for.

    Raises: GraphError where there is nothing to quantise.
    """
    import onnxruntime

    shaped = infer_shapes(model)
    names = calibrated(shaped)
    source = shaped.graph.input[0].name
    outputs = {value.name for value in shaped.graph.output}
    shaped.graph.output.extend(
        value for value in shaped.graph.value_info if value.name in names and value.name not in outputs
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(shaped.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inner = [name for name in names if name != source]
    ranges: Ranges = {}
    for i in range(len(windows)):
        values = [windows[i : i + 1], *session.run(inner, {source: windows[i : i + 1]})]
        for name, value in zip([source, *inner], values, strict=True):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


def quantise(
    model: "onnx.ModelProto", ranges: Mapping[str, tuple[float, float]], settings: Settings
) -> "onnx.ModelProto":
    """Returns the int8 graph; `ranges` come from `calibrate`, or from the contract of this very graph.

    Raises: GraphError where there is nothing to quantise or a range is missing.
    """
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantType
        from onnxruntime.quantization.calibrate import TensorsData
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    except ModuleNotFoundError as error:
        raise missing(error) from error
    known = dict(ranges)
    if settings.input_range is not None:
        known |= dict.fromkeys(same_as_input(model), settings.input_range)
    lacking = [name for name in calibrated(model) if name not in known]
    if lacking:
        raise GraphError(f"no activation range for {lacking[0]} and {len(lacking) - 1} more; calibrate again")
    shaped = infer_shapes(model)
    weighted = {node.name for node in heavy_nodes(shaped)}
    data = {name: (np.array(low, np.float32), np.array(high, np.float32)) for name, (low, high) in known.items()}
    quantizer = QDQQuantizer(
        shaped,
        True,  # weights per channel
        False,  # all 8 bits of them
        QuantType.QInt8,
        QuantType.QUInt8,
        TensorsData(CalibrationMethod.MinMax, data),
        [],
        [node.name for node in shaped.graph.node if node.op_type in PRODUCTS and node.name not in weighted],
        list(QUANTISED),
        {"OpTypesToExcludeOutputQuantization": float_outputs(shaped)},
    )
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    finally:
        logging.disable(disabled)
    return without_metadata(quantizer.model.model)


def calibrated(model: "onnx.ModelProto") -> list[str]:
    """Returns the names of the tensors whose ranges `quantise` asks for: all into and out of the nodes it changes.

    Raises: GraphError where there is nothing to quantise.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    weighted = {node.name for node in heavy_nodes(model)}
    if not weighted:
        raise GraphError(f"no {', '.join(PRODUCTS)} with weights and rows in the graph: nothing to quantise")
    names = [
        name
        for node in model.graph.node
        if node.name in weighted or (node.op_type in QUANTISED and node.op_type not in PRODUCTS)
        for name in (*node.input, *node.output)
        if name and name not in constants
    ]
    return list(dict.fromkeys(names))


def float_outputs(model: "onnx.ModelProto") -> list[str]:
    """Returns the kinds of matrix product that may give float32 in this graph: none of them feeds what is fused."""
    fused = {node.input[0] for node in model.graph.node if node.op_type in FUSED}
    bound = {node.op_type for node in heavy_nodes(model) if fused & set(node.output)}
    return [kind for kind in FLOAT_OUTPUT if kind not in bound]
