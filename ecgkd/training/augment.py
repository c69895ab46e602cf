"""What happens to windows before the front end in training: in µV at their own rate, a whole batch at once.

Every function takes windows (n, samples) float32 and returns new ones; each window draws for itself whether it is hit.
Of several leads, what skin and electrodes do happens to each by itself, what the device does to all alike.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecgkd.config import AugmentConfig, Pair

Windows = NDArray[np.float32]
MUSCLE_FROM_HZ = 20.0
WANDER_HZ = (0.05, 0.5)
LOW_PASS_ORDER = 4
CONVERTER_SPANS = 10.0
"""A converter's range in spans of the window."""
LEVEL_SECONDS = 0.6
"""Baseline under which a window's level is measured."""


def augment(windows: Windows, fs: float, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    """Returns windows, (n, samples) or (n, n_leads, samples), as another device and moment might have given them."""
    leads = [windows] if windows.ndim == 2 else [windows[:, lead] for lead in range(windows.shape[1])]
    levels = [_level(x, fs) for x in leads]
    leads = _alike(lambda x: _scale(x, config, rng), leads, rng)
    leads = [_wander(x, fs, config, rng) for x in leads]
    leads = [_muscle(x, level, fs, config, rng) for x, level in zip(leads, levels, strict=True)]
    leads = [_motion(x, level, fs, config, rng) for x, level in zip(leads, levels, strict=True)]
    leads = _alike(lambda x: _mains(x, fs, config, rng), leads, rng)
    leads = _alike(lambda x: _low_pass(x, fs, config, rng), leads, rng)
    leads = [_mask(x, fs, config, rng) for x in leads]
    leads = _alike(lambda x: _convert(x, config, rng), leads, rng)
    return leads[0] if windows.ndim == 2 else np.stack(leads, axis=1)


def _alike(step: Callable[[Windows], Windows], leads: list[Windows], rng: np.random.Generator) -> list[Windows]:
    """Returns every lead after `step`, which draws the same for each."""
    state = rng.bit_generator.state
    found = []
    for x in leads:
        rng.bit_generator.state = state
        found.append(step(x))
    return found


def draw_warp(
    length: NDArray[np.int64], width: int, config: AugmentConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns each window's speed (1 for untouched) and the samples of its stretch that it needs, (n,) each.

    length: samples that each stretch has, `width` or more; a short stretch is not played faster than it lasts.
    """
    hit = rng.random(len(length)) < config.warp_p
    speed = np.where(hit, rng.uniform(1 - config.warp, 1 + config.warp, len(length)), 1.0)
    speed = np.minimum(speed, (length - 1) / (width - 1))
    needed = np.minimum(np.ceil((width - 1) * speed - 1e-9).astype(np.int64) + 1, length)
    return speed, needed


def warp_time(raw: Windows, speed: NDArray[np.float64], width: int) -> Windows:
    """Returns windows (n, width) whose sample k lies at k · speed of `raw`; cubic in between (Catmull-Rom)."""
    rows = np.flatnonzero(speed != 1.0)
    if raw.shape[1] < width:
        raw = np.pad(raw, ((0, 0), (0, width - raw.shape[1])), mode="edge")
    out = raw[:, :width].copy()
    if not len(rows):
        return out
    position = np.arange(width) * speed[rows, None]
    first = np.minimum(position.astype(np.int64), np.floor((width - 1) * speed[rows, None]).astype(np.int64))
    t = (position - first).astype(np.float32)
    last = np.ceil((width - 1) * speed[rows, None] - 1e-9).astype(np.int64)
    a, b, c, d = (np.take_along_axis(raw[rows], np.clip(first + offset, 0, last), axis=1) for offset in (-1, 0, 1, 2))
    out[rows] = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return out


def _hit(n: int, probability: float, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.flatnonzero(rng.random(n) < probability)


def _uniform(bounds: Pair, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Returns (n, 1)."""
    return rng.uniform(*bounds, (n, 1)).astype(np.float32)


def _noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal(shape, dtype=np.float32)


def _level(windows: Windows, fs: float) -> NDArray[np.float32]:
    """Returns the deviation (n, 1) of each window around its moving mean: that of the beats, not of the baseline."""
    width = max(3, round(LEVEL_SECONDS * fs))
    total = np.cumsum(windows, axis=1, dtype=np.float64)
    mean = (total[:, width:] - total[:, :-width]) / width
    middle = windows[:, width // 2 : width // 2 + mean.shape[1]]
    return (middle - mean).std(axis=1, keepdims=True).astype(np.float32)


def _scale(x: Windows, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    hit = _hit(len(x), config.amplitude_p, rng)
    x = x.copy()
    x[hit] *= _uniform(config.amplitude, len(hit), rng)
    return x


def _wander(x: Windows, fs: float, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    """Adds three slow sines: breathing and drifting electrodes."""
    hit = _hit(len(x), config.wander_p, rng)
    size = _uniform(config.wander_uv, len(hit), rng) / 3
    seconds = np.arange(x.shape[1], dtype=np.float32) / np.float32(fs)
    for _ in range(3):
        rate, phase = _uniform(WANDER_HZ, len(hit), rng), _uniform((0.0, 1.0), len(hit), rng)
        x[hit] += size * np.sin(np.float32(2 * np.pi) * (rate * seconds + phase))
    return x


def _add(x: Windows, hit: NDArray[np.int64], noise: Windows, level: NDArray[np.float32], decibel: Windows) -> Windows:
    """Adds `noise` so that signal to noise is `decibel` (n, 1)."""
    deviation = np.maximum(noise.std(axis=1, keepdims=True), 1e-6)
    x[hit] += noise * (level[hit] / deviation * 10 ** (-decibel / 20))
    return x


def _muscle(
    x: Windows, level: NDArray[np.float32], fs: float, config: AugmentConfig, rng: np.random.Generator
) -> Windows:
    """Adds noise above 20 Hz."""
    hit = _hit(len(x), config.muscle_p, rng)
    decibel = _uniform(config.muscle_db, len(hit), rng)
    spectrum = np.fft.rfft(_noise((len(hit), x.shape[1]), rng), axis=1)
    spectrum *= np.fft.rfftfreq(x.shape[1], 1 / fs) > MUSCLE_FROM_HZ
    return _add(x, hit, np.fft.irfft(spectrum, x.shape[1], axis=1).astype(np.float32), level, decibel)


def _motion(
    x: Windows, level: NDArray[np.float32], fs: float, config: AugmentConfig, rng: np.random.Generator
) -> Windows:
    """Adds what a moving electrode does: a leaking random walk with one to three steps."""
    hit = _hit(len(x), config.motion_p, rng)
    decibel = _uniform(config.motion_db, len(hit), rng)
    width = x.shape[1]
    push = _noise((len(hit), width), rng) * np.float32(np.sqrt(1 / fs))
    steps = rng.integers(1, 4, len(hit))
    for number in range(3):
        rows = np.flatnonzero(steps > number)
        push[rows, rng.integers(0, width, len(rows))] += _noise((len(rows), 1), rng)[:, 0]
    walk = np.cumsum(push, axis=1)
    reach = max(2, round(2.0 * fs))  # a step has faded after about two seconds
    fade = np.cumsum(walk, axis=1)
    fade[:, reach:] -= fade[:, :-reach].copy()
    fade /= np.minimum(np.arange(1, width + 1), reach)
    return _add(x, hit, (walk - fade).astype(np.float32), level, decibel)


def _mains(x: Windows, fs: float, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    hit = _hit(len(x), config.mains_p, rng)
    size, phase = _uniform(config.mains_uv, len(hit), rng), _uniform((0.0, 1.0), len(hit), rng)
    rate = np.where(rng.random((len(hit), 1)) < 0.5, 50, 60)
    turns = (rate * np.arange(x.shape[1]) / fs % 1).astype(np.float32) + phase
    x[hit] += size * np.sin(np.float32(2 * np.pi) * turns)
    return x


def _low_pass(x: Windows, fs: float, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    """Brings windows to the band of a device of less bandwidth, ends mirrored."""
    hit = _hit(len(x), config.lowpass_p, rng)
    corner = _uniform(config.lowpass_hz, len(hit), rng)
    width, edge = x.shape[1], int(fs // 4)
    padded = np.pad(x[hit], ((0, 0), (edge, edge)), mode="reflect")
    frequency = np.fft.rfftfreq(padded.shape[1], 1 / fs)
    gain = (1 + (frequency / corner) ** (2 * LOW_PASS_ORDER)) ** -0.5
    x[hit] = np.fft.irfft(np.fft.rfft(padded, axis=1) * gain, padded.shape[1], axis=1)[:, edge : edge + width]
    return x


def _mask(x: Windows, fs: float, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    """Bridges one or two spans by straight lines."""
    hit = _hit(len(x), config.mask_p, rng)
    width = x.shape[1]
    column = np.arange(width)
    twice = rng.random(len(hit)) < 0.5
    for rows in (hit, hit[twice]):
        n = np.maximum(1, (_uniform(config.mask_seconds, len(rows), rng) * fs).astype(np.int64))
        n = np.minimum(n, width - 1)
        begin = (rng.random((len(rows), 1)) * (width - n)).astype(np.int64)
        share = np.clip((column - begin) / n, 0, 1).astype(np.float32)
        left, right = np.take_along_axis(x[rows], begin, 1), np.take_along_axis(x[rows], begin + n, 1)
        inside = (column >= begin) & (column <= begin + n)
        x[rows] = np.where(inside, left + share * (right - left), x[rows])
    return x


def _convert(x: Windows, config: AugmentConfig, rng: np.random.Generator) -> Windows:
    """Rounds to the steps of a coarse converter."""
    hit = _hit(len(x), config.adc_p, rng)
    bits = np.rint(_uniform(config.adc_bits, len(hit), rng))
    span = np.ptp(x[hit], axis=1, keepdims=True)
    step = np.maximum(CONVERTER_SPANS * span / 2**bits, 1e-3)
    x[hit] = np.rint(x[hit] / step) * step
    return x
