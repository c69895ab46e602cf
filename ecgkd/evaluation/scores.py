"""From embeddings to scores: fused templates and probes, cosines, and their adaptive normalisation.

The same arithmetic as `ecgkd.enrolment.decision` does in integers, here in floating point and for many at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import UsageError

Floats = NDArray[np.float32]

COHORT_TOP = 40
MIN_SIGMA = 1 / 128
"""Least standard deviation of the closest cohort cosines, as in the integer decision."""
FAILED_MARGIN = 1.0
"""Failed comparisons score this much below the lowest score."""


@dataclass(frozen=True)
class Comparisons:
    """Every probe against every template. Same person: genuine; another person: impostor."""

    scores: Floats
    """(n_probes, n_templates), higher is more alike."""
    probe_subject: NDArray[np.int64]
    """(n_probes,), numbers shared with `template_subject`."""
    template_subject: NDArray[np.int64]
    """(n_templates,)"""

    def __post_init__(self) -> None:
        expected = (len(self.probe_subject), len(self.template_subject))
        if self.scores.shape != expected:
            raise UsageError(f"scores of shape {self.scores.shape}; expected {expected}, probes by templates")

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """(n_probes, n_templates)"""
        return self.probe_subject[:, None] == self.template_subject[None, :]

    def weights(self) -> NDArray[np.float64]:
        """Returns the weight (n_probes, n_templates) of each comparison.

        Genuine comparisons of a person sum to 1, impostor comparisons of an ordered pair of people sum to 1.
        """
        _, probe, n_probes = np.unique(self.probe_subject, return_inverse=True, return_counts=True)
        _, template, n_templates = np.unique(self.template_subject, return_inverse=True, return_counts=True)
        return 1.0 / (n_probes[probe][:, None] * n_templates[template][None, :])


def unit(vectors: NDArray[np.floating]) -> Floats:
    """Returns the rows (n, D) scaled to norm 1; zero rows stay zero."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norm, 1e-12)).astype(np.float32)


def fuse(embeddings: Floats, groups: NDArray[np.int64]) -> Floats:
    """Returns the unit-norm sums (n_groups, D) of the embeddings that `groups` (n_groups, k) name; -1 names none.

    A group of nothing gives zero.
    """
    total = np.zeros((len(groups), embeddings.shape[1]), np.float32)
    for column in groups.T:
        there = column >= 0
        total[there] += embeddings[column[there]]
    return unit(total)


def cosine(probes: Floats, templates: Floats) -> Floats:
    """Returns the cosines (n, m) of unit vectors (n, D) and (m, D)."""
    return probes @ templates.T


def cohort_statistics(near: NDArray[np.floating], top: int = COHORT_TOP) -> tuple[Floats, Floats]:
    """Returns mean (n,) and standard deviation (n,) of the `top` largest of each row of cohort cosines (n, c)."""
    if top < near.shape[1]:
        near = np.partition(near, near.shape[1] - top, axis=1)[:, -top:]
    mean = near.mean(axis=1, dtype=np.float64)
    sigma = np.maximum(near.std(axis=1, dtype=np.float64), MIN_SIGMA)
    return mean.astype(np.float32), sigma.astype(np.float32)


def as_norm(
    scores: Floats,
    probe_vs_cohort: NDArray[np.floating],
    template_vs_cohort: NDArray[np.floating],
    top: int = COHORT_TOP,
) -> Floats:
    """Returns S = ½ (Z + T): scores (n, m) seen from the template's and from the probe's closest cohort members.

    `probe_vs_cohort` (n, c) and `template_vs_cohort` (m, c) are cosines. Source: Cumani et al. 2011 (adaptive
    symmetric normalisation).
    """
    probe_mean, probe_sigma = cohort_statistics(probe_vs_cohort, top)
    template_mean, template_sigma = cohort_statistics(template_vs_cohort, top)
    # ½ ((s − μt)/σt + (s − μp)/σp) in one pass: s·(a + b) − (μt·a + μp·b), with a = ½/σt and b = ½/σp.
    a, b = 0.5 / template_sigma, 0.5 / probe_sigma
    normed = a[None, :] + b[:, None]
    normed *= scores
    normed -= (template_mean * a)[None, :]
    normed -= (probe_mean * b)[:, None]
    return normed


def compare(probes: Floats, templates: Floats, cohort: Floats | None = None, top: int = COHORT_TOP) -> Floats:
    """Returns the scores (n, m) of fused unit vectors: cosines, or AS-norm with unit cohort centroids (c, D).

    A zero vector stands for a failure (nothing usable was acquired): all its comparisons score below all others, so
    that a genuine one counts as a false rejection and none as a false match.
    """
    scores = cosine(probes, templates)
    if cohort is not None:
        scores = as_norm(scores, cosine(probes, cohort), cosine(templates, cohort), top)
    lost_probe, lost_template = ~probes.any(axis=1), ~templates.any(axis=1)
    if lost_probe.any() or lost_template.any():
        lost = lost_probe[:, None] | lost_template[None, :]
        floor = scores[~lost].min() if not lost.all() else np.float32(0)
        scores[lost] = floor - FAILED_MARGIN
    return scores
