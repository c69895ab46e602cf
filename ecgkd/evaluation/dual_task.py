"""Both tasks on the folds of a small set: who it is and what they are doing, with intervals over people.

Scores of all folds are pooled: every comparison stands between people who are unseen by the network that scored it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.bootstrap import MIN_PEOPLE, draw_people, equal_error_rates
from ecgkd.evaluation.drawn import Figure, Floats, activity_figures, share_figure
from ecgkd.evaluation.scores import Comparisons, cosine, fuse
from ecgkd.protocols.folds import OTHER
from ecgkd.protocols.protocol import Protocol, Row
from ecgkd.protocols.trials import (
    Groups,
    Windows,
    enrol_groups,
    network_windows,
    probe_groups,
    row_windows,
    span_windows,
)
from ecgkd.signal.window import native_window, tile_starts

REPLICATES = 1000
CHUNK = 50
"""Replicates in memory at once."""
ACROSS = "across"
ENROL_WINDOWS = 6
PROBE_WINDOWS = 3


@dataclass(frozen=True)
class Tiles:
    """All windows of a set, recording by recording."""

    windows: Windows
    base: NDArray[np.int64]
    """(n_records + 1,): the first window of each recording."""
    width: int
    """Samples of a window."""
    activity: NDArray[np.str_]
    """(n,): label of each window's recording."""

    def place(self, windows: Windows) -> NDArray[np.int64]:
        """Returns where `windows`, tiles of this set's recordings, lie among them."""
        number = np.array([i for _, i in windows.recordings], np.int64)
        return self.base[number[windows.recording]] + windows.start // self.width


def tiles(one: PreparedSet) -> Tiles:
    """Returns all windows of a set."""
    starts = [tile_starts(one.n_samples(i), one.fs) for i in range(len(one))]
    count = np.array([len(part) for part in starts], np.int64)
    people = {name: n for n, name in enumerate(dict.fromkeys(one.subject.tolist()))}
    recording = np.repeat(np.arange(len(one)), count)
    subject = np.array([people[name] for name in one.subject.tolist()], np.int64)[recording]
    recordings = tuple((one.name, i) for i in range(len(one)))
    windows = Windows(tuple(map(str, people)), recordings, subject, recording, np.concatenate(starts))
    base = np.concatenate([[0], np.cumsum(count)])
    return Tiles(windows, base, native_window(one.fs), np.array(one.activity)[recording])


def tile_inputs(all_tiles: Tiles, one: PreparedSet) -> NDArray[np.int8]:
    """Returns what a network sees of every tile, (n, 1000); (n, n_leads, 1000) where the set takes several leads."""
    return network_windows(all_tiles.windows, {one.name: one})


@dataclass(frozen=True)
class Outputs:
    """What the network of one fold says of every tile."""

    protocol: Protocol
    embeddings: NDArray[np.float32] | None
    """(n, size), unit norm; None where identity is no task."""
    logits: NDArray[np.float32] | None = None
    """(n, n_activities); None where activity is no task."""
    activities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """Comparisons of one row of one fold, people by their numbers in the whole set."""

    row: Row
    fold: int
    comparisons: Comparisons
    probe_windows: NDArray[np.int64]
    """(n_probes, k): tiles that make each probe."""


def trials(
    outputs: Sequence[Outputs],
    all_tiles: Tiles,
    one: PreparedSet,
    enrol_windows: int = ENROL_WINDOWS,
    probe_windows: int = PROBE_WINDOWS,
) -> list[Trial]:
    """Returns the comparisons of unseen people, row by row and fold by fold."""
    found = []
    numbers = {name: n for n, name in enumerate(all_tiles.windows.subjects)}
    for fold, output in enumerate(outputs):
        for row in output.protocol.rows:
            if row.population == "closed-set" or output.embeddings is None:
                continue
            sides = row_windows(row, {one.name: one})
            enrol, probe = enrol_groups(sides.enrol, enrol_windows), probe_groups(sides.probe, probe_windows)
            enrolled, probed = _tiles_of(enrol, sides.enrol, all_tiles), _tiles_of(probe, sides.probe, all_tiles)
            scores = cosine(fuse(output.embeddings, probed), fuse(output.embeddings, enrolled))
            person = np.array([numbers[name] for name in sides.subjects], np.int64)
            comparisons = Comparisons(scores, person[probe.subject], person[enrol.subject])
            found.append(Trial(row, fold, comparisons, probed))
    return found


def _tiles_of(groups: Groups, windows: Windows, all_tiles: Tiles) -> NDArray[np.int64]:
    place = all_tiles.place(windows)
    return np.where(groups.windows >= 0, place[groups.windows], -1)


@dataclass(frozen=True)
class Pooled:
    """Comparisons of many trials in one list. Arrays are (n,)."""

    scores: Floats
    genuine: NDArray[np.bool_]
    weight: Floats
    probe: NDArray[np.int64]
    """Person."""
    template: NDArray[np.int64]
    """Person."""
    trial: NDArray[np.int64]
    fold: NDArray[np.int64]
    probe_number: NDArray[np.int64]
    """Position of the probe inside its trial."""


def pool(found: Sequence[Trial], scores: Sequence[NDArray[np.floating]] | None = None) -> Pooled:
    """Returns the comparisons of `found` together, with other `scores` if given; every trial weighs by its people."""
    parts: list[list[NDArray[np.generic]]] = []
    for number, trial in enumerate(found):
        mine = trial.comparisons
        shape = mine.scores.shape
        values = mine.scores if scores is None else scores[number]
        columns = [
            np.asarray(values, np.float64),
            mine.genuine,
            mine.weights(),
            np.broadcast_to(mine.probe_subject[:, None], shape),
            np.broadcast_to(mine.template_subject[None, :], shape),
            np.full(shape, number),
            np.full(shape, trial.fold),
            np.broadcast_to(np.arange(shape[0])[:, None], shape),
        ]
        parts.append([column.ravel() for column in columns])
    return Pooled(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def eer_figure(pooled: Pooled, draws: NDArray[np.floating]) -> Figure:
    """Returns the EER of pooled comparisons; a replicate weighs genuine ones by w_i, impostor ones by w_i · w_j."""
    order = np.argsort(pooled.scores, kind="stable")
    scores, own = pooled.scores[order], pooled.genuine[order]
    first = np.flatnonzero(np.diff(scores, prepend=-np.inf) > 0)  # of every distinct score
    weight = pooled.weight[order][:, None]
    probe, template = pooled.probe[order], pooled.template[order]
    people = len(np.unique(pooled.probe[pooled.genuine]))

    def rates(person: Floats) -> Floats:
        drawn = weight * person[:, probe].T  # (n, replicates)
        drawn[~own] *= person[:, template[~own]].T
        shares = []
        for mine in (own, ~own):
            total = np.cumsum(np.where(mine[:, None], drawn, 0.0), axis=0)
            before = np.concatenate([np.zeros((1, len(person))), total])[[*first, len(scores)]]
            with np.errstate(invalid="ignore", divide="ignore"):
                shares.append(before / total[-1])
        return equal_error_rates(1 - shares[1], shares[0])

    value = rates(np.ones((1, draws.shape[1])))[0]
    chunks = [np.asarray(draws[start : start + CHUNK], np.float64) for start in range(0, len(draws), CHUNK)]
    return Figure(float(value), np.concatenate([rates(chunk) for chunk in chunks]), people)


def rank_one(
    output: Outputs, all_tiles: Tiles, one: PreparedSet, k: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns which probes of `k` windows of the closed set are nearest to their own person, and whose they are.

    A person's template is made of all of that person's training windows.
    """
    row = next(row for row in output.protocol.rows if row.population == "closed-set")
    sides = row_windows(row, {one.name: one})
    most = int(np.bincount(sides.enrol.subject).max())
    enrol, probe = enrol_groups(sides.enrol, most), probe_groups(sides.probe, k)
    assert output.embeddings is not None
    templates = fuse(output.embeddings, _tiles_of(enrol, sides.enrol, all_tiles))
    probes = fuse(output.embeddings, _tiles_of(probe, sides.probe, all_tiles))
    nearest = enrol.subject[cosine(probes, templates).argmax(1)]
    numbers = {name: n for n, name in enumerate(all_tiles.windows.subjects)}
    person = np.array([numbers[name] for name in sides.subjects], np.int64)[probe.subject]
    return (nearest == probe.subject).astype(np.float64), person


def unseen_tiles(output: Outputs, all_tiles: Tiles, one: PreparedSet) -> NDArray[np.int64]:
    """Returns the tiles of the people whom a fold leaves out, or that a leaky row probes, in order."""
    open_rows = [row for row in output.protocol.rows if row.population != "closed-set"]
    spans = {span for row in open_rows for span in (*row.enrol, *row.probe)}
    if not open_rows:
        spans = {span for row in output.protocol.rows for span in row.probe}
    return np.sort(all_tiles.place(span_windows(sorted(spans), {one.name: one})))


def figures(outputs: Sequence[Outputs], all_tiles: Tiles, one: PreparedSet) -> dict[str, Figure]:
    """Returns every figure that these networks, one a fold, have."""
    draws = draw_people(len(all_tiles.windows.subjects), REPLICATES)
    found: dict[str, Figure] = {}
    if outputs[0].embeddings is not None:
        for name, k in (("rank1", 1), ("rank1_3", PROBE_WINDOWS)):
            parts = [rank_one(output, all_tiles, one, k) for output in outputs]
            right, person = (np.concatenate(column) for column in zip(*parts, strict=True))
            if len(right):  # random windows have no three in a row
                found[name] = share_figure(right, person, draws)
        found |= _verification(trials(outputs, all_tiles, one), draws)
    if outputs[0].logits is not None:
        found |= activity_figures(*told_activities(outputs, all_tiles, one), len(outputs[0].activities), draws)
    return found


def _verification(found: Sequence[Trial], draws: NDArray[np.floating]) -> dict[str, Figure]:
    """Returns the EER at rest, across activities together, and to each activity; and the last two inside a session."""
    by_name: dict[str, list[Trial]] = {}
    for trial in found:
        other = OTHER in trial.row.name
        activity = trial.row.name.rsplit("-", 1)[1]
        for name in (activity, ACROSS) if trial.row.kind == "cross-activity" else (activity,):
            by_name.setdefault(f"eer_{name}" if other else f"eer_{name}_same", []).append(trial)
    return {name: eer_figure(pool(trials), draws) for name, trials in sorted(by_name.items())}


def told_activities(
    outputs: Sequence[Outputs], all_tiles: Tiles, one: PreparedSet
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns truth, what was told, and person of every labelled tile of unseen people, all folds together."""
    parts = []
    for output in outputs:
        assert output.logits is not None
        place = unseen_tiles(output, all_tiles, one)
        number = {name: n for n, name in enumerate(output.activities)}
        truth = np.array([number.get(str(name), -1) for name in all_tiles.activity[place]], np.int64)
        known = truth >= 0
        told = output.logits[place].argmax(1)
        parts.append((truth[known], told[known], all_tiles.windows.subject[place][known]))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def as_rows(of_networks: Mapping[str, Mapping[str, Figure]]) -> list[dict[str, object]]:
    """Returns the figures as plain data: network, figure, value, low, high (None below five people)."""
    rows: list[dict[str, object]] = []
    for network, found in of_networks.items():
        for name, figure in found.items():
            one = figure.measured
            enough = figure.n_people >= MIN_PEOPLE
            low, high = (one.low, one.high) if enough else (None, None)
            rows.append({"network": network, "figure": name, "value": one.value, "low": low, "high": high})
    return rows
