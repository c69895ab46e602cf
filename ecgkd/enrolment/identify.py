"""Identifying: whose recording is this, if anyone's?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ecgkd.enrolment.decision import DecisionPolicy, constants_of, scores, to_float
from ecgkd.enrolment.gallery import Gallery
from ecgkd.enrolment.template import fuse, normalise
from ecgkd.enrolment.told import Told, told
from ecgkd.enrolment.windows import Model, embed, evidence_notes, usable_windows
from ecgkd.record import Record


class Finding(StrEnum):
    IDENTIFIED = "identified"
    NOBODY = "nobody"
    NO_DECISION = "no_decision"


@dataclass(frozen=True)
class Candidate:
    """An enrolled person and how alike the recording is."""

    person: str
    score: float


@dataclass(frozen=True)
class IdentifyReport:
    """What came of an identification."""

    decision: Finding
    person: str | None
    reason: str
    kind: str
    """The score's kind: `cosine` or `as_norm`."""
    threshold: float
    ranking: tuple[Candidate, ...]
    """Everyone enrolled, most alike first; empty without a usable window."""
    windows: int
    seconds: float | None
    """Of signal until the decision, unusable windows included."""
    quality: str
    """The quality gate, in words."""
    notes: tuple[str, ...]
    activity: Told | None = None
    """By the usable windows; None where the network tells none."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the report; without `activity` where none is told."""
        return {key: value for key, value in asdict(self).items() if key != "activity" or value is not None}

    def in_words(self, most: int = 5) -> str:
        """Returns the report, the `most` alike listed."""
        head = f"{self.person or self.decision.value.replace('_', ' ')}: {self.reason}"
        ranking = [f"  {one.score:8.3f}  {one.person}" for one in self.ranking[:most]]
        return "\n".join([head, *ranking, *([self.activity.in_words()] if self.activity else [])])


def identify_person(
    gallery: Gallery,
    records: Sequence[Record],
    model: Model,
    *,
    lead: str | None = None,
    policy: DecisionPolicy | None = None,
) -> IdentifyReport:
    """Returns who in the gallery `records`, one after the other, are of: nobody where the best is below the threshold.

    The fused windows, at most `policy.max_windows`, are compared with everyone. Raises: as `verify_person` does.
    """
    gallery.check_model(model.contract)
    constants = constants_of(model.contract, policy)
    windows = usable_windows(records, model.contract, lead, constants.max_windows)
    vectors = normalise(embed(model, windows.inputs))
    vectors = vectors[vectors.any(axis=1)]
    threshold = to_float(constants.threshold)
    names = sorted(gallery.people)
    if not len(vectors):
        reason = f"no usable window ({windows.in_words()})"
        return IdentifyReport(
            Finding.NO_DECISION, None, reason, constants.kind, threshold, (), 0, None, windows.in_words(), ()
        )
    ranking: list[tuple[int, str]] = []
    if names:
        templates = [gallery.people[name].template_for(constants.cohort) for name in names]
        found = scores(constants, templates, fuse(vectors)[None])[0]
        ranking = sorted(zip((-int(score) for score in found), names, strict=True))
    known = bool(ranking) and -ranking[0][0] >= constants.threshold
    if not ranking:
        reason = "nobody is enrolled"
    else:
        verb = "reaches" if known else "stays below"
        reason = f"the best score {to_float(-ranking[0][0]):.3f} {verb} the threshold {threshold:.3f}"
    notes = evidence_notes(model.contract, len(vectors))
    if len(names) > 1 and model.contract.threshold is not None:
        notes.append(
            f"the threshold's false match rate of {model.contract.threshold.fmr:.2g} is for one comparison; "
            f"here {len(names)} were made, and a stranger has as many chances"
        )
    return IdentifyReport(
        decision=Finding.IDENTIFIED if known else Finding.NOBODY,
        person=ranking[0][1] if known else None,
        reason=reason,
        kind=constants.kind,
        threshold=threshold,
        ranking=tuple(Candidate(name, to_float(-negative)) for negative, name in ranking),
        windows=len(vectors),
        seconds=float(windows.ends[-1]),
        quality=windows.in_words(),
        notes=tuple(notes),
        activity=told(model, windows.inputs),
    )
