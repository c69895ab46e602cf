from pathlib import Path

import pytest

from ecgkd.cli.load import SHIPPED, load_model, newest_run
from ecgkd.errors import DataError
from ecgkd_export.graph import DType, Graph, Kind, Op, Tensor
from ecgkd_export.tflite.emit import emit

SHIPPED_TFLITE = SHIPPED / "deit_micro" / "deit_micro_4s_250hz_int8.tflite"


def test_a_tflite_file_is_a_model_with_the_contract_inside_it() -> None:
    model = load_model(SHIPPED_TFLITE)
    assert (model.kind, model.contract.model, model.contract.precision) == ("tflite", "deit_micro", "int8")


@pytest.mark.parametrize(
    ("content", "message"),
    [(SHIPPED_TFLITE.read_bytes()[:5000], "damaged or cut short"), (b"hello", "no TFLite file")],
)
def test_a_broken_tflite_file_is_refused_by_its_name(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.tflite: .*{message}.*; export it again"):
        load_model(tmp_path / "a.tflite")


def test_a_foreign_tflite_file_is_refused(tmp_path: Path) -> None:
    tensors = {name: Tensor(name, (1, 8), DType.FLOAT32) for name in ("window", "embedding")}
    graph = Graph(tensors, (Op(Kind.RELU, "relu", ("window",), "embedding"),), ("window",), ("embedding",))
    (tmp_path / "a.tflite").write_bytes(emit(graph, metadata={}, description=""))
    with pytest.raises(DataError, match=r"a\.tflite: a file without ecgkd's contract"):
        load_model(tmp_path / "a.tflite")


def test_the_newest_run_is_the_one_that_began_last(tmp_path: Path) -> None:
    for place in ("b/20260101T000000Z", "a/20260102T000000Z", "study/uncertainty"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "contract.json").write_text("{}")
    assert newest_run(root=tmp_path) == tmp_path / "a" / "20260102T000000Z"
