"""The index of a prepared set: its arrays without the samples, checked, and the shards that hold those."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ecgkd.data.write import COLUMNS
from ecgkd.errors import DataError

_KEYS = ("offset", "gain_uv", "fs", "leads", *COLUMNS, "info")
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError)
"""What numpy and zipfile raise for damaged or foreign files."""


def map_shard(path: Path, samples: int, n_leads: int) -> NDArray[np.int16]:
    """Returns a shard's samples (n_leads, samples), memory-mapped. Raises: DataError where it is damaged."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: a shard of the set is missing; copy or prepare the set again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except BROKEN as error:
        raise DataError(f"{path}: the shard is damaged ({error}); copy or prepare the set again") from error
    if mapped.dtype != np.int16 or mapped.shape != (n_leads, samples):
        raise DataError(
            f"{path}: holds {mapped.dtype} {mapped.shape}, expected int16 ({n_leads}, {samples}); prepare the set again"
        )
    return mapped


def _peek(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Returns shape and type of an NPY stream without reading its data."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _check(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Raises: DataError where the arrays of an index contradict each other."""

    def refuse(what: str) -> None:
        raise DataError(f"{path}: not a sound prepared set: {what}; prepare it again with `ecgkd data prepare`")

    n = len(arrays["record"])
    if n == 0:
        refuse("it holds no record")
    for name in COLUMNS:
        kind = "iu" if name in ("session", "day") else "U"
        if arrays[name].shape != (n,) or arrays[name].dtype.kind not in kind:
            refuse(f"{name} is {arrays[name].dtype} {arrays[name].shape}, expected one value for each of {n} records")
    offset, gain = arrays["offset"], arrays["gain_uv"]
    if offset.shape != (n + 1,) or offset.dtype.kind not in "iu" or offset[0] != 0 or (np.diff(offset) <= 0).any():
        refuse("offset does not rise from 0 over the records")
    if gain.shape != (n, arrays["leads"].size) or gain.dtype.kind != "f" or not (np.isfinite(gain) & (gain != 0)).all():
        refuse("gain_uv does not hold one gain for each record and lead")
    if arrays["fs"].shape != () or not float(arrays["fs"]) > 0:
        refuse("fs is not one sampling rate in Hz")
    if len(set(arrays["record"].tolist())) != n:
        refuse("two records have one name")


def _take_out(path: Path, archive: NpzFile, extra: tuple[str, ...]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Returns arrays and info of an opened index, checked; without `extra` keys, `x` must fit them."""
    lacking = [key for key in (*(() if extra else ("x",)), *_KEYS, *extra) if key not in archive.files]
    if lacking:
        raise DataError(
            f"{path}: an NPZ file but not a prepared set (no {', '.join(lacking)}); `ecgkd data prepare` makes one"
        )
    arrays = {key: archive[key] for key in (*_KEYS, *extra)}
    info = json.loads(str(arrays["info"]))
    if not isinstance(info, dict):
        raise ValueError("its info is not a JSON object")
    _check(path, arrays)
    if not extra:
        with archive.zip.open("x.npy") as file:
            shape, dtype = _peek(file)
        expected = (arrays["leads"].size, int(arrays["offset"][-1]))
        if dtype != np.int16 or shape != expected:
            raise DataError(f"{path}: x is {dtype} {shape}, expected int16 {expected}; prepare the set again")
    return arrays, info


def read_index(path: Path, extra: tuple[str, ...] = ()) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Returns the arrays of a set's NPZ without its samples, and its info. Raises: DataError."""
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file:
            opened = np.load(file, allow_pickle=False)
            if not isinstance(opened, NpzFile):
                raise DataError(f"{path}: one NumPy array, not a prepared set; `ecgkd data prepare` makes one")
            with opened as archive:
                return _take_out(path, archive, extra)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except BROKEN as error:
        raise DataError(
            f"{path}: truncated, damaged or no prepared set ({error}); copy it again, or make one with "
            "`ecgkd data prepare`"
        ) from error
