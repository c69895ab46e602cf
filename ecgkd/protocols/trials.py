"""From the rows of a protocol to windows and to the comparisons between them.

Genuine comparisons are those of a probe with its own person's template. Impostor comparisons are those of every probe
with the template of every other enrolled person.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Row, Span, windows_of
from ecgkd.signal.chain import WINDOW_SAMPLES, front_end
from ecgkd.signal.window import cut

Progress = Callable[[int, int, str], None]
Sets = Sequence[PreparedSet] | Mapping[str, PreparedSet]

BATCH_WINDOWS = 1024
"""Windows that go through the front end at once."""


@dataclass(frozen=True)
class Windows:
    """Windows to cut, person by person. Arrays are (n,) int64."""

    subjects: tuple[str, ...]
    recordings: tuple[tuple[str, int], ...]
    """Set name and number of the record in that set."""
    subject: NDArray[np.int64]
    """Position in `subjects`."""
    recording: NDArray[np.int64]
    """Position in `recordings`."""
    start: NDArray[np.int64]
    """First sample in the recording, at its own rate."""

    def __len__(self) -> int:
        return len(self.start)

    def sessions(self, sets: Sets) -> NDArray[np.int64]:
        """Returns the session number (n,) of each window's recording."""
        by_name = named(sets)
        of_recording = [int(by_name[name].session[i]) for name, i in self.recordings]
        return np.array(of_recording, np.int64)[self.recording]


@dataclass(frozen=True)
class RowWindows:
    """The windows of both sides of a row. `enrol` and `probe` share `subjects` and `recordings`."""

    row: Row
    subjects: tuple[str, ...]
    """Enrolled people first, then those who only probe (impostors without a template)."""
    n_enrolled: int
    enrol: Windows
    probe: Windows


@dataclass(frozen=True)
class Groups:
    """Windows that are fused into one template or one probe."""

    windows: NDArray[np.int64]
    """(n_groups, k): positions in the windows they were made of; -1 where a group has fewer than k."""
    subject: NDArray[np.int64]
    """(n_groups,): position in `subjects`."""

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def count(self) -> NDArray[np.int64]:
        """Windows in each group, (n_groups,)."""
        return (self.windows >= 0).sum(axis=1)


def named(sets: Sets) -> Mapping[str, PreparedSet]:
    """Returns the sets by name."""
    return sets if isinstance(sets, Mapping) else {one.name: one for one in sets}


def _gather(
    spans: Sequence[Span],
    sets: Mapping[str, PreparedSet],
    subjects: dict[str, int],
    recordings: dict[tuple[str, int], int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns subject, recording and start of every window; new people and recordings are added to the tables."""
    parts: list[tuple[int, int, NDArray[np.int64]]] = []
    for span in spans:
        if span.set not in sets:
            raise UsageError(f"the protocol needs the set {span.set}, which is not given: name its file too")
        one = sets[span.set]
        i = one.find(span.record)
        person = subjects.setdefault(str(one.subject[i]), len(subjects))
        recording = recordings.setdefault((span.set, i), len(recordings))
        parts.append((person, recording, windows_of(span, one.fs)))
    parts.sort(key=lambda part: part[0])
    count = [len(starts) for _, _, starts in parts]
    subject = np.repeat(np.array([person for person, _, _ in parts], np.int64), count)
    recording_of = np.repeat(np.array([recording for _, recording, _ in parts], np.int64), count)
    start = np.concatenate([starts for _, _, starts in parts]) if parts else np.zeros(0, np.int64)
    return subject, recording_of, start


def taking(sets: Sequence[PreparedSet], leads: Sequence[str]) -> list[PreparedSet]:
    """Returns the sets with the windows of `leads`, () for the first of each. Raises: UsageError for an absent one."""
    return [one.taking(leads) for one in sets]


def window_shape(sets: Sets) -> tuple[int, ...]:
    """Returns the shape of a network's window: (1000,), or (n_leads, 1000) where the sets take several leads."""
    counts = {len(one.taken) for one in named(sets).values()}
    if len(counts) > 1:
        raise UsageError(f"the sets take {' and '.join(map(str, sorted(counts)))} leads; expected one number for all")
    n_leads = max(counts, default=1)
    return (WINDOW_SAMPLES,) if n_leads == 1 else (n_leads, WINDOW_SAMPLES)


def span_windows(spans: Sequence[Span], sets: Sets) -> Windows:
    """Returns all windows of `spans`, such as a protocol's `train`. Raises: UsageError for an absent set or record."""
    subjects: dict[str, int] = {}
    recordings: dict[tuple[str, int], int] = {}
    arrays = _gather(spans, named(sets), subjects, recordings)
    return Windows(tuple(subjects), tuple(recordings), *arrays)


def row_windows(row: Row, sets: Sets) -> RowWindows:
    """Returns the windows that a row enrols and probes with. Raises: UsageError for an absent set or record.

    Whoever is enrolled from several sessions has windows of each in turn, so that a template of the first few windows
    holds all sessions.
    """
    subjects: dict[str, int] = {}
    recordings: dict[tuple[str, int], int] = {}
    enrol = _gather(row.enrol, named(sets), subjects, recordings)
    n_enrolled = len(subjects)
    probe = _gather(row.probe, named(sets), subjects, recordings)
    people, names = tuple(subjects), tuple(recordings)
    enrolled = _sessions_in_turn(Windows(people, names, *enrol), sets)
    return RowWindows(row, people, n_enrolled, enrolled, Windows(people, names, *probe))


def _sessions_in_turn(windows: Windows, sets: Sets) -> Windows:
    """Returns the windows, a person's sessions in turn; in their order where there is one session."""
    session = windows.sessions(sets)
    visit = np.unique(np.stack([windows.subject, session]), axis=1, return_inverse=True)[1].ravel()
    order = np.argsort(visit, kind="stable")
    first = np.searchsorted(visit[order], visit[order], side="left")
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - first
    taken = np.lexsort((session, turn, windows.subject))
    return replace(
        windows, subject=windows.subject[taken], recording=windows.recording[taken], start=windows.start[taken]
    )


def enrol_groups(windows: Windows, k: int, every: bool = False) -> Groups:
    """Returns one template per person: the first `k` windows of that person's enrolment recordings, in their order.

    Who has fewer than `k` is enrolled with what there is. With `every`, also each further whole run of `k` windows
    makes a template, so that `enrol_groups(windows, 1, every=True)` is every window on its own.
    """
    _check_size(k)
    rows: list[NDArray[np.int64]] = []
    for positions in _runs(windows.subject):
        wanted = max(1, len(positions) // k) if every else 1
        rows += [positions[n * k : (n + 1) * k] for n in range(wanted)]
    return _as_groups(rows, k, windows.subject)


def probe_groups(windows: Windows, k: int) -> Groups:
    """Returns the probes of `k` consecutive windows of one recording each, without overlap.

    What is left at the end of a recording probes nothing; a recording with fewer than `k` windows gives no probe.
    """
    _check_size(k)
    rows: list[NDArray[np.int64]] = []
    for positions in _runs(windows.recording):
        rows += [positions[n * k : (n + 1) * k] for n in range(len(positions) // k)]
    return _as_groups(rows, k, windows.subject)


def genuine(enrol: Groups, probe: Groups) -> NDArray[np.bool_]:
    """Returns (n_probes, n_templates): whether the comparison is genuine; every other one is an impostor's."""
    return probe.subject[:, None] == enrol.subject[None, :]


def raw_windows(windows: Windows, sets: Sets) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], PreparedSet]]:
    """Gives, recording by recording: positions (k,) in `windows`, the windows (k, native) in µV, and their set.

    Where sets take several leads (`PreparedSet.taking`), the windows are (k, n_leads, native).
    """
    by_name = named(sets)
    for positions in _runs(windows.recording):
        name, i = windows.recordings[int(windows.recording[positions[0]])]
        one = by_name[name]
        yield positions, cut(one.taken_microvolts(i), windows.start[positions], one.fs), one


def network_windows(windows: Windows, sets: Sets, progress: Progress | None = None) -> NDArray[np.int8]:
    """Returns what the network sees of every window, (n, 1000); (n, n_leads, 1000) where sets take several leads."""
    out = np.empty((len(windows), *window_shape(sets)), np.int8)
    waiting: dict[float, list[tuple[NDArray[np.int64], NDArray[np.int32]]]] = {}
    done = 0

    def flush(fs: float) -> int:
        batch = waiting.pop(fs)
        out[np.concatenate([positions for positions, _ in batch])] = front_end(
            np.concatenate([native for _, native in batch]), fs
        )
        return sum(len(positions) for positions, _ in batch)

    for positions, native, one in raw_windows(windows, sets):
        waiting.setdefault(one.fs, []).append((positions, native))
        if sum(len(part) for part, _ in waiting[one.fs]) >= BATCH_WINDOWS:
            done += flush(one.fs)
            if progress is not None:
                progress(done, len(windows), "windows")
    for fs in list(waiting):
        done += flush(fs)
    if progress is not None:
        progress(done, len(windows), "windows")
    return out


def _runs(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Returns the positions of each label, in order of first appearance."""
    if not len(labels):
        return []
    order = np.argsort(labels, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(runs, key=lambda run: int(run[0]))


def _check_size(k: int) -> None:
    if k < 1:
        raise UsageError(f"a template or probe of {k} windows; expected one or more")


def _as_groups(rows: list[NDArray[np.int64]], k: int, subject: NDArray[np.int64]) -> Groups:
    out = np.full((len(rows), k), -1, np.int64)
    for n, row in enumerate(rows):
        out[n, : len(row)] = row
    return Groups(out, subject[out[:, 0]] if len(rows) else np.zeros(0, np.int64))
