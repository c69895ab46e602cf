"""Verifying a claim: is this recording of that person?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ecgkd.enrolment.decision import Constants, Decision, DecisionPolicy, Outcome, Rule, constants_of, decide, to_float
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.told import Told, told
from ecgkd.enrolment.windows import Model, embed, evidence_notes, usable_windows
from ecgkd.record import Record

EARLY = (Rule.EARLY_ACCEPT, Rule.EARLY_REJECT)


@dataclass(frozen=True)
class VerifyReport:
    """What came of a verification."""

    person: str
    decision: Outcome
    rule: Rule
    reason: str
    kind: str
    """The score's kind: `cosine` or `as_norm`."""
    score: float | None
    """Of all windows used, fused; None without a window."""
    threshold: float
    llr: float | None
    """Natural logarithm; None without a window or a calibration."""
    windows: int
    """Windows used until the decision."""
    seconds: float | None
    """Of signal until the decision, unusable windows included."""
    quality: str
    """The quality gate, in words."""
    notes: tuple[str, ...]
    activity: Told | None = None
    """By the windows that were looked at until the decision; None where the network tells none."""

    @property
    def accepted(self) -> bool:
        return self.decision is Outcome.ACCEPTED

    def to_dict(self) -> dict[str, Any]:
        """Returns the report; without `activity` where none is told."""
        return {key: value for key, value in asdict(self).items() if key != "activity" or value is not None}

    def in_words(self) -> str:
        """Returns the report in one line."""
        beside = f"; {self.activity.in_words()}" if self.activity else ""
        if self.decision is Outcome.NO_DECISION:
            return f"no decision on {self.person}: {self.reason}{beside}"
        used = f"{self.windows} window(s), {self.seconds:.0f} s"
        return f"{self.decision.value} as {self.person}: {self.reason}; {used}{beside}"


def reason_in_words(decision: Decision, constants: Constants, quality: str) -> str:
    """Returns why the decision fell as it did."""
    score, threshold = to_float(decision.score), to_float(constants.threshold)
    match decision.rule:
        case Rule.NO_WINDOW:
            return f"no usable window ({quality})"
        case Rule.EARLY_ACCEPT:
            return f"log-likelihood ratio {to_float(decision.llr):.2f} reaches {to_float(constants.accept):.2f}"
        case Rule.EARLY_REJECT:
            return f"log-likelihood ratio {to_float(decision.llr):.2f} falls to {to_float(constants.reject):.2f}"
        case Rule.THRESHOLD:
            verb = "reaches" if decision.outcome is Outcome.ACCEPTED else "stays below"
            return f"score {score:.3f} {verb} the threshold {threshold:.3f}"


def verify_person(
    gallery: Gallery,
    name: str,
    records: Sequence[Record],
    model: Model,
    *,
    lead: str | None = None,
    policy: DecisionPolicy | None = None,
) -> VerifyReport:
    """Returns whether `records`, one after the other, are of `name`.

    Raises: UsageError for an unknown person, a gallery of another model or a model without a threshold,
    RecordingError for recordings that the front end cannot take.
    """
    gallery.check_model(model.contract)
    person = gallery.person(name)
    constants = constants_of(model.contract, policy)
    windows = usable_windows(records, model.contract, lead, constants.max_windows)
    decision = decide(constants, person.template_for(constants.cohort), embed(model, windows.inputs))
    decided = decision.windows > 0
    return VerifyReport(
        person=name,
        decision=decision.outcome,
        rule=decision.rule,
        reason=reason_in_words(decision, constants, windows.in_words()),
        kind=constants.kind,
        score=to_float(decision.score) if decided else None,
        threshold=to_float(constants.threshold),
        llr=to_float(decision.llr) if decided and constants.calibrated else None,
        windows=decision.windows,
        seconds=float(windows.ends[decision.last]) if decided else None,
        quality=windows.in_words(),
        notes=tuple(evidence_notes(model.contract, decision.windows)) if decision.rule is Rule.THRESHOLD else (),
        activity=told(model, windows.inputs[: decision.last + 1] if decision.rule in EARLY else windows.inputs),
    )
