"""ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecgkd_export.errors import ArtefactError


class OrtSession:
    """An ONNX or ORT file with one input and one output, ready to run."""

    def __init__(self, source: Path | str | bytes, threads: int = 1) -> None:
        """Raises: ArtefactError where `source` is absent, broken or has other inputs and outputs."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        where = "the graph" if isinstance(source, bytes) else str(source)
        if not isinstance(source, bytes):
            try:
                source = Path(source).read_bytes()
            except OSError as error:
                raise ArtefactError(f"cannot read {where}: {error.strerror}") from error
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ArtefactError(f"{where}: ONNX Runtime refuses it ({str(error).splitlines()[0]})") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ArtefactError(f"{where}: {len(inputs)} input(s) and {len(outputs)} output(s); expected one of each")
        self.input_name: str = inputs[0].name
        self.output_name: str = outputs[0].name
        self.input_shape: tuple[int | str, ...] = tuple(inputs[0].shape)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns one output row per entry of `batch` (n, …), each run on its own in the graph's batch of one.

        Raises: ArtefactError for entries of another shape.
        """
        if batch.shape[1:] != self.input_shape[1:]:
            raise ArtefactError(f"windows of shape {batch.shape[1:]}; the graph takes {self.input_shape[1:]}")
        if not len(batch):
            width = self._session.get_outputs()[0].shape[1]
            return np.zeros((0, width), np.float32)
        rows = [self._session.run(None, {self.input_name: batch[i : i + 1]})[0] for i in range(len(batch))]
        joined: NDArray[np.float32] = np.concatenate(rows)
        return joined
