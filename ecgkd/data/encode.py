"""Samples as a prepared set stores them: int16 counts with a gain each, and the hash of what they say."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import RecordingError
from ecgkd.files import canonical_json, sha256_of
from ecgkd.record import Record

COUNT_LIMIT = 32767
_PROBE_SAMPLES = 50_000
"""Samples looked at to guess a converter's step; the guess is then proved on all of them."""


class ContentHash:
    """SHA-256 of what a set's readers see (names, rate, float32 µV), whatever container holds it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, columns: dict[str, Any], counts: NDArray[np.int16], gain_uv: NDArray[np.float32]) -> None:
        """Takes in the next record: int16 counts (n_leads, n_samples) and its gains (n_leads,)."""
        self._hash.update(canonical_json({**columns, "n_samples": counts.shape[1]}))
        for row, gain in zip(counts, gain_uv):
            # + 0.0 makes one zero of 0.0 and -0.0, which a negative gain would give.
            self._hash.update((row.astype("<f4") * np.float32(gain) + np.float32(0.0)).tobytes())

    def hexdigest(self, fs: float, leads: Iterable[str], info: dict[str, Any]) -> str:
        """Returns the hash of the records taken in and of what holds for all of them."""
        head = {
            "fs": float(fs),
            "leads": list(leads),
            "gain_known": bool(info.get("gain_known", True)),
            "synthetic": bool(info.get("synthetic", False)),
            "records": self._hash.hexdigest(),
        }
        return sha256_of(head)


def _lossless_gain(x: NDArray[np.float32]) -> np.float32 | None:
    """Returns a step of which every sample of `x` is a whole multiple in int16, bit for bit; None without one."""
    top = float(np.abs(x).max())
    levels = np.unique(np.abs(x[:: max(1, len(x) // _PROBE_SAMPLES)].astype(np.float64)))
    rise = levels - levels[0]
    step = float(np.diff(levels).min()) if len(levels) > 1 else top
    reach = step
    while reach < rise[-1]:
        # Each pass reaches at most twice as far, so that the step's error never makes it miscount.
        reach = float(rise[rise <= max(2 * reach, rise[rise > reach].min())][-1])
        step = reach / max(1.0, float(np.rint(reach / step)))
    for part in (1, 2):
        multiple = np.rint(top / step * part)
        if not 1 <= multiple <= COUNT_LIMIT:
            continue
        nearest = np.float32(top / multiple)
        around = (nearest, np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(np.inf)))
        for gain in sorted(around, key=lambda g: len(str(g))):
            if np.array_equal(np.rint(x / gain) * gain, x):
                return gain
    return None


def choose_gain(x: NDArray[np.float32]) -> np.float32:
    """Returns µV per count so that the samples (n_samples,) fit int16 and lose at most half a count.

    Where the samples are multiples of one step (a converter's), that step: nothing is lost. Otherwise the finest power
    of two, which keeps whole microvolts exact up to ±32,767 µV.
    """
    top = float(np.abs(x).max(initial=0.0))
    if top == 0.0:
        return np.float32(1)
    exact = _lossless_gain(x)
    if exact is not None:
        return exact
    return np.float32(2.0 ** np.ceil(np.log2(top / COUNT_LIMIT)))


def require_whole(record: Record) -> None:
    """Raises: RecordingError where a sample is missing or the recording is empty."""
    if not record.n_samples:
        raise RecordingError(f"{record.name}: the recording holds no samples")
    finite = np.isfinite(record.signal)
    if not finite.all():
        lead, first = (int(value) for value in np.argwhere(~finite)[0])
        raise RecordingError(
            f"{record.name}: {np.count_nonzero(~finite)} sample(s) are missing (NaN or infinite), the first in lead "
            f"{record.leads[lead]} at sample {first}; a prepared set holds whole recordings: cut the gap out or leave "
            "the recording out"
        )


def to_counts(record: Record) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Returns int16 counts (n_leads, n_samples) and gains (n_leads,), µV per count.

    Raises: RecordingError where a sample is missing or the recording is empty.
    """
    require_whole(record)
    gains = np.array([choose_gain(row) for row in record.signal], np.float32)
    return np.rint(record.signal / gains[:, None]).astype(np.int16), gains
