"""Ed25519 signatures of a bundle's manifest; keys are PEM files, as OpenSSL writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgkd.errors import GateError, MissingToolError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "Ed25519"
HOW_TO_MAKE = "make one with: openssl genpkey -algorithm ed25519 -out key.pem"


@dataclass(frozen=True)
class Signer:
    """Whose signature holds."""

    public_key: str
    """Raw public key, hex."""
    trusted: bool
    """Whether it is the key that the caller named; else anyone may have made it."""


def sign(content: bytes, key: Path) -> dict[str, str]:
    """Returns the signature of `content` by the private key at `key`, as it stands in a bundle.

    Raises: UsageError where `key` is no Ed25519 private key, MissingToolError without the `cryptography` package.
    """
    private = _private(key)
    return {
        "algorithm": ALGORITHM,
        "public_key": private.public_key().public_bytes_raw().hex(),
        "signature": private.sign(content).hex(),
    }


def check_signature(content: bytes, document: Any, key: Path | None) -> Signer:
    """Returns whose signature of `content` `document` holds; with `key`, a public or private key, it must be theirs.

    Raises: GateError where it is not, UsageError for a key that cannot be read, MissingToolError.
    """
    ed25519, invalid = _library()
    try:
        algorithm, stated = document["algorithm"], bytes.fromhex(document["public_key"])
        signature = bytes.fromhex(document["signature"])
    except (TypeError, KeyError, ValueError) as error:
        raise GateError("the signature is broken; make or fetch the bundle again") from error
    if algorithm != ALGORITHM or len(stated) != 32:
        raise GateError(f"signed with {algorithm!s:.20}; expected {ALGORITHM}")
    if key is not None and stated != _public(key).public_bytes_raw():
        raise GateError(f"signed by another key, {stated.hex()[:16]}…, not by {key}")
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(stated).verify(signature, content)
    except invalid as error:
        raise GateError("the signature does not hold: the manifest is not the one that was signed") from error
    return Signer(stated.hex(), trusted=key is not None)


def _library() -> tuple[Any, type[Exception]]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError as error:
        raise MissingToolError("signatures need the cryptography package: pip install 'ecgkd[bundle]'") from error
    return ed25519, InvalidSignature


def _private(key: Path) -> "Ed25519PrivateKey":
    ed25519, _ = _library()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(_pem(key), password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{key}: no private key in PEM without a password; {HOW_TO_MAKE}") from error
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise UsageError(f"{key}: another kind of key; expected {ALGORITHM}; {HOW_TO_MAKE}")
    return found


def _public(key: Path) -> "Ed25519PublicKey":
    ed25519, _ = _library()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _pem(key)
    if b"PRIVATE KEY" in content:
        return _private(key).public_key()
    try:
        found = load_pem_public_key(content)
    except ValueError as error:
        raise UsageError(f"{key}: no public key in PEM; expected {ALGORITHM}") from error
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise UsageError(f"{key}: another kind of key; expected {ALGORITHM}")
    return found


def _pem(key: Path) -> bytes:
    try:
        return key.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the key {key}: {error.strerror}; {HOW_TO_MAKE}") from error
