"""A template as a device stores it: the bytes that `ecgkd_template_store` and `ecgkd_template_load` of the C library
write and read.

Little endian:

     0   4  "ECGT"
     4   1  version, 1
     5   1  flags: 1 with a key, else 0
     6   2  size, components
     8  16  id of the embedding space
    24   2  windows that it was enrolled from
    26   2  placements of the electrodes, among these windows
    28   2  updates since then
    30   2  zero
    32      vector, int16 (size), then anchor, int16 (size); with a key both rotated (`rotation`)
        16  of all before: the first half of its SHA-256, with a key of HMAC-SHA256(key, "ecgkd template" + it)
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.enrolment.ageing import BOUND
from ecgkd.enrolment.rotation import KEY_BYTES, rotate
from ecgkd.enrolment.template import LIMIT, MAX_SIZE, NORM_SLACK, cosines
from ecgkd.errors import DataError, UsageError

MAGIC = b"ECGT"
VERSION = 1
HEAD = struct.Struct("<4sBBH16s4H")
TAG = 16
NORM = 2**15


@dataclass(frozen=True)
class StoredTemplate:
    """The owner, as a device keeps them."""

    embedding_space: str
    """32 hex digits."""
    vector: NDArray[np.int16]
    """(size,) of norm 2^15."""
    anchor: NDArray[np.int16]
    """`vector` as it was enrolled."""
    windows: int
    placements: int = 1
    updates: int = 0


def _tag(content: bytes, key: bytes | None) -> bytes:
    if key is None:
        return hashlib.sha256(content).digest()[:TAG]
    return hmac.digest(key, b"ecgkd template" + content, "sha256")[:TAG]


def _check_key(key: bytes | None) -> None:
    if key is not None and len(key) != KEY_BYTES:
        raise UsageError(f"a device key of {len(key)} bytes; expected {KEY_BYTES}")


def _is_unit(vector: NDArray[np.int16]) -> bool:
    wide = vector.astype(np.int64)
    squares = int((wide * wide).sum())
    return bool(np.abs(wide).max() <= LIMIT) and (NORM - NORM_SLACK) ** 2 <= squares <= (NORM + NORM_SLACK) ** 2


def pack(template: StoredTemplate, key: bytes | None = None) -> bytes:
    """Returns the template's bytes; with a key, 32 secret bytes of the device, no other device reads them.

    Raises: UsageError for a key, an id or numbers that do not fit the format.
    """
    _check_key(key)
    size = len(template.vector)
    try:
        space = bytes.fromhex(template.embedding_space)
        counts = (template.windows, template.placements, template.updates, 0)
        head = HEAD.pack(MAGIC, VERSION, int(key is not None), size, space, *counts)
    except (ValueError, struct.error) as error:
        raise UsageError(f"a template that cannot be stored: {error}") from error
    if len(space) != 16 or not 1 <= size <= MAX_SIZE or template.anchor.shape != (size,):
        raise UsageError(f"a template of {size} components in space {template.embedding_space!r} cannot be stored")
    vectors = np.stack([template.vector, template.anchor]).astype(np.int16)
    if key is not None:
        vectors = rotate(vectors, key, space)
    content = head + vectors.astype("<i2").tobytes()
    return content + _tag(content, key)


def unpack(content: bytes, embedding_space: str, size: int, key: bytes | None = None) -> StoredTemplate:
    """Returns the template that `content` holds, for the model of that embedding space and size.

    Raises: DataError where it is damaged or another device's, UsageError for another model's or a newer format's.
    """
    _check_key(key)
    if len(content) < HEAD.size + TAG or content[:4] != MAGIC:
        raise DataError("not a stored template; expected bytes that ecgkd_template_store wrote")
    _, version, flags, have, space, windows, placements, updates, zero = HEAD.unpack_from(content)
    if version != VERSION:
        raise UsageError(f"a stored template of version {version}; this ecgkd reads version {VERSION}")
    if len(content) != HEAD.size + 4 * have + TAG or flags > 1 or zero:
        raise DataError("a damaged template: its parts do not fit each other; enrol again")
    if (flags == 1) != (key is not None):
        raise DataError(f"a template stored with{'' if flags else 'out'} a key; read it the same way")
    if not hmac.compare_digest(_tag(content[:-TAG], key), content[-TAG:]):
        raise DataError(
            "a template that is damaged" + ("" if key is None else " or of another device") + "; enrol again"
        )
    if have != size or space.hex() != embedding_space:
        raise UsageError(f"a template of another model: {have} components in space {space.hex()}; enrol again")
    vectors = np.frombuffer(content, "<i2", 2 * size, HEAD.size).reshape(2, size).astype(np.int16)
    if key is not None:
        vectors = rotate(vectors, key, space, back=True)
    vector, anchor = vectors
    if not _is_unit(vector) or not _is_unit(anchor) or cosines(vectors[:1], vectors[1:])[0, 0] < BOUND:
        raise DataError("a damaged template: no vectors of norm 2^15, near each other; enrol again")
    return StoredTemplate(embedding_space, vector, anchor, windows, placements, updates)
