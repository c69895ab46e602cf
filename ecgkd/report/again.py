"""Section on how to do it again: commands and versions."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecgkd.report.collect import Material, Run
from ecgkd.report.page import Block, Code, Section, Text
from ecgkd.report.words import listed, near

TOLD = ("ecgkd", "python", "torch", "onnxruntime", "numpy")
"""Versions that come first."""


def again_section(material: Material) -> Section:
    """Returns the commands that make everything on the page again, and the versions that made it."""
    blocks: list[Block] = []
    lines = tuple(commands(material))
    if lines:
        blocks.append(Text("A run's recipe.toml holds every setting and names its recordings; to do the same again:"))
        blocks.append(Code(lines))
    environment = material.runs[-1].environment if material.runs else {}
    if environment:
        where = [f"{environment.get('processes', 1)} process(es) of {environment.get('threads', '?')} threads"]
        device = f"on {environment.get('device', 'an unknown device')}, {environment.get('platform', '')}"
        blocks.append(
            Text(f"Trained {device}, {listed(where)}, started {environment.get('started', 'some time ago')}.")
        )
    versions = _versions(material)
    if versions:
        blocks.append(Text("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."))
    return Section("How to do it again", tuple(blocks), "again")


def commands(material: Material) -> Iterator[str]:
    """Gives the commands, paths as seen from the folder that the page is about."""
    runs = {str(run.path.resolve()): run for run in material.runs}
    for run in material.runs:
        yield _command(_training(run, runs, material.where))
    headline = material.headline
    given: list[str] = []
    if headline is not None:
        protocol = near(headline.info.protocol_path, material.where)
        given = [*_sets(headline, material.where), "--protocol", protocol]
    if material.evaluation_path is not None:
        models = [near(run.path, material.where) for run in material.runs]
        yield _command(["evaluate", *models, *given, "--out", near(material.evaluation_path, material.where)])
    if material.export and headline is not None:
        folder = near(material.export[0].path.parent, material.where)
        yield _command(["export", near(headline.path, material.where), "--int8", *given, "--out", folder])
    if material.bench is not None and material.bench_path is not None:
        known = [near(one.path, material.where) for one in material.export]
        models = [near(headline.path, material.where)] if headline else []
        out = near(material.bench_path, material.where)
        threads = str(material.bench.records[0].threads.requested)
        yield _command(["bench", *models, *known, "--threads", threads, "--out", out])


def _training(run: Run, runs: dict[str, Run], where: Path) -> list[str]:
    recipe = near(run.path / "recipe.toml", where)
    teacher = run.info.metrics["teacher"]
    if teacher is None:
        return ["train", recipe]
    return ["distill", recipe, "--teacher", near(Path(teacher), where)]


def _sets(run: Run, where: Path) -> list[str]:
    return [word for path in run.info.data_paths for word in ("--data", near(Path(path), where))]


def _command(words: Sequence[str]) -> str:
    return f"ecgkd {shlex.join(words)}"


def _versions(material: Material) -> dict[str, str]:
    """Returns all versions that runs and artefacts name, the telling ones first."""
    found: dict[str, str] = {}
    for contract in [one.contract for one in material.export] + [run.info.contract for run in material.runs]:
        for name, version in contract.versions.items():
            found.setdefault(name, version)
    return {name: found[name] for name in sorted(found, key=lambda name: (name not in TOLD, name))}
