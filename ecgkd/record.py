"""A recording as the rest of ecgkd sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import RecordingError


@dataclass(frozen=True)
class Record:
    """One recording of one person."""

    signal: NDArray[np.float32]
    """(n_leads, n_samples), µV; missing samples are NaN."""
    fs: float
    """Sampling rate, Hz."""
    leads: tuple[str, ...]
    name: str
    """Name of the recording in its source, unique inside its set."""
    subject: str = ""
    session: int = 1
    """1, 2, … inside a subject."""
    day: int = -1
    """Days since the subject's first recording, -1 unknown."""
    activity: str = ""
    source: str = ""
    """Name of the set or file it came from."""
    licence: str = ""
    gain_known: bool = True
    """Whether the unit is really µV; amplitude thresholds apply only then."""

    def __post_init__(self) -> None:
        if self.signal.ndim != 2 or self.signal.shape[0] != len(self.leads):
            raise RecordingError(
                f"{self.name}: a signal of shape {self.signal.shape} does not fit {len(self.leads)} lead name(s); "
                "expected (n_leads, n_samples)"
            )
        if not self.fs > 0:
            raise RecordingError(f"{self.name}: a sampling rate of {self.fs} Hz is impossible")

    @property
    def n_samples(self) -> int:
        return self.signal.shape[1]

    @property
    def seconds(self) -> float:
        return self.n_samples / self.fs

    def lead_index(self, lead: str | None) -> int:
        """Returns the row of `lead`, or of the first lead for None. Raises: RecordingError."""
        if lead is None:
            return 0
        if lead not in self.leads:
            raise RecordingError(f"{self.name}: no lead {lead!r}; it has {', '.join(self.leads)}")
        return self.leads.index(lead)

    def of_leads(self, leads: Sequence[str] = ()) -> NDArray[np.float32]:
        """Returns one lead (n_samples,), the first for (), or several (n_leads, n_samples). Raises: RecordingError."""
        rows = [self.lead_index(lead) for lead in leads or (None,)]
        return self.signal[rows] if len(rows) > 1 else self.signal[rows[0]]


def to_integer_microvolts(microvolts: NDArray[np.floating]) -> NDArray[np.int32]:
    """Returns int32 µV, rounded half to even: what the front end takes.

    Raises: RecordingError where a sample is not finite or does not fit the front end's ±2^24 µV.
    """
    if not np.isfinite(microvolts).all():
        count = int(np.count_nonzero(~np.isfinite(microvolts)))
        raise RecordingError(f"{count} sample(s) are not finite (NaN or infinite)")
    rounded = np.rint(microvolts)
    if rounded.size and np.abs(rounded).max() > 2**24:
        raise RecordingError(f"a sample of {np.abs(rounded).max():.3g} µV is beyond ±16.8 V: is the gain right?")
    return rounded.astype(np.int32)
