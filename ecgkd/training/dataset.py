"""Training windows, cut lazily from prepared sets: which stretches there are, and the samples of a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.config import AugmentConfig
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.labelled import NOISE, teaching_sets
from ecgkd.protocols.protocol import Span
from ecgkd.protocols.trials import window_shape
from ecgkd.signal.chain import front_end, native_window
from ecgkd.training.augment import augment, draw_warp, warp_time

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
    teaching = teaching_sets(opened)
    labels = {str(sets[s.set].activity[sets[s.set].find(s.record)]) for s in spans if s.set in teaching}
    activities = tuple(sorted(labels - {"", NOISE}))
    rows: list[tuple[str, int, int, int, int, int, int]] = []
    for span in spans:
        one = sets[span.set]
        if span.stop - span.start < native_window(one.fs):
            continue
        i = one.find(span.record)
        activity = str(one.activity[i])
        label = activities.index(activity) if activity in activities and span.set in teaching else -1
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

    Where the sets take several leads, (n, n_leads, 1000). The same `seed` gives the same bits.
    """
    rng = np.random.default_rng(list(seed))
    out = np.empty((len(draw.stretch), *window_shape(stretches.sets)), np.int8)
    rates = np.array([one.fs for one in stretches.sets])[stretches.set[draw.stretch]]
    spared = _spared(stretches, draw, config)
    for fs, spare in sorted(set(zip(rates.tolist(), spared.tolist(), strict=True))):
        rows = np.flatnonzero((rates == fs) & (spared == spare))
        microvolts = _cut(stretches, draw.stretch[rows], draw.place[rows], fs, config, rng)
        microvolts = augment(microvolts, fs, config.spared if spare else config, rng)
        integer = np.rint(np.clip(microvolts, -LIMIT_UV, LIMIT_UV)).astype(np.int32)
        out[rows] = front_end(integer, fs)
    return out


def _spared(stretches: Stretches, draw: Draw, config: AugmentConfig) -> NDArray[np.bool_]:
    """Returns which windows (n,) suffer no noise that would belie their activity."""
    if not config.spare_labelled or stretches.activity is None:
        return np.zeros(len(draw.stretch), np.bool_)
    found: NDArray[np.bool_] = stretches.activity[draw.stretch] >= 0
    return found


def _cut(
    stretches: Stretches,
    chosen: NDArray[np.int64],
    place: NDArray[np.float64],
    fs: float,
    config: AugmentConfig,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Returns windows (n, native) in µV, of several leads (n, n_leads, native): mixed with others, time warped."""
    width = native_window(fs)
    length = stretches.stop[chosen] - stretches.start[chosen]
    speed, needed = draw_warp(length, width, config, rng)
    start = stretches.start[chosen] + (place * (length - needed + 1)).astype(np.int64)
    mixed = rng.random(len(chosen)) < config.lead_p
    n_leads = len(stretches.sets[0].taken)
    raw = np.zeros((n_leads, len(chosen), int(needed.max())), np.float32)
    for row, (n, begin, count) in enumerate(zip(chosen, start, needed, strict=True)):
        one, record = stretches.sets[stretches.set[n]], int(stretches.record[n])
        for channel, lead in enumerate(one.taken):
            mix = rng.uniform(-config.lead_mix, config.lead_mix, len(one.leads) - 1) if mixed[row] else ()
            raw[channel, row, :count] = _read(one, record, lead, int(begin), int(count), mix)
    warped = [warp_time(of_lead, speed, width) for of_lead in raw]
    return warped[0] if n_leads == 1 else np.stack(warped, axis=1)


def _read(
    one: PreparedSet, record: int, lead: int, begin: int, count: int, mix: NDArray[np.float64] | tuple[()]
) -> NDArray[np.float32]:
    """Returns (count,) samples of `lead`, with shares of the others added, µV."""
    gain = one._arrays["gain_uv"][record]
    total: NDArray[np.float32] = one.counts(record, lead)[begin : begin + count] * gain[lead]
    others = [number for number in range(len(one.leads)) if number != lead]
    for other, share in zip(others, mix, strict=False):
        total = total + one.counts(record, other)[begin : begin + count] * (gain[other] * np.float32(share))
    return total
