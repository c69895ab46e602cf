"""Stored templates: the same bytes from C and Python, and every damage refused by both."""

import ctypes
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd.enrolment.rotation import rotate
from ecgkd.enrolment.stored import StoredTemplate, pack, unpack
from ecgkd.enrolment.template import cosines, normalise
from ecgkd.errors import DataError, UsageError

SPACE = "8a26fa3d8f598f876c9569d8ff4e200d"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
OTHER_MODEL, DAMAGED, OTHER_VERSION, WRONG_KEY = 15, 18, 19, 20


def template(size: int = 192, seed: int = 0, step: float = 0.3) -> StoredTemplate:
    """Returns a template that has aged by `step`."""
    rng = np.random.default_rng(seed)
    anchor = normalise(rng.normal(0, 4000, (1, size)).astype(np.int64) + 1)[0]
    moved = anchor + step * np.linalg.norm(anchor) / np.sqrt(size) * rng.normal(size=size)
    vector = normalise(np.rint(moved).astype(np.int64)[None])[0]
    near = cosines(vector[None], anchor[None])[0, 0] > 0.8 * 2**20
    return StoredTemplate(SPACE, vector if near else anchor, anchor, windows=9, placements=2, updates=513)


def buffer(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8).copy()


def address(x: np.ndarray | None) -> ctypes.c_void_p | None:
    return None if x is None else x.ctypes.data_as(ctypes.c_void_p)


def c_store(library, one: StoredTemplate, key: bytes | None) -> bytes:
    size = len(one.vector)
    numbers = np.array([size, one.windows, one.placements, one.updates], np.int32)
    vectors = np.stack([one.vector, one.anchor])
    blob = np.zeros(48 + 4 * size, np.uint8)
    secret, space = None if key is None else buffer(key), buffer(bytes.fromhex(one.embedding_space))
    args = (address(numbers), address(space), address(vectors), address(secret), address(blob), len(blob))
    assert library.c.flat_store(*args) == 0
    return blob.tobytes()


def c_load(library, content: bytes, size: int = 192, key: bytes | None = None, space: str = SPACE):
    """Returns C's result, and the template where there is one."""
    numbers, vectors = np.array([size, 0, 0, 0], np.int32), np.zeros((2, size), np.int16)
    secret, blob, where = None if key is None else buffer(key), buffer(content), buffer(bytes.fromhex(space))
    args = (address(numbers), address(where), address(vectors), address(secret), address(blob), len(content))
    result = library.c.flat_load(*args)
    found = (numbers.tolist(), vectors.tolist()) if result == 0 else None
    return result, found


def fields(one: StoredTemplate) -> tuple:
    return [len(one.vector), one.windows, one.placements, one.updates], [one.vector.tolist(), one.anchor.tolist()]


@pytest.mark.parametrize("n", [0, 1, 55, 56, 63, 64, 65, 200])
def test_the_hash_is_sha256(library, n):
    content, digest = buffer(bytes(range(n))), np.zeros(32, np.uint8)
    library.c.flat_sha256(address(content), n, address(digest))
    assert digest.tobytes() == hashlib.sha256(bytes(range(n))).digest()


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 300), seed=st.integers(0, 999), key=st.none() | st.binary(min_size=32, max_size=32))
def test_c_and_python_write_and_read_the_same_bytes(library, size, seed, key):
    one = template(size, seed)
    content = pack(one, key)
    assert c_store(library, one, key) == content
    assert c_load(library, content, size, key) == (0, fields(one))
    assert fields(unpack(content, SPACE, size, key)) == fields(one)


@pytest.mark.parametrize("key", [None, KEY], ids=["without key", "with key"])
def test_one_flipped_bit_anywhere_is_refused(library, key):
    content = pack(template(24), key)
    for position in range(8 * len(content)):
        broken = bytearray(content)
        broken[position // 8] ^= 1 << position % 8
        assert c_load(library, bytes(broken), 24, key)[0] in (DAMAGED, OTHER_VERSION, WRONG_KEY)
        with pytest.raises((DataError, UsageError)):
            unpack(bytes(broken), SPACE, 24, key)


def test_cut_and_lengthened_templates_are_refused(library):
    content = pack(template(24))
    for wrong in [*(content[:n] for n in range(len(content))), content + b"\0"]:
        assert c_load(library, wrong, 24)[0] == DAMAGED
        with pytest.raises(DataError, match=r"not a stored template|damaged"):
            unpack(wrong, SPACE, 24)


def test_another_key_model_or_size_is_refused_by_name(library):
    plain, keyed = pack(template()), pack(template(), KEY)
    for content, key in ((keyed, OTHER_KEY), (keyed, None), (plain, KEY)):
        assert c_load(library, content, key=key)[0] == WRONG_KEY
        with pytest.raises(DataError, match=r"key|another device"):
            unpack(content, SPACE, 192, key)
    for size, space in ((192, SPACE[::-1]), (191, SPACE)):
        assert c_load(library, plain, size, space=space)[0] == OTHER_MODEL
        with pytest.raises(UsageError, match="another model"):
            unpack(plain, space, size)


def resealed(content: bytearray) -> bytes:
    """Returns content with a checksum that fits: what a forger without a key can make."""
    return bytes(content[:-16]) + hashlib.sha256(content[:-16]).digest()[:16]


@pytest.mark.parametrize("value", [-32768, 32767, 0])
def test_vectors_of_another_norm_are_refused_though_the_checksum_fits(library, value):
    content = bytearray(pack(template()))
    content[32 : 32 + 2 * 192] = np.full(192, value, "<i2").tobytes()
    assert c_load(library, resealed(content))[0] == DAMAGED
    with pytest.raises(DataError, match="norm"):
        unpack(resealed(content), SPACE, 192)


def test_a_vector_far_from_its_anchor_is_refused_though_the_checksum_fits(library):
    content = bytearray(pack(template()))
    content[32 : 32 + 2 * 192] = template(seed=7).vector.astype("<i2").tobytes()
    assert c_load(library, resealed(content))[0] == DAMAGED
    with pytest.raises(DataError, match="near each other"):
        unpack(resealed(content), SPACE, 192)


def test_templates_of_two_devices_do_not_match():
    vectors = np.stack([template(seed=seed).vector for seed in range(40)])
    space = bytes.fromhex(SPACE)
    here, there = rotate(vectors, KEY, space), rotate(vectors, OTHER_KEY, space)
    within = cosines(here, here) - cosines(vectors, vectors)
    assert np.abs(within).max() < 0.002 * 2**20, "one key keeps cosines"
    same = np.diag(cosines(here, there)) / 2**20
    assert np.abs(same).max() < 0.35, "192 components: chance has a standard deviation of 0.07"
    magnitudes = [np.sort(np.abs(one), axis=1) for one in (here, there)]
    ranks = np.corrcoef(np.concatenate(magnitudes))[:40, 40:]
    best = np.argmax(ranks, axis=1) == np.arange(40)
    assert best.sum() < 8, "nor do the sizes of their components tell who they are"
    assert np.array_equal(rotate(here, KEY, space, back=True), vectors)


def test_what_cannot_be_stored_is_refused():
    one = template()
    with pytest.raises(UsageError, match="32"):
        pack(one, b"short")
    with pytest.raises(UsageError, match="cannot be stored"):
        pack(StoredTemplate("zz", one.vector, one.anchor, 3))
    with pytest.raises(UsageError, match="cannot be stored"):
        pack(StoredTemplate(SPACE, one.vector, one.anchor, windows=70_000))
