"""A session in words and numbers."""

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
                *(number(value, record) for value in (latency.p50, latency.p95, latency.p99)),
                f"{ratio.value:.3f} ({ratio.ci95[0]:.3f} to {ratio.ci95[1]:.3f})" if ratio else "1",
                f"{1000 * record.load_seconds:.0f}",
                f"{record.memory.file_bytes / 1000:.0f}",
                _kilobytes(record.memory.model_bytes),
            )
        )
    first = session.records[0]
    return "\n".join(
        [
            where(first),
            *aligned(rows),
            unit_in_words(first),
            *_outputs(session),
            *_streams(session),
            *_warnings(session),
        ]
    )


def unit_in_words(record: Record) -> str:
    """Returns what the latencies count; a number of an emulator never stands without the word."""
    if record.clock is Clock.INSTRUCTIONS:
        return "Counts are instructions of an emulated processor, not time."
    emulated = "Emulated: " if record.clock is Clock.EMULATED else ""
    return (
        f"{emulated}{record.latency.unit} per window, measured in turns over {record.latency.rounds} rounds; "
        "RAM is the model alone."
    )


def number(value: float, record: Record) -> str:
    """Returns a latency as people read it: ms, or a whole number of instructions."""
    return f"{value:,.0f}" if record.clock is Clock.INSTRUCTIONS else f"{value:.3f}"


def where(record: Record) -> str:
    """Returns the device in one line: what it is, how it was reached, how its clock and temperature went."""
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


def _outputs(session: Session) -> list[str]:
    """Returns a line for every model with more than one output: all of them are in its time."""
    lines = []
    for record in session.records:
        if len(record.outputs) > 1:
            names = " and ".join(f"{one.name} ({one.size})" if one.size else one.name for one in record.outputs)
            known = [one.agreement for one in record.outputs if one.agreement is not None]
            checked = f", as its file gives them (cosine {min(known):.4f} or more)" if known else ""
            lines.append(f"{record.model.name}: gives {names}{checked}")
    return lines


def _streams(session: Session) -> list[str]:
    """Returns a line for every model whose cost on a stream is known."""
    lines = []
    for record in session.records:
        stream = record.streaming
        if stream is None:
            continue
        line = f"{record.model.name}: a window every {stream.hop_seconds:g} s takes {100 * stream.core_share:.3g} % of "
        line += f"one core (duty cycle {100 * stream.duty_cycle:.3g} %)"
        if stream.signal_seconds_to_accept is not None and stream.compute_seconds_to_accept is not None:
            line += f"; the right person is accepted after about {stream.signal_seconds_to_accept:.1f} s of signal and "
            line += f"{1000 * stream.compute_seconds_to_accept:.3g} ms of computing (estimate)"
        if record.energy is not None:
            line += f"; {1000 * record.energy.joules_per_inference:.3g} mJ a window ({record.energy.source})"
        lines.append(line)
    return lines


def _warnings(session: Session) -> list[str]:
    return [*_held_back(session.records[0])] + [
        f"{record.model.name}: not stable after {record.warm_up.seconds:.0f} s of warm-up; is something else running?"
        for record in session.records
        if not record.warm_up.stable
    ]


def _held_back(record: Record) -> list[str]:
    """Returns the line for a device that was slowed down by heat or power while it measured."""
    device, rounds = record.device, record.latency.held_back_rounds
    looks = (device.before, *device.during, device.after)
    reasons = sorted({reason for one in looks for reason in one.held_back or ()})
    if not reasons:
        return []
    where = f"in {len(rounds)} of {record.latency.rounds} rounds, which are marked"
    return [f"the device was held back ({', '.join(reasons)}) {where}; let it cool or power it better, and repeat"]


def _kilobytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1000:.0f}"


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Returns rows of cells as lines with straight columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(widths[i]) if i < 2 else cell.rjust(widths[i]) for i, cell in enumerate(row)).rstrip()
        for row in rows
    ]
