"""Puts the page together: headline figures on top, then a section for each part."""

from datetime import UTC, datetime

from ecgkd import __version__
from ecgkd.bundle.artefacts import Shipped
from ecgkd.data.synthetic import SYNTHETIC_NOTICE
from ecgkd.report.activity import activity_section, activity_tile
from ecgkd.report.again import again_section
from ecgkd.report.collect import Material, Run
from ecgkd.report.cost import FORMATS, cost_section, form, time_of
from ecgkd.report.evidence import evidence_section, headline_tile
from ecgkd.report.page import Page, Section, Text, Tile
from ecgkd.report.shipped import artefacts_section, delta_interval
from ecgkd.report.shown import Shown, shown
from ecgkd.report.trained import ablation_section, learned_section, trained_section
from ecgkd.report.verification import calibration_section
from ecgkd.report.words import large, many, points, size
from ecgkd_bench.result import Clock, Record


def make_page(material: Material) -> Page:
    """Returns the page of what was found. Raises: MissingToolError without matplotlib where there are curves."""
    found = shown(material)
    sections: list[Section | None] = [
        trained_section(material),
        evidence_section(found),
        activity_section(found),
        calibration_section(found),
        ablation_section(material),
        artefacts_section(material),
        cost_section(material),
        learned_section(material),
        again_section(material),
    ]
    if material.absent:
        sections.append(Section("What is not here", tuple(Text(words) for words in material.absent), "absent"))
    run = material.headline
    return Page(
        title=run.name if run else material.where.resolve().name,
        subtitle=_subtitle(material.runs),
        summary=tuple(headline(material, found)),
        sections=tuple(section for section in sections if section is not None and section.blocks),
        notice=SYNTHETIC_NOTICE[0].upper() + SYNTHETIC_NOTICE[1:] + "." if material.synthetic else "",
        footer=f"Made by ecgkd {__version__} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
    )


def _subtitle(runs: tuple[Run, ...]) -> str:
    if not runs:
        return "Evidence without its training run"
    run = runs[-1]
    metrics = run.info.metrics
    teacher = next((one for one in runs if one.info.metrics["role"] == "teacher" and metrics["distilled"]), None)
    of = f", distilled from {teacher.info.metrics['model']}" if teacher else ""
    return (
        f"{run.what[0].upper()}{run.what[1:]}: {metrics['model']} with {large(metrics['parameters'])} parameters{of}; "
        f"{many(metrics['people'], 'training person', 'training people')}"
    )


def headline(material: Material, found: Shown | None) -> list[Tile]:
    """Returns what is asked first: the error, what int8 costs, the time of a window, the size of the file."""
    int8 = next((one for one in material.export if one.contract.precision == "int8"), None)
    tiles = [
        headline_tile(found),
        activity_tile(found),
        _delta_tile(int8),
        _time_tile(material),
        _size_tile(int8, material),
    ]
    return [tile for tile in tiles if tile is not None]


def _delta_tile(int8: Shipped | None) -> Tile | None:
    gate = int8.contract.gates.get("biometric", {}) if int8 else {}
    if "delta_eer" not in gate:
        return None
    people = many(gate["people"], "development person", "development people")
    return Tile(
        points(gate["delta_eer"]), "ΔEER, int8 against float", f"{delta_interval(gate) or 'no interval'}, {people}"
    )


def _time_tile(material: Material) -> Tile | None:
    record = _record_to_ship(material)
    if record is None:
        return None
    unit = "instructions" if record.clock is Clock.INSTRUCTIONS else "time"
    threads = many(record.threads.effective or record.threads.requested, "thread")
    return Tile(time_of(record), f"{unit} per window of 4\u00a0s", f"{form(record)}, {threads}, {record.device.soc}")


def _record_to_ship(material: Material) -> Record | None:
    """Returns the record of the int8 artefact, else the last one."""
    records = material.bench.records if material.bench else ()
    return next((one for one in records if one.model.precision == "int8"), records[-1] if records else None)


def _size_tile(int8: Shipped | None, material: Material) -> Tile | None:
    shipped = int8 or (material.export[0] if material.export else None)
    if shipped is None:
        return None
    kind = FORMATS.get(shipped.path.suffix.removeprefix("."), "")
    return Tile(
        size(shipped.path.stat().st_size), f"{shipped.contract.precision} file", f"{shipped.contract.model}, {kind}"
    )
