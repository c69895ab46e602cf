"""LiteRT on the CPU."""

from pathlib import Path

from ecgkd_export.run.interpreter import InterpreterSession, named, open_interpreter
from ecgkd_export.tflite.schema import missing


class LiteRtSession(InterpreterSession):
    """A TFLite file in LiteRT."""

    def __init__(
        self, source: Path | str | bytes, *, kernels: str = "xnnpack", threads: int = 1, keep_all: bool = False
    ) -> None:
        """Raises: ArtefactError where `source` is absent, broken or refused; MissingPackageError."""
        try:
            from ai_edge_litert import interpreter
        except ModuleNotFoundError as error:
            raise missing(error) from error
        where, content = named(source, "LiteRT")
        super().__init__(open_interpreter(interpreter, where, content, kernels, threads, keep_all), where, keep_all)
