"""tflite-runtime 2.14 on the CPU: the oldest runtime that the artefacts are made for."""

from pathlib import Path

from ecgkd_export.errors import ArtefactError
from ecgkd_export.run.interpreter import InterpreterSession, named, open_interpreter
from ecgkd_export.tflite.read import read, unsound
from ecgkd_export.tflite.schema import missing


class TfliteRuntimeSession(InterpreterSession):
    """A TFLite file in tflite-runtime."""

    def __init__(
        self, source: Path | str | bytes, *, kernels: str = "xnnpack", threads: int = 1, keep_all: bool = False
    ) -> None:
        """Raises: ArtefactError where `source` is absent, broken or refused; MissingPackageError."""
        try:
            from tflite_runtime import interpreter
        except ModuleNotFoundError as error:
            raise missing(error) from error
        where, content = named(source, "tflite-runtime")
        problems = unsound(read(content))  # it reads beyond the end of a damaged file, and zeros for absent weights
        if problems:
            raise ArtefactError(f"{where}: {problems[0]}")
        super().__init__(open_interpreter(interpreter, where, content, kernels, threads, keep_all), where, keep_all)
