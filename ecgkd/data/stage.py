"""Keeps the finished shards of a large preparation, so that the same command goes on after an interruption."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.rules import Source
from ecgkd.data.write import Index, ShardWriter
from ecgkd.errors import DataError, EcgkdError
from ecgkd.files import read_json, write_error, write_json

_JOURNAL = "journal.json"


@dataclass
class Taken:
    """What has become of the recordings so far."""

    consumed: int = 0
    """Recordings of the plan that are written, left out or skipped."""
    digests: dict[str, str] = field(default_factory=dict)
    """Hash of the samples of every written recording, and its name."""
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """(left out, the same as)."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """(recording, why)."""


def fingerprint(sources: Sequence[Source], options: str) -> str:
    """Returns a hash of recordings and how they are read; it changes when one of the files does."""
    digest = hashlib.sha256(options.encode())
    for source in sources:
        digest.update(repr(source).encode())
        for path in (source.path, source.path.with_suffix(".dat")):
            with contextlib.suppress(OSError):
                state = path.stat()
                digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()


def _restore(folder: Path, writer: ShardWriter, sources: Sequence[Source], options: str) -> Taken:
    """Returns what an interrupted run of the same command had done, with `writer` set to go on after it."""
    journal = read_json(folder / _JOURNAL, "journal of a preparation")
    taken = Taken(
        journal["consumed"],
        journal["digests"],
        [(a, b) for a, b in journal["duplicates"]],
        [(a, b) for a, b in journal["skipped"]],
    )
    if journal["fingerprint"] != fingerprint(sources[: taken.consumed], options):
        raise DataError("the recordings have changed")
    writer.shard, writer.start, writer.files = journal["shard"], journal["start"], journal["files"]
    shards = [np.load(folder / one["file"], mmap_mode="r") for one in writer.files]

    def counts(i: int) -> NDArray[np.int16]:
        start = writer.start[i]
        return shards[writer.shard[i]][:, start : start + journal["state"]["lengths"][i]]

    writer.index.restore(journal["state"], counts)
    return taken


def _publish(folder: Path, path: Path) -> None:
    (folder / _JOURNAL).unlink(missing_ok=True)
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    if path.exists():
        os.replace(path, old)
    os.replace(folder, path)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def staged(
    path: Path, info: dict[str, Any], sources: Sequence[Source], options: str, shard_samples: int
) -> Iterator[tuple[ShardWriter, Taken]]:
    """Gives a writer for the set at `path` and what an interrupted run had done; publishes the set at the end.

    When the block fails, finished shards stay in a hidden folder beside `path`; without any, nothing stays.
    Raises: DataError where writing fails.
    """
    folder = path.with_name(f".{path.name}.partial")
    writer = ShardWriter(folder, Index(info), shard_samples)
    taken = Taken()
    try:
        if (folder / _JOURNAL).is_file():
            try:
                taken = _restore(folder, writer, sources, options)
            except (EcgkdError, OSError, ValueError, KeyError, TypeError, IndexError):
                writer = ShardWriter(folder, Index(info), shard_samples)
        if not taken.consumed:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

        def note(_: ShardWriter) -> None:
            document = {**vars(taken), "fingerprint": fingerprint(sources[: taken.consumed], options)}
            places = {"shard": writer.shard, "start": writer.start, "files": writer.files}
            write_json(folder / _JOURNAL, {**document, **places, "state": writer.index.state()})

        writer.after_shard = note
        yield writer, taken
        writer.after_shard = None
        writer.finish()
        _publish(folder, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if not (folder / _JOURNAL).is_file():
            shutil.rmtree(folder, ignore_errors=True)
