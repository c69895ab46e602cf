"""Windows whose activity is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.activity_baselines import label_numbers
from ecgkd.protocols.protocol import Span
from ecgkd.protocols.trials import Windows, named, network_windows, span_windows, taking

NOISE = "noise"
"""Label of recordings of nobody."""
Person = tuple[str, str]
"""Set and subject."""


@dataclass(frozen=True)
class Asked:
    """Windows whose recordings say what is done. Arrays are (n,)."""

    windows: Windows
    truth: NDArray[np.int64]
    """Position in the activities."""
    person: NDArray[np.int64]
    """Position in `people`."""
    people: tuple[Person, ...]

    def __len__(self) -> int:
        return len(self.truth)

    def inputs(self, sets: Sequence[PreparedSet], leads: Sequence[str] = ()) -> NDArray[np.int8]:
        """Returns what a network of these leads sees, (n, 1000) or (n, n_leads, 1000); () for the first of a set."""
        return network_windows(self.windows, taking(sets, leads) if leads else sets)


def labelled(
    windows: Windows, sets: Sequence[PreparedSet], activities: Sequence[str], without: frozenset[Person] = frozenset()
) -> Asked:
    """Returns those of `windows` that show one of `activities`, of people who are not among `without`.

    Where sets differ, only those that tell activities apart count (`teaching_sets`).
    """
    by_name, teaching = named(sets), teaching_sets(sets)
    names = [str(by_name[name].activity[i]) if name in teaching else "" for name, i in windows.recordings]
    number = label_numbers(names, activities)
    whose = [(name, str(by_name[name].subject[i])) for name, i in windows.recordings]
    number[[n for n, person in enumerate(whose) if person in without]] = -1
    kept = number[windows.recording] >= 0
    people = tuple(dict.fromkeys(person for person, known in zip(whose, number, strict=True) if known >= 0))
    place = np.array([people.index(person) if person in people else -1 for person in whose], np.int64)
    recording = windows.recording[kept]
    part = replace(windows, subject=windows.subject[kept], recording=recording, start=windows.start[kept])
    return Asked(part, number[recording], place[recording], people)


@dataclass(frozen=True)
class Labelled:
    """The same, cut for a network, to be asked again and again."""

    windows: NDArray[np.int8]
    """(n, 1000), or (n, n_leads, 1000)."""
    activity: NDArray[np.int64]
    """(n,), positions in the activities that are learned."""
    person: NDArray[np.int64]
    """(n,)"""


def labelled_of(
    spans: Sequence[Span],
    sets: Sequence[PreparedSet],
    activities: Sequence[str],
    without: frozenset[Person] = frozenset(),
) -> Labelled | None:
    """Returns the windows of `spans` in `sets` that `labelled` finds, cut; None where there is none."""
    at_hand = {one.name for one in sets}
    one = labelled(span_windows([span for span in spans if span.set in at_hand], sets), sets, activities, without)
    return Labelled(one.inputs(sets), one.truth, one.person) if len(one) else None


def teaching_sets(sets: Iterable[PreparedSet]) -> set[str]:
    """Returns the names of the sets whose labels tell activities apart; of all, where none does.

    A set in which everybody does the same shows its electrodes and its device by that label, not the activity.
    """
    names = {one.name: {str(label) for label in one.activity} - {"", NOISE} for one in sets}
    return {name for name, labels in names.items() if len(labels) > 1} or set(names)


def people_of(spans: Sequence[Span], sets: Sequence[PreparedSet]) -> list[Person]:
    """Returns whose recordings `spans` are; sets that are not at hand have nobody."""
    by_name = named(sets)
    recordings = dict.fromkeys((span.set, span.record) for span in spans if span.set in by_name)
    return list(dict.fromkeys((name, str(by_name[name].subject[by_name[name].find(r)])) for name, r in recordings))
