"""Sections on what was trained, on whom, and how it learned."""

from typing import Any

from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.summary import PARTS
from ecgkd.report.collect import Material, Run
from ecgkd.report.curves import learning_curves
from ecgkd.report.page import Bar, Bars, Block, Cell, Section, Table, Text
from ecgkd.report.words import between, count, duration, large, many, percent, points, short

PART_NAMES = {"train": "training", "validate": "validation", "calibrate": "thresholds and calibration"}


def trained_section(material: Material) -> Section:
    """Returns the networks and the people of every part."""
    blocks: list[Block] = []
    if material.runs:
        blocks.append(_networks(material.runs))
        blocks.append(Text(f"Training recordings: {material.runs[-1].info.contract.trained_on or 'not stated'}."))
    else:
        blocks.append(Text("No training run here; `ecgkd train` and `ecgkd distill` make one."))
    blocks += _people(material)
    return Section("What was trained, on whom", tuple(blocks), "trained")


def _networks(runs: tuple[Run, ...]) -> Table:
    return Table(
        ("run", "network", "trained on", "epochs", "took", "development EER"),
        tuple(_network(run) for run in runs),
        "Development EER: the mean over the protocol's development rows that chose the epoch, on the people who "
        "chose it. Figures on unseen people follow below.",
        words=(1,),
    )


def _network(run: Run) -> tuple[Cell, ...]:
    metrics = run.info.metrics
    size = f"{large(metrics['parameters'])} parameters, {large(metrics['macs'])} MAC"
    return (
        Cell(run.name, run.what),
        Cell(metrics["model"], size),
        Cell(many(metrics["people"], "person", "people"), many(metrics["windows"], "window")),
        Cell(str(metrics["epochs"]), f"kept {metrics['best_epoch']}"),
        Cell(duration(metrics["seconds"])),
        Cell(percent(metrics["development_eer"].get("mean"))),
    )


def _people(material: Material) -> list[Block]:
    protocol = material.protocol
    if protocol is None:
        return [Text("No protocol file here, so who trained and who tested is not known.")]
    sets = ", ".join(f"{name} ({short(sha256)})" for name, sha256 in protocol.sets.items())
    blocks: list[Block] = [
        Text(f"Protocol “{protocol.name}” ({protocol.kind}, {short(protocol.sha256)}) over {sets}."),
        *(_counted(protocol, material.counts) if material.counts else [_spans(protocol)]),
    ]
    return blocks + [Text(f"Note of the protocol: {note}.") for note in protocol.notes]


def _counted(protocol: Protocol, counts: dict[str, Any]) -> list[Block]:
    """Returns people, recordings and windows of every part and row."""
    parts = tuple(
        (PART_NAMES[part], *(count(counts["parts"][part][what]) for what in ("people", "recordings", "windows")))
        for part in PARTS
    )
    rows = tuple(
        (
            Cell(row["name"], row["evidence"]),
            _side(row["enrol"]),
            _side(row["probe"]),
            Cell(count(row["genuine_people"])),
        )
        for row in counts["rows"]
    )
    return [
        Table(("part", "people", "recordings", "windows of 4\u00a0s"), parts),
        Table(("row", "enrolled", "probing", "on both sides"), rows, "People, and the windows of each side."),
    ]


def _side(counts: dict[str, int]) -> Cell:
    return Cell(count(counts["people"]), many(counts["windows"], "window"))


def _spans(protocol: Protocol) -> Table:
    """Returns recordings of every part: what the protocol file alone tells."""
    rows = [(PART_NAMES[part], count(_recordings(getattr(protocol, part)))) for part in PARTS]
    for row in protocol.rows:
        rows.append((f"{row.name}, enrolled", count(_recordings(row.enrol))))
        rows.append((f"{row.name}, probes", count(_recordings(row.probe))))
    return Table(("part", "recordings"), tuple(rows))


def _recordings(spans: Any) -> int:
    return len({(span.set, span.record) for span in spans})


def ablation_section(material: Material) -> Section | None:
    """Returns what each term of the distillation brings, None where no ablation was run."""
    if material.ablation is None:
        return None
    rows = material.ablation["rows"]
    bars = tuple(
        Bar(
            name=row["row"],
            value=row["eer"],
            words=percent(row["eer"]),
            low=row["low"],
            high=row["high"],
            tone="good" if number else "plain",
            detail=_gain(row) if number else many(row["seeds"], "seed"),
        )
        for number, row in enumerate(rows)
    )
    caption = f"{material.ablation['measure']}. Lines: {material.ablation['interval']}."
    return Section("What each term brings", (Bars("EER", bars, caption),), "ablation")


def _gain(row: dict[str, Any]) -> str:
    interval = between(row["gain_low"], row["gain_high"], scale=100, signed=True)
    return f"better by {points(row['gain'], 1)} ({interval})"


def learned_section(material: Material) -> Section | None:
    """Returns the learning curves, None where no run has any."""
    figures = learning_curves(material.runs)
    return Section("How it learned", tuple(figures), "learned") if figures else None
