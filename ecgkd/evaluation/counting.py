"""Scores sorted between thresholds: what error rates, and the resampling of people, are computed from.

Every person's genuine comparisons, and the impostor comparisons of every ordered pair of a probing and another
enrolled person, count 1 in total.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import UsageError
from ecgkd.evaluation.metrics import ErrorCurve, det_curve
from ecgkd.evaluation.scores import Comparisons

Floats = NDArray[np.float32]

MAX_DISTINCT = 1024
"""Up to so many genuine, or impostor, scores all become thresholds."""
MAX_CENTRAL = 4096
"""And up to so many, those do whose error rate is not far above the EER."""
N_TAIL, N_CENTRE = 1024, 3072
"""Thresholds where there are more: evenly in log error rate, and evenly in error rate around the EER."""
TAIL = 1e-5
"""Lowest error rate that these resolve."""
SAMPLE = 1_000_000
"""Impostor scores that the thresholds are laid out by."""
MANY = 200_000
"""Scores for which a table pays."""
QUANTA = 2**18
"""Equal steps by which most scores find their place among the thresholds."""


class Locator:
    """Finds the places of many scores among rising thresholds, as `np.searchsorted` does but by table."""

    def __init__(self, thresholds: Floats) -> None:
        self._thresholds = thresholds
        self._start = thresholds[0]
        self._scale = np.float32(QUANTA - 2) / (thresholds[-1] - thresholds[0])
        quanta = self._quantum(thresholds)
        self._below = np.searchsorted(quanta, np.arange(QUANTA), side="left").astype(np.int32)
        self._divided = np.zeros(QUANTA, bool)
        self._divided[quanta] = True

    def _quantum(self, scores: Floats) -> NDArray[np.int32]:
        # Rounding keeps order, so a score in another quantum than a threshold lies on the same side of it.
        return ((scores - self._start) * self._scale).astype(np.int32)

    def __call__(self, scores: Floats) -> NDArray[np.int32]:
        """Returns the position of the highest threshold at or below each score; none may lie outside."""
        quantum = self._quantum(scores)
        place = self._below[quantum]
        divided = self._divided[quantum]
        place[divided] = np.searchsorted(self._thresholds, scores[divided], side="right")
        place -= 1
        return place


def genuine_scores(comparisons: Comparisons) -> Floats:
    """Returns the genuine scores of `comparisons`, without a mask over all comparisons."""
    found = []
    for person in np.intersect1d(comparisons.probe_subject, comparisons.template_subject):
        rows = np.flatnonzero(comparisons.probe_subject == person)
        columns = np.flatnonzero(comparisons.template_subject == person)
        found.append(comparisons.scores[np.ix_(rows, columns)].ravel())
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def sampled_impostors(comparisons: Comparisons, n: int = SAMPLE) -> Floats:
    """Returns impostor scores in order: all, or about `n` from evenly spread probes and templates."""
    scores = comparisons.scores
    step = max(1, int(np.ceil(np.sqrt(scores.size / n))))
    rows, columns = np.arange(0, scores.shape[0], step), np.arange(0, scores.shape[1], step)
    impostor = comparisons.probe_subject[rows][:, None] != comparisons.template_subject[columns][None, :]
    found: Floats = np.sort(scores[np.ix_(rows, columns)][impostor])
    return found


def _thinned(from_worst: Floats, rough: float) -> Floats:
    """Returns the scores that become thresholds, of scores (n,) from the one that few others are worse than on."""
    n = len(from_worst)
    if n <= MAX_DISTINCT:
        return from_worst
    highest = min(4 * rough + 0.05, 1.0)
    rates = np.geomspace(TAIL, 1.0, N_TAIL)
    if n > MAX_CENTRAL / highest:
        rates = np.concatenate([rates, np.linspace(rough / 4, highest, N_CENTRE)])
        return from_worst[np.clip((rates * n).astype(np.int64), 0, n - 1)]
    central = int(np.ceil(highest * n))
    return np.concatenate([from_worst[:central], from_worst[np.clip((rates * n).astype(np.int64), central, n) - 1]])


def lay_out(comparisons: Comparisons, extra: tuple[float, ...] = ()) -> Floats:
    """Returns thresholds (K,) to count between, `extra` ones among them: the first at or below all, the last above.

    Raises: UsageError without genuine and impostor comparisons.
    """
    genuine, impostor = np.sort(genuine_scores(comparisons)), sampled_impostors(comparisons)
    rough = det_curve(genuine, impostor).eer()
    wanted = np.append(np.array(extra, np.float32), [comparisons.scores.min(), comparisons.scores.max()])
    wanted = np.append(wanted, wanted.max() + 1e-5 * max(1.0, abs(wanted.max())))
    found = np.concatenate([wanted, _thinned(genuine, rough), _thinned(impostor[::-1], rough)])
    return np.unique(found.astype(np.float32))


@dataclass(frozen=True)
class PersonScores:
    """One person's probes against all templates."""

    person: int
    """Position in `Tally.people`."""
    place: NDArray[np.int32]
    """(n_probes, n_templates): position of the highest threshold at or below the score."""
    share: NDArray[np.float64]
    """(n_enrolled,): what one comparison with that enrolled person counts; 0 for the probing person."""


class Tally:
    """Counts comparisons between thresholds, person by person; complete when `people_scores` has run to its end."""

    def __init__(self, comparisons: Comparisons, thresholds: Floats) -> None:
        self.comparisons = comparisons
        self.thresholds = thresholds
        self.people = np.union1d(comparisons.probe_subject, comparisons.template_subject)
        """(n,) numbers of all who probe or are enrolled."""
        enrolled, self.column, self._n_templates = np.unique(
            comparisons.template_subject, return_inverse=True, return_counts=True
        )
        """`column` (n_templates,): whose template, as position in `enrolled`."""
        self.enrolled = np.searchsorted(self.people, enrolled)
        """(n_enrolled,) positions in `people`."""
        self.genuine = np.zeros((len(self.people), len(thresholds)), np.float32)
        """(n, K): share of a person's genuine comparisons from each threshold to the next; zeros without any."""
        self.impostor = np.zeros(len(thresholds))
        """(K,): the same of impostor comparisons, summed over all pairs of people."""

    def people_scores(self) -> Iterator[PersonScores]:
        """Counts, and gives, the comparisons of each probing person."""
        comparisons, n = self.comparisons, len(self.thresholds)
        locate = Locator(self.thresholds) if comparisons.scores.size > MANY else self._bisect
        order = np.argsort(comparisons.probe_subject, kind="stable")
        probing, first = np.unique(comparisons.probe_subject[order], return_index=True)
        persons = np.flatnonzero(np.isin(self.people, probing))
        for person, rows in zip(persons.tolist(), np.split(order, first[1:]), strict=True):
            place = locate(comparisons.scores[rows])
            own = self.people[person] == comparisons.template_subject
            if own.any():
                self.genuine[person] = np.bincount(place[:, own].ravel(), minlength=n) / (len(rows) * own.sum())
            share = 1.0 / (len(rows) * self._n_templates)
            share[self.enrolled == person] = 0.0
            weights = np.broadcast_to(share[self.column], place.shape)
            self.impostor += np.bincount(place.ravel(), weights=weights.ravel(), minlength=n)
            yield PersonScores(person, place, share)

    def _bisect(self, scores: Floats) -> NDArray[np.int32]:
        return (np.searchsorted(self.thresholds, scores, side="right") - 1).astype(np.int32)

    def curve(self) -> ErrorCurve:
        """Returns both error rates when everybody counts once. Raises: UsageError where one kind is missing."""
        own, other = self.genuine.sum(axis=0, dtype=np.float64), self.impostor
        if not own.sum() > 0 or not other.sum() > 0:
            raise UsageError("error rates need genuine and impostor comparisons; here one kind is missing")
        # Summed from the side of the errors, so that small rates keep their digits.
        fmr = np.cumsum(other[::-1])[::-1] / other.sum()
        fnmr = np.concatenate([[0.0], np.cumsum(own)[:-1]]) / own.sum()
        return ErrorCurve(self.thresholds.astype(np.float64), fmr, fnmr)
