import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from ecgkd.bundle.artefacts import read_export
from ecgkd.bundle.release import Evidence, Network, release
from ecgkd.cli.load import SHIPPED, load_model, model_path, shipped_model
from ecgkd.contract import METADATA_KEY, Contract
from ecgkd.errors import DataError, GateError, UsageError
from ecgkd.files import write_json


@pytest.fixture
def finished(exported: Path, contract: Contract, tmp_path: Path) -> Network:
    """A run with weights of three layers, and artefacts that passed their gates."""
    run, artefacts = tmp_path / "run", tmp_path / "artefacts"
    run.mkdir()
    write_json(run / "contract.json", contract.to_dict())
    write_json(run / "metrics.json", {"distilled": True, "parameters": 1234, "macs": 5_600_000})
    layers = {name: np.ones(3, np.float32) for name in ("stem.weight", "classifier.weight", "distil_classifier.bias")}
    save_file(layers, run / "weights.safetensors")
    shutil.copytree(exported, artefacts)
    for sidecar in artefacts.glob("*.json"):
        document = json.loads(sidecar.read_text())
        assert document["gates"]["verdict"] == "passed"
    return Network(run, artefacts)


@pytest.fixture
def tables(tmp_path: Path) -> Evidence:
    for name in ("development", "locked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "headline.md").write_text(f"table of {name} people\n")
    write_json(tmp_path / "looks.json", {"version": 1, "protocol_sha256": "p", "looks": []})
    return Evidence(tmp_path / "development", tmp_path / "locked", tmp_path / "looks.json")


def test_a_release_holds_weights_without_classifier_artefacts_card_and_ledger(
    finished: Network, tables: Evidence, tmp_path: Path
) -> None:
    files = release([finished], tables, tmp_path / "weights", "ecgkd weights make a.npz")
    folder = tmp_path / "weights" / "tiny"
    with safe_open(folder / "tiny_4s_250hz.safetensors", "numpy") as weights:
        assert list(weights.keys()) == ["stem.weight"]
        assert Contract.from_json(weights.metadata()[METADATA_KEY], "weights").model == "tiny"
    assert {one.contract.precision for one in read_export(folder)} == {"fp32", "int8"}
    card = (tmp_path / "weights" / "MODEL_CARD.md").read_text()
    for words in ("1,234 weights, 6 million", "`ecgkd weights make a.npz`", "table of locked", "table of development"):
        assert words in card
    assert runpy.run_path(str(tmp_path / "weights" / "__init__.py"))["DEFAULT"] == "tiny"
    assert {"MODEL_CARD.md", "looks.json", "tiny/tiny_4s_250hz_int8.onnx"} <= set(files)


def test_what_failed_a_gate_or_has_no_evidence_is_not_released(
    finished: Network, tables: Evidence, tmp_path: Path
) -> None:
    (tables.locked / "headline.md").unlink()
    with pytest.raises(DataError, match=r"headline\.md: no such file; evaluate the run first"):
        release([finished], tables, tmp_path / "weights", "")
    sidecar = finished.artefacts / "tiny_4s_250hz_int8.onnx.json"
    document = json.loads(sidecar.read_text())
    document["gates"]["verdict"] = "failed"
    sidecar.write_text(json.dumps(document))
    with pytest.raises((GateError, DataError)):
        release([finished], tables, tmp_path / "weights", "")
    assert not (tmp_path / "weights").exists()


def test_a_network_of_the_package_answers_to_its_name() -> None:
    name = shipped_model().parent.name
    assert model_path(name) == SHIPPED / name
    assert load_model(name).contract.model == name
    with pytest.raises(UsageError, match=f"no such run or artefact; the package brings .*{name}"):
        model_path("nowhere")
