"""The biometric gate: does an artefact make the same decisions as its float network, on the same comparisons?

Rows of the protocol on development people, each scored by both networks; a row weighs by the people it compares with
themselves. Intervals resample people, the same draw for both networks and all rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.bootstrap import MIN_PEOPLE, draw_people, interval, people_of, resample
from ecgkd.evaluation.metrics import decision_flips
from ecgkd.evaluation.scores import Comparisons, compare, fuse, unit
from ecgkd.protocols.protocol import FOLDS, Protocol, Row
from ecgkd.protocols.trials import enrol_groups, network_windows, probe_groups, row_windows

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]

DELTA_EER = 0.003
DELTA_EER_UPPER = 0.01
"""An interval that reaches above this decides nothing."""
FLIPS = 0.01
MIN_GENUINE = 100
"""With fewer genuine comparisons a single flip weighs more than `FLIPS`."""
ENROL_WINDOWS, PROBE_WINDOWS = 6, 3
"""Where the contract has no threshold to say so."""
REPLICATES = 1000


@dataclass(frozen=True)
class RowPair:
    """One row as both networks see it."""

    name: str
    subjects: tuple[str, ...]
    reference: Comparisons
    candidate: Comparisons

    @property
    def n_people(self) -> int:
        """People who are compared with themselves."""
        return len(np.intersect1d(self.reference.probe_subject, self.reference.template_subject))


@dataclass(frozen=True)
class _Rates:
    """Of one row: (reference, candidate) at everybody and in each replicate, and what flips."""

    eer: tuple[float, float]
    delta: NDArray[np.float64]
    fmr: tuple[float, float]
    fnmr: tuple[float, float]
    flips: tuple[float, float]
    """Genuine, impostor: shares, people counting alike."""
    flipped: tuple[int, int]
    """The same comparisons, counted."""


def biometric_gate(
    reference: Embed, candidate: Embed, contract: Contract, protocol: Protocol, sets: Sequence[PreparedSet]
) -> dict[str, Any]:
    """Returns the verdict as a plain dictionary: `result`, its reason in words, and the figures (shares, not percent).

    Too few people decide nothing (`undecided`): that counts as failed, unless all people are synthetic, who prove
    nothing in any number, or the protocol leaves everybody out in turn, whose networks are never handed on (`counts`
    is false then). What is clearly worse fails on any number of people.
    """
    rows = gate_rows(protocol)
    pairs = [pair for row in rows if (pair := score_row(reference, candidate, row, contract, sets)) is not None]
    if not pairs:
        return {"result": "absent", "why": f"protocol {protocol.name!r} compares no development people"}
    figures = _figures(pairs, contract)
    result, why = _verdict(figures)
    used = {span.set for row in rows for span in (*row.enrol, *row.probe)}
    synthetic = all(one.synthetic for one in sets if one.name in used)
    counts = result == "failed" or (result == "undecided" and not synthetic and protocol.kind != FOLDS)
    return {"result": result, "why": why, "counts": counts, "synthetic": synthetic, **figures}


def gate_rows(protocol: Protocol) -> list[Row]:
    """Returns the rows that gates look at: those of development people.

    A protocol that leaves everybody out in turn has none; there it is those of the people who are left out. Nothing
    is chosen by a gate, and its networks are evidence.
    """
    population = "test" if protocol.kind == FOLDS else "development"
    return [row for row in protocol.rows if row.population == population and not row.leaky]


def score_row(
    reference: Embed, candidate: Embed, row: Row, contract: Contract, sets: Sequence[PreparedSet]
) -> RowPair | None:
    """Returns the comparisons of `row` by both networks, None where nobody is compared with himself or others."""
    windows = row_windows(row, sets)
    threshold = contract.threshold
    enrol = enrol_groups(windows.enrol, threshold.enrol_windows if threshold else ENROL_WINDOWS)
    probe = probe_groups(windows.probe, threshold.probe_windows if threshold else PROBE_WINDOWS)
    if len(np.unique(enrol.subject)) < 2 or not np.isin(probe.subject, enrol.subject).any():
        return None
    sides = network_windows(windows.enrol, sets), network_windows(windows.probe, sets)
    found = []
    for embed in (reference, candidate):
        templates, probes = fuse(embed(sides[0]), enrol.windows), fuse(embed(sides[1]), probe.windows)
        scores = compare(probes, templates, _cohort(contract), contract.cohort_top)
        found.append(Comparisons(scores, probe.subject, enrol.subject))
    return RowPair(row.name, windows.subjects, found[0], found[1])


def _cohort(contract: Contract) -> NDArray[np.float32] | None:
    if contract.threshold is None or contract.threshold.kind != "as_norm":
        return None
    return unit(np.array(contract.cohort, np.float32))


def _figures(pairs: Sequence[RowPair], contract: Contract) -> dict[str, Any]:
    """Returns what is decided on, over all rows."""
    names = sorted({name for pair in pairs for name in pair.subjects})
    number = {name: i for i, name in enumerate(names)}
    draws = draw_people(len(names), REPLICATES)
    rates = []
    for pair in pairs:
        columns = [number[pair.subjects[i]] for i in people_of(pair.reference)]
        rates.append(_rates(pair, draws[:, columns], contract))
    weight = np.array([pair.n_people for pair in pairs], float)

    def over_rows(values: Sequence[float]) -> float:
        return float(np.average(values, weights=weight))

    known = np.array([rate.delta for rate in rates])
    delta = over_rows([rate.eer[1] - rate.eer[0] for rate in rates])
    measured = interval(delta, weight @ known / weight.sum(), int(weight.max()))
    return {
        "rows": [pair.name for pair in pairs],
        "people": int(weight.max()),
        "genuine": sum(int(pair.reference.genuine.sum()) for pair in pairs),
        "impostor": sum(int((~pair.reference.genuine).sum()) for pair in pairs),
        "eer_float": over_rows([rate.eer[0] for rate in rates]),
        "eer": over_rows([rate.eer[1] for rate in rates]),
        "delta_eer": delta,
        "delta_eer_ci95": None if measured.low is None else [measured.low, measured.high],
        "threshold": contract.threshold.value if contract.threshold else "each row's EER of the float network",
        "fmr_float": over_rows([rate.fmr[0] for rate in rates]),
        "fmr": over_rows([rate.fmr[1] for rate in rates]),
        "fnmr_float": over_rows([rate.fnmr[0] for rate in rates]),
        "fnmr": over_rows([rate.fnmr[1] for rate in rates]),
        "genuine_flips": over_rows([rate.flips[0] for rate in rates]),
        "impostor_flips": over_rows([rate.flips[1] for rate in rates]),
        "genuine_flipped": sum(rate.flipped[0] for rate in rates),
        "impostor_flipped": sum(rate.flipped[1] for rate in rates),
    }


def _rates(pair: RowPair, draws: NDArray[np.float32], contract: Contract) -> _Rates:
    before, after = (resample(one, draws) for one in (pair.reference, pair.candidate))
    point, at_eer = before.curve.equal_error_point()
    threshold = contract.threshold.value if contract.threshold else at_eer
    (fmr_before, fnmr_before), (fmr_after, fnmr_after) = (one.curve.at_threshold(threshold) for one in (before, after))
    accepted = [one.scores >= np.float32(threshold) for one in (pair.reference, pair.candidate)]
    genuine, weights = pair.reference.genuine, pair.reference.weights()
    changed = accepted[0] != accepted[1]
    flips = [decision_flips(accepted[0][kind], accepted[1][kind], weights[kind]) for kind in (genuine, ~genuine)]
    return _Rates(
        eer=(point, after.curve.eer()),
        delta=after.eer - before.eer,
        fmr=(fmr_before, fmr_after),
        fnmr=(fnmr_before, fnmr_after),
        flips=(flips[0], flips[1]),
        flipped=(int((changed & genuine).sum()), int((changed & ~genuine).sum())),
    )


def _verdict(figures: dict[str, Any]) -> tuple[str, str]:
    """Returns the result and why, in words."""
    points = 100 * figures["delta_eer"]
    bounds = figures["delta_eer_ci95"]
    if bounds is not None and bounds[0] > DELTA_EER:
        return "failed", f"EER grows by {points:.2f} points, at least {100 * bounds[0]:.2f}; allowed {100 * DELTA_EER}"
    if bounds is None or figures["genuine"] < MIN_GENUINE:
        found = f"{figures['people']} people in {figures['genuine']} genuine comparisons"
        needed = f"{MIN_PEOPLE} people and {MIN_GENUINE} comparisons are needed"
        return "undecided", f"too few people: {found}; {needed}"
    if figures["delta_eer"] > DELTA_EER:
        return "failed", f"EER grows by {points:.2f} points; allowed {100 * DELTA_EER}"
    for kind in ("genuine", "impostor"):
        share, count = figures[f"{kind}_flips"], f"{figures[f'{kind}_flipped']} of {figures[kind]:,}"
        if share > FLIPS:
            return "failed", f"{100 * share:.2f} % of {kind} decisions flip ({count}); allowed {100 * FLIPS:.0f} %"
    if bounds[1] > DELTA_EER_UPPER:
        reach = f"the interval of ΔEER reaches {100 * bounds[1]:.2f} points, above {100 * DELTA_EER_UPPER:.0f}"
        return "undecided", f"{reach}: more people are needed"
    return "passed", f"ΔEER {points:+.2f} points ({100 * bounds[0]:+.2f} to {100 * bounds[1]:+.2f})"
