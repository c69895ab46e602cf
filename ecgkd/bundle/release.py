"""Putting trained and exported networks into the package, with their model card."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgkd.bundle.artefacts import read_export
from ecgkd.contract import METADATA_KEY, Contract
from ecgkd.errors import DataError, GateError
from ecgkd.files import atomic_folder, read_json

SOURCES = {
    "heartprint": "Heartprint: CC-BY-4.0 per its data descriptor; archive page unchecked. Islam et al., "
    "Data 7(10):141, 2022, doi 10.3390/data7100141.",
    "ecgid": "ECG-ID 1.0.0: ODC-BY-1.0. Lugovaya, master's thesis, ETU LETI, Saint-Petersburg, 2005, "
    "doi 10.13026/C2J01F; Goldberger et al., Circulation 101(23), 2000.",
    "ptbxl": "PTB-XL 1.0.3: CC-BY-4.0. Wagner et al., Scientific Data 7:154, 2020, doi 10.13026/kfzx-aw45; "
    "Goldberger et al., Circulation 101(23), 2000.",
}

CARD = """# The networks that ecgkd brings

For single-lead ECG of finger electrodes or lead I: four seconds in, a 192-dimensional embedding out. `{default}` is the
one that verbs take where none is named.

{networks}

Made by `{command}`, protocol SHA-256 `{protocol}`.

## Whom they saw

{trained_on}.

{sources}

People are split by the first byte of the SHA-256 of their id: below 64 locked (nothing was trained, chosen or
calibrated on them), 64 to 111 development (stopping, threshold, calibration), the rest training. All of PTB-XL
trains, so no PTB-XL person counts as unseen.

## Evidence on locked people

Nothing was chosen on them. `looks.json` counts the networks that were scored on them, those of earlier releases too.

{locked}

## Evidence on development people

Epochs, thresholds and the choice among networks were made on them.

{development}

## Not for

Unlocking anything on its own. These error rates are far from what phones ask of a strong biometric; replayed or
generated signals are not detected; people with arrhythmia, and other electrodes than fingers or wrists, were hardly
tested. Prefer a student trained on recordings of your own device.
"""

NETWORK = """## {model}

{what} {parameters} weights, {macs} million multiply-accumulates a window.

{decision}

In the tables: `{run}`. Weights SHA-256 `{weights}`. Files: {files}."""

PACKAGE = '''"""The networks that the package brings; see MODEL_CARD.md."""

DEFAULT = "{default}"
'''

STUDENT = "A student distilled by THKD (our reconstruction) from a narrow one-dimensional ResNet-34."
TEACHER = "A narrow one-dimensional ResNet-34, trained as the teacher."


@dataclass(frozen=True)
class Network:
    """A finished run and the folder of its artefacts."""

    run: Path
    artefacts: Path


@dataclass(frozen=True)
class Evidence:
    """Where the evidence of a release lies."""

    development: Path
    """Evaluation folder."""
    locked: Path
    """Evaluation folder."""
    ledger: Path
    """Counts the looks at the locked people."""


def release(networks: Sequence[Network], evidence: Evidence, out: Path, command: str) -> list[str]:
    """Puts networks into `out`, the default one first: a folder each, card, ledger of looks; returns the files.

    A folder holds safetensors, float and int8 ONNX and sidecars. Raises: GateError where an artefact failed a gate,
    DataError where evidence is missing.
    """
    contracts = [_contract(one) for one in networks]
    tables = _table(evidence.locked), _table(evidence.development)
    with atomic_folder(out) as folder:
        for network, contract in zip(networks, contracts, strict=True):
            _put(network, contract, folder / contract.model)
        shutil.copy(evidence.ledger, folder / "looks.json")
        texts = [_section(network, contract, folder) for network, contract in zip(networks, contracts, strict=True)]
        (folder / "MODEL_CARD.md").write_text(_card(contracts[0], texts, tables, command), encoding="utf-8")
        (folder / "__init__.py").write_text(PACKAGE.format(default=contracts[0].model), encoding="utf-8")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            path.chmod(0o644)
        return [str(path.relative_to(folder)) for path in files]


def _contract(network: Network) -> Contract:
    failed = [one.path.name for one in read_export(network.artefacts) if one.contract.gates.get("verdict") != "passed"]
    if failed:
        raise GateError(f"{', '.join(failed)}: failed a gate; not released")
    path = network.run / "contract.json"
    return Contract.from_dict(read_json(path, "contract"), str(path))


def _put(network: Network, contract: Contract, folder: Path) -> None:
    """Writes the weights, without classifiers, and the artefacts."""
    from safetensors.numpy import load_file, save_file

    folder.mkdir()
    weights = {
        name: values
        for name, values in load_file(network.run / "weights.safetensors").items()
        if not name.startswith(("classifier.", "distil_classifier."))
    }
    save_file(weights, folder / f"{contract.model}_4s_250hz.safetensors", {METADATA_KEY: contract.to_json()})
    for one in read_export(network.artefacts):
        for path in (one.path, one.path.with_name(one.path.name + ".json"), *_beside(one.path)):
            shutil.copy(path, folder / path.name)


def _beside(path: Path) -> list[Path]:
    """Returns what else belongs to an artefact: a C file's header, an ORT file's list of operators."""
    other = path.with_suffix({".c": ".h", ".ort": ".config"}.get(path.suffix, ""))
    return [other] if other.is_file() else []


def _card(default: Contract, networks: Sequence[str], tables: tuple[str, str], command: str) -> str:
    sources = [text for name, text in SOURCES.items() if name in default.data_sha256]
    return CARD.format(
        default=default.model,
        networks="\n\n".join(networks),
        command=command,
        protocol=default.protocol_sha256,
        trained_on=default.trained_on,
        sources="\n".join(f"- {text}" for text in sources),
        locked=tables[0].strip(),
        development=tables[1].strip(),
    )


def _section(network: Network, contract: Contract, folder: Path) -> str:
    metrics: dict[str, Any] = read_json(network.run / "metrics.json", "run's metrics")
    return NETWORK.format(
        model=contract.model,
        what=STUDENT if metrics["distilled"] else TEACHER,
        parameters=f"{metrics['parameters']:,}",
        macs=f"{metrics['macs'] / 1e6:.0f}",
        decision=decision_in_words(contract),
        run="/".join(network.run.parts[-2:]),
        weights=contract.weights_sha256,
        files=", ".join(sorted(path.name for path in (folder / contract.model).iterdir())),
    )


def decision_in_words(contract: Contract) -> str:
    """Returns what the threshold is, what it was set for, and on whom."""
    threshold = contract.threshold
    if threshold is None:
        return "No threshold was set."
    return (
        f"Its threshold ({threshold.kind}, {threshold.value:.4f}) was set for a false match rate of "
        f"{100 * threshold.fmr:g} % with {threshold.enrol_windows} enrolment and {threshold.probe_windows} probe "
        f"windows of 4 s on {threshold.n_subjects} development people ({threshold.n_pairs} pairs; upper 95 % bound "
        f"{100 * threshold.fmr_upper:.1f} %); {100 * threshold.fnmr:.1f} % of genuine probes were refused there."
    )


def _table(evaluation: Path) -> str:
    path = evaluation / "headline.md"
    if not path.is_file():
        raise DataError(f"{path}: no such file; evaluate the run first")
    return path.read_text(encoding="utf-8")
