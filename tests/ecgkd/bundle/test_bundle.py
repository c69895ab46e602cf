"""The bundle as its makers and users meet it: made of the package's own network, verified, tampered with."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner, Result

from ecgkd.bundle import golden
from ecgkd.bundle.archive import read_archive, write_archive
from ecgkd.bundle.artefacts import read_export
from ecgkd.bundle.manifest import MANIFEST, SIGNATURE, manifest_of
from ecgkd.bundle.pack import make_bundle
from ecgkd.bundle.refusals import refuse
from ecgkd.bundle.selftest import open_bundle, verify_bundle
from ecgkd.cli.bundle import register
from ecgkd.cli.load import SHIPPED
from ecgkd.contract import Contract
from ecgkd.errors import GateError
from ecgkd.files import canonical_json

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install 'ecgkd[tflite]'")

NAME = "deit_micro_4s_250hz_int8.tflite"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released TFLite file, as `ecgkd export` leaves it."""
    folder = tmp_path_factory.mktemp("export")
    for path in (SHIPPED / "deit_micro").glob(f"{NAME}*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key.pem"
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture(scope="module")
def bundle(export: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "x.zip"
    make_bundle(export, path, key)
    return path


def changed(bundle: Path, out: Path, change: Callable[[dict[str, bytes]], None], relist: bool = False) -> Path:
    """Returns a bundle whose members were changed; with `relist` its manifest was made to fit, and is unsigned."""
    members = read_archive(bundle)
    change(members)
    if relist:
        about = {k: v for k, v in json.loads(members[MANIFEST]).items() if k not in ("format", "version", "files")}
        members[MANIFEST] = manifest_of(members, about)
        members.pop(SIGNATURE, None)
    write_archive(out, members)
    return out


def test_a_bundle_verifies_in_every_runtime(bundle: Path, key: Path) -> None:
    found = verify_bundle(bundle, key)
    assert found["trusted"]
    assert found["self_test"]
    for row in found["self_test"]:
        assert row["result"] == "passed" or "install" in row["why"]
        if row["result"] == "passed":
            assert row["decisions"]["owner"]["decision"] == "accepted"
            assert row["decisions"]["stranger"]["decision"] == "refused"


def test_a_bundle_is_the_same_byte_for_byte(bundle: Path, export: Path, key: Path, tmp_path: Path) -> None:
    make_bundle(export, tmp_path / "again.zip", key)
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_one_flipped_bit_in_any_member_is_found(bundle: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in sorted(read_archive(bundle)):

        def flip(members: dict[str, bytes], name: str = name) -> None:
            content = bytearray(members[name])
            content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
            members[name] = bytes(content)

        path = changed(bundle, tmp_path / "x.zip", flip)
        with pytest.raises(GateError) as refused:
            open_bundle(path)
        expected = {MANIFEST: "", SIGNATURE: "sig"}.get(name, f"{name} was changed")
        assert expected in str(refused.value)


def test_a_missing_and_an_added_member_are_named(bundle: Path, tmp_path: Path) -> None:
    path = changed(bundle, tmp_path / "x.zip", lambda members: members.pop("LICENSE"))  # type: ignore[arg-type, return-value]
    with pytest.raises(GateError, match="LICENSE is missing"):
        open_bundle(path)
    path = changed(bundle, tmp_path / "y.zip", lambda members: members.update(extra=b"x"))
    with pytest.raises(GateError, match="extra was added"):
        open_bundle(path)


def test_a_manifest_made_to_fit_no_longer_has_its_signature(bundle: Path, key: Path, tmp_path: Path) -> None:
    def swap(members: dict[str, bytes]) -> None:
        members["MODEL_CARD.md"] = b"# Perfect\n"

    path = changed(bundle, tmp_path / "x.zip", swap, relist=True)
    assert open_bundle(path).signer is None
    with pytest.raises(GateError, match="not signed"):
        open_bundle(path, key)
    with pytest.raises(GateError, match="does not hold"):
        signature = {SIGNATURE: read_archive(bundle)[SIGNATURE]}
        open_bundle(changed(path, tmp_path / "y.zip", lambda members: members.update(signature)))


def test_another_models_threshold_is_refused(bundle: Path, tmp_path: Path) -> None:
    def lower(members: dict[str, bytes]) -> None:
        document = json.loads(members["decision.json"])
        members["decision.json"] = canonical_json({**document, "threshold": document["threshold"] // 2})

    def elsewhere(members: dict[str, bytes]) -> None:
        beside = f"models/{NAME}.json"
        document = json.loads(members[beside])
        document["threshold"]["value"] /= 2
        members[beside] = canonical_json(document)

    with pytest.raises(GateError, match="not those of the contract"):
        open_bundle(changed(bundle, tmp_path / "x.zip", lower, relist=True))
    with pytest.raises(GateError, match="not the one beside it"):
        open_bundle(changed(bundle, tmp_path / "y.zip", elsewhere, relist=True))


def test_golden_embeddings_of_another_network_are_refused(bundle: Path, tmp_path: Path) -> None:
    def shuffle(members: dict[str, bytes]) -> None:
        place = f"golden/{NAME}.i16"
        vectors = np.frombuffer(members[place], "<i2").reshape(-1, 192)
        members[place] = vectors[:, ::-1].tobytes()

    with pytest.raises(GateError, match="LiteRT: an embedding has cosine"):
        verify_bundle(changed(bundle, tmp_path / "x.zip", shuffle, relist=True))


def test_golden_decisions_that_differ_are_refused(bundle: Path, tmp_path: Path) -> None:
    def swap(members: dict[str, bytes]) -> None:
        document = json.loads(members["golden/golden.json"])
        decisions = document["decisions"][NAME]
        decisions["owner"], decisions["stranger"] = decisions["stranger"], decisions["owner"]
        members["golden/golden.json"] = canonical_json(document)

    with pytest.raises(GateError, match="the owner is accepted; kept is refused"):
        verify_bundle(changed(bundle, tmp_path / "x.zip", swap, relist=True))


@pytest.fixture(scope="module")
def contract(export: Path) -> Contract:
    return read_export(export)[0].contract


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gates": {"verdict": "failed", "failed": ["structure"]}}, "failed a gate (structure)"),
        ({"gates": {"verdict": "passed", "biometric": {"result": "absent"}}}, "biometric parity is absent"),
        ({"threshold": None}, "no decision threshold"),
        ({"leads": ("I", "II", "III")}, "takes 3 leads together"),
        ({"synthetic": True}, "synthetic people"),
        ({"precision": "fp32"}, "no int8 artefact"),
    ],
)
def test_artefacts_without_evidence_are_refused(contract: Contract, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(GateError) as refused:
        refuse({NAME: replace(contract, **change)})
    assert reason in str(refused.value)


def test_a_threshold_set_on_nobody_is_refused(contract: Contract) -> None:
    assert contract.threshold is not None
    with pytest.raises(GateError, match="set on nobody"):
        refuse({NAME: replace(contract, threshold=replace(contract.threshold, n_pairs=0))})


def test_artefacts_of_two_networks_are_refused(contract: Contract) -> None:
    with pytest.raises(GateError, match="weights_sha256 is not that of"):
        refuse({NAME: contract, "other_int8.tflite": replace(contract, weights_sha256="0" * 64)})
    with pytest.raises(GateError, match="activities is not that of"):
        refuse({NAME: contract, "other_int8.tflite": contract.telling(("rest", "walk"))})


def test_golden_recordings_come_back_as_they_were(bundle: Path) -> None:
    members = read_archive(bundle)
    recordings, outcomes = golden.read_golden(members)
    assert {role: one.fs for role, one in recordings.items()} == dict.fromkeys(golden.ROLES, golden.FS)
    assert golden.golden_members(recordings, outcomes) == {
        name: content for name, content in members.items() if name.startswith("golden/")
    }


def test_the_list_of_parts_names_every_network_with_its_hash(bundle: Path) -> None:
    members = read_archive(bundle)
    parts = json.loads(members["PARTS.cdx.json"])
    files = json.loads(members[MANIFEST])["files"]
    networks = [one for one in parts["components"] if one["type"] == "machine-learning-model"]
    assert [one["bom-ref"] for one in networks] == [NAME]
    assert networks[0]["hashes"][0]["content"] == files[f"models/{NAME}"]["sha256"]


def test_the_card_says_what_it_is_not(bundle: Path) -> None:
    card = read_archive(bundle)["MODEL_CARD.md"].decode()
    for claim in ("Not a medical device", "No presentation-attack detection", "595 pairs"):
        assert claim in card


app = typer.Typer()
app.callback()(lambda: None)
register(app)


def ecgkd(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_makes_and_verifies(export: Path, key: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    made = ecgkd("bundle", "make", export, "--out", out, "--key", key, "--json")
    assert made.exit_code == 0, made.exception
    assert json.loads(made.stdout)["bytes"] == out.stat().st_size
    found = ecgkd("bundle", "verify", out, "--key", key)
    assert found.exit_code == 0, found.exception
    assert "owner accepted, stranger refused" in found.stdout


def test_a_dry_run_writes_nothing(export: Path, tmp_path: Path) -> None:
    found = ecgkd("bundle", "make", export, "--out", tmp_path / "x.zip", "--dry-run")
    assert found.exit_code == 0, found.exception
    assert not list(tmp_path.iterdir())


def test_a_refused_bundle_is_not_written(export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(export, folder)
    (folder / NAME).write_bytes(b"x" + (folder / NAME).read_bytes()[1:])
    found = ecgkd("bundle", "make", folder, "--out", tmp_path / "x.zip")
    assert isinstance(found.exception, GateError)
    assert not (tmp_path / "x.zip").exists()
