"""The list of parts of a bundle, as CycloneDX 1.6 JSON: networks, engine, and the recordings that trained them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecgkd import __version__
from ecgkd.contract import Contract

SPEC_VERSION = "1.6"
LICENCE = {"license": {"id": "Apache-2.0"}}


def list_of_parts(
    contracts: Mapping[str, Contract], sha256: Mapping[str, str], sources: Sequence[str]
) -> dict[str, Any]:
    """Returns the list of parts of a bundle whose networks are `contracts`, by member, each with its SHA-256.

    `sources` are the sets of recordings, a line with licence and citation each. There is no serial number and no
    time, so that the same bundle has the same bytes.
    """
    first = next(iter(contracts.values()))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "firmware",
                "bom-ref": "bundle",
                "name": f"{first.model} owner verification",
                "version": first.weights_sha256[:12],
            },
            "tools": {"components": [{"type": "application", "name": "ecgkd", "version": __version__}]},
        },
        "components": [
            {"type": "library", "bom-ref": "ecgkd", "name": "ecgkd", "version": __version__, "licenses": [LICENCE]},
            *(_network(name, contract, sha256[name]) for name, contract in contracts.items()),
            *({"type": "data", "bom-ref": f"data-{n}", "name": text} for n, text in enumerate(sources)),
        ],
        "dependencies": [
            {"ref": "bundle", "dependsOn": ["ecgkd", *contracts]},
            *({"ref": name, "dependsOn": [f"data-{n}" for n in range(len(sources))]} for name in contracts),
        ],
    }


def _network(name: str, contract: Contract, sha256: str) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": name,
        "name": f"{contract.model} {contract.precision}",
        "version": contract.weights_sha256[:12],
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "properties": [{"name": f"made with {tool}", "value": version} for tool, version in contract.versions.items()],
    }
