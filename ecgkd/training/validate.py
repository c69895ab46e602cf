"""How well strangers are told apart while training: EER on the protocol's development people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.labelled import Labelled, labelled_of
from ecgkd.evaluation.metrics import eer
from ecgkd.evaluation.scores import Comparisons, cosine, fuse
from ecgkd.protocols.protocol import Protocol, Row, Span
from ecgkd.protocols.trials import Groups, enrol_groups, network_windows, probe_groups, row_windows
from ecgkd.training.embed import activity_logits, embed_windows

ENROL_WINDOWS = 6
PROBE_WINDOWS = 3


@dataclass(frozen=True)
class Comparison:
    """One row of the protocol, ready to be scored again and again."""

    name: str
    kind: str
    subjects: tuple[str, ...]
    """People by the numbers that the groups and their scores carry."""
    enrol_windows: NDArray[np.int8]
    probe_windows: NDArray[np.int8]
    enrol: Groups
    probe: Groups


def labelled_windows(protocol: Protocol, sets: Sequence[PreparedSet], activities: Sequence[str]) -> Labelled | None:
    """Returns the windows of the development people that carry one of `activities`, None where there is none.

    Those of the protocol's rows, or of its `validate` where no row has any.
    """
    rows = [row for row in protocol.rows if row.population == "development" and not row.leaky]
    of_rows = {span for row in rows for span in (*row.enrol, *row.probe)}
    for spans in (of_rows, set(protocol.validate)):
        found = labelled_of(sorted(spans), sets, activities)
        if found is not None:
            return found
    return None


def activity_accuracy(model: nn.Module, labelled: Labelled) -> float:
    """Returns the share of windows whose activity is recognised, everybody and every activity counting alike."""
    right = (activity_logits(model, labelled.windows).argmax(1) == labelled.activity).astype(np.float64)
    cell = np.unique(np.stack([labelled.person, labelled.activity]), axis=1, return_inverse=True)[1].ravel()
    return float(np.mean(np.bincount(cell, right) / np.bincount(cell)))


def eer_of(found: Comparisons, person: NDArray[np.float64] | None = None) -> float:
    """Returns the EER, 0 … 1, of people who count alike or as often as `person` (n_subjects,) says (a bootstrap's)."""
    mass, own = found.weights(), found.genuine
    if person is not None:
        theirs = person[found.probe_subject]
        mass = mass * np.where(own, theirs[:, None], theirs[:, None] * person[found.template_subject][None, :])
    return eer(found.scores[own], found.scores[~own], mass[own], mass[~own])


def comparisons(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Comparison]:
    """Returns the development rows of a protocol, without leaky ones, or what its `validate` spans allow."""
    rows = [row for row in protocol.rows if row.population == "development" and not row.leaky]
    found = [_comparison(row, sets) for row in rows or _rows_of(protocol.validate, sets)]
    return [one for one in found if len(one.probe) and len(np.unique(one.enrol.subject)) > 1]


def _comparison(row: Row, sets: Sequence[PreparedSet]) -> Comparison:
    windows = row_windows(row, sets)
    return Comparison(
        row.name,
        row.kind,
        windows.subjects,
        network_windows(windows.enrol, sets),
        network_windows(windows.probe, sets),
        enrol_groups(windows.enrol, ENROL_WINDOWS),
        probe_groups(windows.probe, PROBE_WINDOWS),
    )


def _rows_of(spans: Sequence[Span], sets: Sequence[PreparedSet]) -> list[Row]:
    """Returns one row that enrols each person's first session and probes with later ones."""
    by_name = {one.name: one for one in sets}
    place = [(by_name[span.set], by_name[span.set].find(span.record)) for span in spans]
    first: dict[str, int] = {}
    for one, i in place:
        subject = str(one.subject[i])
        first[subject] = min(first.get(subject, int(one.session[i])), int(one.session[i]))
    early = [int(one.session[i]) == first[str(one.subject[i])] for one, i in place]
    enrol = tuple(span for span, is_early in zip(spans, early, strict=True) if is_early)
    probe = tuple(span for span, is_early in zip(spans, early, strict=True) if not is_early)
    return [Row("validate", "development", "cross-session", enrol, probe)] if enrol and probe else []


def score(model: nn.Module, comparison: Comparison) -> Comparisons:
    """Returns the cosines between the fused windows of both sides."""
    templates = fuse(embed_windows(model, comparison.enrol_windows), comparison.enrol.windows)
    probes = fuse(embed_windows(model, comparison.probe_windows), comparison.probe.windows)
    return Comparisons(cosine(probes, templates), comparison.probe.subject, comparison.enrol.subject)


def validate(model: nn.Module, ready: Sequence[Comparison]) -> dict[str, float]:
    """Returns the EER of every row, and under `mean` that over the cross-session rows (over all if there are none)."""
    eers = {one.name: eer_of(score(model, one)) for one in ready}
    across = [eers[one.name] for one in ready if one.kind == "cross-session"] or list(eers.values())
    return {**eers, "mean": float(np.mean(across))} if eers else {}
