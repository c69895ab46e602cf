"""The kernels of firmware and the compiler of an NPU, where they are installed."""

import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.graph import DType, Graph, Kind
from ecgkd_export.rewrite import Profile
from ecgkd_export.run import vela
from ecgkd_export.run.tflm import TflmSession
from ecgkd_export.run.vela import compile_for_npu
from ecgkd_export.simulate import Arithmetic, simulate
from ecgkd_export.targets import target_gates, tflm_gate, vela_gate
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


def test_a_target_without_its_tool_is_absent_with_the_remedy(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro.runtime", None)
    monkeypatch.setattr(vela, "find_spec", lambda name: None)
    gates = target_gates(content, Profile.NPU, lambda session: {}, {})
    assert {name: gate["result"] for name, gate in gates.items()} == {"tflm": "absent", "vela": "absent"}
    assert "pip install tflite-micro" in gates["tflm"]["why"]
    assert "pip install ethos-u-vela" in gates["vela"]["why"]
    assert target_gates(content, Profile.CPU, lambda session: {}, {}) == {}


@TFLM
def test_what_microcontrollers_refuse_or_compute_otherwise_fails_their_gate(bench: Any, content: bytes) -> None:
    source, output = (bench.tensor(name, (3, 8), DType.INT8, 1 / 16) for name in ("window", "embedding"))
    gelu = emit(bench.graph(Kind.GELU, (source,), output, {}), metadata={}, description="")
    refused = tflm_gate(gelu, lambda session: {}, {})
    assert (refused["result"], "GELU" in refused["why"]) == ("failed", True)
    other = tflm_gate(content, lambda session: {"embedding": np.array([0, 2])}, {"embedding": 1})
    assert (other["result"], other["lsb"], other["why"]) == ("failed", 2, "its numbers are 2 steps off; allowed 1")


@VELA
def test_a_file_that_vela_leaves_to_the_processor_fails_its_gate(bench: Any) -> None:
    source = bench.tensor("window", (3, 8), DType.INT8, 1 / 16)
    output = bench.tensor("embedding", (3, 8), DType.INT8, 1 / 128)
    content = emit(bench.graph(Kind.L2_NORM, (source,), output, {}), metadata={}, description="")
    gate = vela_gate(content)
    assert (gate["result"], gate["why"]) == ("failed", "Vela maps 0% of the operators; expected 90%")
