"""How long the right person waits for early acceptance: an estimate from a contract alone."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ecgkd.contract import Contract
from ecgkd.enrolment.decision import DecisionPolicy, constants_of, to_float
from ecgkd.errors import UsageError

DRAWS = 20_000


@dataclass(frozen=True)
class Waiting:
    """What a genuine probe is expected to take, by estimate."""

    windows: float
    """Mean number of windows until the decision falls, at most the policy's `max_windows`."""
    accepted_early: float
    """Share that reaches the accept bound within these windows."""


def expected_waiting(contract: Contract, policy: DecisionPolicy | None = None) -> Waiting | None:
    """Returns how many windows the sequential test takes on the right person; None without threshold or calibration.

    The contract says how far genuine and impostor scores lie apart at its threshold (FMR and FNMR of `probe_windows`
    fused windows) and how windows hang together (rho). Taken as Gaussian log-likelihood ratios with equal variances,
    these fix the ratio of one window: mean m, variance 2m, correlation rho. The test is then played on draws of a
    fixed seed. Source: Wald, Annals of Mathematical Statistics 16(2), 1945, for the test.
    """
    policy = policy or DecisionPolicy()
    threshold, calibration = contract.threshold, contract.calibration
    if threshold is None or calibration is None:
        return None
    try:
        constants = constants_of(contract, policy)
    except UsageError:
        return None
    normal = NormalDist()
    fmr, fnmr = (min(max(rate, 1e-6), 0.5) for rate in (threshold.fmr, threshold.fnmr))
    apart = normal.inv_cdf(1 - fmr) + normal.inv_cdf(1 - fnmr)
    fused = threshold.probe_windows / (1 + (threshold.probe_windows - 1) * calibration.rho)
    mean = apart**2 / fused / 2
    random = np.random.default_rng(0)
    shared = random.standard_normal((DRAWS, 1)) * math.sqrt(calibration.rho)
    own = random.standard_normal((DRAWS, policy.max_windows)) * math.sqrt(1 - calibration.rho)
    ratios = mean + math.sqrt(2 * mean) * (shared + own)
    count = np.arange(1, policy.max_windows + 1)
    shrunk = np.cumsum(ratios, axis=1) / (1 + (count - 1) * calibration.rho)
    accept = shrunk >= to_float(constants.accept)
    over = accept | (shrunk <= to_float(constants.reject))
    first = np.where(over.any(axis=1), over.argmax(axis=1), policy.max_windows - 1)
    return Waiting(float((first + 1).mean()), float(accept[np.arange(DRAWS), first].mean()))
