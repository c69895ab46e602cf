"""Making a bundle: everything that an app needs to know its owner, in one signed file that can test itself.

manifest.json        size and SHA-256 of every other member, and what the bundle is
manifest.sig         Ed25519 signature of manifest.json, where a key was given
models/              the artefacts, and the model contract of each beside it
decision.json        threshold, calibration and cohort as the integers that the device computes with
golden/              synthetic recordings with windows, embeddings and decisions
firmware/            headers and sources: kernels, front end, enrolment, JNI and Kotlin
MODEL_CARD.md, PARTS.cdx.json, LICENSE, NOTICE.md
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ecgkd import __version__
from ecgkd.bundle import golden
from ecgkd.bundle.archive import write_archive
from ecgkd.bundle.artefacts import Shipped, decision_files, read_export
from ecgkd.bundle.bundle_card import bundle_card
from ecgkd.bundle.manifest import MANIFEST, SIGNATURE, manifest_of
from ecgkd.bundle.open_artefact import OpenArtefact, files_of, open_everywhere
from ecgkd.bundle.parts import list_of_parts
from ecgkd.bundle.refusals import refuse
from ecgkd.bundle.release import SOURCES
from ecgkd.bundle.sign import sign
from ecgkd.contract import Contract
from ecgkd.enrolment.decision import constants_of
from ecgkd.errors import DataError, GateError, MissingToolError
from ecgkd.files import canonical_json, read_json

MODELS, FIRMWARE = "models", "firmware"
DECISION, CARD, PARTS, LICENCE, NOTICE = "decision.json", "MODEL_CARD.md", "PARTS.cdx.json", "LICENSE", "NOTICE.md"
LEFT_OUT = ("test",)
"""Folders of the firmware sources that an app does not need."""
TOTAL = 4
Progress = Callable[[int, int, str], None]


def make_bundle(folder: Path, out: Path, key: Path | None, progress: Progress | None = None) -> dict[str, Any]:
    """Writes the bundle of an export folder to `out`, signed where `key` is given; returns what it holds.

    The same folder, key and ecgkd give the same bytes. Raises: GateError where an artefact may not be handed on or the
    golden decisions are not as they should be, MissingToolError, DataError, UsageError.
    """
    tell = progress or (lambda done, total, what: None)
    tell(0, TOTAL, "artefacts")
    shipped = read_export(folder)
    contracts = {one.path.name: one.contract for one in shipped}
    refuse(contracts)
    members = _models(shipped)
    tell(1, TOTAL, "golden recordings")
    members |= _golden(shipped)
    tell(2, TOTAL, "sources and papers")
    members |= _firmware() | _papers(contracts, {one.path.name: one.sha256 for one in shipped})
    members[MANIFEST] = manifest_of(members, _about(contracts))
    if key is not None:
        members[SIGNATURE] = canonical_json(sign(members[MANIFEST], key))
    tell(3, TOTAL, "writing")
    size = write_archive(out, members)
    tell(TOTAL, TOTAL, "done")
    return {
        "bundle": str(out),
        "bytes": size,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "signed": key is not None,
        "artefacts": sorted(contracts),
        "members": len(members),
    }


def _about(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    first = next(iter(contracts.values()))
    return {
        "ecgkd": __version__,
        "model": first.model,
        "weights_sha256": first.weights_sha256,
        "embedding_space": {name: contract.embedding_space for name, contract in contracts.items()},
        **({"activities": list(first.activities)} if first.activities else {}),
    }


def _models(shipped: Sequence[Shipped]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for one in shipped:
        members |= {f"{MODELS}/{name}": content for name, content in _files(one).items()}
        members[f"{MODELS}/{one.path.name}.json"] = canonical_json(one.contract.to_dict())
    return members


def _files(one: Shipped) -> dict[str, bytes]:
    """Returns the artefact's own files, and for C the decision's constants that belong to it."""
    name = one.path.name
    found = {place: one.path.with_name(place).read_bytes() for place in files_of(name)}
    return found | (decision_files(one.contract, name) if name.endswith(".c") else {})


def _golden(shipped: Sequence[Shipped]) -> dict[str, bytes]:
    opened = [_open_first(one) for one in shipped]
    by_name = {one.path.name: artefact for one, artefact in zip(shipped, opened, strict=True)}
    int8 = next(artefact for artefact in opened if artefact.contract.precision == "int8")
    recordings = golden.choose(int8)
    outcomes = {name: golden.outcome(artefact, recordings) for name, artefact in by_name.items()}
    for name, found in outcomes.items():
        if not found.as_expected:
            raise GateError(f"{name}: decides otherwise than the int8 artefact on the golden recordings")
    return golden.golden_members(recordings, outcomes)


def _open_first(one: Shipped) -> OpenArtefact:
    """Returns an artefact in the runtime whose numbers a bundle keeps. Raises: MissingToolError without it."""
    runtime, found = next(iter(open_everywhere(one.path.name, _files(one), one.contract)))
    if isinstance(found, str):
        raise MissingToolError(f"{one.path.name} has to prove itself in {runtime}: {found}")
    return found


def _firmware() -> dict[str, bytes]:
    from ecgkd_export.firmware_dir import firmware_dir

    root = firmware_dir()
    found = {}
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if path.is_file() and place.parts[0] not in LEFT_OUT and not any(part[0] in "._" for part in place.parts):
            found[f"{FIRMWARE}/{place.as_posix()}"] = path.read_bytes()
    return found


def _papers(contracts: Mapping[str, Contract], sha256: Mapping[str, str]) -> dict[str, bytes]:
    first = next(iter(contracts.values()))
    sources = [text for name, text in SOURCES.items() if name in first.data_sha256]
    notice = "\n".join(["Trained on recordings of:", "", *(f"- {text}" for text in sources)]) + "\n"
    card = bundle_card(contracts, sources, _released(first), __version__)
    return {
        DECISION: canonical_json({"model": first.model, **constants_of(first).to_dict()}),
        CARD: card.encode(),
        PARTS: canonical_json(list_of_parts(contracts, sha256, sources)),
        LICENCE: _licence().encode(),
        NOTICE: notice.encode(),
    }


def _released(contract: Contract) -> str:
    """Returns the card of the release where it is the release's own network, else ""."""
    home = Path(__file__).resolve().parent.parent / "weights"
    for sidecar in (home / contract.model).glob("*_fp32.onnx.json"):
        if read_json(sidecar, "sidecar")["weights_sha256"] == contract.weights_sha256:
            return (home / CARD).read_text(encoding="utf-8")
    return ""


def _licence() -> str:
    text = metadata.distribution("ecgkd").read_text("licenses/LICENSE")
    if text is None:
        raise DataError("this installation of ecgkd lacks its LICENSE; install it again")
    return text
