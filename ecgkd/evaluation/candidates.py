"""What an evaluation compares: models, and the baselines that every model stands beside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.activity import Tell, Teller
from ecgkd.evaluation.baselines import correlation_embed, fit_lda
from ecgkd.evaluation.cohort import fit_cohort, thinned
from ecgkd.evaluation.results import Model
from ecgkd.evaluation.scores import unit
from ecgkd.protocols.protocol import Protocol, Row, Span
from ecgkd.protocols.trials import network_windows, span_windows

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]

BASELINE_WINDOWS = 20_000
"""Training windows of the LDA, evenly spread."""
BASELINE_PEOPLE = 30
"""So many training people of the tested sets are enough for the LDA; with fewer, all sets train it."""


@dataclass(frozen=True)
class Candidate:
    """Something that embeds windows."""

    name: str
    embed: Embed
    """int8 windows (n, 1000) to float32 (n, size)."""
    contract: Contract | None = None
    cohort: NDArray[np.int8] | None = None
    """Centroids (n, size); None: the contract's."""
    baseline: bool = False
    sets: tuple[str, ...] = ()
    """Sets whose rows it is for; (): all."""
    note: str = ""
    look: int = 0
    """Which network it is to be scored on the locked people; 0 where it is not."""
    tell: Tell | None = None
    """int8 windows to float32 logits (n, n_activities); None for one that tells no activities."""

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads that it takes; () for the first that a set has."""
        return () if self.contract is None else self.contract.leads

    @property
    def teller(self) -> Teller | None:
        """What it tells of activities, None where it tells none."""
        c = self.contract
        if self.tell is None or c is None or not c.activities:
            return None
        return Teller(self.name, self.tell, c.activities, c.leads)

    @property
    def key(self) -> str:
        """The name, and whose rows it is for: no two candidates share it."""
        return f"{self.name} ({', '.join(self.sets)})" if self.sets else self.name

    def fits(self, row: Row) -> bool:
        """Whether it stands on `row`."""
        return not self.sets or {span.set for span in row.enrol} <= set(self.sets)

    @property
    def centroids(self) -> NDArray[np.int8] | None:
        if self.cohort is None and self.contract is not None and self.contract.cohort:
            return np.array(self.contract.cohort, np.int8)
        return self.cohort if self.cohort is not None and len(self.cohort) else None

    @property
    def score(self) -> str:
        """The score that decides: the contract's, else the normalised one where there is a cohort."""
        if self.contract is not None and self.contract.threshold is not None:
            return self.contract.threshold.kind
        return "cosine" if self.centroids is None else "as_norm"

    @property
    def model(self) -> Model:
        c = self.contract
        if c is None:
            return Model(self.name, self.baseline, note=self.note)
        return Model(
            self.name,
            self.baseline,
            c.model,
            c.precision,
            c.weights_sha256,
            c.embedding_space,
            c.synthetic,
            self.note,
            self.look,
        )


def baselines(protocol: Protocol, sets: Sequence[PreparedSet]) -> list[Candidate]:
    """Returns correlation of mean beats, and the LDA on them where the protocol has training people.

    For the rows of each set both are fitted to training people of that set (the LDA itself, and a cohort for each),
    where these are enough, since beats of the same device make the stronger baseline; else to all training people.
    Raises: UsageError where the training people do not allow an LDA.
    """
    if not protocol.train:
        return [Candidate("correlation", correlation_embed, baseline=True, note="no training people, so no cohort")]
    by_name = {one.name: one for one in sets}
    tested = sorted({span.set for row in protocol.rows for span in row.enrol})
    own, others = [], []
    for name in tested:
        spans = [span for span in protocol.train if span.set == name]
        people = {str(by_name[name].subject[by_name[name].find(span.record)]) for span in spans}
        if len(people) < BASELINE_PEOPLE:
            others.append(name)
        else:
            own += _fitted(spans, sets, (name,), f"for rows of {name}, fitted to {len(people)} people of that set")
    if others:
        note = f"for rows of {', '.join(others)}, fitted to all training people"
        own += _fitted(protocol.train, sets, tuple(others), note)
    return own


def _fitted(spans: Sequence[Span], sets: Sequence[PreparedSet], tested: tuple[str, ...], note: str) -> list[Candidate]:
    """Returns both baselines for the rows of `tested`, fitted to the people of `spans`."""
    windows = thinned(span_windows(spans, sets), BASELINE_WINDOWS)
    inputs = network_windows(windows, sets)
    try:
        lda = fit_lda(inputs, np.array(windows.subjects)[windows.subject])
    except UsageError as error:
        raise UsageError(f"{error}; or leave the baselines out (--no-baselines)") from error
    found = []
    for name, embed in (("correlation", correlation_embed), ("LDA", lda.embed)):
        cohort = fit_cohort(unit(embed(inputs)), windows.subject)
        cohort_note = f"{note} ({'no cohort' if not len(cohort) else f'{len(cohort)} centroids'})"
        found.append(Candidate(name, embed, cohort=cohort, baseline=True, sets=tested, note=cohort_note))
    return found
