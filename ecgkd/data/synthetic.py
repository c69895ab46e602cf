"""Synthetic people: the embedded default, as hard to tell apart as real people who touch a watch.

Persons, sessions and records each draw from their own random stream, so that asking for more of them changes
none of the others; nor do further leads change lead I.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.synthetic_activity import (
    ACTIVITIES,
    FITNESS_SPREAD,
    Activity,
    baseline,
    heart_rates,
    motion,
    muscle,
)
from ecgkd.data.synthetic_beats import (
    N_TRAITS,
    Beat,
    P,
    T,
    draw_axes,
    draw_beat,
    draw_rhythm,
    drift,
    in_lead_two,
    render,
    turn,
)
from ecgkd.errors import UsageError
from ecgkd.record import Record

SYNTHETIC_NOTICE = "synthetic: proves plumbing, not biometric quality"
LICENCE = "CC0-1.0"

LEADS = ("I", "II", "III")
PEOPLE, FAMILIES, AXES = 0, 1, 2
"""First keys of the random streams."""
NEIGHBOURS = 20
"""Look-alikes come from among this many consecutive people, one family each."""
MARGIN_SECONDS = 1.0
"""Rendered at either end and cut off, so that filters and beats have no edges."""
MOST_BEATS_PER_SECOND = 4
QT_LAG_SECONDS = (30.0, 60.0)
"""By how much repolarisation lags behind a heart rate that falls."""
FULL_SCALE_UV = 4096
"""± of the device's converter; its step is twice this over 2^bits."""
CORNER_ORDER = 2
DAYS_MEDIAN = (0, 26, 368)
DAYS_SPREAD = (0.0, 0.6, 0.3)
"""Of the logarithm."""
DAYS_LIMITS = ((0, 0), (7, 120), (180, 1100))
FURTHER_DAYS = 365


@dataclass(frozen=True)
class SynthConfig:
    """How many synthetic people, and how hard they are to tell apart. Defaults: as finger recordings."""

    people: int = 60
    sessions: int = 3
    """Per person: the first, weeks later, about a year later, then yearly."""
    records_per_session: int = 2
    """Per session and activity, each a new touch."""
    seconds: float = 15
    fs: int = 250
    """Hz, of what is written, 100 or more."""
    seed: int = 0
    k_session: float = 0.7
    """Drift of the beat shape from session to session."""
    k_record: float = 0.35
    """Drift from one touch to the next, inside a session."""
    look_alike_share: float = 0.15
    """Share of people who have most of their beat shape in common with some others (0.15: with two)."""
    ectopic_share: float = 0.03
    """Share of beats that come early, wide and without P."""
    notched_share: float = 0.05
    """Share of people with a notched or biphasic P or T."""
    reversed_share: float = 0.005
    """Share of recordings with left and right exchanged."""
    corner_hz: tuple[float, float] = (25.0, 40.0)
    """Range of the device's low-pass corner, drawn per session; far above fs for none."""
    bits: tuple[int, ...] = (10, 11, 12)
    """Resolutions of the device's converter over ±4.096 mV, drawn per session; 0 for no converter."""
    noise: float = 1.0
    """Factor on muscle noise and electrode drift."""
    activities: tuple[str, ...] = ("rest",)
    """Each is recorded in each session."""
    leads: int = 1
    """1 for lead I, 2 for I and II, 3 for I, II and III."""

    def __post_init__(self) -> None:
        for name in ("people", "sessions", "records_per_session"):
            if getattr(self, name) < 1:
                raise UsageError(f"synthetic people: {name} is {getattr(self, name)}; expected 1 or more")
        if not 1 <= self.leads <= len(LEADS):
            raise UsageError(f"synthetic people: {self.leads} leads; expected 1 to {len(LEADS)}")
        for name in ("look_alike_share", "ectopic_share", "notched_share", "reversed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"synthetic people: {name} is {getattr(self, name)}; expected 0 to 1")
        for name in ("k_session", "k_record", "noise", "seed"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"synthetic people: {name} is {getattr(self, name)}; expected 0 or more")
        if not 1 <= self.seconds <= 3600:
            raise UsageError(f"synthetic people: {self.seconds} seconds per recording; expected 1 to 3600")
        if not 100 <= self.fs <= 1000:
            raise UsageError(f"synthetic people: a sampling rate of {self.fs} Hz; expected 100 to 1000")
        if not 0 < self.corner_hz[0] <= self.corner_hz[1] < 1e9:
            raise UsageError(f"synthetic people: corner_hz is {self.corner_hz}; expected (low, high) in Hz")
        if not self.bits or any(bit != 0 and not 6 <= bit <= 24 for bit in self.bits):
            raise UsageError(f"synthetic people: bits is {self.bits}; expected 6 to 24 each, or 0 for no converter")
        unknown = [name for name in self.activities if name not in ACTIVITIES]
        if unknown or not self.activities:
            raise UsageError(
                f"synthetic people: activities {', '.join(unknown) or 'none'}; expected some of {', '.join(ACTIVITIES)}"
            )

    @property
    def n_records(self) -> int:
        return self.people * self.sessions * self.records_per_session * len(self.activities)


def synthetic_info(config: SynthConfig) -> dict[str, Any]:
    """Returns the `info` that a prepared set of `config`'s people carries."""
    return {
        "name": "synthetic",
        "licence": LICENCE,
        "cite": "made by `ecgkd data synth`",
        "notes": SYNTHETIC_NOTICE,
        "gain_known": True,
        "synthetic": True,
        "config": asdict(config),
    }


def synthesise(config: SynthConfig, progress: Callable[[int, int, str], None] | None = None) -> Iterator[Record]:
    """Yields the recordings of `config`'s people, person by person, session by session.

    The same configuration gives the same samples; more people, sessions, records or activities change none of
    those that were there before. `progress` is told people done, people in all, and whose turn it was.
    """
    for person in range(config.people):
        yield from _person(config, person)
        if progress is not None:
            progress(person + 1, config.people, _subject(person))


def _subject(person: int) -> str:
    return f"syn{person + 1:03d}"


def _stream(config: SynthConfig, *place: int) -> np.random.Generator:
    """Returns the random stream of a person, of one session of it, or of one record of that, by their numbers."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=place))


def family_of(config: SynthConfig, person: int) -> NDArray[np.float64] | None:
    """Returns the traits that `person` (0, 1, …) shares with its look-alikes, None for a person without any."""
    block, place = divmod(person, NEIGHBOURS)
    rng = _stream(config, FAMILIES, block)
    traits, order = rng.standard_normal(N_TRAITS), rng.permutation(NEIGHBOURS)
    members = order[: round(config.look_alike_share * NEIGHBOURS)]
    return traits if len(members) > 1 and place in members else None


@dataclass(frozen=True)
class _Device:
    corner: float
    bits: int


def _person(config: SynthConfig, person: int) -> Iterator[Record]:
    rng = _stream(config, PEOPLE, person)
    beat = draw_beat(rng, family_of(config, person), config.notched_share)
    fitness = float(np.exp(FITNESS_SPREAD * rng.standard_normal()))
    day = 0
    for session in range(config.sessions):
        rng = _stream(config, PEOPLE, person, session)
        today = drift(beat, config.k_session, rng)
        device = _Device(float(rng.uniform(*config.corner_hz)), int(rng.choice(config.bits)))
        day = _day(session, day, rng)
        for activity in config.activities:
            for number in range(config.records_per_session):
                place = (person, session, list(ACTIVITIES).index(activity), number)
                subject = _subject(person)
                yield Record(
                    signal=_recording(config, today, fitness, device, activity, place),
                    fs=float(config.fs),
                    leads=LEADS[: config.leads],
                    name=f"{subject}-s{session + 1}-{activity}-{number + 1}",
                    subject=subject,
                    session=session + 1,
                    day=day,
                    activity=activity,
                    source="synthetic",
                    licence=LICENCE,
                )


def _day(session: int, previous: int, rng: np.random.Generator) -> int:
    """Returns the day of the `session`th visit (0, 1, …) of someone whose last one was on day `previous`."""
    z = rng.standard_normal()
    if session >= len(DAYS_MEDIAN):
        return previous + round(FURTHER_DAYS * float(np.exp(0.2 * z)))
    days = DAYS_MEDIAN[session] * np.exp(DAYS_SPREAD[session] * z)
    return int(np.clip(round(float(days)), *DAYS_LIMITS[session]))


def _recording(
    config: SynthConfig, today: Beat, fitness: float, device: _Device, name: str, place: tuple[int, ...]
) -> NDArray[np.float32]:
    """Returns one recording (n_leads, n_samples) in µV; `place`: numbers of person, session, activity and record."""
    activity, rng = ACTIVITIES[name], _stream(config, PEOPLE, *place)
    margin, n_kept = round(MARGIN_SECONDS * config.fs), round(config.seconds * config.fs)
    seconds = np.arange(-margin, n_kept + margin) / config.fs
    start, n_samples = float(seconds[0]), len(seconds)

    here = _at_work(drift(today, config.k_record, rng), activity)
    n_beats = int((config.seconds + 2 * MARGIN_SECONDS) * MOST_BEATS_PER_SECOND) + 4
    rate = heart_rates(activity, here.heart_rate, fitness, n_beats, rng)
    lag = float(rng.uniform(*QT_LAG_SECONDS)) if activity.decays else 0.0
    rhythm = draw_rhythm(rate, here.rr_cv, config.ectopic_share, lag, start, rng)
    before = rng.bit_generator.state
    clean = render(here, rhythm, n_samples, config.fs, start, rng)
    hands = -1 if rng.random() < config.reversed_share else 1
    additive = baseline(activity, seconds, rng) + muscle(activity, n_samples, config.fs, rng)
    moved = motion(activity, seconds, rng)
    signals = [hands * clean + config.noise * additive + moved]
    if config.leads > 1:
        rng.bit_generator.state = before  # the same beats
        axes, noise_rng = _axes(config, place), _stream(config, AXES, *place)
        second = render(in_lead_two(here, axes), rhythm, n_samples, config.fs, start, rng)
        if hands < 0:
            second -= clean  # exchanged hands turn lead I over and show lead III as lead II
        other = baseline(activity, seconds, noise_rng) + muscle(activity, n_samples, config.fs, noise_rng)
        moved = moved * noise_rng.standard_normal()
        # Two electrodes make a lead and one of them is in both: their noise has a correlation of a half.
        shared, own = 0.5, 0.75**0.5
        noise_1 = signals[0] - hands * clean
        signals.append(second + shared * noise_1 + own * (config.noise * other + moved))
        signals.append(signals[1] - signals[0])
    kept = [_acquire(x, config.fs, device)[margin : margin + n_kept] for x in signals[: config.leads]]
    return np.stack(kept).astype(np.float32)


def _axes(config: SynthConfig, place: tuple[int, ...]) -> NDArray[np.float64]:
    """Returns the axes of a person's waves (5,) in degrees, as one touch of one session shows them."""
    axes = draw_axes(_stream(config, AXES, place[0]))
    axes = turn(axes, config.k_session, _stream(config, AXES, *place[:2]))
    return turn(axes, config.k_record, _stream(config, AXES, *place, 0))


def _at_work(beat: Beat, activity: Activity) -> Beat:
    """Returns `beat` with the waves and the heart rate variation of `activity`."""
    size, later = np.ones(5), np.ones(5)
    size[P], size[T], later[T] = activity.p, activity.t, activity.qt
    return replace(beat, amplitude=beat.amplitude * size, delay=beat.delay * later, rr_cv=beat.rr_cv * activity.rr_cv)


def _acquire(millivolts: NDArray[np.float64], fs: float, device: _Device) -> NDArray[np.float64]:
    """Returns what the device records in µV: low-passed without delay, rounded to its steps, cut at its rails."""
    frequency = np.fft.rfftfreq(len(millivolts), 1 / fs)
    gain = (1 + (frequency / device.corner) ** (2 * CORNER_ORDER)) ** -0.5
    microvolts = 1000 * np.fft.irfft(np.fft.rfft(millivolts) * gain, len(millivolts))
    if device.bits == 0:
        return microvolts
    step = 2 * FULL_SCALE_UV / 2**device.bits
    return np.clip(np.rint(microvolts / step) * step, -FULL_SCALE_UV, FULL_SCALE_UV - step)
