"""The activity gate: does an artefact tell the same activities as its float network, on people who did not train?

Windows with a known activity of the people whom the biometric gate looks at, and of those who validate. Everybody
counts alike; intervals resample people, the same draw for both networks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.gate import gate_rows
from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.bootstrap import MIN_PEOPLE, draw_people
from ecgkd.evaluation.drawn import activity_figures, share_figure
from ecgkd.evaluation.labelled import Labelled, labelled_of, people_of
from ecgkd.protocols.protocol import Protocol

Logits = Callable[[NDArray[np.int8]], NDArray[np.float32]]
"""The front end's windows (n, …) to scores of the activities (n, A)."""

LOSS = 0.02
"""Of accuracy, in shares: most that an artefact may tell worse than its float network."""
LOSS_UPPER = 0.05
"""An interval that reaches above this decides nothing; where people are too few for one, a loss above it fails."""
REPLICATES = 1000


def activity_gate(
    reference: Logits, candidate: Logits, activities: Sequence[str], protocol: Protocol, sets: Sequence[PreparedSet]
) -> dict[str, Any]:
    """Returns the verdict as a plain dictionary: `result`, its reason in words, and the figures (shares, not percent).

    `absent` without labelled windows of people who did not train. Fewer than five people are `undecided` and do not
    count (`counts` is false), nor do people who are all synthetic; what is clearly worse fails on any number.
    """
    found = labelled(protocol, sets, activities)
    if found is None:
        why = f"protocol {protocol.name!r} has no window of a person who did not train that is labelled"
        return {"result": "absent", "why": f"{why} {', '.join(activities)}"}
    told = [logits(found.windows).argmax(1).astype(np.int64) for logits in (reference, candidate)]
    figures = _figures(found, told[0], told[1], len(activities))
    result, why = _verdict(figures)
    synthetic = all(one.synthetic for one in sets)
    counts = result == "failed" or (result == "undecided" and figures["people"] >= MIN_PEOPLE and not synthetic)
    return {"result": result, "why": why, "counts": counts, "synthetic": synthetic, **figures}


def labelled(protocol: Protocol, sets: Sequence[PreparedSet], activities: Sequence[str]) -> Labelled | None:
    """Returns the labelled windows of development people, or of those whom a fold leaves out; None without any."""
    trained = frozenset(people_of(protocol.train, sets))
    spans = {span for row in gate_rows(protocol) for span in (*row.enrol, *row.probe)} | set(protocol.validate)
    return labelled_of(sorted(spans), sets, activities, trained)


def _figures(found: Labelled, before: NDArray[np.int64], after: NDArray[np.int64], n_activities: int) -> dict[str, Any]:
    """Returns accuracy and macro-F1 of both networks, what the second loses, and how many answers it changes."""
    people, person = np.unique(found.person, return_inverse=True)
    draws = draw_people(len(people), REPLICATES)
    was, now = (activity_figures(found.activity, told, person, n_activities, draws) for told in (before, after))
    delta = now["activity_accuracy"].less(was["activity_accuracy"])
    return {
        "people": len(people),
        "windows": len(found.activity),
        "activity_accuracy_float": was["activity_accuracy"].value,
        "activity_accuracy": now["activity_accuracy"].value,
        "activity_f1_float": was["activity_f1"].value,
        "activity_f1": now["activity_f1"].value,
        "delta_activity": delta.value,
        "delta_activity_ci95": None if delta.low is None else [delta.low, delta.high],
        "changed_answers": share_figure((before != after).astype(np.float64), person, draws).value,
    }


def _verdict(figures: dict[str, Any]) -> tuple[str, str]:
    """Returns the result and why, in words."""
    points, bounds = 100 * figures["delta_activity"], figures["delta_activity_ci95"]
    told = f"{100 * figures['activity_accuracy']:.1f} % of {figures['windows']} windows right"
    lost = f"{told}, {points:+.1f} points against float"
    if bounds is None:
        who = f"{figures['people']} {'person' if figures['people'] == 1 else 'people'}"
        if -figures["delta_activity"] > LOSS_UPPER:
            return "failed", f"{lost}; allowed {-100 * LOSS_UPPER:.0f} on {who}"
        return "undecided", f"too few people for an interval: {who}; {lost}"
    reach = f"({100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f})"
    if -figures["delta_activity"] > LOSS:
        return "failed", f"{lost} {reach}; allowed {-100 * LOSS:.0f}"
    if -bounds[0] > LOSS_UPPER:
        return (
            "undecided",
            f"{lost} {reach}: the interval reaches below {-100 * LOSS_UPPER:.0f}, more people are needed",
        )
    return "passed", f"{lost} {reach}"
