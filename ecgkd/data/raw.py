"""What every reader of a foreign format hands over, and how leads, units and rates of it are settled."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgkd.errors import RecordingError
from ecgkd.record import Record

_UNITS = {"nv": 1e-3, "uv": 1.0, "mv": 1e3, "v": 1e6}
_STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{i}" for i in range(1, 7)), "MLI", "MLII", "MLIII")
_LEADS = {name.lower(): name for name in (*_STANDARD, "vx", "vy", "vz")}
_PREFIX = re.compile(r"^(?:ecg|ekg|lead)[\s_:.-]+(?=\S)", re.IGNORECASE)
_ECG = re.compile(r"(?:^|[^a-z])(?:ecg|ekg)(?:[^a-z]|$)", re.IGNORECASE)
_UNIT_SUFFIX = re.compile(
    r"^(.*?)(?:_|\s*[(\[]\s*)([num\u00b5\u03bc]?V)\s*[)\]]?$|^(.*?)\s+([num\u00b5\u03bc]V)$", re.IGNORECASE
)
_FS_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Channel:
    """One signal as the file has it."""

    label: str
    unit: str
    """As the file writes it; empty where it does not say."""
    fs: float | None
    """Hz; None where the file does not say."""
    samples: NDArray[np.floating]
    """(n_samples,) in `unit`; missing ones NaN."""


@dataclass(frozen=True)
class RawFile:
    """The content of one recording file."""

    path: Path
    channels: tuple[Channel, ...]
    start: datetime | None = None
    """Wall time of the first sample, without a zone."""
    subject: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    """What the file's header says beside this, by lower-case key."""
    fs_is_estimate: bool = False
    """Whether the rate was worked out from time stamps, which may be a little off."""


def microvolts_per(unit: str) -> float | None:
    """Returns the µV in one `unit`, None for a unit that is no voltage."""
    plain = unit.strip().lower().replace("µ", "u").replace("μ", "u")
    plain = plain.replace("micro", "u").replace("milli", "m").replace("nano", "n")
    return _UNITS.get(re.sub(r"olts?$", "", plain))


def split_unit(label: str) -> tuple[str, str]:
    """Returns name and unit of a label such as `ecg_uV` or `I (mV)`; the unit is empty where it states none."""
    plain = label.strip()
    if microvolts_per(plain) is not None and plain.lower() != "v":
        return "ecg", plain
    match = _UNIT_SUFFIX.match(plain)
    if match is None:
        return plain, ""
    return (match[1] or match[3] or "ecg").strip(), match[2] or match[4]


def lead_name(label: str) -> str:
    """Returns the usual spelling of a lead (`ECG i` is `I`), other labels as they are; a unit in it goes."""
    name = split_unit(label)[0]
    return _LEADS.get(_PREFIX.sub("", name).lower(), name)


def is_ecg_label(label: str) -> bool:
    """Returns whether a label names an ECG lead."""
    return bool(_ECG.search(label.strip())) or lead_name(label).lower() in _LEADS


def _pick_lead(raw: RawFile, lead: str) -> Channel:
    wanted = lead.strip()
    for same in (
        lambda label: label == wanted,
        lambda label: lead_name(label).lower() == lead_name(wanted).lower(),
    ):
        found = [channel for channel in raw.channels if same(channel.label)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RecordingError(f"{raw.path}: {len(found)} signals are called {wanted!r}; cannot tell which is meant")
    raise RecordingError(
        f"{raw.path}: no lead {wanted!r}; it has {', '.join(channel.label for channel in raw.channels)}"
    )


def _pick(raw: RawFile, lead: str | None) -> list[Channel]:
    """Returns the channels meant: those named (separated by commas), else the ECG leads, else all voltages."""
    if lead is not None:
        exact = any(channel.label == lead.strip() for channel in raw.channels)
        return [_pick_lead(raw, name) for name in ([lead] if exact else lead.split(","))]
    ecg = [channel for channel in raw.channels if is_ecg_label(channel.label)]
    voltages = [channel for channel in raw.channels if microvolts_per(channel.unit) is not None]
    chosen = ecg or voltages or (list(raw.channels) if len(raw.channels) == 1 else [])
    if not chosen:
        names = ", ".join(channel.label for channel in raw.channels) or "none"
        raise RecordingError(f"{raw.path}: cannot tell which signal is the ECG (it has: {names}); name it with --lead")
    return chosen


def _settle_fs(raw: RawFile, channels: list[Channel], fs: float | None) -> float:
    own = {channel.fs for channel in channels}
    if len(own) > 1:
        rates = ", ".join(f"{channel.label} {channel.fs:g} Hz" for channel in channels if channel.fs)
        raise RecordingError(f"{raw.path}: its signals have different rates ({rates}); choose one with --lead")
    rate = own.pop()
    if rate is None:
        if fs is None:
            raise RecordingError(f"{raw.path}: the file does not say its sampling rate; give it with --fs")
        return float(fs)
    tolerance = 10 * _FS_TOLERANCE if raw.fs_is_estimate else _FS_TOLERANCE
    if fs is not None and abs(fs - rate) > tolerance * rate:
        raise RecordingError(f"{raw.path}: sampled at {rate:g} Hz by its own account, not at the {fs:g} Hz given")
    return float(fs) if fs is not None and raw.fs_is_estimate else float(rate)


def _nominal_scale(samples: NDArray[np.floating]) -> float:
    """Returns the power of ten that brings a signal of unknown unit to about a millivolt, by its 1-99 % range."""
    finite = samples[np.isfinite(samples)]
    span = float(np.subtract(*np.percentile(finite, (99, 1)))) if len(finite) else 0.0
    return float(10.0 ** np.round(3 - np.log10(span))) if span > 0 else 1.0


def _scales(raw: RawFile, channels: list[Channel], unit: str | None) -> tuple[list[float], bool]:
    """Returns µV per unit of each channel, and whether that is known."""
    given = None
    if unit is not None:
        given = microvolts_per(unit)
        if given is None:
            raise RecordingError(f"{raw.path}: {unit!r} is no unit of voltage; expected uV, mV, V or nV")
    own = [microvolts_per(channel.unit) for channel in channels]
    for channel, scale in zip(channels, own):
        if given is not None and scale is not None and scale != given:
            raise RecordingError(f"{raw.path}: {channel.label} is in {channel.unit} by its own account, not in {unit}")
        if given is None and scale is None and channel.unit.strip().lower() in ("mmhg", "bpm", "%", "degc", "g", "l"):
            raise RecordingError(f"{raw.path}: {channel.label} is in {channel.unit}, which is no voltage")
    known = given is not None or None not in own
    return [s or given or _nominal_scale(channel.samples) for channel, s in zip(channels, own)], known


def to_record(raw: RawFile, name: str, fs: float | None, lead: str | None, unit: str | None) -> Record:
    """Returns the recording in µV.

    A unit that the file does not state and the caller does not give leaves `gain_known` false and amplitudes nominal.
    Raises: RecordingError where lead, rate or unit are missing, ambiguous or contradict the file.
    """
    channels = _pick(raw, lead)
    rate = _settle_fs(raw, channels, fs)
    scales, known = _scales(raw, channels, unit)
    lengths = {len(channel.samples) for channel in channels}
    if len(lengths) != 1 or lengths == {0}:
        raise RecordingError(f"{raw.path}: its signals hold {', '.join(map(str, sorted(lengths)))} samples")
    names = [lead_name(channel.label) for channel in channels]
    if len(set(names)) != len(names):
        names = [channel.label for channel in channels]
    signal = np.stack([np.asarray(c.samples, np.float64) * scale for c, scale in zip(channels, scales)])
    return Record(
        signal=signal.astype(np.float32),
        fs=rate,
        leads=tuple(names),
        name=name,
        subject=raw.subject,
        source=str(raw.path),
        gain_known=known,
    )
