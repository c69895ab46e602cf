"""Figures with the replicates of their bootstrap, so that two of them are compared on the same draws of people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.evaluation.bootstrap import Measured, interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A figure and its bootstrap replicates (NaN where a replicate has nobody to tell)."""

    value: float
    replicates: Floats
    n_people: int

    @property
    def measured(self) -> Measured:
        return interval(self.value, self.replicates, self.n_people)

    def less(self, other: "Figure") -> Measured:
        """Returns this figure minus `other`, over the same draws of people."""
        people = min(self.n_people, other.n_people)
        return interval(self.value - other.value, self.replicates - other.replicates, max(people, 0))


def share_figure(right: NDArray[np.floating], person: NDArray[np.int64], draws: NDArray[np.floating]) -> Figure:
    """Returns the mean over people of each one's mean of `right` (n,)."""
    n = draws.shape[1]
    count, total = np.bincount(person, minlength=n), np.bincount(person, right, minlength=n)
    there = (count > 0).astype(np.float64)
    mean = total / np.maximum(count, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = (draws @ mean) / (draws @ there)
    return Figure(float(mean.sum() / there.sum()), replicates, int(there.sum()))


def activity_figures(
    truth: NDArray[np.int64],
    told: NDArray[np.int64],
    person: NDArray[np.int64],
    n_activities: int,
    draws: NDArray[np.floating],
) -> dict[str, Figure]:
    """Returns accuracy and macro-F1 of windows (n,); people count alike, and so do activities in the F1."""
    n = draws.shape[1]
    confusion = np.zeros((n, n_activities, n_activities))
    np.add.at(confusion, (person, truth, told), 1.0)
    total = confusion.sum((1, 2), keepdims=True)
    confusion = np.divide(confusion, total, out=np.zeros_like(confusion), where=total > 0)

    def both(weights: Floats) -> tuple[Floats, Floats]:
        summed = np.tensordot(weights, confusion, (1, 0))  # (replicates, truth, told)
        hits = np.diagonal(summed, axis1=1, axis2=2)
        accuracy = hits.sum(1) / summed.sum((1, 2))
        f1 = 2 * hits / np.maximum(summed.sum(1) + summed.sum(2), 1e-12)
        return accuracy, f1.mean(1)

    value, drawn = both(np.ones((1, n))), both(np.asarray(draws, np.float64))
    people = int((total > 0).sum())
    names = ("activity_accuracy", "activity_f1")
    return {name: Figure(float(v[0]), r, people) for name, v, r in zip(names, value, drawn, strict=True)}
