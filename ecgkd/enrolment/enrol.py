"""Enrolling a person: usable windows, outliers left out, one template; or a refusal that says why."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.enrolment.decision import Cohort, cohort_of, make_template
from ecgkd.enrolment.gallery import Gallery, Person
from ecgkd.enrolment.template import COSINE_Q, MAX_FUSED, EnrolmentPolicy, Refusal, Selection, select
from ecgkd.enrolment.told import Told, told
from ecgkd.enrolment.windows import Model, Windows, embed, evidence_notes, usable_windows
from ecgkd.record import Record
from ecgkd.signal.window import WINDOW_SECONDS

RECOMMENDED_WINDOWS = 7
"""About half a minute."""
DOWNWARD_SKEWNESS = -0.5
"""A window whose samples are skewed by less has its R waves pointing down."""


@dataclass(frozen=True)
class EnrolmentReport:
    """What came of enrolling a person."""

    person: str
    enrolled: bool
    reasons: tuple[str, ...]
    """Why not; empty when enrolled."""
    recordings: int
    windows: int
    """4 s windows in the recordings."""
    usable: int
    """Of these, after the quality gate."""
    outliers: int
    used: int
    """Windows in the template."""
    seconds: float
    """Of signal in the template."""
    consistency: float
    """Mean cosine over all pairs of the windows that were kept."""
    quality: str
    """The quality gate, in words."""
    notes: tuple[str, ...]
    """What would make the enrolment sturdier."""
    entry: Person | None = None
    """What the gallery keeps."""
    activity: Told | None = None
    """By the usable windows, outliers too; None where the network tells none."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the report without the template, and without `activity` where none is told."""
        plain = asdict(self)
        del plain["entry"]
        if self.activity is None:
            del plain["activity"]
        return plain

    def in_words(self) -> str:
        """Returns the report in one line."""
        beside = f"; {self.activity.in_words()}" if self.activity else ""
        if not self.enrolled:
            return f"{self.person} not enrolled: {'; '.join(self.reasons)}{beside}"
        left_out = f", {self.outliers} left out as outlier(s)" if self.outliers else ""
        return (
            f"{self.person} enrolled from {self.used} windows ({self.seconds:.0f} s) of {self.recordings} recording(s)"
            f"{left_out}; consistency {self.consistency:.2f}; {self.quality}{beside}"
        )


def points_down(inputs: NDArray[np.int8]) -> bool:
    """Returns whether the R waves of most windows point down in the first lead: swapped electrodes, or another lead."""
    x = (inputs if inputs.ndim == 2 else inputs[:, 0]).astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    skewness = (x**3).mean(axis=1) / np.maximum((x**2).mean(axis=1), 1e-9) ** 1.5
    return bool(np.count_nonzero(skewness < DOWNWARD_SKEWNESS) * 2 > len(x))


def _thinned(windows: Windows) -> NDArray[np.int64]:
    """Returns which usable windows to take: all, or as many as can be fused, evenly spread."""
    n = len(windows.inputs)
    return np.arange(n) if n <= MAX_FUSED else np.arange(MAX_FUSED) * n // MAX_FUSED


def _reasons(windows: Windows, selection: Selection, policy: EnrolmentPolicy) -> tuple[str, ...]:
    if selection.refusal is None:
        return ()
    if selection.refusal is Refusal.TOO_FEW:
        usable, kept = len(selection.kept), int(np.count_nonzero(selection.kept))
        unlike = f"; {usable - kept} of the usable ones unlike the others" if kept < usable else ""
        wanted = policy.min_windows * WINDOW_SECONDS
        needed = f"at least {policy.min_windows} windows are needed ({wanted} s; half a minute is better)"
        return (f"{selection.refusal.value}: {windows.in_words()}{unlike}", needed)
    return (
        f"{selection.refusal.value}: their mean cosine is {selection.consistency / 2**COSINE_Q:.2f}, below "
        f"{policy.min_consistency:g}; record again at rest, the same person in every recording",
    )


def _notes(model: Model, windows: Windows, taken: NDArray[np.int64], selection: Selection) -> list[str]:
    used = int(np.count_nonzero(selection.kept))
    wanted = RECOMMENDED_WINDOWS
    notes = []
    if model.contract.threshold is not None:
        wanted = max(wanted, model.contract.threshold.enrol_windows)
    if used < wanted:
        notes.append(
            f"{used * WINDOW_SECONDS} s of signal are in the template; {wanted * WINDOW_SECONDS} s are recommended"
        )
    if len(np.unique(windows.recording[taken][selection.kept])) == 1:
        notes.append("one recording only: a second one, after lifting the electrodes, makes the template sturdier")
    if points_down(windows.inputs[taken]):
        notes.append("the R waves point down: are the electrodes swapped? Later recordings must be worn the same way")
    return notes + evidence_notes(model.contract, MAX_FUSED)


def _entry(windows: Windows, taken: NDArray[np.int64], selection: Selection, cohort: Cohort | None) -> Person:
    used = int(np.count_nonzero(selection.kept))
    return Person(
        template=make_template(selection.template, cohort),
        cohort=cohort.name if cohort else "",
        windows=used,
        recordings=len(np.unique(windows.recording[taken][selection.kept])),
        seconds=float(used * WINDOW_SECONDS),
        consistency=round(selection.consistency / 2**COSINE_Q, 4),
        enrolled=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def policy_of(contract: Contract) -> EnrolmentPolicy:
    """Returns the contract's floors as a policy; where it has none, floors that refuse only what is hardly alike."""
    floors = contract.enrolment
    return EnrolmentPolicy() if floors is None else EnrolmentPolicy(3, floors.floor, floors.min_consistency)


def enrol_person(
    gallery: Gallery,
    name: str,
    records: Sequence[Record],
    model: Model,
    *,
    lead: str | None = None,
    policy: EnrolmentPolicy | None = None,
    replace: bool = False,
) -> EnrolmentReport:
    """Adds `name` to `gallery` from recordings of that person, or says in the report why not.

    A refused enrolment leaves the gallery as it was. Raises: UsageError for a gallery of another model or a name that
    is taken, RecordingError for recordings that the front end cannot take.
    """
    policy = policy or policy_of(model.contract)
    gallery.check_model(model.contract)
    gallery.check_name(name, replace)
    windows = usable_windows(records, model.contract, lead)
    taken = _thinned(windows)
    selection = select(embed(model, windows.inputs[taken]), policy)
    reasons = _reasons(windows, selection, policy)
    entry = None if reasons else _entry(windows, taken, selection, cohort_of(model.contract))
    if entry is not None:
        gallery.add(name, entry, replace)
    used = int(np.count_nonzero(selection.kept))
    return EnrolmentReport(
        person=name,
        enrolled=entry is not None,
        reasons=reasons,
        recordings=len(records),
        windows=len(windows.qualities),
        usable=len(windows.inputs),
        outliers=len(taken) - used,
        used=used if entry else 0,
        seconds=float(used * WINDOW_SECONDS) if entry else 0.0,
        consistency=round(selection.consistency / 2**COSINE_Q, 4),
        quality=windows.in_words(),
        notes=tuple(_notes(model, windows, taken, selection)) if entry else (),
        entry=entry,
        activity=told(model, windows.inputs[taken]),
    )
