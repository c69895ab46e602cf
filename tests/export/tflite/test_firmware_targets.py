"""The kernels of firmware and the compiler of an NPU, where they are installed."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.graph import DType, Graph, Kind
from ecgkd_export.run.tflm import TflmSession
from ecgkd_export.run.vela import compile_for_npu
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.tflite.emit import emit

TFLM = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")
VELA = pytest.mark.skipif(find_spec("ethosu") is None, reason="ethos-u-vela is not installed")


@TFLM
def test_microcontroller_kernels_are_the_simulation_to_the_bit(network: Graph, content: bytes) -> None:
    windows = np.random.default_rng(2).integers(-128, 128, (20, 1, 1, 40)).astype(np.int8)
    session = TflmSession(content)
    want = simulate(network, windows, arithmetic=Arithmetic.FIXED)["embedding"]
    np.testing.assert_array_equal(session.run_integers(windows), want[:, 0])
    assert (session.input_name, session.output_name, session.input_shape) == ("window", "embedding", (1, 1, 40))


@TFLM
def test_microcontrollers_refuse_gelu_and_absent_weights(bench: Any, content: bytes) -> None:
    source, output = (bench.tensor(name, (3, 8), DType.INT8, 1 / 16) for name in ("window", "embedding"))
    gelu = emit(bench.graph(Kind.GELU, (source,), output, {}), metadata={}, description="")
    with pytest.raises(ArtefactError, match=r"in TFLM: refused .*GELU"):
        TflmSession(gelu)
    with pytest.raises(ArtefactError, match="cut short"):
        TflmSession(content[:-200])


@VELA
def test_vela_maps_all_but_the_length_to_an_npu(content: bytes) -> None:
    found = compile_for_npu(content)
    assert found["left_to_processor"] == {"L2_NORMALIZATION": 1}
    assert found["share_on_npu"] == pytest.approx(1 - 1 / found["operators"])
    assert found["estimated_cycles"] > 0


@VELA
def test_vela_refuses_an_accelerator_that_there_is_not_in_one_line(content: bytes) -> None:
    with pytest.raises(ArtefactError, match="Vela refuses the TFLite file"):
        compile_for_npu(content, "ethos-u99")


@pytest.mark.skipif(find_spec("tflite_micro") is not None, reason="tflite-micro is installed")
def test_an_absent_package_is_named_with_its_remedy(content: bytes) -> None:
    with pytest.raises(MissingPackageError, match="pip install tflite-micro"):
        TflmSession(content)
