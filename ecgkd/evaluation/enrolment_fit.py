"""Fitting what an enrolment must satisfy: floors that the calibration people's own enrolments hardly ever miss."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import EnrolmentFloors
from ecgkd.data.prepared import PreparedSet
from ecgkd.enrolment.template import COSINE_Q, EnrolmentPolicy, Selection, quantise_embedding, select
from ecgkd.evaluation.material import View

WINDOWS, LEAST = 8, 6
"""Of an enrolment: half a minute where there is as much, and no less than 24 s."""
REFUSED = 0.025
"""Share of people's own enrolments that the floors may refuse."""
OPEN = EnrolmentPolicy(min_windows=2, floor=-1.0, min_consistency=-1.0)
"""Refuses nothing."""


def enrolments(rows: Sequence[View], sets: Sequence[PreparedSet]) -> list[tuple[str, NDArray[np.int16]]]:
    """Returns whose, and the embeddings (n, size), of one enrolment for every person and session of `rows`."""
    found: dict[tuple[str, int], NDArray[np.int16]] = {}
    for one in rows:
        for side, embeddings, usable in (
            (one.row.enrol, one.enrol, one.enrol_usable),
            (one.row.probe, one.probe, one.probe_usable),
        ):
            session = side.windows.sessions(sets)
            for subject, number in np.unique(np.stack([side.windows.subject, session]), axis=1).T:
                here = np.flatnonzero(usable & (side.windows.subject == subject) & (session == number))[:WINDOWS]
                if len(here) >= LEAST:
                    found.setdefault((one.row.subjects[subject], number), quantise_embedding(embeddings[here]))
    return [(person, vectors) for (person, _), vectors in found.items()]


def fit_enrolment(rows: Sequence[View], sets: Sequence[PreparedSet], population: str) -> EnrolmentFloors | None:
    """Returns floors that refuse `REFUSED` of people's own enrolments; None where fewer than 1 / `REFUSED` are there.

    Beside them the share of mixed enrolments, half of one person and half of the next, that they refuse.
    """
    own = enrolments(rows, sets)
    people = sorted({person for person, _ in own})
    if len(own) < 1 / REFUSED or len(people) < 2:
        return None
    selections = [select(vectors, OPEN) for _, vectors in own]
    floor = float(np.quantile([value for one in selections for value in one.cosines], REFUSED)) / 2**COSINE_Q
    least = float(np.quantile([one.consistency for one in selections], REFUSED)) / 2**COSINE_Q
    floors = EnrolmentFloors(round(floor, 3), round(least, 3), 0.0, len(people), population)
    mixed = [_mixed(own[i][1], own[j][1], floors) for i, j in _strangers(own)]
    refused = float(np.mean([one.refusal is not None for one in mixed]))
    return EnrolmentFloors(floors.floor, floors.min_consistency, round(refused, 3), len(people), population)


def _strangers(own: Sequence[tuple[str, NDArray[np.int16]]]) -> list[tuple[int, int]]:
    """Returns each enrolment with the next one of somebody else."""
    number = len(own)
    pairs = []
    for i in range(number):
        j = next(k % number for k in range(i + 1, i + number) if own[k % number][0] != own[i][0])
        pairs.append((i, j))
    return pairs


def _mixed(a: NDArray[np.int16], b: NDArray[np.int16], floors: EnrolmentFloors) -> Selection:
    half = WINDOWS // 2
    policy = EnrolmentPolicy(half + 1, floors.floor, floors.min_consistency)
    return select(np.concatenate([a[:half], b[:half]]), policy)
