"""ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecgkd_export.errors import ArtefactError


class OrtSession:
    """An ONNX or ORT file with one input, ready to run."""

    def __init__(self, source: Path | str | bytes, threads: int = 1) -> None:
        """Raises: ArtefactError where `source` is absent, broken or has not one input and an output."""
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
        if len(inputs) != 1 or not outputs:
            raise ArtefactError(f"{where}: {len(inputs)} input(s) and {len(outputs)} output(s); expected one input")
        self.input_name: str = inputs[0].name
        self.output_names: tuple[str, ...] = tuple(output.name for output in outputs)
        self.output_name: str = self.output_names[0]
        self.input_shape: tuple[int | str, ...] = tuple(inputs[0].shape)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns one row of the first output per entry of `batch` (n, …), each run on its own, in a batch of one.

        Raises: ArtefactError for entries of another shape.
        """
        return self.run_all(batch)[self.output_name]

    def run_all(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Returns the rows of every output, by name; as `run`."""
        if batch.shape[1:] != self.input_shape[1:]:
            raise ArtefactError(f"windows of shape {batch.shape[1:]}; the graph takes {self.input_shape[1:]}")
        if not len(batch):
            return {one.name: np.zeros((0, one.shape[1]), np.float32) for one in self._session.get_outputs()}
        rows = [self._session.run(None, {self.input_name: batch[i : i + 1]}) for i in range(len(batch))]
        return {name: np.concatenate([row[at] for row in rows]) for at, name in enumerate(self.output_names)}
