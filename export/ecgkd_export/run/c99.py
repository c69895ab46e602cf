"""A C artefact on this machine: compiled with the kernels, called through ctypes."""

import ctypes
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
int bridge_run(const int8_t *windows, int8_t *embeddings, size_t count, void *arena, size_t arena_size);
const char *bridge_text(int status);

size_t bridge_arena_size(void) {{ return {name}.arena_size; }}

const char *bridge_text(int status) {{ return ecgkd_status_text((ecgkd_status_t)status); }}

int bridge_run(const int8_t *windows, int8_t *embeddings, size_t count, void *arena, size_t arena_size)
{{
    for (size_t n = 0; n < count; n++) {{
        const ecgkd_status_t status = ecgkd_model_run(&{name}, windows + n * {name}.window_size,
                                                      embeddings + n * {name}.embedding_size, arena, arena_size);
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
        self._input, self._output = found.facts["input"], found.facts["output"]
        self.facts = found.facts
        self.metadata = found.metadata
        self.input_name, self.output_name = str(self._input["name"]), str(self._output["name"])
        self.input_shape: tuple[int, ...] = tuple(self._input["shape"])
        self.output_shape: tuple[int, ...] = tuple(self._output["shape"])
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
        """Returns one output row per window of `windows` (n, …), as floats on both sides; as `InterpreterSession`."""
        scale, zero_point = self._input["scale"], self._input["zero_point"]
        raw = self.run_integers(quantised(windows, scale, zero_point, self.input_dtype))
        offset, step = np.float32(self._output["zero_point"]), np.float32(self._output["scale"])
        floats: NDArray[np.float32] = (raw.astype(np.float32) - offset) * step
        return floats

    def run_integers(self, windows: Array) -> Array:
        """Returns the network's own output for its own input. Raises: ArtefactError for another shape or type."""
        if windows.shape[1:] not in (self.input_shape, self.input_shape[1:]):
            raise ArtefactError(f"{self._where}: windows of shape {windows.shape[1:]}; it takes {self.input_shape}")
        if windows.dtype != self.input_dtype:
            raise ArtefactError(f"{self._where}: windows of {windows.dtype}; it takes {self.input_dtype}")
        given = np.ascontiguousarray(windows)
        found = np.zeros((len(windows), *self.output_shape[self.output_shape[:1] == (1,) :]), np.int8)
        status = self._call(given, found, aligned_bytes(self.arena_bytes))
        if status:
            raise ArtefactError(f"{self._where}: failed while running ({self._library.bridge_text(status).decode()})")
        return found

    def _call(self, windows: Array, embeddings: Array, arena: Array) -> int:
        pointers = [ctypes.c_void_p(one.ctypes.data) for one in (windows, embeddings, arena)]
        count, size = ctypes.c_size_t(len(windows)), ctypes.c_size_t(arena.nbytes)
        return int(self._library.bridge_run(pointers[0], pointers[1], count, pointers[2], size))


def aligned_bytes(size: int) -> Array:
    """Returns `size` bytes that start at a multiple of 16."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def _artefact(source: Path | str | Sources | CArtefact) -> CArtefact:
    if isinstance(source, CArtefact):
        return source
    return read(source.header, source.source) if isinstance(source, Sources) else read_path(source)
