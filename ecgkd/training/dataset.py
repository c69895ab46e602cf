"""Training windows, cut lazily from prepared sets: which stretches there are, and the samples of a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.config import AugmentConfig
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Span
from ecgkd.signal.chain import WINDOW_SAMPLES, front_end, native_window
from ecgkd.training.augment import augment, draw_warp, warp_time

NOISE = "noise"
"""Label of recordings of nobody."""
LIMIT_UV = 2.0**23
"""Beyond the front end's own clamp."""


@dataclass(frozen=True)
class Stretches:
    """The stretches of recordings that train, person by person. Arrays are (n_stretches,)."""

    subjects: tuple[str, ...]
    sets: tuple[PreparedSet, ...]
    subject: NDArray[np.int64]
    """Position in `subjects`: the class."""
    set: NDArray[np.int64]
    """Position in `sets`."""
    record: NDArray[np.int64]
    session: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    activity: NDArray[np.int64] | None = None
    """Position in `activities`, -1 without a label; a stretch carries one label or none. None: nothing is labelled."""
    activities: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def n_windows(self) -> int:
        """Non-overlapping windows in all stretches."""
        width = np.array([native_window(one.fs) for one in self.sets], np.int64)
        return int(((self.stop - self.start) // width[self.set]).sum())


def training_stretches(spans: Sequence[Span], sets: Mapping[str, PreparedSet]) -> Stretches:
    """Returns the stretches of `spans` that hold a window. Raises: UsageError where fewer than two people are left."""
    names = sorted({span.set for span in spans})
    opened = tuple(sets[name] for name in names)
    number = {name: n for n, name in enumerate(names)}
    activities = tuple(sorted({str(sets[s.set].activity[sets[s.set].find(s.record)]) for s in spans} - {"", NOISE}))
    rows: list[tuple[str, int, int, int, int, int, int]] = []
    for span in spans:
        one = sets[span.set]
        if span.stop - span.start < native_window(one.fs):
            continue
        i = one.find(span.record)
        activity = str(one.activity[i])
        label = activities.index(activity) if activity in activities else -1
        rows.append((str(one.subject[i]), number[span.set], i, int(one.session[i]), span.start, span.stop, label))
    subjects = sorted({row[0] for row in rows})
    if len(subjects) < 2:
        raise UsageError(f"the protocol trains on {len(subjects)} people with a whole window; expected two or more")
    person = {subject: n for n, subject in enumerate(subjects)}
    rows.sort(key=lambda row: (person[row[0]], row[3]))
    subject, number_of_set, record, session, start, stop, activity = np.array(
        [(person[row[0]], *row[1:]) for row in rows], np.int64
    ).T
    return Stretches(
        tuple(subjects), opened, subject, number_of_set, record, session, start, stop, activity, activities
    )


@dataclass(frozen=True)
class Draw:
    """Which windows make a batch, (n,) each: the stretch, and where in it, 0 … 1."""

    stretch: NDArray[np.int64]
    place: NDArray[np.float64]


def draw_windows(stretches: Stretches, draw: Draw, config: AugmentConfig, seed: Sequence[int]) -> NDArray[np.int8]:
    """Returns what the network sees of a batch, (n, 1000): cut, augmented in µV, and through the front end.

    The same `seed` gives the same bits.
    """
    rng = np.random.default_rng(list(seed))
    out = np.empty((len(draw.stretch), WINDOW_SAMPLES), np.int8)
    rates = np.array([one.fs for one in stretches.sets])[stretches.set[draw.stretch]]
    for fs in np.unique(rates):
        rows = np.flatnonzero(rates == fs)
        microvolts = _cut(stretches, draw.stretch[rows], draw.place[rows], fs, config, rng)
        microvolts = augment(microvolts, fs, config, rng)
        integer = np.rint(np.clip(microvolts, -LIMIT_UV, LIMIT_UV)).astype(np.int32)
        out[rows] = front_end(integer, fs)
    return out


def _cut(
    stretches: Stretches,
    chosen: NDArray[np.int64],
    place: NDArray[np.float64],
    fs: float,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Returns windows (n, native) in µV, their leads mixed and their time warped."""
    width = native_window(fs)
    length = stretches.stop[chosen] - stretches.start[chosen]
    speed, needed = draw_warp(length, width, config, rng)
    start = stretches.start[chosen] + (place * (length - needed + 1)).astype(np.int64)
    mixed = rng.random(len(chosen)) < config.lead_p
    raw = np.zeros((len(chosen), int(needed.max())), np.float32)
    for row, (n, begin, count) in enumerate(zip(chosen, start, needed, strict=True)):
        one, record = stretches.sets[stretches.set[n]], int(stretches.record[n])
        mix = rng.uniform(-config.lead_mix, config.lead_mix, len(one.leads) - 1) if mixed[row] else ()
        raw[row, :count] = _read(one, record, int(begin), int(count), mix)
    return warp_time(raw, speed, width)


def _read(
    one: PreparedSet, record: int, begin: int, count: int, mix: NDArray[np.float64] | tuple[()]
) -> NDArray[np.float32]:
    """Returns (count,) samples of the first lead, with shares of the others added, µV."""
    gain = one._arrays["gain_uv"][record]
    total = one.counts(record)[begin : begin + count] * gain[0]
    for lead, share in enumerate(mix, start=1):
        total = total + one.counts(record, lead)[begin : begin + count] * (gain[lead] * np.float32(share))
    return total
