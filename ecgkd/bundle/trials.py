"""A few windows of many people: comparisons that can be made again for each of a hundred changed networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.gate import ENROL_WINDOWS, PROBE_WINDOWS, gate_rows
from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.scores import Comparisons, compare, fuse, unit
from ecgkd.protocols.protocol import Protocol, Row
from ecgkd.protocols.trials import Groups, Windows, enrol_groups, network_windows, probe_groups, row_windows, taking

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TrialRow:
    """One row of the protocol; groups name windows of the `Trials` that it belongs to."""

    name: str
    subjects: tuple[str, ...]
    enrol: Groups
    probe: Groups


@dataclass(frozen=True)
class Trials:
    """Windows to embed, and who is compared with whom."""

    windows: NDArray[np.int8]
    """(n, 1000), none twice."""
    rows: tuple[TrialRow, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(sorted({name for row in self.rows for name in row.subjects}))

    @property
    def n_people(self) -> int:
        """People who are compared with themselves, in the row that has most."""
        return max(len(np.intersect1d(row.enrol.subject, row.probe.subject)) for row in self.rows)

    def compare(self, outputs: Floats, contract: Contract) -> list[Comparisons]:
        """Returns the comparisons of every row; `outputs` (n, D) belong to `windows`, of any length."""
        embeddings = unit(outputs)
        as_norm = contract.threshold is not None and contract.threshold.kind == "as_norm"
        cohort = unit(np.array(contract.cohort, np.float32)) if as_norm else None
        found = []
        for row in self.rows:
            templates, probes = fuse(embeddings, row.enrol.windows), fuse(embeddings, row.probe.windows)
            scores = compare(probes, templates, cohort, contract.cohort_top)
            found.append(Comparisons(scores, row.probe.subject, row.enrol.subject))
        return found


@dataclass(frozen=True)
class _Side:
    """One side of a row, before any window is cut."""

    windows: Windows
    groups: Groups

    def taken(self, most: int) -> Groups:
        """Returns the first `most` groups of every person."""
        turn = np.zeros(len(self.groups), np.int64)
        for subject in np.unique(self.groups.subject):
            mine = np.flatnonzero(self.groups.subject == subject)
            turn[mine] = np.arange(len(mine))
        kept = turn < most
        return Groups(self.groups.windows[kept], self.groups.subject[kept])


def choose(protocol: Protocol, sets: Sequence[PreparedSet], contract: Contract, n: int) -> Trials:
    """Returns trials of about `n` windows of development people: rows with many people first, then more probes each.

    Raises: UsageError where the protocol compares no development people.
    """
    sets = taking(sets, contract.leads)
    sides = [sided for row in gate_rows(protocol) if (sided := _sides(row, sets, contract)) is not None]
    if not sides:
        raise UsageError(f"protocol {protocol.name!r} compares no development people; name another with --protocol")
    sides.sort(key=lambda one: -len(one[1].groups))
    chosen: list[tuple[Row, _Side, _Side, tuple[str, ...]]] = []
    total = 0
    for one in sides:
        cost = _size(one, 1)
        if not chosen or total + cost <= n:
            chosen.append(one)
            total += cost
    probes = 1
    while probes < max(len(one[2].groups) for one in chosen) and sum(_size(one, probes + 1) for one in chosen) <= n:
        probes += 1
    return _cut(chosen, probes, sets)


def _sides(
    row: Row, sets: Sequence[PreparedSet], contract: Contract
) -> tuple[Row, _Side, _Side, tuple[str, ...]] | None:
    windows, threshold = row_windows(row, sets), contract.threshold
    enrol = enrol_groups(windows.enrol, threshold.enrol_windows if threshold else ENROL_WINDOWS)
    probe = probe_groups(windows.probe, threshold.probe_windows if threshold else PROBE_WINDOWS)
    if len(np.unique(enrol.subject)) < 2 or not np.isin(probe.subject, enrol.subject).any():
        return None
    return row, _Side(windows.enrol, enrol), _Side(windows.probe, probe), windows.subjects


def _size(sides: tuple[Row, _Side, _Side, tuple[str, ...]], probes: int) -> int:
    """Returns how many windows a row takes with so many probes a person."""
    return int((sides[1].groups.windows >= 0).sum() + (sides[2].taken(probes).windows >= 0).sum())


def _cut(
    chosen: Sequence[tuple[Row, _Side, _Side, tuple[str, ...]]], probes: int, sets: Sequence[PreparedSet]
) -> Trials:
    """Returns the trials with their windows cut; windows that several rows use are embedded once."""
    parts: list[NDArray[np.int8]] = []
    rows, offset = [], 0
    for row, enrol, probe, subjects in chosen:
        moved = []
        for side, groups in ((enrol, enrol.groups), (probe, probe.taken(probes))):
            used = np.unique(groups.windows[groups.windows >= 0])
            parts.append(network_windows(_only(side.windows, used), sets))
            place = np.full(len(side.windows) + 1, -1, np.int64)
            place[used] = offset + np.arange(len(used))
            moved.append(Groups(place[groups.windows], groups.subject))
            offset += len(used)
        rows.append(TrialRow(row.name, subjects, moved[0], moved[1]))
    unique, of = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
    of = np.append(of.ravel(), -1)
    return Trials(unique, tuple(replace(one, enrol=_moved(one.enrol, of), probe=_moved(one.probe, of)) for one in rows))


def _moved(groups: Groups, of: NDArray[np.int64]) -> Groups:
    return Groups(of[groups.windows], groups.subject)


def _only(windows: Windows, used: NDArray[np.int64]) -> Windows:
    return replace(windows, subject=windows.subject[used], recording=windows.recording[used], start=windows.start[used])
