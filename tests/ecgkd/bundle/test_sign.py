"""Signatures: whose they are, and what does not hold."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ecgkd.bundle.sign import check_signature, sign
from ecgkd.errors import GateError, UsageError

CONTENT = b'{"format":"ecgkd-bundle"}'


def key_pair(folder: Path, seed: int = 1) -> tuple[Path, Path]:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    secret, public = folder / f"{seed}.pem", folder / f"{seed}.pub.pem"
    secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return secret, public


def test_a_signature_holds_for_its_content_and_key(tmp_path: Path) -> None:
    secret, public = key_pair(tmp_path)
    signature = sign(CONTENT, secret)
    assert check_signature(CONTENT, signature, public).trusted
    assert check_signature(CONTENT, signature, secret).trusted
    assert not check_signature(CONTENT, signature, None).trusted


def test_a_signature_is_the_same_every_time(tmp_path: Path) -> None:
    secret, _ = key_pair(tmp_path)
    assert sign(CONTENT, secret) == sign(CONTENT, secret)


def test_other_content_does_not_hold(tmp_path: Path) -> None:
    signature = sign(CONTENT, key_pair(tmp_path)[0])
    with pytest.raises(GateError, match="does not hold"):
        check_signature(CONTENT + b" ", signature, None)


def test_another_key_is_refused(tmp_path: Path) -> None:
    signature = sign(CONTENT, key_pair(tmp_path)[0])
    with pytest.raises(GateError, match="another key"):
        check_signature(CONTENT, signature, key_pair(tmp_path, seed=2)[1])


@pytest.mark.parametrize("broken", [None, {}, [], {"algorithm": "Ed25519", "public_key": "zz", "signature": ""}])
def test_a_broken_signature_is_refused(broken: object) -> None:
    with pytest.raises(GateError, match="broken"):
        check_signature(CONTENT, broken, None)


def test_another_algorithm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="none"):
        check_signature(CONTENT, {**sign(CONTENT, key_pair(tmp_path)[0]), "algorithm": "none"}, None)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    key = tmp_path / "ec.pem"
    key.write_bytes(generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match="another kind of key"):
        sign(CONTENT, key)


def test_a_key_behind_a_password_is_refused(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    key = tmp_path / "secret.pem"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    with pytest.raises(UsageError, match="without a password"):
        sign(CONTENT, key)


def test_a_key_that_is_not_there_or_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="openssl genpkey"):
        sign(CONTENT, tmp_path / "absent.pem")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UsageError, match="no private key"):
        sign(CONTENT, tmp_path / "text")


def test_keys_are_those_that_openssl_writes(tmp_path: Path) -> None:
    secret, public = tmp_path / "key.pem", tmp_path / "pub.pem"
    try:
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", secret], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", secret, "-pubout", "-out", public], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("openssl is not installed, or too old for Ed25519")
    assert check_signature(CONTENT, sign(CONTENT, secret), public).trusted
