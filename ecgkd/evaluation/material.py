"""The windows of all rows, each read, judged and embedded once, whatever number of rows it is in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.scores import COHORT_TOP, Comparisons, compare, fuse, unit
from ecgkd.protocols.protocol import Row
from ecgkd.protocols.trials import (
    Groups,
    RowWindows,
    Windows,
    enrol_groups,
    network_windows,
    probe_groups,
    raw_windows,
    row_windows,
    taking,
)
from ecgkd.signal.quality import assess

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Floats = NDArray[np.float32]
Progress = Callable[[int, int, str], None]

BLOCK = 4096
"""Windows in memory at once."""
MIN_ENROLLED = 3
"""With the quality gate: usable windows without which nobody is enrolled, unless fewer are asked for."""
UNUSABLE = -1.0
"""Quality of a window that the gate refuses; others have their periodicity, 0 … 1."""


@dataclass(frozen=True)
class Side:
    """One side of a row: its windows and where they lie in the pool."""

    windows: Windows
    place: NDArray[np.int64]
    """(n,)"""


@dataclass(frozen=True)
class PooledRow:
    """A row whose windows lie in a pool."""

    row: Row
    subjects: tuple[str, ...]
    enrol: Side
    probe: Side


@dataclass(frozen=True)
class Pool:
    """All windows of the rows, without repetition."""

    rows: tuple[PooledRow, ...]
    windows: Windows


@dataclass(frozen=True)
class Seen:
    """What the quality gate and the candidates make of the pool."""

    quality: NDArray[np.float32]
    """(n,): periodicity, or `UNUSABLE`."""
    embeddings: Mapping[str, Floats]
    """Candidate to unit-norm (n, size)."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        return self.quality > UNUSABLE


def make_pool(rows: Sequence[Row], sets: Sequence[PreparedSet]) -> Pool:
    """Returns the windows of `rows`. Raises: UsageError for a set or recording that is not there."""
    found = [row_windows(row, sets) for row in rows]
    recordings: dict[tuple[str, int], int] = {}
    keys = [_keys(side, recordings) for one in found for side in (one.enrol, one.probe)]
    unique, place = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    windows = Windows(("",), tuple(recordings), np.zeros(len(unique), np.int64), unique[:, 0], unique[:, 1])
    places = np.split(place.ravel(), np.cumsum([len(one) for one in keys])[:-1])
    pooled = [_pooled(one, *places[2 * i : 2 * i + 2]) for i, one in enumerate(found)]
    return Pool(tuple(pooled), windows)


def _keys(windows: Windows, recordings: dict[tuple[str, int], int]) -> NDArray[np.int64]:
    """Returns recording and start (n, 2) of each window, recordings numbered over all rows."""
    number = np.array([recordings.setdefault(one, len(recordings)) for one in windows.recordings], np.int64)
    return np.stack([number[windows.recording], windows.start], axis=1)


def _pooled(found: RowWindows, enrol: NDArray[np.int64], probe: NDArray[np.int64]) -> PooledRow:
    return PooledRow(found.row, found.subjects, Side(found.enrol, enrol), Side(found.probe, probe))


def see(
    pool: Pool,
    sets: Sequence[PreparedSet],
    embeds: Mapping[str, Embed],
    progress: Progress | None = None,
    leads: Mapping[str, tuple[str, ...]] | None = None,
) -> Seen:
    """Returns the quality and the embeddings of all windows, read block by block.

    `leads` names those of each candidate whose windows are of other leads than the sets give; the quality gate judges
    all that anyone takes. Raises: UsageError for leads that a set has not.
    """
    wanted = {name: (leads or {}).get(name, ()) for name in embeds}
    of_leads = {one: taking(sets, one) if one else list(sets) for one in wanted.values()}
    of_anyone = tuple(dict.fromkeys(lead for one in wanted.values() for lead in one or ("",)))
    judged_sets = taking(sets, of_anyone) if any(wanted.values()) else list(sets)
    n, windows = len(pool.windows), pool.windows
    quality = np.empty(n, np.float32)
    embeddings: dict[str, list[Floats]] = {name: [] for name in embeds}
    for start in range(0, n, BLOCK):
        block = slice(start, min(start + BLOCK, n))
        part = replace(
            windows, subject=windows.subject[block], recording=windows.recording[block], start=windows.start[block]
        )
        for positions, native, one in raw_windows(part, judged_sets):
            judged = assess(native, one.fs, one.gain_known)
            quality[start + positions] = [q.periodicity if q.usable else UNUSABLE for q in judged]
        inputs = {one: network_windows(part, taken) for one, taken in of_leads.items()}
        for name, embed in embeds.items():
            if progress is not None:
                progress(start, n, f"windows, {name}")
            embeddings[name].append(unit(embed(inputs[wanted[name]])))
    if progress is not None:
        progress(n, n, "windows")
    return Seen(quality, {name: np.concatenate(parts) for name, parts in embeddings.items()})


@dataclass(frozen=True)
class View:
    """One row as one candidate sees it."""

    row: PooledRow
    enrol: Floats
    """(n, size)"""
    probe: Floats
    enrol_usable: NDArray[np.bool_]
    probe_usable: NDArray[np.bool_]
    probe_quality: NDArray[np.float32]
    cohort: Floats | None
    """Unit-norm centroids."""
    top: int = COHORT_TOP

    def groups(self, k_enrol: int, k_probe: int, gated: bool = False) -> tuple[Groups, Groups]:
        """Returns which windows make templates, one a person, and probes; with the gate, -1 for refused windows."""
        enrol, probe = self.row.enrol.windows, self.row.probe.windows
        probes = probe_groups(probe, k_probe)
        if not gated:
            return enrol_groups(enrol, k_enrol), probes
        lost = (probes.windows >= 0) & ~self.probe_usable[probes.windows]
        return (
            _usable_templates(enrol, self.enrol_usable, k_enrol),
            replace(probes, windows=np.where(lost, -1, probes.windows)),
        )

    def comparisons(self, k_enrol: int, k_probe: int, normed: bool, gated: bool = False) -> Comparisons | None:
        """Returns the comparisons of fused windows, AS-norm if `normed`; None where no recording has `k_probe` windows.

        With the gate, whoever has no template or no usable window scores below everybody else.
        """
        templates, probes = self.groups(k_enrol, k_probe, gated)
        if not len(probes):
            return None
        fused = fuse(self.probe, probes.windows), fuse(self.enrol, templates.windows)
        scores = compare(*fused, self.cohort if normed else None, self.top)
        return Comparisons(scores, probes.subject, templates.subject)

    def window_scores(self, k_enrol: int, k_probe: int, normed: bool) -> list[Floats]:
        """Returns the scores (n_probes, n_templates) of the first, second, … window of each probe."""
        templates, probes = self.groups(k_enrol, k_probe)
        fused, cohort = fuse(self.enrol, templates.windows), self.cohort if normed else None
        return [compare(self.probe[probes.windows[:, j]], fused, cohort, self.top) for j in range(k_probe)]


def view(row: PooledRow, seen: Seen, candidate: str, cohort: NDArray[np.int8] | None, top: int = COHORT_TOP) -> View:
    """Returns `row` as `candidate` sees it; a `cohort` without centroids counts as none."""
    embeddings, usable = seen.embeddings[candidate], seen.usable
    centroids = unit(cohort.astype(np.float32)) if cohort is not None and len(cohort) else None
    return View(
        row,
        embeddings[row.enrol.place],
        embeddings[row.probe.place],
        usable[row.enrol.place],
        usable[row.probe.place],
        seen.quality[row.probe.place],
        centroids,
        top,
    )


def _usable_templates(windows: Windows, usable: NDArray[np.bool_], k: int) -> Groups:
    """Returns the first `k` usable windows of each person; a person with too few gets a template of nothing."""
    people = np.unique(windows.subject)
    out = np.full((len(people), k), -1, np.int64)
    for number, person in enumerate(people):
        found = np.flatnonzero(usable & (windows.subject == person))[:k]
        if len(found) >= min(k, MIN_ENROLLED):
            out[number, : len(found)] = found
    return Groups(out, people)
