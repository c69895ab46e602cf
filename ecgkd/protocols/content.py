"""What recordings hold, to find exact copies under other names."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from ecgkd.data.prepared import PreparedSet
from ecgkd.protocols.protocol import Span, windows_of
from ecgkd.signal.window import cut

Progress = Callable[[int, int, str], None]

MIN_LEVELS = 8
"""A window with fewer different values is flat or clipped; such windows are alike without being copies."""


def window_prints(one: PreparedSet, spans: Sequence[Span]) -> list[bytes]:
    """Returns a hash of each 4 s window (whole µV, first lead) of `spans`, all of one recording of the set.

    The same samples give the same hash whatever gain and names they are stored under. Windows that hold hardly
    anything are left out.
    """
    starts = np.concatenate([windows_of(span, one.fs) for span in spans])
    signal = one.integer_microvolts(one.find(spans[0].record))
    return [
        hashlib.sha256(window.tobytes()).digest()[:16]
        for window in cut(signal, np.unique(starts), one.fs)
        if len(np.unique(window)) >= MIN_LEVELS
    ]


def copies(sets: Sequence[PreparedSet], progress: Progress | None = None) -> list[list[tuple[str, int]]]:
    """Returns groups of recordings (set name, number) that share a whole 4 s window with one another."""
    seen: dict[bytes, tuple[str, int]] = {}
    group_of: dict[tuple[str, int], set[tuple[str, int]]] = {}
    total, done = sum(len(one) for one in sets), 0
    for one in sets:
        for i in range(len(one)):
            here = (one.name, i)
            for digest in window_prints(one, [Span(one.name, str(one.record[i]), 0, one.n_samples(i))]):
                there = seen.setdefault(digest, here)
                if there != here:
                    merged = {*group_of.get(there, {there}), *group_of.get(here, {here})}
                    group_of |= dict.fromkeys(merged, merged)
            done += 1
            if progress is not None and done % 500 == 0:
                progress(done, total, "recordings compared")
    return [sorted(group) for group in {id(group): group for group in group_of.values()}.values()]
