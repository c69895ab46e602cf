"""What activity is told from next to nothing: from how common it is, and from the heart rate alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgkd.signal.chain import MODEL_FS
from ecgkd.signal.peaks import r_peaks_of

MIN_BEATS = 3
LEAST_SPREAD = 3.0
"""Beats a minute: no activity's rates are taken to lie closer together."""


def heart_rate(windows: NDArray[np.int8]) -> NDArray[np.float64]:
    """Returns beats a minute (n,) of front-end windows (n, 1000), by the median beat; NaN below three beats."""
    rates = np.full(len(windows), np.nan)
    for begin in range(0, len(windows), 256):
        for offset, peaks in enumerate(r_peaks_of(windows[begin : begin + 256].astype(np.float64), MODEL_FS)):
            if len(peaks) >= MIN_BEATS:
                rates[begin + offset] = 60 * MODEL_FS / float(np.median(np.diff(peaks)))
    return rates


def majority(labels: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Returns scores (n, n_activities) that always name the most common of `labels`."""
    return np.tile(np.bincount(labels).astype(np.float64), (n, 1))


def by_heart_rate(
    rates: NDArray[np.float64], labels: NDArray[np.int64], asked: NDArray[np.float64], n_activities: int
) -> NDArray[np.float64]:
    """Returns log-probabilities (n, n_activities), unscaled, of windows with heart rates `asked`.

    A normal distribution for each activity, fitted to training windows of known rates; the labels' shares are the
    priors, and all that is said of a window without a rate.
    """
    share = np.bincount(labels, minlength=n_activities) / len(labels)
    out = np.tile(np.log(np.maximum(share, 1e-12)), (len(asked), 1))
    known = np.isfinite(asked)
    for activity in range(n_activities):
        mine = rates[(labels == activity) & np.isfinite(rates)]
        if len(mine) < 2:
            out[known, activity] = -np.inf
            continue
        spread = max(float(mine.std()), LEAST_SPREAD)
        out[known, activity] += -0.5 * ((asked[known] - mine.mean()) / spread) ** 2 - np.log(spread)
    return out


def label_numbers(names: Sequence[str], activities: Sequence[str]) -> NDArray[np.int64]:
    """Returns the positions (n,) of `names` in `activities`, -1 for others."""
    number = {name: n for n, name in enumerate(activities)}
    return np.array([number.get(str(name), -1) for name in names], np.int64)
