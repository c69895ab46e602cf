"""The rotation of stored templates: by a key of the device, orthogonal but for rounding, and taken back exactly.

Eight rounds, each a shuffle with signs and then a turn of every pair by 45° in three lifting steps modulo 2^16. Two
templates under one key keep their cosine within rounding; under two keys they have nothing in common.

Source: lifting after Daubechies & Sweldens 1998.
"""

import hmac

import numpy as np
from numpy.typing import NDArray

KEY_BYTES = 32
ROUNDS = 8
TANGENT = 13573
"""Q15, tan(22.5°)."""
SINE = 23170
"""Q15, sin(45°)."""
BLOCK_WORDS = 16


def _words(key: bytes, space: bytes, count: int) -> NDArray[np.int64]:
    """Returns the first `count` 16-bit words of the key stream."""
    blocks = -(-count // BLOCK_WORDS)
    stream = b"".join(
        hmac.digest(key, b"ecgkd rotation" + space + number.to_bytes(4, "little"), "sha256") for number in range(blocks)
    )
    return np.frombuffer(stream, "<u2", count).astype(np.int64)


def _wrap(x: NDArray[np.int64]) -> NDArray[np.int64]:
    return ((x + 2**15) & 0xFFFF) - 2**15


def _part(x: NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    return (x * factor + 2**14) >> 15


def _turn(x: NDArray[np.int64], sign: int) -> None:
    """Turns neighbouring columns of x (n, size) by 45°, in place."""
    even = x.shape[1] // 2 * 2
    a, b = x[:, 0:even:2].copy(), x[:, 1:even:2].copy()
    a = _wrap(a - sign * _part(b, TANGENT))
    b = _wrap(b + sign * _part(a, SINE))
    a = _wrap(a - sign * _part(b, TANGENT))
    x[:, 0:even:2], x[:, 1:even:2] = a, b


def _shuffle(x: NDArray[np.int64], words: NDArray[np.int64], back: bool) -> None:
    """Negates columns of x (n, size) and lets each change places with one before it, or takes that back, in place."""
    size = x.shape[1]
    for i in range(size) if back else range(size - 1, -1, -1):
        word = int(words[i])
        j, negate = (word & 0x7FFF) * (i + 1) >> 15, bool(word >> 15)
        if negate and not back:
            x[:, i] = _wrap(-x[:, i])
        x[:, [i, j]] = x[:, [j, i]]
        if negate and back:
            x[:, i] = _wrap(-x[:, i])


def rotate(vectors: NDArray[np.int16], key: bytes, space: bytes, back: bool = False) -> NDArray[np.int16]:
    """Returns vectors (n, size) turned by the rotation of `key` in the embedding space `space` (16 bytes), or back."""
    x = vectors.astype(np.int64)
    size = x.shape[1]
    words = _words(key, space, ROUNDS * size).reshape(ROUNDS, size)
    for word in words[::-1] if back else words:
        if back:
            _turn(x, -1)
        _shuffle(x, word, back)
        if not back:
            _turn(x, 1)
    return x.astype(np.int16)
