"""Toy sets: noise of many people, sessions and activities, enough to split and to lint."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.record import Record

FS = 100


def toy_records(
    people: Iterable[int] = range(24),
    days: tuple[int, ...] = (0, 30),
    per_session: int = 2,
    seconds: float = 13,
    activities: tuple[str, ...] = ("rest",),
    prefix: str = "p",
) -> list[Record]:
    """Returns 24 people (15 training, 5 development, 4 locked) with two sessions of two recordings of 3 windows."""
    out = []
    for person in people:
        for session, day in enumerate(days, 1):
            for activity in activities:
                for number in range(per_session):
                    rng = np.random.default_rng([person, session, activities.index(activity), number, *prefix.encode()])
                    subject = f"{prefix}{person:02d}"
                    name = f"{subject}/s{session}-{activity}-{number}"
                    signal = rng.normal(0, 300, (1, round(seconds * FS))).astype(np.float32)
                    out.append(Record(signal, FS, ("I",), name, subject, session, day, activity))
    return out


MakeSet = Callable[..., PreparedSet]


@pytest.fixture
def toy_set(tmp_path: Path) -> MakeSet:
    """Gives a function that writes a set of toy records and opens it."""

    def make_set(name: str = "toy", records: list[Record] | None = None, **given: Any) -> PreparedSet:
        info = given.pop("info", {"name": f"{name} database"})
        write_set(tmp_path / f"{name}.npz", toy_records(**given) if records is None else records, info)
        return open_set(tmp_path / f"{name}.npz")

    return make_set


@pytest.fixture(name="toy_records")
def _toy_records() -> Callable[..., list[Record]]:
    """Gives `toy_records`, for tests that change some of them."""
    return toy_records
