"""TensorFlow Lite for Microcontrollers: the kernels of firmware, compiled for this machine."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.run.interpreter import InterpreterSession, first_line, named, silenced
from ecgkd_export.tflite.read import TfliteFile, read, unsound

ARENA_SHARE, ARENA_SPARE = 4, 4 << 20
"""Arena for the tensors: so many times the file, and so many bytes on top; it is taken for the session only."""


class TflmSession(InterpreterSession):
    """A TFLite file in TensorFlow Lite for Microcontrollers."""

    def __init__(self, source: Path | str | bytes) -> None:
        """Raises: ArtefactError where `source` is absent, broken or refused; MissingPackageError."""
        try:
            runtime = import_module("tflite_micro.python.tflite_micro.runtime")
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                f"running microcontroller kernels needs {error.name}, which is not installed; "
                "type: pip install tflite-micro"
            ) from error
        where, content = named(source, "TFLM")
        file = read(content)
        problems = unsound(file)  # it reads zeros for absent weights
        if problems:
            raise ArtefactError(f"{where}: {problems[0]}")
        said: list[str] = []
        try:
            with silenced() as said:
                arena = ARENA_SHARE * len(content) + ARENA_SPARE
                interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
        except (RuntimeError, ValueError) as error:
            raise ArtefactError(f"{where}: refused ({said[0] if said else first_line(error)})") from error
        super().__init__(_Adapter(interpreter, file), where)


class _Adapter:
    """TFLM's interpreter with the methods of TFLite's."""

    def __init__(self, interpreter: Any, file: TfliteFile) -> None:
        self._interpreter, self._file = interpreter, file

    def get_input_details(self) -> list[dict[str, Any]]:
        names = self._file.names(self._file.inputs)
        return [_details(name, self._interpreter.get_input_details(at), at) for at, name in enumerate(names)]

    def get_output_details(self) -> list[dict[str, Any]]:
        names = self._file.names(self._file.outputs)
        return [_details(name, self._interpreter.get_output_details(at), at) for at, name in enumerate(names)]

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._interpreter.set_input(np.ascontiguousarray(value), index)

    def invoke(self) -> None:
        self._interpreter.invoke()

    def get_tensor(self, index: int) -> NDArray[Any]:
        output: NDArray[Any] = self._interpreter.get_output(index).copy()
        return output


def _details(name: str, found: dict[str, Any], index: int) -> dict[str, Any]:
    quantisation = found["quantization_parameters"]
    scales, zeros = quantisation["scales"], quantisation["zero_points"]
    scale = (float(scales[0]), int(zeros[0])) if len(scales) else (0.0, 0)
    return {"name": name, "index": index, "shape": found["shape"], "dtype": found["dtype"], "quantization": scale}
