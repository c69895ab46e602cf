"""Records as a page for people: a table, the front of accuracy for latency, plots; Markdown for a pull request."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ecgkd_bench import reference
from ecgkd_bench.comparison import CLEAN_SHARE
from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Clock, Record, Session
from ecgkd_bench.summary import unit_in_words, where

HEADER = ("model", "runtime", "threads", "p50", "p95", "95 % interval of p50", "to the reference", "load ms", "RAM kB")


def markdown(sessions: Sequence[Session]) -> str:
    """Returns all sessions as Markdown: a table for each, then the front."""
    parts = [_section(session) for session in sessions]
    return "\n\n".join([*parts, *_fronts(sessions)]) + "\n"


def document(sessions: Sequence[Session]) -> dict[str, Any]:
    """Returns the report as JSON: rows without raw values, and which of them stand on the front."""
    fronts = {id(record) for group in grouped(sessions) for record in front(group)}
    rows = [
        {
            **{"model": record.model.name, "precision": record.model.precision, "runtime": record.backend.effective},
            **{"device": record.device.soc, "reached": record.device.reached, "clock": record.clock},
            **{"threads": record.threads.requested, "unit": record.latency.unit, "p50": record.latency.p50},
            **{"p95": record.latency.p95, "ci95": record.latency.ci95, "to_reference": to_reference(record, session)},
            **{"memory_bytes": record.memory.model_bytes, "file_bytes": record.memory.file_bytes},
            **{"eer": record.evidence and record.evidence.eer, "on_front": id(record) in fronts},
        }
        for session in sessions
        for record in session.records
    ]
    return {"rows": rows}


def write(sessions: Sequence[Session], folder: Path) -> None:
    """Writes `report.md`, and plots beside it where matplotlib is installed."""
    pictures = []
    try:
        import matplotlib
    except ModuleNotFoundError:
        pass
    else:
        matplotlib.use("Agg")
        pictures = [
            _plot_latency(sessions, folder),
            *(_plot_front(g, folder, i) for i, g in enumerate(_shown(sessions))),
        ]
    text = markdown(sessions) + "".join(f"\n![{name.removesuffix('.svg')}]({name})\n" for name in pictures)
    (folder / "report.md").write_text(text)


def to_reference(record: Record, session: Session) -> float | None:
    """Returns p50 over that of the reference network in the same run; None where the run had none."""
    return None if session.reference is None else record.latency.p50 / session.reference.latency.p50


def grouped(sessions: Sequence[Session]) -> list[list[Record]]:
    """Returns records with evidence that may stand beside each other: one device, clock, threads and protocol."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for session in sessions:
        for record in session.records:
            if record.evidence is not None:
                key = (record.device.soc, record.clock, record.threads.requested, record.evidence.protocol_sha256)
                groups.setdefault(key, []).append(record)
    return list(groups.values())


def front(records: Iterable[Record]) -> list[Record]:
    """Returns those that no other record beats in both error and latency, fastest first."""
    kept: list[Record] = []
    for record in sorted(records, key=lambda one: (one.latency.p50, _eer(one))):
        if not kept or _eer(record) < _eer(kept[-1]):
            kept.append(record)
    return kept


def _section(session: Session) -> str:
    if not session.records:
        raise MismatchError("a session without records has nothing to report")
    first = session.records[0]
    rows = [_row(record, session) for record in session.records]
    if session.reference is not None:
        rows.append(_row(session.reference, session))
    table = ["| " + " | ".join(HEADER) + " |", "| --- | --- " + "| ---: " * (len(HEADER) - 2) + "|"]
    table += ["| " + " | ".join(row) + " |" for row in rows]
    lines = [f"**{where(first)}**, {session.created}", "", *table, "", unit_in_words(first)]
    held_back = len(first.latency.held_back_rounds)
    if held_back:
        trust = (
            "" if held_back <= (1 - CLEAN_SHARE) * first.latency.rounds else " These figures are not to be relied on."
        )
        lines += ["", f"The device was held back in {held_back} of {first.latency.rounds} rounds.{trust}"]
    return "\n".join(lines)


def _row(record: Record, session: Session) -> tuple[str, ...]:
    latency, memory = record.latency, record.memory.model_bytes
    ratio = to_reference(record, session)
    name = record.model.name
    return (
        f"*{name}*" if name == reference.NAME else name,
        record.backend.effective,
        str(record.threads.effective or record.threads.requested),
        f"{latency.p50:.4g}",
        f"{latency.p95:.4g}",
        f"{latency.ci95[0]:.4g} to {latency.ci95[1]:.4g}",
        "" if ratio is None else f"{ratio:.3f}",
        f"{1000 * record.load_seconds:.0f}",
        "" if memory is None else f"{memory / 1000:.0f}",
    )


def _shown(sessions: Sequence[Session]) -> list[list[Record]]:
    return [group for group in grouped(sessions) if len(group) > 1]


def _fronts(sessions: Sequence[Session]) -> list[str]:
    return [_front_table(group) for group in _shown(sessions)]


def _front_table(group: list[Record]) -> str:
    best = {id(record) for record in front(group)}
    evidence = group[0].evidence
    assert evidence is not None
    on = "synthetic people" if evidence.synthetic else f"{evidence.people} development people"
    unit = "" if group[0].clock is Clock.WALL else f", clock {group[0].clock}"
    title = f"**Accuracy for latency** on {group[0].device.soc}, {group[0].threads.requested} thread(s){unit}; "
    title += f"EER on {on} as the contracts say (protocol {evidence.protocol_sha256[:12]})"
    rows = [
        f"| {'**' * (id(one) in best)}{one.model.name}{'**' * (id(one) in best)} | {one.latency.p50:.4g} "
        f"| {100 * _eer(one):.2f} | {'yes' if id(one) in best else ''} |"
        for one in sorted(group, key=lambda one: one.latency.p50)
    ]
    head = [title, "", f"| model | p50 {group[0].latency.unit} | EER % | on the front |", "| --- | ---: | ---: | --- |"]
    return "\n".join([*head, *rows])


def _plot_latency(sessions: Sequence[Session], folder: Path) -> str:
    """Draws every model's raw values as a cumulative share, by session."""
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(len(sessions), 1, figsize=(7, 3 * len(sessions)), squeeze=False)
    for session, axis in zip(sessions, axes[:, 0], strict=True):
        for record in session.records:
            values = np.sort(record.latency.raw)
            axis.step(values, np.arange(1, len(values) + 1) / len(values), where="post", label=record.model.name)
        first = session.records[0]
        axis.set_xscale("log")
        axis.set_xlabel(f"{first.latency.unit} per window" + ("" if first.clock is Clock.WALL else f" ({first.clock})"))
        axis.set_ylabel("share")
        axis.set_title(f"{first.device.soc} ({first.device.reached})", fontsize=9)
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(folder / "latency.svg")
    plt.close(figure)
    return "latency.svg"


def _plot_front(group: list[Record], folder: Path, number: int) -> str:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4))
    best = front(group)
    axis.plot([one.latency.p50 for one in best], [100 * _eer(one) for one in best], "--", linewidth=1)
    for one in group:
        axis.plot(one.latency.p50, 100 * _eer(one), "o" if one in best else "x")
        axis.annotate(one.model.name, (one.latency.p50, 100 * _eer(one)), fontsize=6)
    axis.set_xscale("log")
    axis.set_xlabel(f"p50, {group[0].latency.unit}" + ("" if group[0].clock is Clock.WALL else f" ({group[0].clock})"))
    axis.set_ylabel("EER %")
    axis.set_title(group[0].device.soc, fontsize=9)
    figure.tight_layout()
    name = f"front-{number + 1}.svg"
    figure.savefig(folder / name)
    plt.close(figure)
    return name


def _eer(record: Record) -> float:
    assert record.evidence is not None
    return record.evidence.eer
