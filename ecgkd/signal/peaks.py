"""R peaks, for the baselines and the reports; the front end and the networks need none."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

QRS_BAND_HZ = (5.0, 25.0)
ENERGY_SECONDS = 0.12
"""Length of the mean over the squared slope, about the widest normal QRS."""
REFRACTORY_SECONDS = 0.25
NEIGHBOURHOOD_SECONDS = 2.0
"""Half of the span around a beat whose strongest QRS sets the threshold: two slow beats or more."""
THRESHOLD = 0.12
"""Share of the neighbourhood's QRS energy (0.35 in amplitude) below which there is no beat."""
SEARCH_SECONDS = 0.08
MIN_SECONDS = 0.5
"""Shorter signals have no peaks: the band-pass needs room."""


def _band_pass(x: NDArray[np.floating], fs: float) -> NDArray[np.float64]:
    high = min(QRS_BAND_HZ[1], 0.45 * fs)
    sections = butter(2, (QRS_BAND_HZ[0], high), "bandpass", fs=fs, output="sos")
    pad = min(x.shape[-1] - 1, int(fs))
    return np.asarray(sosfiltfilt(sections, np.asarray(x, np.float64), axis=-1, padlen=pad))


def _typical_maximum(energy: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Returns, per sample, the QRS energy to expect around it; one burst of artefact does not raise it.

    It is the neighbourhood's maximum, held below three times the median of such maxima over the signal.
    """
    width = min(energy.shape[-1], int(2 * NEIGHBOURHOOD_SECONDS * fs) + 1)
    local = maximum_filter1d(energy, width, axis=-1, mode="nearest")
    beat = maximum_filter1d(energy, min(energy.shape[-1], int(1.2 * fs)), axis=-1, mode="nearest")
    typical = np.median(beat, axis=-1, keepdims=True)
    return np.asarray(np.minimum(local, 3 * typical))


def r_peaks_of(x: NDArray[np.floating], fs: float) -> list[NDArray[np.int64]]:
    """Returns the R peaks of each row of `x` (n, n_samples), any unit, in samples, ascending.

    The peak is the top of the band-passed QRS, or its bottom where the row's QRS complexes point downwards.
    A flat row has none. Source: slope energy after Pan and Tompkins 1985, threshold and refinement our own.
    """
    if x.shape[-1] < MIN_SECONDS * fs:
        return [np.empty(0, np.int64) for _ in x]
    band = _band_pass(x, fs)
    slope = np.gradient(band, axis=-1) ** 2
    energy = uniform_filter1d(slope, max(1, round(ENERGY_SECONDS * fs)), axis=-1, mode="constant")
    floor = np.maximum(THRESHOLD * _typical_maximum(energy, fs), 1e-12)
    return [_row_peaks(b, e, t, fs) for b, e, t in zip(band, energy, floor, strict=True)]


def _row_peaks(
    band: NDArray[np.float64], energy: NDArray[np.float64], floor: NDArray[np.float64], fs: float
) -> NDArray[np.int64]:
    found, _ = find_peaks(energy, height=floor, distance=max(1, int(REFRACTORY_SECONDS * fs)))
    if not len(found):
        return np.empty(0, np.int64)
    reach = round(SEARCH_SECONDS * fs)
    around = np.clip(found[:, None] + np.arange(-reach, reach + 1), 0, len(band) - 1)
    values = band[around]  # (beats, 2·reach + 1)
    upright = np.median(values.max(axis=1)) >= np.median(-values.min(axis=1))
    best = values.argmax(axis=1) if upright else values.argmin(axis=1)
    return np.unique(around[np.arange(len(found)), best]).astype(np.int64)


def r_peaks(x: NDArray[np.floating], fs: float) -> NDArray[np.int64]:
    """Returns the R peaks of a one-lead signal (n_samples,), any unit, in samples, ascending."""
    return r_peaks_of(np.asarray(x)[None], fs)[0]
