"""What people do, told by networks that tell it, on the labelled windows of people who train nothing.

Beside them stand the most common activity and the heart rate alone, both fitted to the protocol's training people.
Temperatures are fitted on its calibration people, else on those who validate; never on whoever is tested.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation import calibration
from ecgkd.evaluation.activity_baselines import by_heart_rate, heart_rate, majority
from ecgkd.evaluation.bootstrap import Floats, draw_people
from ecgkd.evaluation.drawn import Figure, activity_figures, share_figure
from ecgkd.evaluation.labelled import Asked, Person, labelled, people_of
from ecgkd.evaluation.material import make_pool
from ecgkd.evaluation.results import ActivityCalibration, ActivityDifference, Told
from ecgkd.protocols.protocol import Protocol, Row
from ecgkd.protocols.trials import network_windows, span_windows

Tell = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Progress = Callable[[int, int, str], None]

MAJORITY, HEART_RATE = "most common activity", "heart rate"
TRAINING_WINDOWS = 20_000
"""Training windows of the baselines, evenly spread."""
BLOCK = 4096


@dataclass(frozen=True)
class Teller:
    """A network that tells activities."""

    name: str
    tell: Tell
    """int8 windows (n, 1000), or (n, leads, 1000), to float32 logits (n, n_activities)."""
    activities: tuple[str, ...]
    leads: tuple[str, ...] = ()
    """That it takes; () for the first that a set has."""


def told_activities(
    tellers: Sequence[Teller],
    protocol: Protocol,
    rows: Sequence[Row],
    sets: Sequence[PreparedSet],
    replicates: int,
    progress: Progress | None = None,
    baselines: bool = True,
) -> tuple[list[Told], list[ActivityDifference]]:
    """Returns what each network told on each population of the open `rows`, and by how much it beats others.

    A population that shows fewer than two of a network's activities is left out.
    """
    found: list[Told] = []
    differences: list[ActivityDifference] = []
    trained = frozenset(people_of(protocol.train, sets))
    open_rows = [row for row in rows if row.population != "closed-set" and not row.leaky]
    populations = list(dict.fromkeys(row.population for row in open_rows))
    for activities in dict.fromkeys(teller.activities for teller in tellers):
        group = [teller for teller in tellers if teller.activities == activities]
        tested = {}
        for population in populations:
            pooled = make_pool([row for row in open_rows if row.population == population], sets).windows
            one = labelled(pooled, sets, activities, trained)
            if len(np.unique(one.truth)) > 1:
                tested[population] = one
        if not tested:
            continue
        base = Baselines.fit(protocol, sets, activities) if baselines else None
        fitting = _to_fit(protocol, sets, activities, trained)
        fitted = [_fit(teller, fitting, sets) for teller in group]
        for population, one in tested.items():
            evidence = next(row.evidence for row in open_rows if row.population == population)
            draws = draw_people(len(one.people), replicates)
            told: list[tuple[Told, Figure]] = []
            for number, teller in enumerate(group):
                if progress is not None:
                    progress(number, len(group), f"activities, {teller.name}, {population}")
                logits = _logits(teller, one, sets)
                checked = calibrated(logits, one.truth, *fitted[number], one.people)
                told.append(_told(teller.name, population, evidence, activities, one, logits, draws, checked))
            beside = base.scores(one, sets, len(activities)) if base is not None else {}
            lines = [_told(name, population, evidence, activities, one, s, draws, None) for name, s in beside.items()]
            best = max((line[0].accuracy.value for line in lines), default=0.0)
            found += [replace(line, below_baseline=line.accuracy.value < best) for line, _ in told]
            found += [replace(line, baseline=True) for line, _ in lines]
            differences += _differences(population, told, lines)
    return found, differences


@dataclass(frozen=True)
class Baselines:
    """What training people say of activities: how common each is, and at which heart rates."""

    labels: NDArray[np.int64]
    rates: NDArray[np.float64]
    """Beats a minute, NaN where there are none."""

    @classmethod
    def fit(cls, protocol: Protocol, sets: Sequence[PreparedSet], activities: Sequence[str]) -> "Baselines | None":
        """Returns them, None where no training person is labelled."""
        one = labelled(span_windows(protocol.train, sets), sets, activities)
        step = max(1, -(-len(one) // TRAINING_WINDOWS))
        part = one.windows
        part = replace(part, subject=part.subject[::step], recording=part.recording[::step], start=part.start[::step])
        return cls(one.truth[::step], heart_rate(network_windows(part, sets))) if len(one) else None

    def scores(self, one: Asked, sets: Sequence[PreparedSet], n: int) -> dict[str, NDArray[np.float64]]:
        """Returns the scores (n_windows, n) that each baseline gives."""
        asked = heart_rate(one.inputs(sets))
        return {
            MAJORITY: majority(self.labels, len(one)),
            HEART_RATE: by_heart_rate(self.rates, self.labels, asked, n),
        }


def calibrated(
    logits: NDArray[np.floating],
    truth: NDArray[np.int64],
    temperature: float | None,
    fitted_on: str,
    fitted_people: frozenset[Person],
    people: Sequence[Person],
) -> ActivityCalibration:
    """Returns how far the probabilities can be believed, at a temperature of 1 where none was fitted."""
    scaled = np.asarray(logits, np.float64) / (temperature or 1.0)
    probability = softmax(scaled, axis=1)
    confidence, right = probability.max(axis=1), scaled.argmax(axis=1) == truth
    return ActivityCalibration(
        ece=calibration.expected_calibration_error(confidence, right),
        nll=calibration.negative_log_likelihood(scaled, truth),
        brier=calibration.brier(scaled, truth),
        temperature=temperature or 1.0,
        fitted_on=fitted_on,
        fitted_here=bool(fitted_people & set(people)),
        reliability=calibration.reliability(confidence, right),
    )


Fitted = tuple[float | None, str, frozenset[Person]]
"""Temperature, on whom it was fitted in words, and who they are."""


def _to_fit(
    protocol: Protocol, sets: Sequence[PreparedSet], activities: Sequence[str], trained: frozenset[Person]
) -> tuple[Asked, str] | None:
    """Returns the windows that temperatures are fitted on, and what those people are; None where nobody is labelled."""
    at_hand = {one.name for one in sets}
    for spans, what in ((protocol.calibrate, "calibration"), (protocol.validate, "validation")):
        mine = [span for span in spans if span.set in at_hand]
        one = labelled(span_windows(mine, sets), sets, activities, trained)
        if len(np.unique(one.truth)) > 1:
            return one, what
    return None


def _fit(teller: Teller, fitting: tuple[Asked, str] | None, sets: Sequence[PreparedSet]) -> Fitted:
    if fitting is None:
        return None, "", frozenset()
    one, what = fitting
    found = calibration.fit_temperature(np.asarray(_logits(teller, one, sets), np.float64), one.truth)
    return found, f"{len(one.people)} {what} people", frozenset(one.people)


def _logits(teller: Teller, one: Asked, sets: Sequence[PreparedSet]) -> NDArray[np.float32]:
    """Returns what a network says (n, n_activities). Raises: UsageError where that is something else."""
    inputs = one.inputs(sets, teller.leads)
    parts = [np.asarray(teller.tell(inputs[start : start + BLOCK])) for start in range(0, len(inputs), BLOCK)]
    logits = np.concatenate(parts)
    if logits.shape != (len(one), len(teller.activities)) or not np.isfinite(logits).all():
        raise UsageError(
            f"{teller.name} tells {logits.shape[1:]} finite figures a window, but names {len(teller.activities)} "
            "activities; export it again"
        )
    return logits.astype(np.float32, copy=False)


def _told(
    name: str,
    population: str,
    evidence: str,
    activities: tuple[str, ...],
    one: Asked,
    scores: NDArray[np.floating],
    draws: Floats,
    checked: ActivityCalibration | None,
) -> tuple[Told, Figure]:
    """Returns the figures of a network or a baseline, and its accuracy with all replicates."""
    n = len(activities)
    answer = scores.argmax(axis=1).astype(np.int64)
    both = activity_figures(one.truth, answer, one.person, n, draws)
    shown = np.bincount(one.truth, minlength=n)
    present = n / np.count_nonzero(shown)  # activities that nobody shows have an F1 of 0 there, and count for nothing
    f1 = both["activity_f1"]
    f1 = replace(f1, value=f1.value * present, replicates=f1.replicates * present)
    recall = []
    for number in range(n):
        mine = one.truth == number
        right = (answer[mine] == number).astype(np.float64)
        recall.append(share_figure(right, one.person[mine], draws).measured if mine.any() else None)
    told = Told(
        model=name,
        baseline=False,
        population=population,
        evidence=evidence,
        activities=activities,
        n_people=len(one.people),
        n_windows=len(one),
        windows=tuple(shown.tolist()),
        accuracy=both["activity_accuracy"].measured,
        macro_f1=f1.measured,
        recall=tuple(recall),
        confusion=confusion(one.truth, answer, one.person, n),
        calibration=checked,
    )
    return told, both["activity_accuracy"]


def confusion(
    truth: NDArray[np.int64], told: NDArray[np.int64], person: NDArray[np.int64], n: int
) -> list[list[float]]:
    """Returns by true activity the share of windows told as each; the mean over people, zeros where nobody shows it."""
    counts = np.zeros((int(person.max(initial=-1)) + 1, n, n))
    np.add.at(counts, (person, truth, told), 1.0)
    total = counts.sum(axis=2, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    return (share.sum(axis=0) / np.maximum((total > 0).sum(axis=0), 1)).tolist()


def _differences(
    population: str, told: Sequence[tuple[Told, Figure]], lines: Sequence[tuple[Told, Figure]]
) -> list[ActivityDifference]:
    """Returns the accuracy of each network less that of the best baseline and of each network before it."""
    best = sorted(lines, key=lambda line: -line[1].value)[:1]
    return [
        ActivityDifference(population, one.model, other.model, mine.less(its))
        for number, (one, mine) in enumerate(told)
        for other, its in [*best, *told[:number]]
    ]
