"""Reads pickles of plain containers and NumPy arrays without running what a pickle could hold.

A pickle is a program. This one may build dictionaries, lists, tuples, texts and numbers by itself, and asks here for
everything else: arrays, their types and scalars are built by the stand-ins below, which check what they are given and
call nothing of NumPy but `frombuffer`. Any other name is refused.
"""

import math
import pickle
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import RecordingError

_KINDS = "biuf"
"""Whole and real numbers; arrays of anything else are left empty."""


class _Type:
    """A NumPy type: its code, such as `f8`, and byte order."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code if isinstance(code, str) else ""
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "<"
        self.order = order if order in ("<", ">", "|") else "<"

    @property
    def numpy(self) -> "np.dtype[Any] | None":
        known = len(self.code) == 2 and self.code[0] in _KINDS and self.code[1] in "1248"
        try:
            return np.dtype(self.order + self.code) if known else None
        except TypeError:
            return None


def _raw(data: object) -> bytes:
    """Returns the bytes of samples; Python 2 wrote them as text."""
    if isinstance(data, str):
        return data.encode("latin1")
    return bytes(data) if isinstance(data, bytes | bytearray) else b""


class _Array:
    """An array while it is unpickled."""

    def __init__(self, *_: object) -> None:
        self.values: NDArray[Any] | None = None
        """None where it holds something other than numbers."""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("it holds an array of unknown form")
        _, shape, kind, fortran, data = state
        numbers = kind.numpy if isinstance(kind, _Type) else None
        if numbers is None:
            return
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise pickle.UnpicklingError("it holds an array without a shape")
        content = _raw(data)
        if len(content) != math.prod(shape) * numbers.itemsize:
            raise pickle.UnpicklingError(f"it holds an array of shape {shape} with {len(content)} bytes")
        self.values = np.frombuffer(content, numbers).reshape(shape, order="F" if fortran else "C")


def _scalar(kind: object, data: object = b"") -> object:
    numbers = kind.numpy if isinstance(kind, _Type) else None
    content = _raw(data)
    fits = numbers is not None and len(content) == numbers.itemsize
    return np.frombuffer(content, numbers)[0].item() if fits else None


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("it holds a text in an unknown encoding")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): object,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): stand_in
        for core in ("core", "_core")
        for name, stand_in in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")
        stand_in = _STAND_INS[module, name]
        # A pickle can set attributes on functions: it gets one of its own.
        return stand_in if isinstance(stand_in, type) else lambda *parts: stand_in(*parts)

    def persistent_load(self, pid: object) -> Any:
        raise pickle.UnpicklingError("it refers to something outside")


def load(file: IO[bytes], where: str) -> Any:
    """Returns what the pickle in `file` holds, for `take` to look into. Raises: RecordingError naming `where`."""
    try:
        return _Unpickler(file, encoding="latin1").load()
    except Exception as error:  # a pickle may raise anything
        raise RecordingError(f"{where}: truncated, damaged or no pickled recording ({error})") from error


def take(content: Any, *keys: str) -> NDArray[np.float64] | None:
    """Returns the array of numbers under nested keys, flat; None where there is none."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    values = content.values if isinstance(content, _Array) else content
    if isinstance(values, list) and all(isinstance(one, int | float) for one in values):
        values = np.array(values, np.float64)
    return np.asarray(values, np.float64).ravel() if isinstance(values, np.ndarray) else None
