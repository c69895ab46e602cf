"""A C artefact from its two files: whether they are whole and belong together, and what the header says."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgkd_export.c99.arrays import identifier, read_json_comments
from ecgkd_export.c99.emit import KEY, SEAL
from ecgkd_export.errors import ArtefactError


@dataclass(frozen=True)
class CArtefact:
    """Two files that are whole and belong together."""

    name: str
    """Of the files, and of the model inside."""
    header: bytes
    source: bytes
    facts: Mapping[str, Any]
    metadata: Mapping[str, str]
    """The caller's documents, JSON, by key."""


def header_of(path: Path) -> Path:
    """Returns the header that belongs to a generated `.c`."""
    return path.with_suffix(".h")


def read_path(path: Path | str) -> CArtefact:
    """Returns the artefact of a `.c` file and the header beside it. Raises: ArtefactError."""
    path = Path(path)
    contents = []
    for one in (header_of(path), path):
        try:
            contents.append(one.read_bytes())
        except OSError as error:
            raise ArtefactError(f"cannot read {one}: {error.strerror}") from error
    try:
        return read(*contents)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}; export it again") from error


def read(header: bytes, source: bytes) -> CArtefact:
    """Returns the artefact. Raises: ArtefactError where a file is truncated or changed, or they are of two."""
    _check_seal(header, "the header")
    _check_seal(source, "the source")
    documents = read_json_comments(header.decode())
    try:
        facts = json.loads(documents.pop(KEY))
        name, stated = str(facts["name"]), facts["source_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError("the header is not one that ecgkd writes") from error
    if identifier(name) != name:
        raise ArtefactError(f"the header calls the network {name!r}, which is no name in C")
    if hashlib.sha256(source).hexdigest() != stated:
        raise ArtefactError("header and source are of two different artefacts")
    if "outputs" not in facts:
        raise ArtefactError("the network was written for another version of ecgkd_nn.h")
    return CArtefact(name, header, source, facts, documents)


def _check_seal(content: bytes, what: str) -> None:
    body, _, last = content.rstrip(b"\n").rpartition(b"\n")
    found = re.fullmatch(re.escape(SEAL.encode()) + rb"([0-9a-f]{64}) \*/", last)
    if found is None:
        raise ArtefactError(f"{what} is truncated, or no file of ecgkd: its last line is not its checksum")
    if hashlib.sha256(body + b"\n").hexdigest() != found[1].decode():
        raise ArtefactError(f"{what} was changed since it was written: its checksum is another")
