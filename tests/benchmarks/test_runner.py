"""Measuring: through the fake device, and once for real on this machine. No test looks at a time."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from ecgkd_bench.errors import DeviceError, MismatchError
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Session
from ecgkd_bench.runner import measure
from ecgkd_bench.transport.local import LocalTransport

Measured = Callable[[dict[str, float]], Session]


def _tiny_onnx(path: Path) -> Path:
    weights = onnx.numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("window", [1, 8]), ("embedding", [1, 4]))
    ]
    node = onnx.helper.make_node("MatMul", ["window", "w"], ["embedding"])
    graph = onnx.helper.make_graph([node], "tiny", ends[:1], ends[1:], [weights])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_every_model_is_set_against_the_first(measured: Measured) -> None:
    session = measured({"float": 2.0, "int8": 1.0})
    (ratio,) = session.ratios
    assert (ratio.model, ratio.to) == ("int8", "float")
    assert ratio.value == pytest.approx(0.5)
    assert ratio.ci95[0] <= ratio.value <= ratio.ci95[1]


def test_the_model_alone_is_the_process_with_it_minus_the_empty_one(measured: Measured) -> None:
    memory = measured({"a": 1.0}).records[0].memory
    assert (memory.peak_rss_bytes, memory.empty_rss_bytes, memory.model_bytes) == (9_000_000, 4_000_000, 5_000_000)


def test_a_model_is_known_by_the_hash_of_its_file(measured: Measured) -> None:
    assert measured({"a": 1.0}).records[0].model.sha256 == hashlib.sha256(b"a").hexdigest()


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    subjects = [Subject("a", _tiny_onnx(tmp_path / f"{i}.onnx")) for i in range(2)]
    with pytest.raises(MismatchError, match="different names"):
        measure(subjects, LocalTransport(), Plan())


def test_a_file_that_no_backend_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"no backend runs \.bin files"):
        measure([Subject("a", tmp_path / "a.bin")], LocalTransport(), Plan())


def test_a_plan_of_one_round_is_refused() -> None:
    with pytest.raises(MismatchError, match="at least 1 thread and 2 rounds"):
        Plan(rounds=1)


def test_a_real_run_keeps_every_value_and_reads_the_threads_back(tmp_path: Path) -> None:
    subjects = [Subject(name, _tiny_onnx(tmp_path / f"{name}.onnx")) for name in ("a", "b")]
    session = measure(subjects, LocalTransport(), Plan(rounds=3, block_ms=0.1))
    for record in session.records:
        assert record.latency.count == len(record.latency.raw) > 0
        assert record.latency.count % 3 == 0
        assert min(record.latency.raw) > 0
        assert record.threads.effective == 1
        assert record.backend.effective == "onnxruntime CPUExecutionProvider"
        assert record.operators is not None
        assert "MatMul" in record.operators
        assert record.load_seconds > 0
        assert record.device.reached == "local"


def test_a_broken_file_is_refused_in_the_words_of_the_runtime(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(DeviceError, match=r"a\.onnx: onnxruntime refuses it"):
        measure([Subject("a", path)], LocalTransport(), Plan(rounds=2))
