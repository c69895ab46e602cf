"""Whether knowing what somebody does makes the decision who it is better: thresholds and scores by activity.

Every fold's people are decided on with what the other folds' people gave: thresholds, means and deviations never come
from those whom they decide on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import UsageError
from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.drawn import Figure, Floats, share_figure
from ecgkd.evaluation.dual_task import Outputs, Pooled, Tiles, Trial, eer_figure, pool
from ecgkd.evaluation.metrics import det_curve

FMR = 0.25
"""That thresholds are set for: ten people in three folds make twelve pairs, which support no claim below it."""
MIN_IMPOSTORS = 30
"""Impostor comparisons of an activity, below which it gets what all activities together give."""
SINGLE, BY_ACTIVITY, NORMALISED = "single threshold", "threshold by activity", "scores normalised by activity"
METHODS = (SINGLE, BY_ACTIVITY, NORMALISED)


@dataclass(frozen=True)
class Conditioned:
    """What one way of deciding does on unseen people."""

    method: str
    activity: str
    """`told` by the network, or the `true` one."""
    eer: Measured
    fmr: Measured
    fnmr: Measured
    eer_less: Measured
    """EER minus that of the single threshold, same draws of people."""
    error_less: Measured
    """(FMR + FNMR) / 2 at the fitted thresholds, minus that of the single threshold."""

    @property
    def wins(self) -> bool:
        """Whether it makes fewer errors at its thresholds, beyond doubt."""
        return self.error_less.high is not None and self.error_less.high < 0


def told_of_probes(trials: Sequence[Trial], outputs: Sequence[Outputs]) -> list[NDArray[np.int64]]:
    """Returns the activity (n_probes,) that each trial's probes show, by the mean log-probability of their windows."""
    found = []
    for trial in trials:
        logits = outputs[trial.fold].logits
        if logits is None:
            raise UsageError("these networks have no activity head, so nothing can depend on activity")
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        found.append(log_p[trial.probe_windows].mean(axis=1).argmax(axis=1).astype(np.int64))
    return found


def true_of_probes(trials: Sequence[Trial], all_tiles: Tiles, activities: Sequence[str]) -> list[NDArray[np.int64]]:
    """Returns the activity (n_probes,) that the label of each trial's probes names, by its position."""
    number = {name: n for n, name in enumerate(activities)}
    return [
        np.array([number[str(all_tiles.activity[window])] for window in trial.probe_windows[:, 0]], np.int64)
        for trial in trials
    ]


def condition(
    trials: Sequence[Trial],
    activity: Sequence[NDArray[np.int64]],
    n_activities: int,
    group: Sequence[int],
    draws: NDArray[np.floating],
    source: str = "told",
) -> list[Conditioned]:
    """Returns what each method does. `group` (n_folds,) says which partition of the people a fold belongs to: only
    folds of one partition decide for each other.
    """
    pooled = pool(trials)
    shown = np.concatenate(
        [np.repeat(mine, trial.comparisons.scores.shape[1]) for trial, mine in zip(trials, activity, strict=True)]
    )
    partition = np.array(group, np.int64)[pooled.fold]
    found: list[Conditioned] = []
    base: tuple[Figure, Figure] | None = None
    for method in METHODS:
        margin = np.empty(len(pooled.scores))
        for fold in np.unique(pooled.fold):
            mine = pooled.fold == fold
            others = (partition == group[int(fold)]) & ~mine
            margin[mine] = _margins(method, pooled, shown, n_activities, others, mine)
        moved = replace(pooled, scores=margin)
        rate = eer_figure(moved, draws)
        fmr, fnmr = _errors(moved, draws)
        half = Figure((fmr.value + fnmr.value) / 2, (fmr.replicates + fnmr.replicates) / 2, fnmr.n_people)
        base = base or (rate, half)
        measured = (rate.measured, fmr.measured, fnmr.measured, rate.less(base[0]), half.less(base[1]))
        found.append(Conditioned(method, source, *measured))
    return found


def _margins(
    method: str,
    pooled: Pooled,
    shown: NDArray[np.int64],
    n_activities: int,
    fitted_on: NDArray[np.bool_],
    asked: NDArray[np.bool_],
) -> Floats:
    """Returns the scores of `asked` over their thresholds, which `fitted_on` sets."""
    scores, activity = pooled.scores[asked], shown[asked]
    if method == SINGLE:
        return scores - _threshold(pooled, pooled.scores, fitted_on)
    if method == BY_ACTIVITY:
        everywhere = _threshold(pooled, pooled.scores, fitted_on)
        of = np.array([_threshold_of(pooled, shown, n, fitted_on, everywhere) for n in range(n_activities)])
        return np.asarray(scores - of[activity])
    mean, spread = _impostors(pooled, shown, n_activities, fitted_on)
    normed = (pooled.scores - mean[shown]) / spread[shown]
    return np.asarray(normed[asked] - _threshold(pooled, normed, fitted_on))


def _threshold(pooled: Pooled, scores: Floats, chosen: NDArray[np.bool_]) -> float:
    """Returns the lowest threshold that keeps the FMR of the `chosen` comparisons."""
    own, other = chosen & pooled.genuine, chosen & ~pooled.genuine
    curve = det_curve(scores[own], scores[other], pooled.weight[own], pooled.weight[other])
    return curve.at_fmr(FMR)[1]


def _threshold_of(
    pooled: Pooled, shown: NDArray[np.int64], activity: int, fitted_on: NDArray[np.bool_], otherwise: float
) -> float:
    chosen = fitted_on & (shown == activity)
    enough = (chosen & ~pooled.genuine).sum() >= MIN_IMPOSTORS and (chosen & pooled.genuine).any()
    return _threshold(pooled, pooled.scores, chosen) if enough else otherwise


def _impostors(
    pooled: Pooled, shown: NDArray[np.int64], n_activities: int, fitted_on: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Returns mean and deviation (n_activities,) of the impostor scores of each activity."""
    other = fitted_on & ~pooled.genuine
    mean, spread = np.empty(n_activities), np.empty(n_activities)
    for activity in range(n_activities):
        mine = other & (shown == activity)
        chosen = mine if mine.sum() >= MIN_IMPOSTORS else other
        values, weight = pooled.scores[chosen], pooled.weight[chosen]
        mean[activity] = np.average(values, weights=weight)
        spread[activity] = max(np.average((values - mean[activity]) ** 2, weights=weight) ** 0.5, 1e-6)
    return mean, spread


def _errors(moved: Pooled, draws: NDArray[np.floating]) -> tuple[Figure, Figure]:
    """Returns FMR and FNMR of scores that are accepted from zero on."""
    accepted = (moved.scores >= 0).astype(np.float64)
    own = moved.genuine
    n = draws.shape[1]
    fnmr = share_figure(1 - accepted[own], moved.probe[own], draws)
    weight, total = np.zeros((n, n)), np.zeros((n, n))
    np.add.at(weight, (moved.probe[~own], moved.template[~own]), moved.weight[~own])
    np.add.at(total, (moved.probe[~own], moved.template[~own]), (moved.weight * accepted)[~own])
    person = np.asarray(draws, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = ((person @ total) * person).sum(1) / ((person @ weight) * person).sum(1)
    return Figure(float(total.sum() / weight.sum()), drawn, fnmr.n_people), fnmr
