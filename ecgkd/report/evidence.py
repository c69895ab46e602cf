"""Sections on the evidence."""

from ecgkd.report.collect import Material
from ecgkd.report.page import Section, Text, Tile


def evidence_sections(material: Material) -> list[Section]:
    """Returns the evidence and the calibration of verification."""
    if material.evaluation is None:
        words = "No evaluation here; `ecgkd evaluate MODEL... --data SET --protocol P.json --out DIR` makes one."
        return [Section("Evidence", (Text(words),), "evidence")]
    return []


def headline_tile(material: Material) -> Tile | None:
    return None
