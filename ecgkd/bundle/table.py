"""The one table of an export: what each file is, whether it passed, what it costs and how fast it is."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ecgkd.contract import ACTIVITY
from ecgkd_export.parity import ABSENT, FAILED, PASSED, UNDECIDED

WIDTH = 100
HEADER = ("kB", "ms", "cosine", "worst", "ΔEER points (95 %)", "flips %", "gates")
ACTIVITY_HEADER = ("activity %", "change, points (95 %)", "changed answers %")
"""Of a table of its own, where a network tells activities: one of all would be too wide."""
OF_ACTIVITY = ("activity_accuracy", "delta_activity", "delta_activity_ci95", "changed_answers")
SIMILAR = ("output_parity", "float_parity")
"""Gates with a cosine to the float network; the first that a file has is shown."""
NOTE = (
    "ms: median on one thread, all in turns; cosine: to the float embedding, mean and worst window; "
    "flips: genuine, impostor"
)
ACTIVITY_NOTE = (
    "activity: labelled windows of people who did not train that are told right, everybody counting alike; change: "
    "against float"
)


@dataclass(frozen=True)
class Line:
    """One file."""

    artefact: str
    bytes: int | None
    ms: float | None
    """Median of this run, one thread; None where it was not measured."""
    cosine_mean: float | None
    cosine_min: float | None
    delta_eer: float | None
    """Share, not points."""
    delta_eer_ci95: tuple[float, float] | None
    genuine_flips: float | None
    impostor_flips: float | None
    gates: dict[str, str]
    """Result by gate."""
    activity_accuracy: float | None = None
    delta_activity: float | None = None
    """Shares."""
    delta_activity_ci95: tuple[float, float] | None = None
    changed_answers: float | None = None

    @property
    def asked_activities(self) -> bool:
        return ACTIVITY in self.gates

    def to_dict(self) -> dict[str, Any]:
        """Returns the line; without what belongs to activities where its network is not asked for them."""
        plain = asdict(self)
        return plain if self.asked_activities else {key: plain[key] for key in plain if key not in OF_ACTIVITY}


def lines(
    gates: Mapping[str, Mapping[str, dict[str, Any]]],
    sizes: Mapping[str, int],
    times: Mapping[str, dict[str, Any]],
) -> list[Line]:
    """Returns a line for each file of `gates`, in their order."""
    return [_line(name, found, sizes.get(name), times.get(name)) for name, found in gates.items()]


def _line(name: str, gates: Mapping[str, dict[str, Any]], size: int | None, time: dict[str, Any] | None) -> Line:
    parity = next((gates[gate] for gate in SIMILAR if "cosine_mean" in gates.get(gate, {})), {})
    decisions = next((one for one in gates.values() if "genuine_flips" in one), {})
    told = gates.get(ACTIVITY, {})
    return Line(
        artefact=name,
        bytes=size,
        ms=None if time is None else float(time["p50"]),
        cosine_mean=parity.get("cosine_mean"),
        cosine_min=parity.get("cosine_min"),
        delta_eer=decisions.get("delta_eer"),
        delta_eer_ci95=_pair(decisions.get("delta_eer_ci95")),
        genuine_flips=decisions.get("genuine_flips"),
        impostor_flips=decisions.get("impostor_flips"),
        gates={gate: str(one["result"]) for gate, one in gates.items()},
        activity_accuracy=told.get("activity_accuracy"),
        delta_activity=told.get("delta_activity"),
        delta_activity_ci95=_pair(told.get("delta_activity_ci95")),
        changed_answers=told.get("changed_answers"),
    )


def _pair(bounds: Sequence[float] | None) -> tuple[float, float] | None:
    return None if bounds is None else (bounds[0], bounds[1])


def text(shown: Sequence[Line], gates: Mapping[str, Mapping[str, dict[str, Any]]]) -> str:
    """Returns the table, at most 100 columns wide, and below it what did not pass, with its figures."""
    stems = {line.artefact.rpartition("_")[0] for line in shown}
    prefix = f"{stems.pop()}_" if len(stems) == 1 else ""
    rows: list[tuple[str, ...]] = [(prefix.rstrip("_"), *HEADER)]
    rows += [(line.artefact.removeprefix(prefix), *_cells(line)) for line in shown]
    parts = [*_aligned(rows), *textwrap.wrap(NOTE, WIDTH)]
    told = [line for line in shown if line.activity_accuracy is not None]
    if told:
        rows = [(prefix.rstrip("_"), *ACTIVITY_HEADER)]
        rows += [(line.artefact.removeprefix(prefix), *_told(line)) for line in told]
        parts += [*_aligned(rows), *textwrap.wrap(ACTIVITY_NOTE, WIDTH)]
    return "\n".join([*parts, *_reasons(prefix, gates)])


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Returns rows as lines: the first column to the left, the last as it is, those between to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    text = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)),
        ]
        text.append("  ".join([*cells, row[-1]]).rstrip())
    return text


def _points(value: float | None, bounds: tuple[float, float] | None, digits: int) -> str:
    """Returns a difference of shares in points, with its interval."""
    if value is None:
        return ""
    shown = f"{100 * value:+.{digits}f}"
    return shown if bounds is None else f"{shown} ({100 * bounds[0]:+.{digits}f} to {100 * bounds[1]:+.{digits}f})"


def _cells(line: Line) -> tuple[str, ...]:
    flips = (
        "" if line.genuine_flips is None else f"{100 * line.genuine_flips:.2f}, {100 * (line.impostor_flips or 0):.2f}"
    )
    return (
        "" if line.bytes is None else f"{line.bytes / 1000:.0f}",
        "" if line.ms is None else f"{line.ms:.3f}",
        "" if line.cosine_mean is None else f"{line.cosine_mean:.5f}",
        "" if line.cosine_min is None else f"{line.cosine_min:.4f}",
        _points(line.delta_eer, line.delta_eer_ci95, 2),
        flips,
        _verdict(line.gates),
    )


def _told(line: Line) -> tuple[str, ...]:
    change = _points(line.delta_activity, line.delta_activity_ci95, 1)
    return f"{100 * (line.activity_accuracy or 0):.1f}", change, f"{100 * (line.changed_answers or 0):.1f}"


def _verdict(gates: Mapping[str, str]) -> str:
    """Returns how many gates passed; what failed by its name."""
    wrong = [f"{gate} {result.upper()}" for gate, result in gates.items() if result in (FAILED, UNDECIDED)]
    if wrong:
        return wrong[0] + (f" and {len(wrong) - 1} more" if wrong[1:] else "")
    count = Counter(gates.values())
    return ", ".join(f"{count[result]} {result}" for result in (PASSED, ABSENT) if count[result])


def _reasons(prefix: str, gates: Mapping[str, Mapping[str, dict[str, Any]]]) -> list[str]:
    """Returns what did not pass and why; what is the same of several files in one line."""
    found: dict[str, list[str]] = {}
    for name, of_file in gates.items():
        for gate, result in of_file.items():
            if result["result"] != PASSED:
                what = f"{gate} {result['result']}: {figures(result)}"
                found.setdefault(what, []).append(name.removeprefix(prefix))
    said = [f"{', '.join(names)}: {what}" for what, names in found.items()]
    return [line for one in said for line in textwrap.wrap(one, WIDTH, subsequent_indent="    ")]


def figures(gate: Mapping[str, Any]) -> str:
    """Returns the numbers of a gate, or its reason, in one short line."""
    if "why" in gate:
        return str(gate["why"])
    if gate.get("problems"):
        more = len(gate["problems"]) - 1
        return gate["problems"][0] + (f" and {more} more" if more else "")
    if "runtimes" in gate:
        return "; ".join(_runtime(name, one) for name, one in gate["runtimes"].items() if one["result"] == FAILED)
    if "agreement" in gate:
        same = f"the same answer in {100 * gate['agreement']:.1f} % of {gate['windows']} windows"
        return f"{same}, cosine {gate['cosine_mean']:.5f}, largest difference {gate['max_abs']:.2g}"
    if "cosine_mean" in gate:
        cosine = f"cosine {gate['cosine_mean']:.5f}, worst {gate['cosine_min']:.5f}"
        others = "".join(f"; {name}: {figures(one)}" for name, one in gate.get("outputs", {}).items())
        return f"{cosine}, largest difference {gate['max_abs']:.2g}{others}"
    if "int8_kernels" in gate:
        return f"{gate['int8_kernels']} of {gate['weighted']} operators with weights by int8 kernels"
    return ""


def _runtime(name: str, found: Mapping[str, Any]) -> str:
    if "why" in found:
        return f"{name}: {found['why']}"
    return f"{name} is {found['lsb']} steps off; allowed {found['lsb_bound']}"


def details(gates: Mapping[str, Mapping[str, dict[str, Any]]]) -> str:
    """Returns one line per file and gate, and the error rates at the threshold."""
    lines = []
    for name, found in gates.items():
        lines.append(name)
        for gate, result in found.items():
            lines.append(f"  {gate:14} {result['result']:10} {figures(result)}".rstrip())
            if "genuine_flips" in result:
                lines.append(
                    f"{'':28}FMR {100 * result['fmr_float']:.2f} → {100 * result['fmr']:.2f} %, "
                    f"FNMR {100 * result['fnmr_float']:.2f} → {100 * result['fnmr']:.2f} % at the threshold"
                )
            if "changed_answers" in result:
                lines.append(
                    f"{'':28}activity {100 * result['activity_accuracy_float']:.1f} → "
                    f"{100 * result['activity_accuracy']:.1f} %, macro-F1 {100 * result['activity_f1_float']:.1f} → "
                    f"{100 * result['activity_f1']:.1f} %, {100 * result['changed_answers']:.1f} % of answers change"
                )
    return "\n".join(lines)


def refusal(name: str, gates: Mapping[str, dict[str, Any]], failed: Sequence[str]) -> str:
    """Returns which gates `name` fails, with their figures, in one line."""
    return f"{name} fails {', '.join(f'{gate} ({figures(gates[gate])})' for gate in failed)}"
