"""The manifest of a bundle: every other member's size and SHA-256, and what the bundle is; this is what is signed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ecgkd.errors import GateError
from ecgkd.files import canonical_json

FORMAT = "ecgkd-bundle"
VERSION = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
UNLISTED = (MANIFEST, SIGNATURE)


def manifest_of(members: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """Returns the manifest of `members` as bytes; `about` says what the bundle is."""
    files = {name: _entry(content) for name, content in sorted(members.items()) if name not in UNLISTED}
    return canonical_json({"format": FORMAT, "version": VERSION, **about, "files": files})


def read_manifest(members: Mapping[str, bytes]) -> dict[str, Any]:
    """Returns the manifest among `members` after comparing every other member with it.

    Raises: GateError naming the first member that is missing, added or changed.
    """
    if MANIFEST not in members:
        raise GateError(f"no {MANIFEST}: not a bundle of ecgkd")
    try:
        document: dict[str, Any] = json.loads(members[MANIFEST])
        format, version, files = document["format"], document["version"], dict(document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise GateError(f"{MANIFEST} is broken; make or fetch the bundle again") from error
    if format != FORMAT or version != VERSION:
        raise GateError(f"{MANIFEST}: {format!s:.40} version {version!s:.10}; expected {FORMAT} version {VERSION}")
    present = set(members) - set(UNLISTED)
    for name in sorted(set(files) - present):
        raise GateError(f"{name} is missing, though the manifest lists it")
    for name in sorted(present - set(files)):
        raise GateError(f"{name} was added: the manifest does not list it")
    for name in sorted(present):
        found = _entry(members[name])
        if files[name] != found:
            raise GateError(f"{name} was changed: its SHA-256 is {found['sha256'][:12]}…, the manifest says otherwise")
    return document


def _entry(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
