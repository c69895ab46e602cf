"""Verifying a bundle: every byte, the signature, what may be handed on, and the golden recordings in every runtime."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgkd.bundle import golden
from ecgkd.bundle.archive import read_archive
from ecgkd.bundle.artefacts import decision_files
from ecgkd.bundle.manifest import MANIFEST, SIGNATURE, read_manifest
from ecgkd.bundle.open_artefact import contract_inside, is_artefact, open_everywhere
from ecgkd.bundle.pack import DECISION, MODELS
from ecgkd.bundle.refusals import refuse
from ecgkd.bundle.sign import Signer, check_signature
from ecgkd.contract import Contract
from ecgkd.enrolment.decision import constants_of
from ecgkd.errors import GateError
from ecgkd.files import sha256_of
from ecgkd.signal.chain import definition_sha256

Progress = Callable[[int, int, str], None]
PASSED, ABSENT = "passed", "absent"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose bytes are those that its manifest lists."""

    members: dict[str, bytes]
    manifest: dict[str, Any]
    contracts: dict[str, Contract]
    """By file name of the artefact."""
    signer: Signer | None


def open_bundle(path: Path, key: Path | None = None) -> Bundle:
    """Returns the bundle at `path` after everything that needs no runtime; with `key` it must be signed by it.

    Raises: GateError with the reason, DataError where it cannot be read, UsageError for a broken key,
    MissingToolError.
    """
    members = read_archive(path)
    try:
        manifest = read_manifest(members)
        signer = _signer(members, key)
        contracts = _contracts(members)
        refuse(contracts)
        first = next(iter(contracts.values()))
        _check_decision(members, first)
        if manifest.get("activities", []) != list(first.activities):
            raise GateError(f"{MANIFEST}: its activities are not those that the networks tell")
    except GateError as error:
        raise GateError(f"{path}: {error}") from error
    return Bundle(members, manifest, contracts, signer)


def verify_bundle(path: Path, key: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Returns what came of verifying the bundle at `path`: who signed it, and each artefact in each runtime.

    Raises: as `open_bundle`, and GateError where golden recordings come out otherwise than they should.
    """
    bundle = open_bundle(path, key)
    recordings, kept = golden.read_golden(bundle.members)
    if set(kept) != set(bundle.contracts):
        raise GateError(f"{path}: golden results are not those of its artefacts; make the bundle again")
    rows = []
    for number, (name, contract) in enumerate(bundle.contracts.items()):
        if progress is not None:
            progress(number, len(bundle.contracts), name)
        for runtime, opened in open_everywhere(name, _models(bundle.members), contract):
            row: dict[str, Any] = {"artefact": name, "runtime": runtime}
            if isinstance(opened, str):
                rows.append({**row, "result": ABSENT, "why": opened})
                continue
            found = golden.outcome(opened, recordings)
            exact = name.endswith(".c")
            worst, problem = golden.difference(found, kept[name], contract.precision, exact)
            if problem:
                raise GateError(f"{path}: {name} in {runtime}: {problem}")
            row |= {"result": PASSED, "cosine_min": worst, "decisions": kept[name].decisions}
            rows.append({**row, **({"told": found.told} if found.told else {})})
    signer = bundle.signer
    return {
        "bundle": str(path),
        "model": bundle.manifest["model"],
        "members": len(bundle.members),
        "signed_by": signer.public_key if signer else None,
        "trusted": bool(signer and signer.trusted),
        "self_test": rows,
    }


def _signer(members: Mapping[str, bytes], key: Path | None) -> Signer | None:
    if SIGNATURE not in members:
        if key is not None:
            raise GateError(f"not signed, and the signature of {key} was asked for")
        return None
    try:
        document = json.loads(members[SIGNATURE])
    except ValueError as error:
        raise GateError(f"{SIGNATURE} is broken; make or fetch the bundle again") from error
    return check_signature(members[MANIFEST], document, key)


def _contracts(members: Mapping[str, bytes]) -> dict[str, Contract]:
    """Returns the contracts inside the artefacts, each the same as the one beside it."""
    found = {}
    models = _models(members)
    for name in (one for one in sorted(models) if is_artefact(one)):
        member, beside = f"{MODELS}/{name}", f"{MODELS}/{name}.json"
        contract = contract_inside(name, models)
        if beside not in members:
            raise GateError(f"{beside} is missing")
        if contract != Contract.from_dict(json.loads(members[beside]), beside):
            raise GateError(f"{member}: the contract inside is not the one beside it")
        if sha256_of(contract.front_end) != definition_sha256():
            raise GateError(f"{member}: made for another version of the front end than this ecgkd's")
        stated = decision_files(contract, name) if name.endswith(".c") else {}
        for place, text in stated.items():
            if models.get(place) != text:
                raise GateError(f"{MODELS}/{place}: missing, or not the decision of the contract inside {name}")
        found[name] = contract
    return found


def _models(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the members that are files of artefacts, by their names in an export folder."""
    return {name.removeprefix(f"{MODELS}/"): content for name, content in members.items() if name.startswith(MODELS)}


def _check_decision(members: Mapping[str, bytes], contract: Contract) -> None:
    if DECISION not in members:
        raise GateError(f"{DECISION} is missing")
    stated = json.loads(members[DECISION])
    if stated != {"model": contract.model, **constants_of(contract).to_dict()}:
        raise GateError(f"{DECISION}: threshold, calibration or cohort are not those of the contract")
