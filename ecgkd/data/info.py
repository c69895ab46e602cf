"""What is in a prepared set or a recording: people, sessions, days, hours, rates, leads, quality, licence."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import RecordingError
from ecgkd.record import Record

MAX_WINDOWS = 400
"""Windows of a set that are looked at for its quality."""


def _verdict(windows: list[NDArray[np.generic]], fs: float, gain_known: bool) -> dict[str, Any]:
    """Returns how many windows (native,) are usable, and the reasons why others are not."""
    from ecgkd.signal.quality import assess

    if not windows:
        return {"windows_looked_at": 0}
    found = assess(np.stack(windows), fs, gain_known)
    reasons = Counter(reason.value for quality in found for reason in quality.reasons)
    usable = sum(quality.usable for quality in found)
    return {
        "windows_looked_at": len(found),
        "usable": usable,
        "usable_share": round(usable / len(found), 4),
        "reasons": dict(reasons.most_common()),
    }


def _sample(found: PreparedSet, width: int) -> list[NDArray[np.generic]]:
    """Returns up to `MAX_WINDOWS` whole windows of the first lead, spread evenly over the set."""
    tiles = np.array([found.n_samples(i) // width for i in range(len(found))])
    ends = np.cumsum(tiles)
    total = int(ends[-1])
    places: NDArray[np.int64] = np.unique(np.linspace(0, total - 1, min(MAX_WINDOWS, total)).astype(np.int64))
    windows: list[NDArray[np.generic]] = []
    for place in places:
        i = int(np.searchsorted(ends, place, side="right"))
        start = int(place - (ends[i] - tiles[i])) * width
        windows.append(found.integer_microvolts(i, 0, start, start + width))
    return windows


def quality_of_set(found: PreparedSet) -> dict[str, Any]:
    """Returns the quality gate's word on a sample of a set's windows, or why it cannot look."""
    from ecgkd.signal.window import native_window

    try:
        return _verdict(_sample(found, native_window(found.fs)), found.fs, found.gain_known)
    except RecordingError as error:
        return {"windows_looked_at": 0, "why": str(error)}


def _people(found: PreparedSet) -> dict[str, Any]:
    sessions: dict[str, set[int]] = {}
    dated: dict[str, set[int]] = {}
    for subject, session, day in zip(found.subject.tolist(), found.session.tolist(), found.day.tolist()):
        sessions.setdefault(subject, set()).add(session)
        dated.setdefault(subject, set()).update({day} if day >= 0 else ())
    per_person = Counter(len(own) for own in sessions.values())
    return {
        "subjects": len(sessions),
        "sessions": sum(len(own) for own in sessions.values()),
        "subjects_by_sessions": {str(n): per_person[n] for n in sorted(per_person)},
        "subjects_on_several_days": sum(len(own) > 1 for own in dated.values()),
        "longest_interval_days": max((max(own) - min(own) for own in dated.values() if own), default=0),
        "records_without_day": int((found.day < 0).sum()),
    }


def describe_set(found: PreparedSet) -> dict[str, Any]:
    """Returns everything that `ecgkd data info SET` tells, as JSON."""
    seconds = np.array([found.n_samples(i) for i in range(len(found))]) / found.fs
    info = found.info
    return {
        "set": found.name,
        "path": str(found.path),
        "name": str(info.get("name", found.name)),
        "synthetic": found.synthetic,
        "records": len(found),
        **_people(found),
        "hours": round(float(seconds.sum()) / 3600, 3),
        "seconds": {
            "shortest": round(float(seconds.min()), 2),
            "median": round(float(np.median(seconds)), 2),
            "longest": round(float(seconds.max()), 2),
        },
        "fs": found.fs,
        "leads": list(found.leads),
        "activities": {str(name): int(n) for name, n in zip(*np.unique(found.activity, return_counts=True))},
        "gain_known": found.gain_known,
        "quality": quality_of_set(found),
        "licence": str(info.get("licence", "")),
        "cite": str(info.get("cite", "")),
        "doi": str(info.get("doi", "")),
        "notes": str(info.get("notes", "")),
        "sha256": found.sha256,
    }


def _quality_words(quality: dict[str, Any]) -> str:
    if not quality["windows_looked_at"]:
        return f"not looked at: {quality.get('why', 'no window of 4 s')}"
    words = f"{quality['usable_share']:.0%} of {quality['windows_looked_at']} windows of 4 s usable"
    return words + "".join(f"; {count}× {reason}" for reason, count in quality["reasons"].items())


def _lines(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"  {key:<11}{value}" for key, value in pairs if value)


def set_text(about: dict[str, Any]) -> str:
    """Returns what `describe_set` found, for people to read."""
    by_sessions = ", ".join(
        f"{count} with {n} session{'s' * (n != '1')}" for n, count in about["subjects_by_sessions"].items()
    )
    several, longest = about["subjects_on_several_days"], about["longest_interval_days"]
    days = (
        f"{several} people on several days, up to {longest} days apart" if several else "nobody on several known days"
    )
    if about["records_without_day"]:
        days += f"; {about['records_without_day']} recordings undated"
    spans = about["seconds"]
    length = f"{spans['shortest']:g} to {spans['longest']:g} s, median {spans['median']:g} s"
    activities = ", ".join(f"{name or 'unlabelled'} ({count})" for name, count in about["activities"].items())
    title = about["name"] + (" (synthetic: proves plumbing, not biometric quality)" if about["synthetic"] else "")
    pairs = [
        ("people", f"{about['subjects']:,}: {by_sessions}"),
        ("days", days),
        ("recordings", f"{about['records']:,} in {about['sessions']:,} sessions, {about['hours']:.2f} hours; {length}"),
        ("signal", f"{about['fs']:g} Hz, lead{'s' * (len(about['leads']) > 1)} {', '.join(about['leads'])}"),
        ("amplitude", "in µV" if about["gain_known"] else "unit unknown: thresholds of amplitude do not apply"),
        ("activities", activities),
        ("quality", _quality_words(about["quality"])),
        ("licence", about["licence"] or "not stated"),
        ("cite", about["cite"]),
        ("doi", about["doi"]),
        ("notes", about["notes"]),
        ("sha256", about["sha256"]),
    ]
    return f"{about['set']}: {title}\n" + _lines(pairs)


def describe_record(record: Record) -> dict[str, Any]:
    """Returns everything that `ecgkd data info` tells of one recording, as JSON."""
    from ecgkd.signal.window import cut, native_window, tile_starts

    finite = np.isfinite(record.signal)
    try:
        native_window(record.fs)
        starts = tile_starts(record.n_samples, record.fs)[:MAX_WINDOWS]
        windows: list[NDArray[np.generic]] = list(cut(record.signal[0], starts, record.fs))
        quality = _verdict(windows, record.fs, record.gain_known)
    except RecordingError as error:
        quality = {"windows_looked_at": 0, "why": str(error)}
    return {
        "record": record.name,
        "source": record.source,
        "subject": record.subject,
        "session": record.session,
        "day": record.day,
        "activity": record.activity,
        "fs": record.fs,
        "leads": list(record.leads),
        "samples": record.n_samples,
        "seconds": round(record.seconds, 3),
        "missing_samples": int((~finite).sum()),
        "range_uv": [round(float(np.ptp(row[ok])), 1) if ok.any() else None for row, ok in zip(record.signal, finite)],
        "gain_known": record.gain_known,
        "quality": quality,
        "licence": record.licence,
    }


def record_text(about: dict[str, Any]) -> str:
    """Returns what `describe_record` found, for people to read."""
    ranges = ", ".join(
        f"{lead} {'no sample' if span is None else format(span, ',.0f')}"
        for lead, span in zip(about["leads"], about["range_uv"])
    )
    pairs = [
        ("person", about["subject"] and f"{about['subject']}, session {about['session']}"),
        ("day", str(about["day"]) if about["day"] >= 0 else ""),
        ("activity", about["activity"]),
        ("signal", f"{about['seconds']:g} s at {about['fs']:g} Hz ({about['samples']:,} samples)"),
        ("range", f"{ranges} {'µV' if about['gain_known'] else '(unit unknown)'}"),
        ("missing", f"{about['missing_samples']:,} samples" if about["missing_samples"] else ""),
        ("quality", _quality_words(about["quality"])),
        ("licence", about["licence"]),
    ]
    return f"{about['record']}\n" + _lines(pairs)
