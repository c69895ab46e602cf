"""The two baselines that every network stands beside: mean-beat correlation, and LDA on mean beats.

Both see what the network sees, the front end's windows. The mean beat is the average over −200…+400 ms around
the R peaks, without its mean and of unit norm, so that the cosine of two mean beats is their correlation.
A window without a usable beat is cut around its largest sample instead; one without any variation gives the
constant vector, which is uncorrelated with every beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.signal import butter, resample_poly, sosfiltfilt

from ecgkd.errors import UsageError
from ecgkd.signal.peaks import r_peaks_of

BEAT_FS = 250
"""Hz, the front end's."""
BEFORE, AFTER = 50, 100
"""Samples of a beat before its R peak (200 ms) and from it on (400 ms)."""
BEAT_SAMPLES = BEFORE + AFTER
ALIGN = 8
"""Samples (32 ms) within which a detected peak is moved onto the signal's own top."""
LIKENESS = 0.6
"""Correlation with the median beat below which a beat is left out."""
BAND_HZ = (0.5, 40.0)
"""Band of whole recordings; the front end has already cut its windows to it."""
BATCH = 1024
"""Windows per batch, for memory."""
N_PRINCIPAL, N_DISCRIMINANT = 60, 40


def _aligned(signal: NDArray[np.float64], peaks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns `peaks` moved onto the signal's own tops (bottoms, where QRS points downwards) nearby."""
    upright = np.median(signal[peaks]) >= np.median(signal) if len(peaks) else True
    around = np.clip(peaks[:, None] + np.arange(-ALIGN, ALIGN + 1), 0, len(signal) - 1)
    values = signal[around]  # (beats, 2·ALIGN + 1)
    best = values.argmax(axis=1) if upright else values.argmin(axis=1)
    return around[np.arange(len(peaks)), best]


def _mean_beat(signal: NDArray[np.float64], peaks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the average beat (BEAT_SAMPLES,) of a signal (n_samples,), not yet normalised.

    Beats unlike the median beat (ectopic ones, artefacts) are left out, unless all are.
    """
    whole = peaks[(peaks >= BEFORE) & (peaks + AFTER <= len(signal))]
    if not len(whole):
        top = int(np.abs(signal - np.median(signal)).argmax())
        whole = np.array([np.clip(top, BEFORE, len(signal) - AFTER)])
    beats = signal[whole[:, None] + np.arange(-BEFORE, AFTER)]
    if len(beats) < 3:
        return np.asarray(beats.mean(axis=0))
    centred = beats - beats.mean(axis=1, keepdims=True)
    median = np.median(centred, axis=0)
    alike = centred @ median >= LIKENESS * np.linalg.norm(centred, axis=1) * np.linalg.norm(median)
    return np.asarray(beats[alike].mean(axis=0) if alike.any() else beats.mean(axis=0))


def _unit_beats(beats: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns the rows of `beats` (n, BEAT_SAMPLES) without mean and of unit norm; flat ones become constant."""
    centred = beats - beats.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    flat = norm < 1e-9
    unit = np.where(flat, BEAT_SAMPLES**-0.5, centred / np.where(flat, 1.0, norm))
    return unit.astype(np.float32)


def correlation_embed(windows: NDArray[np.int8]) -> NDArray[np.float32]:
    """Returns the mean beats (n, BEAT_SAMPLES) of the front end's windows (n, 1000), unit norm.

    Their cosine is the correlation of mean beats: the baseline without training.
    """
    beats = np.empty((len(windows), BEAT_SAMPLES))
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH].astype(np.float64)
        for i, (row, peaks) in enumerate(zip(batch, r_peaks_of(batch, BEAT_FS), strict=True), start):
            beats[i] = _mean_beat(row, _aligned(row, peaks))
    return _unit_beats(beats)


def correlation_records(signals: Sequence[NDArray[np.floating]], fs: float) -> NDArray[np.float32]:
    """Returns the mean beats (n, BEAT_SAMPLES) of whole one-lead recordings at `fs` Hz, 0.5–40 Hz, unit norm.

    Raises: UsageError for a recording shorter than two seconds or a rate that is not a whole number.
    """
    if fs != int(fs):
        raise UsageError(f"a sampling rate of {fs} Hz; whole recordings are compared at a whole number of Hz")
    sections = butter(2, (BAND_HZ[0], min(BAND_HZ[1], 0.45 * fs)), "bandpass", fs=fs, output="sos")
    beats = np.empty((len(signals), BEAT_SAMPLES))
    for i, signal in enumerate(signals):
        if len(signal) < 2 * fs:
            raise UsageError(f"recording {i} has {len(signal) / fs:.1f} s; a mean beat takes two seconds or more")
        band = sosfiltfilt(sections, np.asarray(signal, np.float64))
        x = resample_poly(band, BEAT_FS, int(fs)) if fs != BEAT_FS else band
        beats[i] = _mean_beat(x, _aligned(x, r_peaks_of(x[None], BEAT_FS)[0]))
    return _unit_beats(beats)


@dataclass(frozen=True)
class LdaModel:
    """A linear map from mean beats to a space where other people's beats came apart."""

    mean: NDArray[np.float64]
    """(BEAT_SAMPLES,)"""
    projection: NDArray[np.float64]
    """(BEAT_SAMPLES, D)"""

    def embed_beats(self, beats: NDArray[np.floating]) -> NDArray[np.float32]:
        """Returns embeddings (n, D) of mean beats (n, BEAT_SAMPLES), unit norm."""
        projected = (beats - self.mean) @ self.projection
        norm = np.linalg.norm(projected, axis=1, keepdims=True)
        return (projected / np.maximum(norm, 1e-12)).astype(np.float32)

    def embed(self, windows: NDArray[np.int8]) -> NDArray[np.float32]:
        """Returns embeddings (n, D) of the front end's windows (n, 1000), unit norm."""
        return self.embed_beats(correlation_embed(windows))


def fit_lda(windows: NDArray[np.int8], subjects: NDArray[np.str_]) -> LdaModel:
    """Returns the LDA fitted on the front end's windows (n, 1000) of `subjects` (n,), who must not be tested.

    Raises: UsageError where fewer than three people or nothing but single windows are given.
    """
    return fit_lda_beats(correlation_embed(windows), subjects)


def fit_lda_beats(beats: NDArray[np.floating], subjects: NDArray[np.str_]) -> LdaModel:
    """Returns the LDA fitted on mean beats (n, BEAT_SAMPLES): 60 principal components, then 40 discriminants.

    Fewer where there are fewer people. Raises: UsageError as `fit_lda` does.
    """
    people, label, count = np.unique(subjects, return_inverse=True, return_counts=True)
    if len(people) < 3 or count.max() < 2:
        raise UsageError(
            f"LDA takes three people or more with several windows; here are {len(people)} people, "
            f"{count.max(initial=0)} window(s) at most"
        )
    mean = beats.mean(axis=0, dtype=np.float64)
    centred = beats - mean
    n_principal = min(N_PRINCIPAL, len(beats) - 1, BEAT_SAMPLES - 1)
    principal = _largest(centred.T @ centred, n_principal)
    reduced = centred @ principal
    means = np.zeros((len(people), n_principal))
    np.add.at(means, label, reduced)
    means /= count[:, None]
    inside = reduced - means[label]
    within = inside.T @ inside / len(beats)
    between = (means * count[:, None]).T @ means / len(beats)
    within += 1e-5 * np.trace(within) / n_principal * np.eye(n_principal)  # few windows: keep it invertible
    discriminant = _largest(between, min(N_DISCRIMINANT, len(people) - 1, n_principal), within)
    return LdaModel(mean, principal @ discriminant)


def _largest(matrix: NDArray[np.float64], n: int, metric: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Returns the `n` leading eigenvectors as columns, the strongest first, signs fixed by the largest entry."""
    last = len(matrix) - 1
    _, vectors = eigh(matrix, metric, subset_by_index=(last - n + 1, last))
    vectors = vectors[:, ::-1]
    strongest = np.abs(vectors).argmax(axis=0)
    return np.asarray(vectors * np.sign(vectors[strongest, np.arange(n)]))
