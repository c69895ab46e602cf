import json
from dataclasses import replace

import pytest

from ecgkd.contract import Contract, ScoreCalibration, Tensor, Threshold, embedding_space_id
from ecgkd.errors import DataError, UsageError
from ecgkd.signal.chain import definition

CONTRACT = Contract(
    model="deit_micro",
    precision="fp32",
    inputs=(Tensor("window", (1, 1, 1000), "float32", "front end / 16"),),
    outputs=(Tensor("embedding", (1, 192), "float32", "unit norm"),),
    embedding_size=192,
    front_end=definition(),
    weights_sha256="0" * 64,
    embedding_space="1" * 32,
    threshold=Threshold("as_norm", 2.5, 6, 3, 0.01, 0.02, 0.08, 35, 595, "development"),
    calibration=ScoreCalibration(3.0, -5.0, 0.5, "as_norm"),
    cohort=((1, -2), (3, 4)),
)


def test_a_contract_survives_json():
    assert Contract.from_json(CONTRACT.to_json()) == CONTRACT


def test_a_contract_without_evidence_survives_json():
    bare = replace(CONTRACT, threshold=None, calibration=None, cohort=())
    assert Contract.from_json(bare.to_json()) == bare


def test_another_version_is_refused_by_number():
    document = {**CONTRACT.to_dict(), "version": 99}
    with pytest.raises(UsageError, match="contract version 99; this ecgkd reads version 1"):
        Contract.from_dict(document)


def test_a_broken_contract_names_where():
    document = CONTRACT.to_dict()
    del document["inputs"]
    with pytest.raises(DataError, match=r"a\.onnx: broken contract"):
        Contract.from_json(json.dumps(document), "a.onnx")


def test_runtimes_and_front_ends_have_spaces_of_their_own():
    ids = {embedding_space_id(r, g, f) for r in ("int8", "onnx-fp32") for g in ("a", "b") for f in ("x", "y")}
    assert len(ids) == 8


def test_a_contract_tells_the_activities_of_its_second_output():
    telling = CONTRACT.telling(("rest", "walk", "run"))
    assert Contract.from_json(telling.to_json()) == telling
    assert telling.tells_activity
    assert telling.outputs[1] == Tensor("activity", (1, 3), "float32", "logits")
    assert telling.telling(("rest",)).outputs[1].shape == (1, 1)
    assert telling.telling(()) == CONTRACT
    assert not replace(CONTRACT, activities=("rest", "walk")).tells_activity  # its head was left out of the file
