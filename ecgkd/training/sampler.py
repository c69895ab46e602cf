"""Which windows make which batch: P people times K windows, drawn anew in every epoch from the seed alone."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecgkd.config import DataConfig, OptimConfig
from ecgkd.errors import UsageError
from ecgkd.training.dataset import Draw, Stretches


class Sampler:
    """Plans epochs over `stretches`. Nothing is remembered from one epoch to the next."""

    def __init__(self, stretches: Stretches, data: DataConfig, optim: OptimConfig) -> None:
        self.stretches = stretches
        self.optim = optim
        self._of_person = _runs(stretches.subject, len(stretches.subjects))
        recordings = np.array([len(np.unique(_recordings(stretches, rows))) for rows in self._of_person])
        several = recordings > 1
        visits = np.minimum(np.rint(recordings * data.visits), data.max_visits)
        visits = np.rint(visits * np.where(several, data.several_factor, 1.0))
        self.visits: NDArray[np.int64] = np.maximum(visits, 1).astype(np.int64)
        """Times that an epoch comes to each person, for K windows."""
        self._mixed = ~several if data.mix_singles else np.zeros(len(several), bool)
        self._labelled = _labelled_people(stretches) if data.labelled_share else np.zeros(0, np.int64)
        if data.labelled_share and not len(self._labelled):
            raise UsageError(
                "data.labelled_share keeps room for people with labels, but nobody trains with one; set it to 0"
            )
        self._kept = min(round(data.labelled_share * optim.people), optim.people - 1)
        """Places of every batch that are kept for them."""
        self._free = optim.people - self._kept
        if self.n_batches == 0:
            raise UsageError(
                f"an epoch visits people {int(self.visits.sum())} times, less than one batch of {self._free}; "
                "lower optim.people or raise data.visits"
            )

    @property
    def n_batches(self) -> int:
        """Whole batches in an epoch."""
        return int(self.visits.sum()) // self._free

    def batches(self, epoch: int) -> Iterator[Draw]:
        """Gives the batches of an epoch: place after place, the K windows of one beside each other."""
        places = self._order(np.random.default_rng([self.optim.seed, epoch, 0]))
        for batch in range(self.n_batches):
            rng = np.random.default_rng([self.optim.seed, epoch, 1, batch])
            chosen = places[batch * self._free : (batch + 1) * self._free] + self._of_labelled(epoch, batch)
            draws = [self._place(people, rng) for people in chosen]
            yield Draw(np.concatenate([d.stretch for d in draws]), np.concatenate([d.place for d in draws]))

    def _of_labelled(self, epoch: int, batch: int) -> list[tuple[int, ...]]:
        """Returns who fills the kept places of a batch: people with labels in turn, every round in another order."""
        n = len(self._labelled)
        turns = range(batch * self._kept, (batch + 1) * self._kept)
        rounds = {
            turn // n: np.random.default_rng([self.optim.seed, epoch, 3, turn // n]).permutation(self._labelled)
            for turn in turns
        }
        return [(int(rounds[turn // n][turn % n]),) for turn in turns]

    def _order(self, rng: np.random.Generator) -> list[tuple[int, ...]]:
        """Returns who fills each place of an epoch: one person, or K people with a window each."""
        size, n_windows = self._free, self.optim.windows
        alone: list[tuple[int, ...]] = [
            (person,) for person in _without_repeats(_spread(self.visits * ~self._mixed, rng), size)
        ]
        singles = _without_repeats(_spread(self.visits * self._mixed * n_windows, rng), size * n_windows)
        together = [tuple(singles[n : n + n_windows]) for n in range(0, len(singles) - n_windows + 1, n_windows)]
        if not together:
            return alone
        # Both kinds keep their own order, which spreads the visits to each person over the epoch.
        is_alone = rng.permutation(np.arange(len(alone) + len(together)) < len(alone))
        first, second = iter(alone), iter(together)
        return [next(first) if one else next(second) for one in is_alone]

    def _place(self, people: tuple[int, ...], rng: np.random.Generator) -> Draw:
        """Returns the K windows of one place in the batch."""
        if len(people) == 1:
            return self._windows(people[0], rng)
        stretches = np.array([rng.choice(self._of_person[person]) for person in people])
        return Draw(stretches, rng.random(len(people)))

    def _windows(self, person: int, rng: np.random.Generator) -> Draw:
        """Returns K windows of a person: sessions in turn, in each other recordings first, then other places."""
        rows = self._of_person[person]
        if len(rows) == 1:
            chosen = np.repeat(rows, self.optim.windows)
        else:
            shuffled = rows[rng.permutation(len(rows))]
            session = self.stretches.session[shuffled]
            rank = np.empty(len(rows), np.int64)  # position of each stretch inside its session
            first = rng.permutation(np.unique(session))
            for number in first:
                of_session = np.flatnonzero(session == number)
                rank[of_session] = np.arange(len(of_session))
            place_of = {int(number): n for n, number in enumerate(first)}
            turn = np.array([place_of[int(number)] for number in session])
            in_turn = shuffled[np.lexsort((turn, rank))]
            chosen = np.resize(in_turn, self.optim.windows)
        return Draw(chosen, _places(chosen, rng))


def _labelled_people(stretches: Stretches) -> NDArray[np.int64]:
    """Returns the people who have a stretch with a label."""
    if stretches.activity is None:
        return np.zeros(0, np.int64)
    found: NDArray[np.int64] = np.unique(stretches.subject[stretches.activity >= 0])
    return found


def _recordings(stretches: Stretches, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return stretches.record[rows] * len(stretches.sets) + stretches.set[rows]


def _places(chosen: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns where in its stretch each window starts, 0 … 1; windows of one stretch are spread over it."""
    same = chosen[:, None] == chosen[None, :]
    turn = np.tril(same, -1).sum(axis=1)
    return (turn + rng.random(len(chosen))) / same.sum(axis=1)


def _runs(labels: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """Returns the positions of every label 0 … n − 1."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, n)))


def _spread(visits: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
    """Returns people as often as they are visited, in a random order that spreads each one over the epoch."""
    people = np.repeat(np.arange(len(visits)), visits)
    turn = np.concatenate([np.arange(count) for count in visits])
    when = (turn + rng.random(len(people))) / visits[people]
    order: list[int] = people[np.argsort(when, kind="stable")].tolist()
    return order


def _without_repeats(people: list[int], size: int) -> list[int]:
    """Returns `people` so that no batch of `size` holds one twice, as far as exchanging with later visits allows."""
    out = list(people)
    for begin in range(0, len(out) - size + 1, size):
        seen: set[int] = set()
        for here in range(begin, begin + size):
            if out[here] in seen:
                batch = set(out[begin : begin + size])
                later = next((n for n in range(begin + size, len(out)) if out[n] not in batch), None)
                if later is not None:
                    out[here], out[later] = out[later], out[here]
            seen.add(out[here])
    return out
