"""A session in words and numbers, and whether one is slower than another."""

from dataclasses import asdict, dataclass
from typing import Any

from ecgkd_bench import stats
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Clock, Record, Session

HEADER = ("model", "backend", "thr", "p50", "p95", "p99", "ratio (95 % interval)", "load ms", "file kB", "RAM kB")


def table(session: Session) -> str:
    """Returns the session as text: where it ran, one line per model, and what its clock counts."""
    ratios = {ratio.model: ratio for ratio in session.ratios}
    rows: list[tuple[str, ...]] = [HEADER]
    for record in session.records:
        ratio = ratios.get(record.model.name)
        latency = record.latency
        rows.append(
            (
                record.model.name,
                record.backend.requested,
                str(record.threads.effective or record.threads.requested),
                *(f"{value:.3f}" for value in (latency.p50, latency.p95, latency.p99)),
                f"{ratio.value:.3f} ({ratio.ci95[0]:.3f} to {ratio.ci95[1]:.3f})" if ratio else "1",
                f"{1000 * record.load_seconds:.0f}",
                f"{record.memory.file_bytes / 1000:.0f}",
                _kilobytes(record.memory.model_bytes),
            )
        )
    first = session.records[0]
    return "\n".join([_where(first), *_aligned(rows), unit_in_words(first), *_warnings(session)])


def unit_in_words(record: Record) -> str:
    """Returns what the latencies count; a number of an emulator never stands without the word."""
    if record.clock is Clock.INSTRUCTIONS:
        return "Counts are instructions of an emulated processor, not time."
    emulated = "Emulated: " if record.clock is Clock.EMULATED else ""
    return (
        f"{emulated}{record.latency.unit} per window, measured in turns over {record.latency.rounds} rounds; "
        "RAM is the model alone."
    )


def _where(record: Record) -> str:
    device = record.device
    shown = {
        "governor": device.before.governor,
        "MHz": _change(device.before.frequency_mhz, device.after.frequency_mhz),
        "°C": _change(device.before.temperature_c, device.after.temperature_c),
    }
    extra = "".join(f", {name} {value}" for name, value in shown.items() if value)
    return f"{device.soc}, {device.cores} cores, {device.abi}, {device.os} ({device.reached}{extra})"


def _change(before: float | None, after: float | None) -> str:
    return " to ".join(f"{value:.0f}" for value in (before, after) if value is not None)


def _warnings(session: Session) -> list[str]:
    return [*_held_back(session.records[0])] + [
        f"{record.model.name}: not stable after {record.warm_up.seconds:.0f} s of warm-up; is something else running?"
        for record in session.records
        if not record.warm_up.stable
    ]


def _held_back(record: Record) -> list[str]:
    """Returns the line for a device that was slowed down by heat or power while it measured."""
    device = record.device
    looks = (device.before, *device.during, device.after)
    reasons = sorted({reason for one in looks for reason in one.held_back or ()})
    return [f"the device was held back ({', '.join(reasons)}); let it cool or power it better, and repeat"] * bool(
        reasons
    )


def _kilobytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1000:.0f}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(widths[i]) if i < 2 else cell.rjust(widths[i]) for i, cell in enumerate(row)).rstrip()
        for row in rows
    ]


@dataclass(frozen=True)
class Change:
    """One model in two sessions."""

    model: str
    backend: str
    threads: int
    before: float
    after: float
    ratio: float
    ci95: tuple[float, float]
    slower: bool
    """Whether even the lower end of the interval is beyond the limit."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(before: Session, after: Session, limit: float = 0.05) -> list[Change]:
    """Returns the change of every model that both sessions measured; `limit` is a share, 0.05 for 5 %.

    Raises: MismatchError where they share no model, or were measured on different devices or by different clocks.
    """
    old = {record.key: record for record in before.records}
    shared = [(old[record.key], record) for record in after.records if record.key in old]
    if not shared:
        raise MismatchError("the two records share no model, backend and number of threads; nothing to compare")
    for a, b in shared:
        for what, left, right in (("device", a.device.soc, b.device.soc), ("clock", a.clock, b.clock)):
            if left != right:
                raise MismatchError(f"{a.model.name}: {what} {left} before and {right} after; not comparable")
    changes = []
    for a, b in shared:
        value, ci95 = stats.independent_ratio(b.latency, a.latency)
        slower = ci95[0] > 1 + limit
        changes.append(Change(*b.key, a.latency.p50, b.latency.p50, value, ci95, slower))
    return changes


def changes_table(changes: list[Change]) -> str:
    """Returns the comparison as text."""
    rows: list[tuple[str, ...]] = [("model", "backend", "before", "after", "ratio (95 % interval)", "")]
    for one in changes:
        interval = f"{one.ratio:.3f} ({one.ci95[0]:.3f} to {one.ci95[1]:.3f})"
        verdict = "slower" if one.slower else ""
        rows.append((one.model, one.backend, f"{one.before:.3f}", f"{one.after:.3f}", interval, verdict))
    return "\n".join(_aligned(rows))
