"""PyTorch → ONNX: dynamo exporter, onnxsim, input and outputs by name. And PyTorch's own program file."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError, missing
from ecgkd_export.metadata import without_metadata

if TYPE_CHECKING:
    import onnx
    from torch import nn

OPSET = 20
"""Gelu is one node from here on."""
INPUT = "window"
OUTPUT = "embedding"
"""The first output. Further ones, of any other name, are scores of classes (1, n)."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's chatter and its warnings about itself off the terminal; errors still come out."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def to_onnx(module: "nn.Module", example: NDArray[np.float32], outputs: Sequence[str] = (OUTPUT,)) -> "onnx.ModelProto":
    """Returns the simplified ONNX graph of `module`, its shapes fixed to those of `example`.

    Input `window`; `outputs` in the order in which the module gives them, `embedding` first. Raises: GraphError for
    other names or another number of outputs, or where the exporter or the simplifier gives up.
    """
    check_outputs(outputs)
    try:
        import onnxscript  # noqa: F401
        import onnxsim
        import torch
    except ModuleNotFoundError as error:
        raise missing(error) from error
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                (torch.from_numpy(example),),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=list(outputs),
                verbose=False,
            )
            assert program is not None
            simplified, checked = onnxsim.simplify(program.model_proto)
    except Exception as error:
        raise GraphError(f"{type(module).__name__}: PyTorch cannot export it to ONNX ({_first_line(error)})") from error
    given = [value.name for value in simplified.graph.output]
    if given != list(outputs):
        raise GraphError(f"{type(module).__name__} gives {len(given)} output(s); expected {', '.join(outputs)}")
    if not checked:
        raise GraphError(f"{type(module).__name__}: onnxsim changed what the graph computes")
    return without_metadata(simplified)


def check_outputs(outputs: Sequence[str]) -> None:
    """Raises: GraphError for outputs that are not named as agreed: `embedding` first, no name twice."""
    if not outputs or outputs[0] != OUTPUT or len({INPUT, *outputs}) != len(outputs) + 1:
        raise GraphError(f"outputs {', '.join(outputs) or 'absent'}; expected {OUTPUT} first, and each name once")


def save_program(module: "nn.Module", example: NDArray[np.float32], path: Path) -> None:
    """Writes `module` as an exported PyTorch program (`.pt2`), which runs without the code that it was built with.

    Raises: GraphError where PyTorch cannot export it.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing(error) from error
    try:
        with _quiet(), torch.no_grad():
            torch.export.save(torch.export.export(module.eval(), (torch.from_numpy(example),)), path)
    except Exception as error:
        raise GraphError(f"{type(module).__name__}: PyTorch cannot export it ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
