"""What a preparation would take in: which recordings, whose they are, how they are read."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ecgkd.data.catalogue import Corpus, find_corpus
from ecgkd.data.physionet import SOURCE_FILE
from ecgkd.data.raw import lead_name
from ecgkd.data.read import peek, signal_labels
from ecgkd.data.rules import (
    ENDINGS,
    Rule,
    Source,
    by_folder,
    by_pattern,
    by_table,
    number_sessions,
    recording_files,
    with_header,
)
from ecgkd.data.stretches import stretches_of
from ecgkd.data.write import SHARD_SAMPLES
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.files import read_json

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Options:
    """How to read a folder of recordings."""

    table: Path | None = None
    """CSV table with the columns file, subject and, as far as known, session, date or day, activity, lead."""
    pattern: str | None = None
    """`{subject}/{session}_{activity}`, or a regular expression with named groups."""
    columns: tuple[tuple[str, str], ...] = ()
    """(field, column of the table) where the usual names do not hold."""
    known_as: str | None = None
    """A set of the catalogue whose rules hold; found by itself after `ecgkd data download`."""
    lead: str | None = None
    """Lead or leads (separated by commas) to take; without it the rule's, else all ECG leads."""
    fs: float | None = None
    """Hz, for files that do not say."""
    unit: str | None = None
    """For files that do not say."""
    on_bad: Literal["stop", "skip"] = "stop"
    workers: int | None = None
    """Processes that read; None: as many as fit the job."""
    shard_samples: int = SHARD_SAMPLES
    info: dict[str, str] = field(default_factory=dict)
    """What the set's info shall say (name, licence, cite, …)."""


@dataclass(frozen=True)
class Plan:
    """Which recordings go into the set, whose they are and how they are read."""

    sources: tuple[Source, ...]
    sittings: tuple[tuple[int, int], ...]
    """(session, day) of each."""
    lead: str | None
    fs: float | None
    unit: str | None
    info: dict[str, Any]
    resample: float | None = None
    """Hz that recordings are brought to; None for their own."""
    channels: tuple[tuple[str, str], ...] = ()
    """(lead, what the files call it) where files have no names for leads."""
    centred: bool = False
    """Whether the constant offset of each lead is taken off."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(recording, why) of those that have nothing to take."""

    @property
    def undated(self) -> int:
        people: dict[str, list[int]] = {}
        for source, (_, day) in zip(self.sources, self.sittings):
            people.setdefault(source.subject, []).append(day if not source.session else 0)
        return sum(len(days) > 1 and max(days) < 0 for days in people.values())


def _known(folder: Path, options: Options) -> tuple[Corpus | None, dict[str, Any]]:
    """Returns the set of the catalogue that a folder holds, if any, and what its info says."""
    info: dict[str, Any] = {"name": folder.resolve().name}
    source = folder / SOURCE_FILE
    if source.is_file():
        info = dict(read_json(source, "note of a download"))
    key = options.known_as or str(info.get("key", ""))
    corpus = find_corpus(key) if key else None
    if corpus is not None and not source.is_file():
        info = {"key": corpus.key, "name": corpus.name, "licence": corpus.licence, "cite": corpus.citation}
        info |= {"doi": corpus.doi, "notes": corpus.traps}
    return corpus, {**info, **options.info}


def _rule(folder: Path, corpus: Corpus | None, options: Options) -> Rule:
    rule = corpus.rule if corpus is not None and corpus.rule is not None else Rule()
    if options.table is not None or options.pattern is not None:
        if options.table is not None and options.pattern is not None:
            raise UsageError("--table and --pattern exclude each other: the table says all that a pattern could")
        rule = Rule(pattern=options.pattern or "", table=str(options.table or ""), columns=options.columns)
    elif options.columns:
        rule = replace(rule, columns=options.columns)
    return rule


def _sources(folder: Path, rule: Rule) -> list[Source]:
    if rule.table:
        table = Path(rule.table)
        return by_table(folder, table if table.is_file() else folder / table, rule)
    files = recording_files(folder, endings=rule.endings or ENDINGS)
    if not files:
        expected = " or ".join(rule.endings) if rule.endings else "WFDB, EDF, BDF, MAT, NPZ or CSV"
        raise DataError(f"{folder}: no recordings in it; expected {expected} files")
    if rule.pattern:
        return by_pattern(folder, files, rule)
    sources = by_folder(folder, files)
    people = {source.subject for source in sources}
    if len(sources) > 1 and len(people) == 1 and any(source.session for source in sources):
        raise UsageError(
            f"{folder}: all {len(sources)} recordings lie in its folder {people.pop()!r}; name that folder if it holds "
            "a folder for each person, or give --table or --pattern"
        )
    return sources


def _ask_headers(sources: Sequence[Source], progress: Progress | None) -> list[Source]:
    """Returns the sources with subject and date from their headers where nothing else told them."""
    asked = []
    for number, source in enumerate(sources, 1):
        if not source.subject or (source.date is None and source.day is None):
            # A header that cannot be read is complained of when the recording is.
            with contextlib.suppress(RecordingError):
                source = with_header(source, *peek(source.path))
        asked.append(source)
        if progress is not None:
            progress(number, len(sources), "looking at headers")
    return asked


def _shared_leads(sources: Sequence[Source], wanted: str) -> tuple[str, list[Source], list[tuple[str, str]]]:
    """Returns those of the leads `wanted` that all recordings have, the recordings, and (name, why) of those without.

    Raises: DataError where no lead is in all recordings that have one.
    """
    names = wanted.split(",")
    held: list[list[str]] = []
    for source in sources:
        try:
            labels = {lead_name(label).lower() for label in signal_labels(source.path)}
        except RecordingError:
            held.append(names)  # complained of when it is read
            continue
        held.append([name for name in names if lead_name(name).lower() in labels])
    some = [have for have in held if have]
    shared = [name for name in names if some and all(name in have for have in some)]
    if not shared:
        raise DataError(
            f"{sources[0].path} and {len(sources) - 1} more: none of the leads {wanted} is in all of them; choose "
            "with --lead, and leave those without it out with --on-bad skip"
        )
    kept = [source for source, have in zip(sources, held) if have]
    lacking = [(source.name, f"no lead {' or '.join(names)}") for source, have in zip(sources, held) if not have]
    return ",".join(shared), kept, lacking


def _by_activity(sources: Sequence[Source], rule: Rule, progress: Progress | None) -> list[Source]:
    """Returns a source for every stretch of one activity. Raises: DataError where no recording has any."""
    names = dict(rule.activities)
    found = []
    for number, source in enumerate(sources, 1):
        for place, part in enumerate(stretches_of(source.path, rule.labels, names), 1):
            name, span = f"{source.name}/{place:02d}-{part.activity.replace(' ', '-')}", (part.begin, part.end)
            found.append(replace(source, name=name, activity=part.activity, span=span))
        if progress is not None:
            progress(number, len(sources), "looking for activities")
    if not found:
        raise DataError(f"{sources[0].path} and {len(sources) - 1} more: no activity is marked in them")
    return found


def plan(folder: Path | str, options: Options, progress: Progress | None = None) -> Plan:
    """Returns what `prepare` would take in. Raises: UsageError, DataError where people cannot be told apart."""
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise DataError(f"{folder}: no such folder of recordings")
    corpus, info = _known(folder, options)
    rule = _rule(folder, corpus, options)
    sources = _ask_headers(_sources(folder, rule), progress)
    lead, left_out = options.lead or rule.lead, list[tuple[str, str]]()
    if rule.common_leads and lead and not options.lead:
        lead, sources, left_out = _shared_leads(sources, lead)
    if rule.labels:
        sources = _by_activity(sources, rule, progress)
    nameless = [source.name for source in sources if not source.subject]
    if nameless:
        raise UsageError(
            f"{folder}: cannot tell whose recording {nameless[0]} is (and {len(nameless) - 1} more); put each person's "
            "recordings into a folder of their own, or give --table or --pattern"
        )
    return Plan(
        tuple(sources),
        tuple(number_sessions(sources)),
        lead,
        options.fs or rule.fs,
        options.unit or rule.unit,
        info,
        rule.resample,
        rule.channels,
        rule.centred,
        tuple(left_out),
    )
