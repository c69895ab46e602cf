"""From recordings to the embeddings of their usable windows: what enrolment, verification and identification share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract
from ecgkd.enrolment.template import quantise_embedding
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.record import Record, to_integer_microvolts
from ecgkd.signal.chain import WINDOW_SAMPLES, front_end
from ecgkd.signal.quality import Quality, assess, in_words
from ecgkd.signal.window import WINDOW_SECONDS, cut, native_window, tile_starts

BATCH = 64
"""Windows that the quality gate sees at once: it bounds memory, not the result."""


class Model(Protocol):
    """What a network must offer."""

    @property
    def contract(self) -> Contract: ...

    @property
    def embed(self) -> Callable[[NDArray[np.int8]], NDArray[np.float32]]: ...


@dataclass(frozen=True)
class Windows:
    """The usable windows of some recordings, in order."""

    inputs: NDArray[np.int8]
    """(n, 1000), what the network sees; (n, leads, 1000) of several leads."""
    recording: NDArray[np.int64]
    """(n,) which recording each comes from."""
    ends: NDArray[np.float64]
    """(n,) s of signal up to the end of each, all recordings one after the other."""
    qualities: tuple[Quality, ...]
    """Of every window that was looked at, usable or not."""
    short: tuple[str, ...]
    """Recordings too short for a window, in words."""

    def in_words(self) -> str:
        """Returns one line: how many windows are usable and why the others are not."""
        if not self.qualities and self.short:
            return "; ".join(self.short)
        return "; ".join([in_words(self.qualities), *self.short])


@dataclass(frozen=True)
class _Usable:
    window: NDArray[np.int8]
    recording: int
    end: float


def leads_of(contract: Contract, record: Record, lead: str | None = None) -> tuple[str, ...]:
    """Returns the leads of a recording that the network takes; () for the first, `lead` where one is asked for.

    A network of one lead takes its own, or the only one that the recording has, whatever its name. Raises: UsageError
    for a `lead` where the network takes several, or where none of several is its own.
    """
    if len(contract.leads) > 1:
        if lead is not None:
            raise UsageError(f"lead {lead}: {contract.model} takes {', '.join(contract.leads)} together")
        return contract.leads
    if lead is not None:
        return (lead,)
    own = tuple(name for name in contract.leads if name in record.leads)
    if contract.leads and not own and len(record.leads) > 1:
        raise UsageError(
            f"{record.name}: has leads {', '.join(record.leads)}; {contract.model} takes {contract.leads[0]}: "
            "name the one that is nearest to it with --lead"
        )
    return own


def _of_record(record: Record, leads: Sequence[str]) -> Iterator[tuple[Quality, NDArray[np.int8], int]]:
    """Yields quality, network input and end (native samples) of each window of a recording."""
    signal = record.of_leads(leads)
    starts = tile_starts(record.n_samples, record.fs)
    for first in range(0, len(starts), BATCH):
        batch = starts[first : first + BATCH]
        raw = cut(signal, batch, record.fs)
        qualities = assess(raw, record.fs, record.gain_known)
        usable = np.array([quality.usable for quality in qualities])
        inputs = np.zeros((*raw.shape[:-1], WINDOW_SAMPLES), np.int8)
        inputs[usable] = front_end(to_integer_microvolts(raw[usable]), record.fs)
        for quality, window, start in zip(qualities, inputs, batch, strict=True):
            yield quality, window, int(start) + native_window(record.fs)


def usable_windows(
    records: Sequence[Record], contract: Contract | None = None, lead: str | None = None, limit: int | None = None
) -> Windows:
    """Returns the usable windows of `records`, the first `limit` of them, as the quality gate sees them.

    Leads as `leads_of` says, each recording's first without a contract. Raises: RecordingError for an unsupported
    sampling rate or an absent lead, UsageError as `leads_of`.
    """
    n_leads = len(contract.leads) if contract is not None else 1
    shape = (n_leads, WINDOW_SAMPLES) if n_leads > 1 else (WINDOW_SAMPLES,)
    found: list[_Usable] = []
    qualities: list[Quality] = []
    short: list[str] = []
    before = 0.0
    for number, record in enumerate(records):
        try:
            if record.n_samples < native_window(record.fs):
                short.append(f"{record.name} lasts {record.seconds:.1f} s, less than one window of {WINDOW_SECONDS} s")
            leads = () if contract is None else leads_of(contract, record, lead)
            for quality, window, end in _of_record(record, leads):
                if limit is not None and len(found) >= limit:
                    break
                qualities.append(quality)
                if quality.usable:
                    found.append(_Usable(window, number, before + end / record.fs))
        except RecordingError as error:
            prefix = f"{record.name}: "
            raise RecordingError(str(error) if str(error).startswith(prefix) else prefix + str(error)) from error
        before += record.seconds
    return Windows(
        inputs=np.array([one.window for one in found], np.int8).reshape(-1, *shape),
        recording=np.array([one.recording for one in found], np.int64),
        ends=np.array([one.end for one in found], np.float64),
        qualities=tuple(qualities),
        short=tuple(short),
    )


def embed(model: Model, inputs: NDArray[np.int8]) -> NDArray[np.int16]:
    """Returns the Q15 embeddings (n, size) of network inputs. Raises: DataError for another shape."""
    size = model.contract.embedding_size
    if not len(inputs):
        return np.zeros((0, size), np.int16)
    embeddings = np.asarray(model.embed(inputs))
    if embeddings.shape != (len(inputs), size):
        raise DataError(
            f"the network gave embeddings of shape {embeddings.shape} where its contract says ({len(inputs)}, {size}); "
            "export it again"
        )
    return quantise_embedding(embeddings)


def evidence_notes(contract: Contract, windows: int) -> list[str]:
    """Returns what a user must know about decisions from `windows` windows of a probe."""
    threshold = contract.threshold
    if threshold is None:
        return []
    notes = []
    if windows < threshold.probe_windows:
        notes.append(
            f"{windows} window(s) were used; the threshold's error rates were measured with {threshold.probe_windows}"
        )
    if contract.synthetic or threshold.population == "synthetic":
        notes.append("the threshold was set on synthetic people: it proves plumbing, not biometric quality")
    return notes
