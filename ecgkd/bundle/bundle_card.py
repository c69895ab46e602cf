"""The model card of a bundle: what it is, whom it saw, what it was measured to do, and what it is not."""

from collections.abc import Mapping
from typing import Any

from ecgkd.bundle.release import decision_in_words
from ecgkd.contract import ACTIVITY, Contract

CARD = """# {model}: is this the owner?

Four seconds of single-lead ECG (finger electrodes or lead I) in, an embedding of {size} values out. An owner is
enrolled on the device from about half a minute of signal; no training, and no signal leaves the device.

Weights SHA-256 `{weights}`; made by ecgkd {version}.

## Trained on

{trained_on}.

{sources}

## Threshold

{threshold}

## What quantisation changes

On development people, the same comparisons by the float network and by each artefact, at the same threshold. In
brackets: 95 % intervals, people resampled.

{artefacts}
{activities}{released}
## Not

- **Not a medical device.** It says nothing about health; arrhythmia makes it worse.
- **No presentation-attack detection.** A recorded or generated ECG that is fed to the electrodes is not noticed.
- **Not a strong biometric on its own.** An owner-presence factor: it may keep a watch unlocked,
  it should not unlock it.
- Electrodes, places and devices other than those of the recordings above were hardly tested.
"""

ACTIVITIES = """
## Activities

What the wearer does, told beside the embedding, by the same windows: {names}. No decision depends on it. On labelled
windows of people who did not train, everybody counting alike:

{rows}
"""

LOCKED = "\n## Evidence on locked people\n"


def bundle_card(contracts: Mapping[str, Contract], sources: list[str], released: str, version: str) -> str:
    """Returns the card of a bundle whose networks are `contracts`, by file name.

    `released` is the card of the release that brought the network, "" for one's own.
    """
    first = next(iter(contracts.values()))
    return CARD.format(
        model=first.model,
        size=first.embedding_size,
        weights=first.weights_sha256,
        version=version,
        trained_on=first.trained_on or "not stated",
        sources="\n".join(f"- {text}" for text in sources),
        threshold=decision_in_words(first),
        artefacts=_artefacts(contracts),
        activities=_activities(contracts),
        released=_locked(released),
    )


def _artefacts(contracts: Mapping[str, Contract]) -> str:
    rows = ["| artefact | ΔEER, points | FMR | FNMR | flips genuine / impostor |", "| --- | --- | --- | --- | --- |"]
    for name, contract in contracts.items():
        found = contract.gates.get("biometric", {})
        if "genuine_flips" in found:
            rows.append(f"| {name} | {_delta(found)} | {_rates(found)} |")
    return "\n".join(rows) if len(rows) > 2 else "Nothing: every artefact is in float."


def _activities(contracts: Mapping[str, Contract]) -> str:
    """Returns the part on activities, "" where the networks tell none."""
    names = next(iter(contracts.values())).activities
    if not names:
        return ""
    rows = ["| artefact | people | right | in float | macro-F1 | answers that change |"]
    rows.append("| --- | --- | --- | --- | --- | --- |")
    for name, contract in contracts.items():
        found = contract.gates.get(ACTIVITY, {})
        if "changed_answers" in found:
            keys = "activity_accuracy", "activity_accuracy_float", "activity_f1", "changed_answers"
            rows.append(f"| {name} | {found['people']} | {' | '.join(f'{100 * found[key]:.1f} %' for key in keys)} |")
    shown = "\n".join(rows) if len(rows) > 2 else "Not measured: no such recordings were given."
    return ACTIVITIES.format(names=", ".join(names), rows=shown)


def _delta(found: Mapping[str, Any]) -> str:
    low, high = found["delta_eer_ci95"]
    return f"{100 * found['delta_eer']:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _rates(found: Mapping[str, Any]) -> str:
    return (
        f"{100 * found['fmr']:.2f} % | {100 * found['fnmr']:.2f} % | "
        f"{100 * found['genuine_flips']:.2f} / {100 * found['impostor_flips']:.2f} %"
    )


def _locked(released: str) -> str:
    """Returns the part of a release's card on people that nothing was chosen on."""
    if LOCKED not in released:
        return ""
    return LOCKED + released.split(LOCKED, 1)[1].split("\n## ", 1)[0]
