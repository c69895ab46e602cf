import pytest
import torch

from ecgkd.contract import METADATA_KEY, Contract, Tensor
from ecgkd.errors import DataError
from ecgkd.training.checkpoint import (
    CHECKPOINT,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
    weights_sha256,
)

STATE = {"head.norm.weight": torch.arange(4.0), "classifier.weight": torch.zeros(3, 4)}


def contract() -> Contract:
    window, embedding = Tensor("window", (1, 1, 1000), "float32", "1"), Tensor("embedding", (1, 192), "float32", "1")
    return Contract("deit_nano", "fp32", (window,), (embedding,), 192, {}, "0" * 64, "space")


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    save_checkpoint(tmp_path, {"epoch": 3, "network": STATE, "history": [{"loss": 0.5}]})

    found = load_checkpoint(tmp_path)

    assert found["epoch"] == 3
    assert found["history"] == [{"loss": 0.5}]
    assert torch.equal(found["network"]["head.norm.weight"], STATE["head.norm.weight"])
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half a file"])
def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path, content):
    (tmp_path / CHECKPOINT).write_bytes(content)

    with pytest.raises(DataError, match="damaged, or no checkpoint"):
        load_checkpoint(tmp_path)


def test_weights_carry_their_contract(tmp_path):
    from safetensors import safe_open

    save_weights(tmp_path / "w.safetensors", STATE, contract())

    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert Contract.from_json(file.metadata()[METADATA_KEY]) == contract()
    assert torch.equal(load_weights(tmp_path / "w.safetensors")["classifier.weight"], STATE["classifier.weight"])


def test_damaged_weights_are_refused_in_one_line(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"short")

    with pytest.raises(DataError, match="not a safetensors file"):
        load_weights(tmp_path / "w.safetensors")


def test_missing_weights_are_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        load_weights(tmp_path / "none.safetensors")


def test_the_hash_of_weights_leaves_classifiers_out_and_sees_everything_else():
    other_classes = {**STATE, "classifier.weight": torch.ones(5, 4)}
    other_weights = {**STATE, "head.norm.weight": torch.arange(4.0) + 1e-6}

    assert weights_sha256(STATE) == weights_sha256(other_classes)
    assert weights_sha256(STATE) != weights_sha256(other_weights)
