"""What the TFLite runtimes have in common: one window after another through an interpreter."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.errors import ArtefactError

Array = NDArray[Any]


class Kernels(StrEnum):
    """Which code runs the operators."""

    XNNPACK = "xnnpack"
    """As an app gets them: XNNPACK where it can, the runtime's own optimised kernels elsewhere."""
    BUILTIN = "builtin"
    """The runtime's own optimised kernels only."""
    REFERENCE = "reference"
    """Slow and plain; what the integer simulation is compared with, bit by bit."""


RESOLVERS = {
    Kernels.XNNPACK: "AUTO",
    Kernels.BUILTIN: "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    Kernels.REFERENCE: "BUILTIN_REF",
}


def open_interpreter(package: Any, where: str, content: bytes, kernels: str, threads: int, keep_all: bool) -> Any:
    """Returns the interpreter of `package`, LiteRT's or tflite-runtime's, ready to run `content`.

    Raises: ArtefactError where it refuses the file.
    """
    if keep_all and kernels == Kernels.XNNPACK:
        raise ArtefactError(f"{where}: XNNPACK keeps no tensors inside; ask for builtin or reference kernels")
    resolver = getattr(package.OpResolverType, RESOLVERS[Kernels(kernels)])
    try:
        with silenced():
            interpreter = package.Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=keep_all,
            )
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError, MemoryError) as error:
        raise ArtefactError(f"{where}: refused ({first_line(error)})") from error
    return interpreter


class InterpreterSession:
    """A TFLite file with one input, ready to run. Outputs are told apart by the names of their tensors."""

    def __init__(self, interpreter: Any, where: str, keep_all: bool = False) -> None:
        self._interpreter, self._where, self._keep_all = interpreter, where, keep_all
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._outputs: dict[str, Any] = {str(output["name"]): output for output in outputs}
        if len(inputs) != 1 or not outputs or len(self._outputs) != len(outputs):
            raise ArtefactError(
                f"{where}: {len(inputs)} input(s), {len(outputs)} output(s); expected one input, each output by a name"
            )
        self._input = inputs[0]
        self.input_name: str = str(self._input["name"])
        self.output_names: tuple[str, ...] = tuple(self._outputs)
        self.output_name: str = self.output_names[0]
        first = self._outputs[self.output_name]
        self.input_shape: tuple[int, ...] = tuple(int(size) for size in self._input["shape"])
        self.output_shape: tuple[int, ...] = tuple(int(size) for size in first["shape"])
        self.input_dtype: np.dtype[Any] = np.dtype(self._input["dtype"])
        self.output_dtype: np.dtype[Any] = np.dtype(first["dtype"])

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns one row of the first output per window of `windows` (n, …), as floats on both sides.

        A graph with integer input gets the nearest integers; a window on the grid that it was made for loses nothing.
        Raises: ArtefactError for windows of another shape, or where the runtime fails.
        """
        return self.run_all(windows)[self.output_name]

    def run_all(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Returns the rows of every output, by name; as `run`."""
        raw = self._run(self.as_input(windows))
        return {name: self._real(name, values) for name, values in raw.items()}

    def run_integers(self, windows: Array) -> Array:
        """Returns the graph's own first output for its own input, integers as they are.

        Raises: ArtefactError for windows of another shape or type, or where the runtime fails.
        """
        return self.run_all_integers(windows)[self.output_name]

    def run_all_integers(self, windows: Array) -> dict[str, Array]:
        """Returns every output, by name; as `run_integers`."""
        return self._run(windows)

    def as_input(self, windows: NDArray[np.float32]) -> Array:
        """Returns `windows` in the type of the graph's input: the nearest integers where it takes integers."""
        if self.input_dtype.kind != "i":
            return windows
        scale, zero_point = self._input["quantization"]
        return quantised(windows, scale, zero_point, self.input_dtype)

    def _real(self, name: str, raw: Array) -> NDArray[np.float32]:
        if raw.dtype.kind == "f":
            return raw.astype(np.float32, copy=False)
        scale, zero_point = self._outputs[name]["quantization"]
        floats: NDArray[np.float32] = (raw.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        return floats

    def run_keeping(self, windows: Array, names: Iterable[str]) -> dict[str, Array]:
        """Returns the tensors `names` inside, (n, *shape) each, as the graph has them; needs `keep_all`.

        Raises: ArtefactError also for a name that the graph has not.
        """
        if not self._keep_all:
            raise ArtefactError(f"{self._where}: opened without keeping the tensors inside")
        return self._run(windows, tuple(names))

    def _run(self, windows: Array, names: tuple[str, ...] = ()) -> dict[str, Array]:
        if windows.shape[1:] not in (self.input_shape, self.input_shape[1:]):
            raise ArtefactError(f"{self._where}: windows of shape {windows.shape[1:]}; it takes {self.input_shape}")
        if windows.dtype != self.input_dtype:
            raise ArtefactError(f"{self._where}: windows of {windows.dtype}; it takes {self.input_dtype}")
        places = {str(tensor["name"]): tensor for tensor in self._interpreter.get_tensor_details()} if names else {}
        absent = [name for name in names if name not in places]
        if absent:
            raise ArtefactError(f"{self._where}: no tensor {absent[0]}")
        wanted = {name: places[name] for name in names} or self._outputs
        rows: dict[str, list[Array]] = {name: [] for name in wanted}
        for window in windows:
            self._interpreter.set_tensor(self._input["index"], window.reshape(self.input_shape))
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise ArtefactError(f"{self._where}: failed while running ({first_line(error)})") from error
            for name, tensor in wanted.items():
                rows[name].append(self._interpreter.get_tensor(tensor["index"]))
        return {name: self._joined(rows[name], tensor, kept=bool(names)) for name, tensor in wanted.items()}

    def _joined(self, rows: list[Array], tensor: dict[str, Any], kept: bool) -> Array:
        """Returns rows as one array: (n, *shape) of a kept tensor; of an output without its own batch of one."""
        shape = tuple(int(size) for size in tensor["shape"])
        joined = np.stack(rows) if rows else np.zeros((0, *shape), tensor["dtype"])
        return joined if kept or shape[:1] != (1,) else joined.reshape(len(rows), *shape[1:])


@contextmanager
def silenced() -> Iterator[list[str]]:
    """Keeps what C++ prints about itself off the terminal; gives the lines afterwards."""
    said: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with TemporaryFile() as elsewhere:
        try:
            os.dup2(elsewhere.fileno(), 2)
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            elsewhere.seek(0)
            said += [line for line in elsewhere.read().decode(errors="replace").splitlines() if line.strip()]


def quantised(windows: NDArray[np.float32], scale: float, zero_point: int, dtype: np.dtype[Any]) -> Array:
    """Returns `windows` as integers: rounded half to even, clipped."""
    limits = np.iinfo(dtype)
    steps = np.rint(windows.astype(np.float64) / scale) + zero_point
    integers: Array = np.clip(steps, limits.min, limits.max).astype(dtype)
    return integers


def named(source: Path | str | bytes, runtime: str) -> tuple[str, bytes]:
    """Returns how to call a file in messages, and its bytes. Raises: ArtefactError where it cannot be read."""
    if isinstance(source, bytes):
        return f"the TFLite file in {runtime}", source
    try:
        return f"{source} in {runtime}", Path(source).read_bytes()
    except OSError as error:
        raise ArtefactError(f"cannot read {source}: {error.strerror}") from error


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
