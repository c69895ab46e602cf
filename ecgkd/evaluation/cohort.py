"""The cohort of the adaptive score normalisation: centroids of training people, never one person's template."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.scores import unit
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.trials import Windows, network_windows, span_windows

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Floats = NDArray[np.float32]

TARGET = 100
"""Centroids, where there are people enough."""
MIN_PEOPLE = 5
"""A centroid of fewer people would be near to somebody's template."""
MIN_CENTROIDS = 8
"""Mean and deviation of fewer are no normalisation."""
MAX_WINDOWS = 20_000
ITERATIONS = 12


def fit_cohort(embeddings: Floats, person: NDArray[np.int64], seed: int = 0) -> NDArray[np.int8]:
    """Returns spherical k-means centroids (n, size) of unit embeddings as int8, each from at least five people.

    A centroid is the mean of its people, whatever the number of their windows. No rows where too few centroids are to
    be had. A row's length says nothing: its largest value is ±127.
    """
    vectors = unit(embeddings)
    people, label = np.unique(person, return_inverse=True)
    member = crowds(vectors, label, seed) if len(people) // 2 >= MIN_CENTROIDS else np.zeros(0, np.int64)
    if member.max(initial=-1) + 1 < MIN_CENTROIDS:
        return np.zeros((0, vectors.shape[1]), np.int8)
    pairs, pair = np.unique(member * len(people) + label, return_inverse=True)
    centroids = _means(_means(vectors, pair, len(pairs)), pairs // len(people), int(member.max()) + 1)
    centroids = centroids[np.abs(centroids).max(axis=1) > 0]
    return np.rint(127 * centroids / np.abs(centroids).max(axis=1, keepdims=True)).astype(np.int8)


def crowds(vectors: Floats, label: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Returns the cluster (n,) of each unit vector of the people `label` (0, 1, …), five people or more in each.

    Clusters of fewer people are dissolved into the others, the smallest first.
    """
    n_people = int(label.max()) + 1
    centroids = _first_centroids(vectors, label, min(TARGET, n_people // 2), np.random.default_rng(seed))
    for _ in range(ITERATIONS):
        centroids = _means(vectors, (vectors @ centroids.T).argmax(axis=1), len(centroids))
    while True:
        member = (vectors @ centroids.T).argmax(axis=1)
        size = np.bincount(np.unique(member * n_people + label) // n_people, minlength=len(centroids))
        if size.min() >= MIN_PEOPLE or len(centroids) == 1:
            return np.asarray(member, np.int64)
        centroids = np.delete(centroids, size.argmin(), axis=0)


def _first_centroids(vectors: Floats, label: NDArray[np.int64], k: int, rng: np.random.Generator) -> Floats:
    """Returns one window each of `k` people, each as far from those before it as chance has it (k-means++)."""
    total = np.zeros((int(label.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(total, label, vectors)
    persons = unit(total)
    chosen = [int(rng.integers(len(persons)))]
    nearest = persons @ persons[chosen[0]]
    for _ in range(k - 1):
        away = np.maximum(1 - nearest, 0).astype(np.float64)
        away[chosen] = 0
        free = away.sum() > 0
        chosen.append(int(rng.choice(len(persons), p=away / away.sum() if free else None)))
        nearest = np.maximum(nearest, persons @ persons[chosen[-1]])
    return persons[chosen]


def _means(vectors: Floats, member: NDArray[np.int64], k: int) -> Floats:
    """Returns the unit-norm means (k, size) of the members of each cluster; zero for an empty one."""
    order = np.argsort(member, kind="stable")
    number = np.bincount(member, minlength=k)
    total = np.zeros((k, vectors.shape[1]), np.float32)
    filled = np.flatnonzero(number)
    total[filled] = np.add.reduceat(vectors[order], np.cumsum(number)[filled] - number[filled], axis=0)
    return unit(total)


def thinned(windows: Windows, n: int) -> Windows:
    """Returns at most about `n` of `windows`, evenly spread."""
    step = max(1, -(-len(windows) // n))
    return replace(
        windows, subject=windows.subject[::step], recording=windows.recording[::step], start=windows.start[::step]
    )


def training_cohort(embed: Embed, protocol: Protocol, sets: Sequence[PreparedSet]) -> NDArray[np.int8]:
    """Returns the cohort (n, size) of a protocol's training people; no rows where they are too few."""
    if not protocol.train:
        return np.zeros((0, 1), np.int8)
    windows = thinned(span_windows(protocol.train, sets), MAX_WINDOWS)
    return fit_cohort(unit(embed(network_windows(windows, sets))), windows.subject)
