"""A C artefact on this machine: compiled with the kernels, called through ctypes."""

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.c99.arrays import identifier
from ecgkd_export.c99.emit import Sources
from ecgkd_export.c99.read import CArtefact, read, read_path
from ecgkd_export.errors import ArtefactError
from ecgkd_export.run.compile_c import shared_library
from ecgkd_export.run.interpreter import quantised

Array = NDArray[Any]
ALIGNMENT = 16

_BRIDGE = """#include "{file}.h"

size_t bridge_arena_size(void);
int bridge_run(const int8_t *windows, int8_t *embeddings, int8_t *activities, size_t count, void *arena,
               size_t arena_size);
const char *bridge_text(int status);

size_t bridge_arena_size(void) {{ return {name}.arena_size; }}

const char *bridge_text(int status) {{ return ecgkd_status_text((ecgkd_status_t)status); }}

int bridge_run(const int8_t *windows, int8_t *embeddings, int8_t *activities, size_t count, void *arena,
               size_t arena_size)
{{
    for (size_t n = 0; n < count; n++) {{
        int8_t *const activity = activities != NULL ? activities + n * {name}.activity_size : NULL;
        const ecgkd_status_t status = ecgkd_model_run(&{name}, windows + n * {name}.window_size,
                                                      embeddings + n * {name}.embedding_size, activity, arena,
                                                      arena_size);
        if (status != ECGKD_OK) {{
            return (int)status;
        }}
    }}
    return ECGKD_OK;
}}
"""


class C99Session:
    """A C artefact, compiled for this machine, ready to run."""

    def __init__(self, source: Path | str | Sources | CArtefact) -> None:
        """Raises: ArtefactError where the files are absent, broken or refused; MissingPackageError for a compiler."""
        found = _artefact(source)
        self._where = f"{found.name} in C"
        self._input, self._outputs = found.facts["input"], found.facts["outputs"]
        self.facts = found.facts
        self.metadata = found.metadata
        self.input_name = str(self._input["name"])
        self.output_names: tuple[str, ...] = tuple(str(port["name"]) for port in self._outputs)
        self.output_name = self.output_names[0]
        self.input_shape: tuple[int, ...] = tuple(self._input["shape"])
        self.output_shape: tuple[int, ...] = tuple(self._outputs[0]["shape"])
        self.input_dtype = self.output_dtype = np.dtype(np.int8)
        self.library = shared_library(
            {
                f"{found.name}.h": found.header,
                f"{found.name}.c": found.source,
                "bridge.c": _BRIDGE.format(file=found.name, name=identifier(found.name)).encode(),
            }
        )
        self._library = ctypes.CDLL(str(self.library))
        self._library.bridge_arena_size.restype = ctypes.c_size_t
        self._library.bridge_text.restype = ctypes.c_char_p
        self.arena_bytes: int = self._library.bridge_arena_size()

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns one row of the first output per window of `windows` (n, …), floats; as `InterpreterSession`."""
        return self.run_all(windows)[self.output_name]

    def run_all(self, windows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Returns every output's rows, as floats, by name."""
        raw = self.run_all_integers(self.as_input(windows))
        return {port["name"]: as_floats(raw[port["name"]], port) for port in self._outputs}

    def as_input(self, windows: NDArray[np.float32]) -> Array:
        """Returns `windows` in the steps of the network's input."""
        return quantised(windows, self._input["scale"], self._input["zero_point"], self.input_dtype)

    def run_integers(self, windows: Array) -> Array:
        """Returns the first output for the network's own input. Raises: ArtefactError for another shape or type."""
        return self.run_all_integers(windows)[self.output_name]

    def run_all_integers(self, windows: Array) -> dict[str, Array]:
        """Returns every output, as the network gives it, by name. Raises: as `run_integers`."""
        if windows.shape[1:] not in (self.input_shape, self.input_shape[1:]):
            raise ArtefactError(f"{self._where}: windows of shape {windows.shape[1:]}; it takes {self.input_shape}")
        if windows.dtype != self.input_dtype:
            raise ArtefactError(f"{self._where}: windows of {windows.dtype}; it takes {self.input_dtype}")
        given = np.ascontiguousarray(windows)
        found = [np.zeros((len(windows), *_rows(port["shape"])), np.int8) for port in self._outputs]
        status = self._call(given, found[0], aligned_bytes(self.arena_bytes), *found[1:])
        if status:
            raise ArtefactError(f"{self._where}: failed while running ({self._library.bridge_text(status).decode()})")
        return dict(zip(self.output_names, found, strict=True))

    def _call(self, windows: Array, embeddings: Array, arena: Array, activities: Array | None = None) -> int:
        pointers = [
            ctypes.c_void_p(None if one is None else one.ctypes.data)
            for one in (windows, embeddings, activities, arena)
        ]
        count, size = ctypes.c_size_t(len(windows)), ctypes.c_size_t(arena.nbytes)
        return int(self._library.bridge_run(*pointers[:3], count, pointers[3], size))


def _rows(shape: Sequence[int]) -> Sequence[int]:
    """Returns the shape of one window's output, its own batch of one left out."""
    return shape[1:] if shape[0] == 1 else shape


def as_floats(raw: Array, port: Mapping[str, Any]) -> NDArray[np.float32]:
    """Returns integers of an output as what they stand for."""
    floats: NDArray[np.float32] = (raw.astype(np.float32) - np.float32(port["zero_point"])) * np.float32(port["scale"])
    return floats


def aligned_bytes(size: int) -> Array:
    """Returns `size` bytes that start at a multiple of 16."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def _artefact(source: Path | str | Sources | CArtefact) -> CArtefact:
    if isinstance(source, CArtefact):
        return source
    return read(source.header, source.source) if isinstance(source, Sources) else read_path(source)
