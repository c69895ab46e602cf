"""Section on the artefacts: what each is, its decision threshold, and every gate with its number and bound."""

from collections.abc import Iterator
from typing import Any

from ecgkd.bundle import activity_gate
from ecgkd.bundle import gate as biometric
from ecgkd.bundle.artefacts import Shipped
from ecgkd.contract import Threshold
from ecgkd.report.collect import Material
from ecgkd.report.page import Block, Cell, Section, Table, Text, Tone
from ecgkd.report.words import between, many, percent, points, short, size

GATES = {
    "structure": "structure",
    "float_parity": "same numbers as PyTorch",
    "output_parity": "same numbers as the float graph",
    "activity_parity": "same activities as the float graph",
    "biometric": "same decisions as the float graph",
    "activity": "activities of people told as well as by the float graph",
}
TONES: dict[str, Tone] = {"passed": "good", "failed": "bad", "undecided": "notice", "absent": "plain"}
NOT_GATES = ("verdict", "failed", "forced")


def artefacts_section(material: Material) -> Section:
    """Returns the artefacts and their gates."""
    title, name = "Artefacts and gates", "artefacts"
    if not material.export:
        return Section(title, (Text("No artefacts here; `ecgkd export --int8` writes them behind gates."),), name)
    blocks: list[Block] = [_files(material.export)]
    for shipped in material.export:
        if shipped.contract.gates.get("forced"):
            failed = ", ".join(GATES.get(one, one) for one in shipped.contract.gates["failed"])
            blocks.append(Text(f"{shipped.path.name} failed ({failed}) and was written by --force.", "bad"))
    blocks += _gates(material.export)
    threshold = next((one.contract.threshold for one in material.export if one.contract.threshold), None)
    if threshold is not None:
        blocks.append(Text(_decision(threshold)))
    return Section(title, tuple(blocks), name)


def _files(export: tuple[Shipped, ...]) -> Table:
    rows = []
    for one in export:
        verdict = str(one.contract.gates.get("verdict", "not run"))
        rows.append(
            (
                Cell(one.path.name, short(one.sha256)),
                Cell(one.contract.precision),
                Cell(size(one.path.stat().st_size)),
                Cell(verdict, tone=TONES.get(verdict, "plain")),
            )
        )
    return Table(
        ("file", "precision", "size", "gates"), tuple(rows), "Beneath each name the beginning of the file's SHA-256."
    )


def _gates(export: tuple[Shipped, ...]) -> list[Block]:
    """Returns a table with a line for each figure of each gate, and the reasons of what is undecided or absent."""
    rows: list[tuple[str | Cell, ...]] = []
    reasons: list[Block] = []
    for one in export:
        for name, gate in one.contract.gates.items():
            if name in NOT_GATES:
                continue
            title, result = GATES.get(name, name), gate["result"]
            head = Cell(title, f"{one.contract.precision}: {result}", TONES.get(result, "plain"))
            for what, found in list(gate_lines(gate)) or [("", Cell("–"))]:
                rows.append((head, what, found))
                head = Cell("")
            if result in ("undecided", "absent") and gate.get("why"):
                counts = "" if gate.get("counts", True) else " It does not count, since the people are synthetic."
                why = _sentence(gate["why"])
                reasons.append(Text(f"{one.contract.precision}, {title}: {result}. {why}{counts}"))
    return [Table(("gate", "figure", "found, and its bound"), tuple(rows), words=(1,), stacked=True), *reasons]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def gate_lines(gate: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Gives (figure, what was found with its bound) of a gate's result."""
    if "problems" in gate:
        problems = gate["problems"]
        yield "problems of the graph", Cell("; ".join(problems[:3]) if problems else "none")
    if "int8_kernels" in gate:
        yield "operators with weights that run in int8", Cell(str(gate["int8_kernels"]), f"of {gate['weighted']}")
    if "max_abs_bound" in gate:
        yield "largest difference", Cell(f"{gate['max_abs']:.2g}", f"at most {gate['max_abs_bound']:g}")
    if "cosine_mean_floor" in gate:
        yield "mean cosine", Cell(f"{gate['cosine_mean']:.5f}", f"at least {gate['cosine_mean_floor']:g}")
    if "cosine_min_floor" in gate:
        yield "worst cosine", Cell(f"{gate['cosine_min']:.5f}", f"at least {gate['cosine_min_floor']:g}")
    if "agreement_floor" in gate:
        at_least = f"at least {percent(gate['agreement_floor'], 0)}"
        yield "windows told alike", Cell(percent(gate["agreement"]), at_least)
    if "delta_eer" in gate:
        yield from _biometric(gate)
    if "delta_activity" in gate:
        yield from _activity(gate)


def _biometric(gate: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    people = many(gate["people"], "development person", "development people")
    interval = f"{delta_interval(gate)}; " if gate["delta_eer_ci95"] else ""
    at_most = f"{interval}at most {points(biometric.DELTA_EER, 1)}"
    yield f"ΔEER, {people}, {many(gate['genuine'], 'genuine comparison')}", Cell(points(gate["delta_eer"]), at_most)
    for kind in ("genuine", "impostor"):
        flips = Cell(percent(gate[f"{kind}_flips"], 2), f"at most {percent(biometric.FLIPS, 0)}")
        yield f"{kind} decisions that flip", flips
    for what in ("fmr", "fnmr"):
        yield (
            f"{what.upper()} at the threshold",
            Cell(percent(gate[what], 2), f"float {percent(gate[f'{what}_float'], 2)}"),
        )


def _activity(gate: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    people = f"{many(gate['people'], 'person', 'people')}, {many(gate['windows'], 'window')}"
    low, high = gate["delta_activity_ci95"] or (None, None)
    interval = between(low, high, scale=100, digits=2, signed=True)
    at_least = f"at least {points(-activity_gate.LOSS, 1)}"
    yield f"change of accuracy, {people}", Cell(points(gate["delta_activity"]), f"{interval}; {at_least}".lstrip("; "))
    yield (
        "activities told right",
        Cell(percent(gate["activity_accuracy"]), f"float {percent(gate['activity_accuracy_float'])}"),
    )
    yield "answers that change", Cell(percent(gate["changed_answers"], 2))


def delta_interval(gate: dict[str, Any]) -> str:
    """Returns the interval of ΔEER in points, empty where there is none."""
    low, high = gate["delta_eer_ci95"] or (None, None)
    return between(low, high, scale=100, digits=2, signed=True)


def _decision(threshold: Threshold) -> str:
    kind = {"as_norm": "AS-norm score", "cosine": "cosine"}.get(threshold.kind, threshold.kind)
    return (
        f"Decision threshold: {kind} of {threshold.value:.4g}, set for an FMR of {percent(threshold.fmr, 1)} on "
        f"{many(threshold.n_subjects, 'person', 'people')} ({threshold.population}, "
        f"{many(threshold.n_pairs, 'pair')}), with {many(threshold.enrol_windows, 'window')} enrolled and "
        f"{many(threshold.probe_windows, 'window')} probed. There the FNMR is {percent(threshold.fnmr, 1)}; the upper "
        f"95 % bound of the FMR is {percent(threshold.fmr_upper, 1)}."
    )
