"""Recordings in which people do several things one after the other: cut into stretches of one activity each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgkd.data import read_edf, read_mhealth, read_respiban
from ecgkd.errors import UsageError
from ecgkd.record import Record

LEAST_SECONDS = 4.0
"""Shorter stretches hold no window."""


@dataclass(frozen=True)
class Stretch:
    """A part of a recording with one label."""

    begin: float
    """s"""
    end: float
    """s"""
    activity: str


def stretches_of(path: Path, how: str, names: Mapping[str, str]) -> list[Stretch]:
    """Returns the labelled stretches of the recording at `path`, in order; what has no name in `names` is left out.

    `how` says where labels are found: `respiban`, `mhealth` (numbers over time) or `annotations` (EDF+, by words that
    occur in their texts). Raises: UsageError for another word, RecordingError for a file that cannot be read.
    """
    if how == "annotations":
        return _of_annotations(read_edf.annotations(path), names)
    if how == "respiban":
        return of_numbers(*read_respiban.labels(path), names)
    if how == "mhealth":
        return of_numbers(*read_mhealth.labels(path), names)
    raise UsageError(f"no way {how!r} to find labels; there are annotations, respiban and mhealth")


def of_numbers(labels: NDArray[np.int64], rate: float, names: Mapping[str, str]) -> list[Stretch]:
    """Returns the runs of equal numbers that `names` knows, long enough for a window."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    bounds = [0, *edges.tolist(), len(labels)]
    found = []
    for first, last in pairwise(bounds):
        name = names.get(str(labels[first])) if last > first else None
        if name and (last - first) / rate >= LEAST_SECONDS:
            found.append(Stretch(first / rate, last / rate, name))
    return found


def _of_annotations(marks: list[tuple[float, float, str]], names: Mapping[str, str]) -> list[Stretch]:
    found = []
    for begin, seconds, text in sorted(marks):
        name = next((name for word, name in names.items() if word in text.lower()), None)
        if name and seconds >= LEAST_SECONDS:
            found.append(Stretch(begin, begin + seconds, name))
    return found


def cut(record: Record, begin: float, end: float) -> Record:
    """Returns the part of a recording from `begin` to `end`, s."""
    first, last = round(begin * record.fs), round(end * record.fs)
    return replace(record, signal=record.signal[:, max(first, 0) : last])


def at_rate(record: Record, fs: float) -> Record:
    """Returns the recording at `fs` Hz, band-limited; missing samples must have gone before."""
    from scipy.signal import resample_poly

    if record.fs == fs:
        return record
    ratio = Fraction(fs / record.fs).limit_denominator(1000)
    padded = resample_poly(record.signal.astype(np.float64), ratio.numerator, ratio.denominator, axis=1, padtype="line")
    return replace(record, signal=padded.astype(np.float32), fs=fs)
