"""Fitting what the contract decides with: cohort, threshold and log-likelihood ratios, never on test people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import beta

from ecgkd.contract import ScoreCalibration, Threshold
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.metrics import det_curve, pair_weights, subject_weights
from ecgkd.evaluation.scores import COHORT_TOP, compare, fuse, unit
from ecgkd.protocols.protocol import Protocol, Row
from ecgkd.protocols.trials import RowWindows, enrol_groups, network_windows, probe_groups, row_windows, span_windows

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

COHORT_SIZE = 100
COHORT_WINDOWS = 20_000
"""Training windows that centroids are sought in, evenly spread."""
COHORT_PEOPLE = 5
"""A centroid of fewer people is left out: it would be somebody's template."""
COHORT_LEAST = 8
"""With fewer centroids there is no normalisation."""


@dataclass(frozen=True)
class DecisionFit:
    """What goes into the contract."""

    threshold: Threshold
    calibration: ScoreCalibration
    cohort: NDArray[np.int8]
    """(n, embedding_size); no rows where there are too few training people."""


@dataclass(frozen=True)
class Trials:
    """Scores of comparisons and their weights; each person's genuine ones sum to 1, each ordered pair's others to 1."""

    genuine: Doubles
    genuine_weight: Doubles
    impostor: Doubles
    impostor_weight: Doubles


@dataclass(frozen=True)
class _Embedded:
    """One row's windows and their embeddings."""

    windows: RowWindows
    enrol: Floats
    probe: Floats


def fit_cohort(embeddings: Floats, person: NDArray[np.int64], seed: int = 0) -> NDArray[np.int8]:
    """Returns k-means centroids (n, size) of unit embeddings as int8, each from at least COHORT_PEOPLE people."""
    none = np.zeros((0, embeddings.shape[1]), np.int8)
    n_people = len(np.unique(person))
    wanted = min(COHORT_SIZE, n_people // 2)
    if wanted < COHORT_LEAST or n_people < 2 * COHORT_PEOPLE:
        return none
    start = embeddings[np.random.default_rng(seed).permutation(len(embeddings))[:wanted]].astype(np.float64)
    centroids, member = kmeans2(embeddings.astype(np.float64), start, iter=20, minit="matrix")
    people = np.array([len(np.unique(person[member == k])) for k in range(wanted)])
    kept = centroids[(people >= COHORT_PEOPLE) & (np.linalg.norm(centroids, axis=1) > 1e-6)]
    if len(kept) < COHORT_LEAST:
        return none
    return np.rint(127 * kept / np.abs(kept).max(axis=1, keepdims=True)).astype(np.int8)


def training_cohort(embed: Embed, protocol: Protocol, sets: Sequence[PreparedSet]) -> NDArray[np.int8]:
    """Returns the cohort (n, size) of a protocol's training people."""
    if not protocol.train:
        return np.zeros((0, 1), np.int8)
    windows = span_windows(protocol.train, sets)
    step = max(1, len(windows) // COHORT_WINDOWS)
    thinned = type(windows)(
        windows.subjects, windows.recordings, windows.subject[::step], windows.recording[::step], windows.start[::step]
    )
    return fit_cohort(unit(embed(network_windows(thinned, sets))), thinned.subject)


def development_rows(protocol: Protocol) -> list[Row]:
    """Returns the rows that choices are made on: development people, not leaky, across sessions where there are.

    Raises: UsageError for a protocol without such rows.
    """
    for population in ("development", "closed-set"):
        rows = [row for row in protocol.rows if row.population == population and not row.leaky]
        if rows:
            return [row for row in rows if row.kind == "cross-session"] or rows
    raise UsageError(f"protocol {protocol.name} has no development rows to set a threshold on")


def _embedded(embed: Embed, row: Row, sets: Sequence[PreparedSet]) -> _Embedded:
    windows = row_windows(row, sets)
    enrol, probe = (unit(embed(network_windows(side, sets))) for side in (windows.enrol, windows.probe))
    return _Embedded(windows, enrol, probe)


def _trials(rows: Sequence[_Embedded], k_enrol: int, k_probe: int, cohort: Floats | None) -> Trials:
    """Returns the comparisons of all rows, fused k_enrol × k_probe; rows without such probes add none."""
    parts = []
    for one in rows:
        enrolled, probing = enrol_groups(one.windows.enrol, k_enrol), probe_groups(one.windows.probe, k_probe)
        if not len(probing):
            continue
        scores = compare(fuse(one.probe, probing.windows), fuse(one.enrol, enrolled.windows), cohort, COHORT_TOP)
        own = probing.subject[:, None] == enrolled.subject[None, :]
        who = np.broadcast_to(probing.subject[:, None], own.shape)
        whom = np.broadcast_to(enrolled.subject[None, :], own.shape)
        parts.append((scores[own], subject_weights(who[own]), scores[~own], pair_weights(who[~own], whom[~own])))
    if not parts:
        raise UsageError(f"no development recording has {k_probe} windows to probe with; lower probe_windows")
    return Trials(*(np.concatenate([part[i] for part in parts]).astype(np.float64) for i in range(4)))


def _cllr(genuine: Doubles, genuine_weight: Doubles, impostor: Doubles, impostor_weight: Doubles) -> float:
    """Returns the cost of log-likelihood ratios, bits. Source: Brümmer and du Preez 2006."""
    miss = np.average(np.logaddexp(0, -genuine), weights=genuine_weight)
    false = np.average(np.logaddexp(0, impostor), weights=impostor_weight)
    return float((miss + false) / (2 * np.log(2)))


def fit_llr(trials: Trials) -> tuple[float, float]:
    """Returns slope (positive) and offset of llr = slope · score + offset that cost least, both priors alike."""
    spread = float(np.concatenate([trials.genuine, trials.impostor]).std()) or 1.0

    def cost(x: Doubles) -> float:
        slope, offset = np.exp(x[0]) / spread, x[1]
        return _cllr(
            slope * trials.genuine + offset,
            trials.genuine_weight,
            slope * trials.impostor + offset,
            trials.impostor_weight,
        )

    found = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7})
    # Separable scores would be given endless slope: 99.9 % of certainty at one spread is enough.
    return float(np.exp(min(found.x[0], np.log(20.0))) / spread), float(found.x[1])


def _fit_rho(rows: Sequence[_Embedded], slope: float, offset: float, cohort: Floats | None, k: int) -> float:
    """Returns the rho, 0 … 1, with which k windows' summed and shrunk llrs cost least."""
    costs = []
    for one in rows:
        enrolled, probing = enrol_groups(one.windows.enrol, 6), probe_groups(one.windows.probe, k)
        if not len(probing):
            continue
        templates = fuse(one.enrol, enrolled.windows)
        single = [compare(one.probe[probing.windows[:, j]], templates, cohort, COHORT_TOP) for j in range(k)]
        total = sum(slope * scores.astype(np.float64) + offset for scores in single)
        own = probing.subject[:, None] == enrolled.subject[None, :]
        who = np.broadcast_to(probing.subject[:, None], own.shape)
        whom = np.broadcast_to(enrolled.subject[None, :], own.shape)
        weights = subject_weights(who[own]), pair_weights(who[~own], whom[~own])
        costs.append((np.asarray(total)[own], weights[0], np.asarray(total)[~own], weights[1]))
    if k < 2 or not costs:
        return 0.5

    def cost(rho: float) -> float:
        shrink = 1 / (1 + (k - 1) * rho)
        return sum(_cllr(shrink * g, gw, shrink * i, iw) for g, gw, i, iw in costs)

    return float(minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded").x)


def upper_bound(fmr: float, n_pairs: int) -> float:
    """Returns the upper 95 % bound of a false match rate seen on `n_pairs` pairs of people.

    Source: Clopper and Pearson 1934, with the share of impostor weight as the share of pairs that matched.
    """
    matched = int(np.ceil(fmr * n_pairs - 1e-9))
    return 1.0 if matched >= n_pairs else float(beta.ppf(0.95, matched + 1, n_pairs - matched))


def fit_decision(
    embed: Embed,
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    *,
    fmr: float = 0.01,
    enrol_windows: int = 6,
    probe_windows: int = 3,
) -> DecisionFit:
    """Returns cohort, threshold and calibration, fitted on training and development people.

    Scores are normalised by the cohort where that lowers the development people's EER. Raises: UsageError for a
    protocol without development rows.
    """
    cohort = training_cohort(embed, protocol, sets)
    rows = [_embedded(embed, row, sets) for row in development_rows(protocol)]
    sides: dict[str, Floats | None] = {"cosine": None}
    if len(cohort):
        sides["as_norm"] = unit(cohort.astype(np.float32))
    curves = {}
    for kind, centroids in sides.items():
        found = _trials(rows, enrol_windows, probe_windows, centroids)
        curves[kind] = det_curve(found.genuine, found.impostor, found.genuine_weight, found.impostor_weight)
    kind = min(curves, key=lambda name: curves[name].eer())
    fnmr, value = curves[kind].at_fmr(fmr)
    seen, _ = curves[kind].at_threshold(value)
    n_subjects = max(one.windows.n_enrolled for one in rows)
    n_pairs = n_subjects * (n_subjects - 1) // 2
    slope, offset = fit_llr(_trials(rows, enrol_windows, 1, sides[kind]))
    return DecisionFit(
        Threshold(
            kind,
            value,
            enrol_windows,
            probe_windows,
            fmr,
            upper_bound(seen, n_pairs),
            fnmr,
            n_subjects,
            n_pairs,
            "synthetic" if any(one.synthetic for one in sets) else "development",
        ),
        ScoreCalibration(slope, offset, _fit_rho(rows, slope, offset, sides[kind], probe_windows), kind),
        cohort,
    )
