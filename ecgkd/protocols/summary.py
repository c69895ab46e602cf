"""How many people, recordings and windows stand in each part and row of a protocol."""

from collections.abc import Sequence
from typing import Any

from ecgkd.data.prepared import PreparedSet
from ecgkd.protocols.protocol import Protocol, Span
from ecgkd.protocols.trials import named, row_windows, span_windows

PARTS = ("train", "validate", "calibrate")


def summarise(protocol: Protocol, sets: Sequence[PreparedSet]) -> dict[str, Any]:
    """Returns the counts as a JSON document. All sets of the protocol must be there. Raises: UsageError."""
    by_name = named(sets)

    def count(spans: Sequence[Span]) -> dict[str, int]:
        windows = span_windows(spans, by_name)
        return {"people": len(windows.subjects), "recordings": len(windows.recordings), "windows": len(windows)}

    rows = []
    for row in protocol.rows:
        sides = row_windows(row, by_name)
        head = {"name": row.name, "population": row.population, "kind": row.kind, "leaky": row.leaky}
        probing = set(sides.probe.subject.tolist())
        genuine = sum(person < sides.n_enrolled for person in probing)
        counts = {"enrol": count(row.enrol), "probe": count(row.probe), "genuine_people": genuine}
        rows.append({**head, "evidence": row.evidence, **counts})
    return {
        "name": protocol.name,
        "kind": protocol.kind,
        "seed": protocol.seed,
        "sha256": protocol.sha256,
        "sets": dict(protocol.sets),
        "synthetic": all(one.synthetic for one in by_name.values()),
        "parts": {part: count(getattr(protocol, part)) for part in PARTS},
        "rows": rows,
        "notes": list(protocol.notes),
    }


def as_text(summary: dict[str, Any]) -> str:
    """Returns the summary as a table for people."""
    lines = [f"protocol {summary['name']} ({summary['kind']}), SHA-256 {summary['sha256'][:12]}"]
    lines += [f"{part:<10} {_counts(summary['parts'][part])}" for part in PARTS]
    width = max((len(row["name"]) for row in summary["rows"]), default=0)
    for row in summary["rows"]:
        enrol, probe = (f"{row[side]['people']:>5}/{row[side]['windows']:<5}" for side in ("enrol", "probe"))
        lines.append(f"row {row['name']:<{width}}  enrols {enrol} probes {probe} people/windows; {row['evidence']}")
    return "\n".join([*lines, *(f"note: {note}" for note in summary["notes"])])


def _counts(counts: dict[str, int]) -> str:
    return f"{counts['people']:>6} people {counts['recordings']:>6} recordings {counts['windows']:>7} windows"
