"""Writes prepared sets: one NPZ file, or a folder of shards for recordings that do not fit into memory.

NPZ keys: `x` int16 (n_leads, total), all records end to end; `offset` int64 (n_records + 1), record i is
`x[:, offset[i]:offset[i + 1]]`; `gain_uv` float32 (n_records, n_leads), µV per count; `fs` Hz; `leads`; per record
`subject`, `session`, `day`, `record`, `activity`; `info`, a JSON text.

A folder holds `set.json` (format, version, info, shard files, content hash), `index.npz` (the keys above without `x`,
with `shard` and `start`: the file and the sample in it where record i begins) and `shard-NNNNN.npy`, int16
(n_leads, samples), which are memory-mapped.
"""

import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.encode import ContentHash, to_counts
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.files import atomic_folder, write_bytes, write_error, write_json
from ecgkd.record import Record

FORMAT = "ecgkd prepared set"
FORMAT_VERSION = 1
COLUMNS = ("subject", "session", "day", "record", "activity")
SHARD_SAMPLES = 32_000_000
"""Samples per lead after which a shard is closed: 64 MB of int16 per lead."""


@dataclass
class Index:
    """What a set says of its records, gathered while they come in."""

    info: dict[str, Any]
    fs: float = 0.0
    leads: tuple[str, ...] = ()
    gain_known: bool = True
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    gains: list[list[float]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    content: ContentHash = field(default_factory=ContentHash)
    _names: set[str] = field(default_factory=set)

    def check(self, record: Record) -> None:
        """Raises: RecordingError where a record's rate, leads or name do not fit the records before it."""
        if self.lengths and record.fs != self.fs:
            raise RecordingError(
                f"{record.name}: sampled at {record.fs:g} Hz, the records before it at {self.fs:g} Hz; a prepared set "
                "has one sampling rate: prepare one set for each rate"
            )
        if self.lengths and record.leads != self.leads:
            raise RecordingError(
                f"{record.name}: leads {', '.join(record.leads)}, the records before it {', '.join(self.leads)}; a "
                "prepared set has the same leads throughout: choose one with --lead"
            )
        if record.name in self._names:
            raise RecordingError(f"{record.name}: a second record of this name; names are unique inside a set")

    def add(self, record: Record) -> NDArray[np.int16]:
        """Takes a record in and returns its counts. Raises: RecordingError where it does not fit the others."""
        self.check(record)
        counts, gains = to_counts(record)
        if not self.lengths:
            self.fs, self.leads = float(record.fs), record.leads
        self.gain_known &= record.gain_known
        values = (str(record.subject), int(record.session), int(record.day), record.name, str(record.activity))
        self._enter(dict(zip(COLUMNS, values)), counts, gains)
        return counts

    def _enter(self, row: dict[str, Any], counts: NDArray[np.int16], gains: NDArray[np.float32]) -> None:
        for name, value in row.items():
            self.columns[name].append(value)
        self._names.add(row["record"])
        self.content.add(row, counts, gains)
        self.gains.append([float(gain) for gain in gains])
        self.lengths.append(counts.shape[1])

    def header(self) -> dict[str, Any]:
        return {**self.info, "gain_known": self.gain_known and bool(self.info.get("gain_known", True))}

    def arrays(self) -> dict[str, NDArray[Any]]:
        if not self.lengths:
            raise DataError("no recording to write: a prepared set needs at least one")
        return {
            "offset": np.concatenate(([0], np.cumsum(self.lengths))).astype(np.int64),
            "gain_uv": np.array(self.gains, np.float32),
            "fs": np.array(self.fs, np.float64),
            "leads": np.array(self.leads),
            "subject": np.array(self.columns["subject"], str),
            "session": np.array(self.columns["session"], np.int16),
            "day": np.array(self.columns["day"], np.int32),
            "record": np.array(self.columns["record"], str),
            "activity": np.array(self.columns["activity"], str),
            "info": np.array(json.dumps(self.header(), ensure_ascii=False)),
        }

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs beside the samples, as JSON."""
        return {
            "fs": self.fs,
            "leads": list(self.leads),
            "gain_known": self.gain_known,
            "columns": self.columns,
            "gains": self.gains,
            "lengths": self.lengths,
        }

    def restore(self, state: dict[str, Any], counts_of: Callable[[int], NDArray[np.int16]]) -> None:
        """Takes in the records of an earlier `state`, whose samples `counts_of` gives by number."""
        self.fs, self.leads, self.gain_known = state["fs"], tuple(state["leads"]), state["gain_known"]
        for i, gains in enumerate(state["gains"]):
            row = {name: state["columns"][name][i] for name in COLUMNS}
            self._enter(row, counts_of(i), np.array(gains, np.float32))


@dataclass
class ShardWriter:
    """Writes a set into a folder, shard by shard; holds one shard in memory."""

    folder: Path
    index: Index
    shard_samples: int = SHARD_SAMPLES
    after_shard: Callable[["ShardWriter"], None] | None = None
    """Called whenever a shard is safe on disk, with all records so far in it."""
    shard: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    _waiting: list[NDArray[np.int16]] = field(default_factory=list)
    _filled: int = 0

    def add(self, record: Record) -> None:
        """Takes a record in. Raises: RecordingError where it does not fit the others."""
        counts = self.index.add(record)
        self.shard.append(len(self.files))
        self.start.append(self._filled)
        self._waiting.append(counts)
        self._filled += counts.shape[1]
        if self._filled >= self.shard_samples:
            self._close()

    def _close(self) -> None:
        name = f"shard-{len(self.files):05d}.npy"
        save(self.folder / name, np.concatenate(self._waiting, axis=1))
        self.files.append({"file": name, "samples": self._filled})
        self._waiting.clear()
        self._filled = 0
        if self.after_shard is not None:
            self.after_shard(self)

    def finish(self) -> None:
        """Writes the last shard, the index and the description."""
        arrays = self.index.arrays()
        if self._waiting:
            self._close()
        places: dict[str, NDArray[Any]] = {
            "shard": np.array(self.shard, np.int32),
            "start": np.array(self.start, np.int64),
        }
        write_bytes(self.folder / "index.npz", packed({**arrays, **places}))
        header = self.index.header()
        document = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "sha256": self.index.content.hexdigest(self.index.fs, self.index.leads, header),
            "shards": self.files,
            "info": header,
        }
        write_json(self.folder / "set.json", document)


def save(path: Path, samples: NDArray[np.int16]) -> None:
    """Writes one NPY file. Raises: OSError as the system gave it, which numpy's own writer hides."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(samples))
        file.write(np.ascontiguousarray(samples).data)
        file.flush()
        os.fsync(file.fileno())


def packed(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Returns the bytes of an NPZ file; in memory, for a ZIP file on a full disk complains again when it is dropped."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def is_npz(path: Path) -> bool:
    """Returns whether a set at `path` is one NPZ file. Raises: UsageError where other things stand there."""
    try:
        folder = path.is_dir()
        foreign = path.is_file() or (folder and any(path.iterdir()) and not (path / "set.json").is_file())
    except OSError as error:
        raise write_error(path, error) from error
    if path.suffix == ".npz":
        if folder:
            raise UsageError(f"{path}: a folder; choose another path for the set")
        return True
    if foreign:
        raise UsageError(f"{path}: exists and is not a prepared set; choose another path, or one that ends in .npz")
    return False


@dataclass
class NpzWriter:
    """Writes a set as one NPZ file; holds all of it in memory."""

    path: Path
    index: Index
    _counts: list[NDArray[np.int16]] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Takes a record in. Raises: RecordingError where it does not fit the others."""
        self._counts.append(self.index.add(record))

    def finish(self) -> None:
        """Writes the file, whole or not at all."""
        arrays = self.index.arrays()
        write_bytes(self.path, packed({"x": np.concatenate(self._counts, axis=1), **arrays}))


def write_set(
    path: Path | str, records: Iterable[Record], info: dict[str, Any], *, shard_samples: int | None = None
) -> None:
    """Writes `records` as a prepared set, whole or not at all: an NPZ file for a `.npz` path, else a folder of shards.

    `info` says what the set is (`name`, `licence`, `cite`, `notes`, `synthetic`, …). `shard_samples` is the number of
    samples per lead after which a shard is closed. Records are taken one by one; a folder needs memory for one shard.
    Raises: RecordingError for a record that does not fit the others or lacks samples, DataError where writing fails.
    """
    path = Path(path)
    index = Index(info)
    if is_npz(path):
        if shard_samples is not None:
            raise UsageError(f"{path}: shards go into a folder; give a path without .npz")
        npz = NpzWriter(path, index)
        for record in records:
            npz.add(record)
        npz.finish()
        return
    with atomic_folder(path) as folder:
        writer = ShardWriter(folder, index, shard_samples or SHARD_SAMPLES)
        for record in records:
            writer.add(record)
        writer.finish()
