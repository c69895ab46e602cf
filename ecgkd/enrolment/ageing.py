"""Ageing: a template follows its owner's heart in small steps, and never far from what was enrolled.

A step needs a verification that was accepted on the evidence of its log-likelihood ratios, which bound false accepts to
a tenth of what the threshold allows, and a wearer who has said in another way (PIN, passkey) who they are. An attacker
who gets steps accepted can still not walk the template away: its cosine to the enrolled vector, the anchor, never falls
below 0.8. `docs/decision.md` states every number.
"""

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.enrolment.decision import Decision, DecisionPolicy, Outcome, constants_of
from ecgkd.enrolment.integer import to_fixed
from ecgkd.enrolment.template import COSINE_Q, cosines, normalise

INERTIA = 19
"""Parts of the template for one of what was seen: a twentieth of the way."""
BOUND = to_fixed(0.8, COSINE_Q, "the bound of ageing")
"""Q20, least cosine of a template to its anchor."""


def least_llr(contract: Contract, policy: DecisionPolicy | None = None) -> int:
    """Returns the log-likelihood ratio in Q16 from which a template may age; 0 without a calibration: it never does.

    Raises: UsageError where the contract allows no decision.
    """
    return constants_of(contract, policy).accept


def may_age(decision: Decision, least: int, confirmed: bool) -> bool:
    """Returns whether a verification lets the template age; `least` from `least_llr`."""
    return confirmed and least > 0 and decision.outcome is Outcome.ACCEPTED and decision.llr >= least


def age(vector: NDArray[np.int16], anchor: NDArray[np.int16], seen: NDArray[np.int16]) -> NDArray[np.int16] | None:
    """Returns the template `vector` (size,) after one step towards `seen`, the fused windows of a verification.

    None where that would leave the anchor too far behind; all vectors are of norm 2^15.
    """
    moved = normalise(INERTIA * vector.astype(np.int64)[None] + seen)
    return moved[0] if cosines(moved, anchor[None])[0, 0] >= BOUND else None
