"""Putting a trained and exported student into the package, with its model card."""

import shutil
from collections.abc import Sequence
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

CARD = """# {model}

{what}
For single-lead ECG of finger electrodes or lead I: four seconds in, a 192-dimensional embedding out. {parameters}
weights, {macs} million multiply-accumulates a window.

Made by `{command}`.
Weights SHA-256 `{weights}`, protocol SHA-256 `{protocol}`.
Files: {files}.

## Whom it saw

{trained_on}.

{sources}

People are split by the first byte of the SHA-256 of their id: below 64 locked (nothing was trained, chosen or
calibrated on them), 64 to 111 development (stopping, threshold, calibration), the rest training. All of PTB-XL
trains, so no PTB-XL person counts as unseen.

## Evidence on locked people

Their first look for this release; nothing was chosen on them.

{locked}

## Evidence on development people

Epochs, threshold and the choice among networks were made on them.

{development}

{decision}

## Not for

Unlocking anything on its own. These error rates are far from what phones ask of a strong biometric; replayed or
generated signals are not detected; people with arrhythmia, and other electrodes than fingers or wrists, were hardly
tested. Prefer a student trained on recordings of your own device.
"""


STUDENT = "A student distilled by THKD (our reconstruction) from a narrow one-dimensional ResNet-34."
TEACHER = """A narrow one-dimensional ResNet-34, trained as a teacher. It ships in place of its student, which stood
below the LDA baseline on development people."""


def model_card(
    contract: Contract, metrics: dict[str, Any], tables: tuple[str, str], command: str, files: Sequence[str]
) -> str:
    """Returns the card of the shipped weights as Markdown: whom they saw, what they do, what they are not for."""
    sources = [text for name, text in SOURCES.items() if name in contract.data_sha256]
    threshold = contract.threshold
    decision = (
        f"The shipped threshold ({threshold.kind}) was set for a false match rate of {100 * threshold.fmr:g} % with "
        f"{threshold.enrol_windows} enrolment and {threshold.probe_windows} probe windows of 4 s on "
        f"{threshold.n_subjects} development people ({threshold.n_pairs} pairs; upper 95 % bound "
        f"{100 * threshold.fmr_upper:.1f} %); {100 * threshold.fnmr:.1f} % of genuine probes were refused there."
        if threshold
        else "No threshold was set."
    )
    return CARD.format(
        model=contract.model,
        what=STUDENT if metrics["distilled"] else TEACHER,
        parameters=f"{metrics['parameters']:,}",
        macs=f"{metrics['macs'] / 1e6:.0f}",
        command=command,
        weights=contract.weights_sha256,
        protocol=contract.protocol_sha256,
        files=", ".join(files),
        trained_on=contract.trained_on,
        sources="\n".join(f"- {text}" for text in sources),
        locked=tables[0].strip(),
        development=tables[1].strip(),
        decision=decision,
    )


def _table(evaluation: Path) -> str:
    path = evaluation / "headline.md"
    if not path.is_file():
        raise DataError(f"{path}: no such file; evaluate the run first")
    return path.read_text(encoding="utf-8")


def release(run: Path, artefacts: Path, development: Path, locked: Path, out: Path, command: str) -> list[str]:
    """Puts the network of `run` into `out`: safetensors, float and int8 ONNX, sidecars, card; returns the names.

    `development` and `locked` are evaluation folders. Raises: GateError where an artefact failed a gate, DataError
    where evidence is missing.
    """
    from safetensors.numpy import load_file, save_file

    shipped = read_export(artefacts)
    failed = [one.path.name for one in shipped if one.contract.gates.get("verdict") != "passed"]
    if failed:
        raise GateError(f"{', '.join(failed)}: failed a gate; not released")
    contract = Contract.from_dict(read_json(run / "contract.json", "contract"), str(run / "contract.json"))
    tables = (_table(locked), _table(development))
    metrics = read_json(run / "metrics.json", "run's metrics")
    weights = {
        name: values
        for name, values in load_file(run / "weights.safetensors").items()
        if not name.startswith(("classifier.", "distil_classifier."))
    }
    stem = f"{contract.model}_4s_250hz"
    with atomic_folder(out) as folder:
        save_file(weights, folder / f"{stem}.safetensors", {METADATA_KEY: contract.to_json()})
        for one in shipped:
            shutil.copy(one.path, folder / one.path.name)
            shutil.copy(one.path.with_name(one.path.name + ".json"), folder / (one.path.name + ".json"))
        for path in folder.iterdir():
            path.chmod(0o644)
        names = sorted(path.name for path in folder.iterdir())
        card = model_card(contract, metrics, tables, command, names)
        (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        (folder / "__init__.py").write_text('"""The networks that the package brings; see MODEL_CARD.md."""\n')
    return [*names, "MODEL_CARD.md"]
