"""Error rates when probes are disturbed and enrolment is not: noise of three kinds, and another heart rate.

Noise is added to the recording's own samples, before the front end, at a signal-to-noise ratio by the convention of
the Noise Stress Test Database: the signal's power is an eighth of the squared peak-to-peak amplitude of the QRS, the
noise's its mean square. Source: Moody, Muldrow & Mark 1984.

Another heart rate: the time between QRS complexes is stretched or shortened, the complexes are left as they are. This
is harder than life, where the T wave moves less than the pause after it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, resample_poly, sosfilt

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.cohort import thinned
from ecgkd.evaluation.evaluate import Candidate
from ecgkd.evaluation.figures import equal_error_rate
from ecgkd.evaluation.material import Side, make_pool
from ecgkd.evaluation.results import Disturbed
from ecgkd.evaluation.scores import COHORT_TOP, Comparisons, compare, fuse, unit
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.trials import enrol_groups, network_windows, raw_windows
from ecgkd.signal.chain import front_end
from ecgkd.signal.peaks import r_peaks
from ecgkd.signal.window import cut, native_window, tile_starts

Doubles = NDArray[np.float64]
Progress = Callable[[int, int, str], None]

KINDS = ("bw", "em", "ma")
"""Baseline wander, electrode motion, muscle artefact."""
SNRS_DB = (24.0, 18.0, 12.0, 6.0, 0.0)
HEART_RATES = (0.75, 0.9, 1.0, 1.1, 1.25, 1.5)
ENROL_WINDOWS = 6
MAX_WINDOWS = 600
"""Probe windows, evenly spread."""
QRS_SECONDS = 0.1
"""Before and after an R peak."""
MIN_PACE = 0.2
"""Least share of its time that what lies between two complexes is shortened to."""
SYNTHESISED = "synthesised"
LIMIT_UV = 2**24


@dataclass(frozen=True)
class Probes:
    """Windows as they were recorded, with whose they are."""

    windows: NDArray[np.int32]
    """(n, native) µV"""
    subject: NDArray[np.int64]
    """(n,)"""
    fs: float


def synthesise_noise(kind: str, n: int, fs: float, rng: np.random.Generator) -> Doubles:
    """Returns windows (n, native) of made-up noise: drifting sines, steps that die away, or a band of white noise."""
    width = native_window(fs)
    time = np.arange(width) / fs
    if kind == "bw":
        rate, phase = rng.uniform(0.05, 0.5, (n, 3, 1)), rng.uniform(0, 2 * np.pi, (n, 3, 1))
        return np.asarray((rng.uniform(0.3, 1, (n, 3, 1)) * np.sin(2 * np.pi * rate * time + phase)).sum(axis=1))
    white = rng.standard_normal((n, width))
    if kind == "em":
        steps = np.where(rng.random((n, width)) < 0.75 / fs, rng.normal(0, 6 * np.sqrt(fs), (n, width)), 0)
        slow = butter(1, (0.3, 10.0), "bandpass", fs=fs, output="sos")
        return np.asarray(sosfilt(slow, white + steps, axis=1))
    band = butter(2, (20.0, min(100.0, 0.45 * fs)), "bandpass", fs=fs, output="sos")
    return np.asarray(sosfilt(band, white, axis=1))


def noise_at(noise: PreparedSet, kind: str, fs: float) -> Doubles:
    """Returns the first lead of the noise recording called `kind` at `fs` Hz, µV, without its mean.

    Raises: UsageError where it is no longer than a window.
    """
    x = noise.microvolts(noise.find(kind)).astype(np.float64)
    found = x - x.mean() if fs == noise.fs else resample_poly(x - x.mean(), int(fs), int(noise.fs))
    if len(found) <= native_window(fs):
        raise UsageError(f"{noise.path}#{kind}: shorter than a window of 4 s; take a longer noise recording")
    return np.asarray(found)


def add_noise(windows: NDArray[np.int32], noise: Doubles, snr_db: float, fs: float) -> NDArray[np.int32]:
    """Returns windows (n, native) in µV with `noise` (n, native) at a signal-to-noise ratio; silent noise adds none."""
    pieces = windows[:, : 4 * int(fs)].reshape(len(windows), 4, int(fs)).astype(np.float64)
    drift = uniform_filter1d(pieces, max(3, int(0.3 * fs)), axis=2, mode="nearest")
    swing = np.median(np.ptp(pieces - drift, axis=2), axis=1)  # of the QRS, every second holds one
    centred = noise - noise.mean(axis=1, keepdims=True)
    power = np.maximum((centred**2).mean(axis=1), 1e-12)
    scale = np.sqrt(swing**2 / 8 / 10 ** (snr_db / 10) / power)
    noisy = np.rint(windows + scale[:, None] * centred)
    return np.clip(noisy, -LIMIT_UV, LIMIT_UV).astype(np.int32)


def change_heart_rate(signal: NDArray[np.floating], peaks: NDArray[np.int64], factor: float, fs: float) -> Doubles:
    """Returns a one-lead signal (n_samples,) at a heart rate `factor` times as high, its QRS complexes unchanged."""
    n, reach = len(signal), round(QRS_SECONDS * fs)
    whole = np.zeros(n, bool)
    whole[np.clip(peaks[:, None] + np.arange(-reach, reach + 1), 0, n - 1)] = True
    share = whole.mean()
    pace = max((1 / factor - share) / max(1 - share, 1e-9), MIN_PACE)
    place = np.cumsum(np.where(whole, 1.0, pace))
    place -= place[0]
    source = np.interp(np.arange(int(place[-1]) + 1), place, np.arange(n))
    return np.asarray(CubicSpline(np.arange(n), signal)(source))


def check_noise(noise: PreparedSet) -> None:
    """Raises: UsageError for a set without the three recordings of noise."""
    if not set(KINDS) <= set(noise.record.tolist()):
        raise UsageError(f"{noise.path}: no noise set; expected recordings called {', '.join(KINDS)}, such as NSTDB's")


def disturb(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    row: str,
    noise: PreparedSet | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Disturbed, ...]:
    """Returns the EER of each candidate on disturbed single probe windows of `row`, enrolled with six windows.

    Without a `noise` set the noise is synthesised, and called so. Raises: UsageError for an unknown row or a noise set
    without recordings called bw, em and ma.
    """
    if noise is not None:
        check_noise(noise)
    tested = protocol.row(row)
    pooled = make_pool([tested], sets).rows[0]
    candidates = [one for one in candidates if one.fits(tested)]
    templates = enrol_groups(pooled.enrol.windows, ENROL_WINDOWS)
    inputs = network_windows(pooled.enrol.windows, sets)
    fused = {one.name: fuse(unit(one.embed(inputs)), templates.windows) for one in candidates}
    cases = list(_cases(pooled.probe, sets, noise, seed))
    found = []
    for number, (disturbance, source, level, probes) in enumerate(cases):
        if progress is not None:
            progress(number, len(cases), f"{disturbance} {level:g}")
        shown = np.concatenate([front_end(part.windows, part.fs) for part in probes])
        subject = np.concatenate([part.subject for part in probes])
        for one in candidates:
            scores = _scores(one, shown, fused[one.name])
            rate = equal_error_rate(Comparisons(scores, subject, templates.subject))
            if rate is not None:
                found.append(Disturbed(row, one.name, disturbance, source, level, rate))
    return tuple(found)


def _scores(candidate: Candidate, inputs: NDArray[np.int8], templates: NDArray[np.float32]) -> NDArray[np.float32]:
    top = COHORT_TOP if candidate.contract is None else candidate.contract.cohort_top
    centroids = candidate.centroids if candidate.score == "as_norm" else None
    cohort = None if centroids is None else unit(centroids.astype(np.float32))
    return compare(unit(candidate.embed(inputs)), templates, cohort, top)


def _cases(
    side: Side, sets: Sequence[PreparedSet], noise: PreparedSet | None, seed: int
) -> Iterator[tuple[str, str, float, list[Probes]]]:
    """Gives what is done, where noise comes from, how much, and the disturbed probes by sampling rate."""
    windows = thinned(side.windows, MAX_WINDOWS)
    probes = [
        Probes(native, windows.subject[positions], one.fs) for positions, native, one in raw_windows(windows, sets)
    ]
    source = SYNTHESISED if noise is None else noise.name
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, number])
        recorded = {} if noise is None else {fs: noise_at(noise, kind, fs) for fs in {part.fs for part in probes}}
        made = [_noise_windows(kind, len(part.windows), part.fs, recorded.get(part.fs), rng) for part in probes]
        for snr in SNRS_DB:
            noisy = [add_noise(part.windows, one, snr, part.fs) for part, one in zip(probes, made, strict=True)]
            yield (
                f"noise {kind}",
                source,
                snr,
                [Probes(n, part.subject, part.fs) for n, part in zip(noisy, probes, strict=True)],
            )
    for factor in HEART_RATES:
        yield "heart rate", "", factor, list(_at_heart_rate(side, sets, factor))


def _noise_windows(kind: str, n: int, fs: float, recorded: Doubles | None, rng: np.random.Generator) -> Doubles:
    """Returns windows (n, native) at random places of recorded noise, or of noise made up where there is none."""
    if recorded is None:
        return synthesise_noise(kind, n, fs, rng)
    return cut(recorded, rng.integers(0, len(recorded) - native_window(fs), n), fs)


def _at_heart_rate(side: Side, sets: Sequence[PreparedSet], factor: float) -> Iterator[Probes]:
    """Gives the probe windows of each recording at another heart rate."""
    windows, by_name = side.windows, {one.name: one for one in sets}
    every = max(1, -(-len(windows) // MAX_WINDOWS))
    for number in np.unique(windows.recording)[::every]:
        here = windows.recording == number
        name, i = windows.recordings[int(number)]
        one = by_name[name]
        first, last = int(windows.start[here].min()), int(windows.start[here].max())
        signal = one.integer_microvolts(i)[first : last + native_window(one.fs)].astype(np.float64)
        changed = change_heart_rate(signal, r_peaks(signal, one.fs), factor, one.fs)
        starts = tile_starts(len(changed), one.fs)
        if len(starts):
            whole = np.clip(np.rint(changed), -LIMIT_UV, LIMIT_UV).astype(np.int32)
            subject = np.full(len(starts), windows.subject[here][0])
            yield Probes(cut(whole, starts, one.fs), subject, one.fs)
