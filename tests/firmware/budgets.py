"""Stored costs of the networks of networks.py on every emulated target, and how a new state is held against them.

python tests/firmware/budgets.py            measures and says what changed
python tests/firmware/budgets.py --renew    and stores it in budgets.json, for a commit that says why
python tests/firmware/budgets.py --table    prints what is stored, in Markdown
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.firmware import measure  # noqa: E402

STORED = Path(__file__).with_name("budgets.json")
RISE = 1.02
"""A cost may grow by this factor before CI fails."""
RENEW = "python tests/firmware/budgets.py --renew"
PRESETS = ("dt4ecg", "dt4ecg_both", "dt4ecg_leads", "deit_nano", "deit_micro", "deit_tiny", "resnet34_base24")
"""Both: with the activity head; leads: that and three leads."""

LIMIT = {
    **dict.fromkeys(("m4", "m7", "m33"), 1 / 2),
    **dict.fromkeys(("m55", "aarch64-dotprod"), 1 / 16),
    **dict.fromkeys(("aarch64", "armhf"), 3 / 16),
}
"""Instructions for a multiply-accumulate if there were nothing else: SMLAD makes 2; VMLADAV and SDOT 16;
NEON without SDOT makes 16 by SMULL, SMLAL2 and SADALP."""


def load() -> dict[str, Any]:
    """Returns what is stored: `compilers`, `code_bytes` and `networks`, each network with macs, arena, instructions."""
    return dict(json.loads(STORED.read_text()))


def over(name: str, now: int, budget: int) -> str | None:
    """Returns why `now` breaks the budget, in a sentence that tells what to do; None where it does not."""
    if now <= budget * RISE:
        return None
    rise = 100 * (now / budget - 1)
    return (
        f"{name}: {now:,}, stored {budget:,}: {rise:.1f} % more. Make it cheaper, or say why in the commit of `{RENEW}`"
    )


def measured(presets: tuple[str, ...] = PRESETS, targets: tuple[str, ...] = measure.TARGETS) -> dict[str, Any]:
    """Returns the costs as they are now, in the stored form. Every target's tools have to be there."""
    measure.make("networks", f"NETWORKS={measure.NETWORKS}")
    networks: dict[str, Any] = {}
    for preset in presets:
        folder = measure.NETWORKS / preset
        counts = {target: measure.cost(folder, target).instructions for target in targets}
        networks[preset] = {**measure.facts(folder), "instructions": counts}
    return {
        "compilers": {target: measure.compiler(target) for target in targets},
        "code_bytes": {target: measure.code_bytes(target) for target in targets},
        "networks": networks,
    }


def changes(now: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """Returns one line for each figure that is another than the stored one."""
    old, new = _flat(stored), _flat(now)
    return [f"{key}: {old.get(key, 'new')} -> {new[key]}" for key in new if new[key] != old.get(key)]


def table(stored: dict[str, Any]) -> str:
    """Returns the stored costs as Markdown: millions of instructions for a window, and for each multiply-accumulate."""
    targets = list(stored["code_bytes"])
    lines = [
        "| network | MMAC | weights and tables, B | arena, B | " + " | ".join(targets) + " |",
        "| --- | --- | --- | --- |" + " --- |" * len(targets),
    ]
    for name, one in stored["networks"].items():
        cells = [f"{n / 1e6:.2f} ({n / one['macs']:.2f})" for n in one["instructions"].values()]
        lines.append(
            f"| {name} | {one['macs'] / 1e6:.2f} | {one['weights_bytes']:,} | {one['arena_bytes']:,} | "
            + " | ".join(cells)
            + " |"
        )
    for part in ("kernels", "library"):
        sizes = " | ".join(f"{stored['code_bytes'][target][part]:,} B" for target in targets)
        lines.append(f"| code of the {part} | | | | {sizes} |")
    return "\n".join(lines)


def kernels_table(presets: tuple[str, ...] = ("dt4ecg", "deit_micro")) -> str:
    """Returns each kernel's instructions for a multiply-accumulate and share of a window, measured now, Markdown."""
    lines = ["| network, kernel | MMAC | " + " | ".join(measure.TARGETS) + " |", "| --- | --- |" + " --- |" * 7]
    for preset in presets:
        network = measure.NETWORKS / preset
        macs = measure.macs_by_kernel(network)
        costs = {target: measure.by_kernel(network, target) for target in measure.TARGETS}
        totals = {target: sum(cost.values()) for target, cost in costs.items()}
        for kernel in sorted(costs["m4"], key=lambda name: -costs["m4"][name]):
            if all(cost.get(kernel, 0) < 0.005 * totals[target] for target, cost in costs.items()):
                continue
            cells = [_cell(cost.get(kernel, 0), totals[target], macs.get(kernel)) for target, cost in costs.items()]
            amount = f"{macs[kernel] / 1e6:.2f}" if kernel in macs else ""
            lines.append(f"| {preset}, {kernel} | {amount} | " + " | ".join(cells) + " |")
    limits = " | ".join(f"{LIMIT[target]:.3g}" for target in measure.TARGETS)
    return "\n".join([*lines, f"| least that the instruction set allows | | {limits} |"])


def _cell(instructions: int, total: int, macs: int | None) -> str:
    share = f"{100 * instructions / total:.1f} %"
    return f"{instructions / macs:.3f} ({share})" if macs else share


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat.update(_flat(value, f"{prefix}{key} ") if isinstance(value, dict) else {prefix + key: value})
    return flat


def main(arguments: list[str]) -> None:
    """Measures, and prints or stores."""
    if arguments == ["--table"]:
        print(table(load()))
        return
    if arguments == ["--kernels"]:
        print(kernels_table())
        return
    now = measured()
    print("\n".join(changes(now, load() if STORED.exists() else {})) or "nothing changed")
    if arguments == ["--renew"]:
        STORED.write_text(json.dumps(now, indent=1) + "\n")
        print(table(now))


if __name__ == "__main__":
    main(sys.argv[1:])
