"""TFLite files in the worker's backends."""

from pathlib import Path

import numpy as np
import pytest

from ecgkd_bench.backends import backend_for, load
from ecgkd_bench.errors import DeviceError
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.tflite.emit import emit


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.INT8])
def test_a_tflite_file_runs_float_and_int8(dtype: DType, tmp_path: Path) -> None:
    quant = None if dtype == DType.FLOAT32 else Quant(np.array([1 / 16], np.float32))
    tensors = {name: Tensor(name, (1, 8), dtype, quant) for name in ("window", "embedding")}
    graph = Graph(tensors, (Op(Kind.RELU, "relu", ("window",), "embedding"),), ("window",), ("embedding",))
    path = tmp_path / "a.tflite"
    path.write_bytes(emit(graph, metadata={}, description=""))
    assert backend_for(path) == "litert"
    loaded = load("litert", str(path), 1)
    (given,) = loaded.run()
    assert given.dtype == np.dtype(dtype)
    assert given.min() == 0 < given.max()
    assert "XNNPACK" in loaded.effective


def test_a_broken_tflite_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"not a model")
    with pytest.raises(DeviceError, match=r"a\.tflite: litert refuses it"):
        load("litert", str(tmp_path / "a.tflite"), 1)
