"""The reference network: one fixed small file that every run measures in turns with the others.

A model's time divided by the reference's, taken in the same rounds, is what two runs have in common: a slower clock, a
busier machine or another day moves both. The file never changes; another one would get another name.
"""

from itertools import pairwise
from pathlib import Path

NAME = "reference"
PATH = Path(__file__).with_name("reference.onnx")
WIDTH, HIDDEN, TOKENS, LAYERS = 96, 192, 40, 4


def write(path: Path = PATH) -> None:
    """Writes the file, the same bytes every time: a few dense layers, 4.5 million multiply-accumulates.

    Its weights are constants that the runtime spreads out when it loads the file: their values do not matter to the
    time, and the file stays near 1 kB.
    """
    from numpy import array, float32, int64
    from onnx import TensorProto, helper, numpy_helper, save_model

    weight = numpy_helper.from_array(array([1 / WIDTH], float32))
    initializers = [numpy_helper.from_array(array([TOKENS, 1000 // TOKENS], int64), "tokens")]
    nodes = [helper.make_node("Reshape", ["window", "tokens"], ["x0"])]
    sizes = [1000 // TOKENS, *(WIDTH if i % 2 == 0 else HIDDEN for i in range(2 * LAYERS - 1))]
    for i, shape in enumerate(pairwise(sizes)):
        initializers.append(numpy_helper.from_array(array(shape, int64), f"shape{i}"))
        nodes.append(helper.make_node("ConstantOfShape", [f"shape{i}"], [f"w{i}"], value=weight))
        nodes.append(helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"y{i}"]))
        nodes.append(helper.make_node("Relu", [f"y{i}"], [f"x{i + 1}"]))
    nodes.append(helper.make_node("ReduceMean", [f"x{len(sizes) - 1}", "axis"], ["embedding"], keepdims=0))
    initializers.append(numpy_helper.from_array(array([0], int64), "axis"))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("window", [1, 1, 1000]), ("embedding", [sizes[-1]]))
    ]
    graph = helper.make_graph(nodes, NAME, ends[:1], ends[1:], initializers)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
