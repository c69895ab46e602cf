"""The tables of the dual-task study: figures with intervals, what each choice changes, and deciding by activity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecgkd.data.prepared import PreparedSet
from ecgkd.data.synthetic import SYNTHETIC_NOTICE
from ecgkd.evaluation.bootstrap import Measured, draw_people
from ecgkd.evaluation.conditioned import Conditioned, condition, told_of_probes, true_of_probes
from ecgkd.evaluation.drawn import Figure
from ecgkd.evaluation.dual_task import REPLICATES, Outputs, Tiles, as_rows, figures, tiles, trials
from ecgkd.files import write_bytes, write_json

COLUMNS = {
    "rank1": "rank-1 %, 1 window",
    "rank1_3": "rank-1 %, 3 windows",
    "eer_rest": "EER % at rest",
    "eer_across": "EER % across activities",
    "eer_across_same": "the same inside a session",
    "activity_accuracy": "activity %",
    "activity_f1": "macro-F1 %",
}
"""Figures of the main table, and how it calls them."""
LEAKY = "leaky"
PAPER = "99.12 % identity and 90.11 % activity (You et al. 2025, their own recordings and split)"
CONDITIONED = ("GradNorm", "GradNorm, distilled", "activity head on the network given")
"""Rows whose decision is made to depend on activity."""
PAIRS = (
    ("fixed weights", "identity only"),
    ("fixed weights", "activity only"),
    ("GradNorm", "identity only"),
    ("GradNorm", "activity only"),
    ("GradNorm", "fixed weights"),
    ("uncertainty", "fixed weights"),
    ("PCGrad", "fixed weights"),
    ("GradNorm", "GradNorm, no attention"),
    ("GradNorm, distilled", "GradNorm"),
    ("GradNorm, wide", "GradNorm"),
    ("GradNorm, distilled from wide", "GradNorm"),
    ("GradNorm, distilled from wide", "GradNorm, wide"),
    ("GradNorm, from the network given", "GradNorm"),
    ("GradNorm, from the network given", "identity only"),
    ("GradNorm, from the network given", "activity only"),
    ("activity head on the network given", "GradNorm"),
    ("activity head on the network given", "activity only"),
)
"""Rows that are compared with each other: one minus the other."""


def make_tables(found: Mapping[str, Sequence[Outputs]], one: PreparedSet) -> dict[str, Any]:
    """Returns the study as plain data: `rows`, `differences`, `leaky` and `conditioned`."""
    all_tiles = tiles(one)
    of_rows = {name: figures(outputs, all_tiles, one) for name, outputs in found.items() if name != LEAKY}
    document: dict[str, Any] = {
        "set": one.name,
        "people": len(all_tiles.windows.subjects),
        "interval": "95 %, bootstrap over people",
        "notice": SYNTHETIC_NOTICE if one.synthetic else "",
        "networks": {name: len(found[name]) for name in of_rows},
        "rows": as_rows(of_rows),
        "differences": _differences(found, of_rows, all_tiles, one),
        "paper": PAPER,
    }
    if LEAKY in found:
        document["leaky"] = _leaky(found[LEAKY], all_tiles, one)
    document["conditioned"] = {name: decided(found[name], all_tiles, one) for name in CONDITIONED if name in found}
    return document


def _differences(
    found: Mapping[str, Sequence[Outputs]],
    of_rows: Mapping[str, Mapping[str, Figure]],
    all_tiles: Tiles,
    one: PreparedSet,
) -> list[dict[str, Any]]:
    """Returns what one row's figures are more than another's, on the folds that both have."""
    rows = []
    for pair in PAIRS:
        if not set(pair) <= set(of_rows):
            continue
        folds = [{output.protocol.name for output in found[name]} for name in pair]
        common = folds[0] & folds[1]
        mine, theirs = (
            of_rows[name] if common == own else figures(_of(found[name], common), all_tiles, one)
            for name, own in zip(pair, folds, strict=True)
        )
        for name in COLUMNS:
            if name in mine and name in theirs:
                less = mine[name].less(theirs[name])
                rows.append({"network": pair[0], "other": pair[1], "figure": name, **asdict(less)})
    return rows


def _of(outputs: Sequence[Outputs], names: set[str]) -> list[Outputs]:
    return [output for output in outputs if output.protocol.name in names]


def _leaky(outputs: Sequence[Outputs], all_tiles: Tiles, one: PreparedSet) -> dict[str, Any]:
    found = figures(outputs, all_tiles, one)
    return {name: asdict(found[name].measured) for name in ("rank1", "activity_accuracy", "activity_f1")}


def decided(outputs: Sequence[Outputs], all_tiles: Tiles, one: PreparedSet) -> list[dict[str, Any]]:
    """Returns what deciding by activity does, with the activity that the network tells and with the true one."""
    usable = trials(outputs, all_tiles, one)
    draws = draw_people(len(all_tiles.windows.subjects), REPLICATES)
    activities = outputs[0].activities
    partition = [int(output.protocol.name.rsplit(" r", 1)[1].split("f")[0]) for output in outputs]
    shown = {"told": told_of_probes(usable, outputs), "true": true_of_probes(usable, all_tiles, activities)}
    found: list[Conditioned] = []
    for source, activity in shown.items():
        found += condition(usable, activity, len(activities), partition, draws, source)
    return [{**asdict(line), "wins": line.wins} for line in found]


def write_tables(document: Mapping[str, Any], folder: Path) -> None:
    """Writes study.json and study.md. Raises: DataError."""
    write_json(folder / "study.json", dict(document))
    write_bytes(folder / "study.md", markdown(document).encode())


def markdown(document: Mapping[str, Any]) -> str:
    """Returns the tables in Markdown, in per cent."""
    rows: dict[str, dict[str, str]] = {}
    for line in document["rows"]:
        measured = Measured(line["value"], line["low"], line["high"])
        rows.setdefault(line["network"], {})[line["figure"]] = per_cent(measured)
    lines = [document["notice"], ""] if document["notice"] else []
    lines += [f"| row | networks | {' | '.join(COLUMNS.values())} |", "| --- | --- |" + " --- |" * len(COLUMNS)]
    for name, of in rows.items():
        lines.append(f"| {name} | {document['networks'][name]} | {' | '.join(of.get(key, '') for key in COLUMNS)} |")
    if "leaky" in document:
        cells = {key: per_cent(Measured(**one)) for key, one in document["leaky"].items()}
        figures_of = " | ".join(cells.get(key, "") for key in COLUMNS)
        lines.append(f"| GradNorm, *leaky*: random windows | 1 | {figures_of} |")
    lines += ["", "| choice | against | figure | difference, points |", "| --- | --- | --- | --- |"]
    for line in document["differences"]:
        measured = Measured(line["value"], line["low"], line["high"])
        what = COLUMNS[line["figure"]].replace(" %", "")
        lines.append(f"| {line['network']} | {line['other']} | {what} | {per_cent(measured, signed=True)} |")
    for name, of in document["conditioned"].items():
        head = f"| {name}: decision | activity | EER % | FMR % | FNMR % | EER, points | (FMR + FNMR) / 2, points |"
        lines += ["", head, "| --- |" + " --- |" * 6]
        for line in of:
            plain = [per_cent(Measured(**line[key])) for key in ("eer", "fmr", "fnmr")]
            less = [per_cent(Measured(**line[key]), signed=True) for key in ("eer_less", "error_less")]
            lines.append(f"| {line['method']} | {line['activity']} | {' | '.join([*plain, *less])} |")
    return "\n".join(lines) + "\n"


def per_cent(measured: Measured, signed: bool = False) -> str:
    """Returns a share in per cent with its interval."""
    sign = "+" if signed else ""
    text = f"{100 * measured.value:{sign}.1f}"
    if measured.low is None or measured.high is None:
        return text
    return f"{text} [{100 * measured.low:{sign}.1f}, {100 * measured.high:{sign}.1f}]"
