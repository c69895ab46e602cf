"""Section on latency and memory, from a benchmark record."""

from ecgkd.report.collect import Material
from ecgkd.report.page import Bar, Bars, Block, Cell, Section, Table, Text
from ecgkd.report.words import between, many, milliseconds, size
from ecgkd_bench.result import Clock, Device, Record, Session, State
from ecgkd_bench.summary import unit_in_words

FORMATS = {"onnx": "ONNX", "ort": "ORT", "tflite": "TFLite", "c": "C", "pt2": "PyTorch"}


def cost_section(material: Material) -> Section:
    """Returns latency and memory with the machine that they were measured on."""
    title, name = "Latency and memory", "cost"
    session = material.bench
    if session is None:
        return Section(title, (Text("No benchmark here; `ecgkd bench MODEL... --out FILE` measures one."),), name)
    first = session.records[0]
    blocks: list[Block] = [Text(machine(first.device)), _latencies(session), _table(session)]
    exported = {one.path.name: one.sha256 for one in material.export}
    for record in session.records:
        if exported.get(record.model.name, record.model.sha256) != record.model.sha256:
            words = (
                f"{record.model.name} is not the file that was measured: it was exported again since. Measure again."
            )
            blocks.append(Text(words, "bad"))
        if not record.warm_up.stable:
            blocks.append(
                Text(
                    f"{record.model.name}: not stable after {record.warm_up.seconds:.0f} s of warm-up; something else "
                    "may have been running.",
                    "bad",
                )
            )
    return Section(title, tuple(blocks), name)


def machine(device: Device) -> str:
    """Returns the machine in a sentence."""
    facts = [device.soc, many(device.cores, "core"), device.abi, device.os]
    if device.features:
        facts.append(", ".join(device.features))
    if device.memory_bytes:
        facts.append(f"{size(device.memory_bytes)} of memory")
    facts += _state(device.before, device.after)
    return f"Measured on: {'; '.join(fact for fact in facts if fact)} ({device.reached})."


def _state(before: State, after: State) -> list[str]:
    facts = [f"governor {before.governor}"] if before.governor else []
    if before.frequency_mhz is not None and after.frequency_mhz is not None:
        facts.append(f"{_change(before.frequency_mhz, after.frequency_mhz)} MHz")
    if before.temperature_c is not None and after.temperature_c is not None:
        facts.append(f"{_change(before.temperature_c, after.temperature_c)} °C")
    return facts


def _change(before: float, after: float) -> str:
    return " to ".join(dict.fromkeys(f"{value:.0f}" for value in (before, after)))


def form(record: Record) -> str:
    """Returns what a model is, such as `ONNX int8`."""
    return f"{FORMATS.get(record.model.format, record.model.format)} {record.model.precision}".strip()


def time_of(record: Record) -> str:
    """Returns the median with its unit; never an emulator's without the word."""
    if record.clock is Clock.INSTRUCTIONS:
        return f"{record.latency.p50:.4g} instructions"
    return milliseconds(record.latency.p50) + (" (emulated)" if record.clock is Clock.EMULATED else "")


def _latencies(session: Session) -> Bars:
    bars = tuple(
        Bar(
            name=form(record),
            value=record.latency.p50,
            words=time_of(record),
            low=record.latency.ci95[0],
            high=record.latency.ci95[1],
            tone="good",
            detail=record.model.name,
        )
        for record in session.records
    )
    return Bars("Median per window of 4\u00a0s", bars, f"Lines: 95 % intervals. {unit_in_words(session.records[0])}")


def _threads(record: Record) -> int:
    return record.threads.effective or record.threads.requested


def _table(session: Session) -> Table:
    ratios = {ratio.model: ratio for ratio in session.ratios}
    rows = []
    for record in session.records:
        ratio = ratios.get(record.model.name)
        memory = record.memory
        rows.append(
            (
                Cell(form(record), f"{record.backend.requested}, {many(_threads(record), 'thread')}"),
                Cell(f"{ratio.value:.3f}", between(*ratio.ci95, digits=3)) if ratio else Cell("1"),
                Cell(f"{record.latency.p95:.3g}"),
                Cell(f"{record.latency.p99:.3g}"),
                Cell(milliseconds(1000 * record.load_seconds)),
                Cell(size(memory.model_bytes), f"peak {size(memory.peak_rss_bytes)}" if memory.peak_rss_bytes else ""),
                Cell(size(memory.file_bytes)),
            )
        )
    unit = session.records[0].latency.unit
    to = session.ratios[0].to if session.ratios else session.records[0].model.name
    return Table(
        ("model", "ratio", f"p95, {unit}", f"p99, {unit}", "load", "memory", "file"),
        tuple(rows),
        f"Ratio of medians to {to}, with its 95 % interval. Memory: the model alone; peak: the whole process.",
    )
