"""Turns a folder of recordings into a prepared set."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ecgkd.data.encode import require_whole
from ecgkd.data.plan import Options, Plan, Progress, plan
from ecgkd.data.raw import lead_name, to_record
from ecgkd.data.read import read_raw
from ecgkd.data.rules import Source
from ecgkd.data.stage import Taken, staged
from ecgkd.data.stretches import at_rate, cut
from ecgkd.data.write import Index, NpzWriter, ShardWriter, is_npz
from ecgkd.errors import DataError, EcgkdError, RecordingError
from ecgkd.record import Record

__all__ = ["Options", "Plan", "Prepared", "plan", "prepare"]

_ALONE = 200
"""Fewer recordings than this are not worth the start of other processes."""


@dataclass
class Prepared:
    """What came of a preparation."""

    path: Path
    n_records: int
    n_subjects: int
    hours: float
    fs: float
    leads: tuple[str, ...]
    duplicates: list[tuple[str, str]]
    """(left out, the same as)."""
    skipped: list[tuple[str, str]]
    """(recording, why)."""
    undated: int
    """People with several recordings of which neither session nor day is known: all count as session 1."""
    resumed: int
    """Recordings that an interrupted run had done."""


@dataclass(frozen=True)
class _Task:
    source: Source
    session: int
    day: int
    lead: str | None
    fs: float | None
    unit: str | None
    resample: float | None = None
    channels: tuple[tuple[str, str], ...] = ()
    centred: bool = False


def _in_file(lead: str | None, channels: tuple[tuple[str, str], ...]) -> tuple[str | None, tuple[str, ...] | None]:
    """Returns what a file calls the leads asked for, and what the record shall call them (None: as the file does)."""
    if not channels:
        return lead, None
    known = {lead_name(name).lower(): (name, label) for name, label in channels}
    wanted = [name for name, _ in channels] if lead is None else [name.strip() for name in lead.split(",")]
    pairs = [known.get(lead_name(name).lower(), (name, name)) for name in wanted]
    return ",".join(label for _, label in pairs), tuple(name for name, _ in pairs)


def _read(task: _Task) -> Record | EcgkdError:
    """Returns the recording, or what is wrong with it; runs in a worker process."""
    source = task.source
    try:
        lead, names = _in_file(source.lead or task.lead, task.channels)
        record = to_record(read_raw(source.path, lead), source.name, task.fs, lead, task.unit)
        if names is not None:
            record = replace(record, leads=names)
        if source.span is not None:
            record = cut(record, *source.span)
        require_whole(record)
        if task.centred:
            record = replace(record, signal=record.signal - np.median(record.signal, axis=1, keepdims=True))
        if task.resample is not None:
            record = at_rate(record, task.resample)
    except RecordingError as error:
        return error
    return replace(
        record, subject=source.subject, session=task.session, day=task.day, activity=source.activity, source=""
    )


def _follow_parent() -> None:
    """Makes a worker process leave Ctrl-C to its parent, and end when its parent does, even if that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _read_all(tasks: Sequence[_Task], workers: int) -> Iterator[Record | EcgkdError]:
    """Gives the recordings in their order, read by several processes; a few are in memory at once."""
    if workers <= 1:
        yield from map(_read, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)
    try:
        waiting: list[Future[Record | EcgkdError]] = []
        for task in tasks:
            waiting.append(pool.submit(_read, task))
            if len(waiting) > 2 * workers:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
    except BrokenProcessPool as error:
        raise DataError("a reading process died, perhaps for lack of memory; try --workers 1") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _digest(record: Record) -> str:
    return hashlib.sha256(record.signal.tobytes() + repr((record.fs, record.leads)).encode()).hexdigest()


def _take(record: Record | EcgkdError, name: str, writer: ShardWriter | NpzWriter, taken: Taken, skip: bool) -> None:
    """Writes a recording, leaves it out as a copy, or skips it. Raises: RecordingError unless `skip`."""
    taken.consumed += 1
    if isinstance(record, Record):
        try:
            writer.index.check(record)
        except RecordingError as error:
            record = error
    if isinstance(record, EcgkdError):
        if not skip:
            raise record
        taken.skipped.append((name, str(record)))
        return
    digest = _digest(record)
    if digest in taken.digests:
        taken.duplicates.append((name, taken.digests[digest]))
        return
    taken.digests[digest] = name
    writer.add(record)


def _fill(
    writer: ShardWriter | NpzWriter, taken: Taken, todo: Plan, options: Options, progress: Progress | None
) -> None:
    tasks = [
        _Task(source, session, day, todo.lead, todo.fs, todo.unit, todo.resample, todo.channels, todo.centred)
        for source, (session, day) in zip(todo.sources, todo.sittings)
    ][taken.consumed :]
    cores = min(os.cpu_count() or 1, 8) if len(tasks) >= _ALONE else 1
    workers = options.workers if options.workers is not None else cores
    for task, record in zip(tasks, _read_all(tasks, workers)):
        _take(record, task.source.name, writer, taken, options.on_bad == "skip")
        if progress is not None:
            progress(taken.consumed, len(todo.sources), task.source.name)
    if not writer.index.lengths:
        raise DataError(f"none of {len(todo.sources)} recording(s) can be used; the first: {taken.skipped[0][1]}")


def prepare(
    folder: Path | str, out: Path | str, options: Options | None = None, progress: Progress | None = None
) -> Prepared:
    """Writes the recordings below `folder` as a prepared set at `out`: an NPZ file, or a folder of shards.

    Whose recording each is, a table says, or a pattern of file names, or the catalogue for sets that it knows, or the
    folders (`SUBJECT/SESSION/…`) and headers. Exact copies are left out. A folder of shards that was interrupted goes
    on where its last shard ended when the same is asked again.
    Raises: RecordingError for the first recording that cannot be used unless they are skipped, UsageError, DataError.
    """
    options, out = options or Options(), Path(out)
    npz = is_npz(out)
    todo = plan(folder, options, progress)
    if npz:
        taken, resumed = Taken(), 0
        writer: ShardWriter | NpzWriter = NpzWriter(out, Index(todo.info))
        _fill(writer, taken, todo, options, progress)
        writer.finish()
    else:
        how = repr((todo.lead, todo.fs, todo.unit, todo.resample, todo.channels, todo.centred, todo.sittings))
        how += repr(options.shard_samples)
        with staged(out, todo.info, todo.sources, how, options.shard_samples) as (writer, taken):
            resumed = taken.consumed
            _fill(writer, taken, todo, options, progress)
    index = writer.index
    return Prepared(
        path=out,
        n_records=len(index.lengths),
        n_subjects=len(set(index.columns["subject"])),
        hours=sum(index.lengths) / index.fs / 3600,
        fs=index.fs,
        leads=index.leads,
        duplicates=taken.duplicates,
        skipped=[*todo.left_out, *taken.skipped],
        undated=todo.undated,
        resumed=resumed,
    )
