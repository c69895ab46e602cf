"""Any bytes at all: a bundle's parser gives back what was packed or refuses in its own words, never anything else."""

import struct
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from ecgkd.bundle.archive import archive_bytes, members_of
from ecgkd.bundle.manifest import MANIFEST, manifest_of, read_manifest
from ecgkd.errors import DataError, GateError

MEMBERS = {"models/a_int8.tflite": bytes(range(40)), "decision.json": b"{}"}
MEMBERS[MANIFEST] = manifest_of(MEMBERS, {"model": "a"})
SEED = archive_bytes(MEMBERS)
WORDS = [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"../", b"\x00", b"\xff" * 4]
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Yields bundles with one to four places overwritten, cut out, doubled or exchanged."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, 2**31, (count, 4, 4))
    changes = rng.integers(1, 5, count)
    for draw, n in zip(draws.tolist(), changes.tolist()):
        content = bytearray(SEED)
        for kind, where, what, length in draw[:n]:
            mutate(content, kind % 7, where, what, length)
        yield bytes(content)


def mutate(content: bytearray, kind: int, where: int, what: int, length: int) -> None:
    at = where % (len(content) + 1)
    span = length % 64
    if kind == 0 and content:
        content[at % len(content)] ^= 1 << what % 8
    elif kind == 1:
        content[at : at + 4] = struct.pack("<I", NUMBERS[what % len(NUMBERS)])
    elif kind == 2:
        content[at : at + 2] = struct.pack("<H", NUMBERS[what % len(NUMBERS)] & 0xFFFF)
    elif kind == 3:
        del content[at : at + span]
    elif kind == 4:
        content[at:at] = content[at : at + span]
    elif kind == 5:
        content[at:at] = WORDS[what % len(WORDS)]
    else:
        del content[at:]


def refused_or_the_same(content: bytes) -> bool:
    """Returns whether `content` was refused; what was not must be what was packed."""
    try:
        members = members_of(content, "x.zip")
        read_manifest(members)
    except (GateError, DataError):
        return True
    assert members == MEMBERS
    return False


def test_the_seed_is_a_bundle() -> None:
    assert not refused_or_the_same(SEED)


@pytest.mark.parametrize("seed", [0, 1])
def test_changed_bundles_are_refused(seed: int) -> None:
    refused = sum(refused_or_the_same(content) for content in mutants(2_000, seed))
    assert refused > 1_900


def test_no_bundle_takes_more_memory_than_a_few_of_itself() -> None:
    tracemalloc.start()
    try:
        for content in mutants(500, 2):
            refused_or_the_same(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.slow
def test_a_million_changed_bundles_are_refused() -> None:
    refused = sum(refused_or_the_same(content) for content in mutants(1_000_000, 3))
    assert refused > 950_000
