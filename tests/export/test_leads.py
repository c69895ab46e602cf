"""Networks of three leads leave by every door as those of one do."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd_export import parity
from ecgkd_export.artefact import Artefact
from ecgkd_export.convert import convert, run_torch_all, runner
from ecgkd_export.graph import Graph
from ecgkd_export.run.litert import LiteRtSession
from ecgkd_export.run.tflite_runtime import TfliteRuntimeSession
from ecgkd_export.simulate import Arithmetic, simulate

from .conftest import GRID
from .two_outputs import NAMES, content_of, dual, motions

Windows = NDArray[np.float32]
TFLM = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")

FORMATS = ("onnx", "tflite", "c")


@pytest.fixture(scope="module")
def leads() -> list[Artefact]:
    return convert(dual(3), motions(96, 3), outputs=NAMES, formats=FORMATS, settings=GRID)


def test_three_leads_pass_every_gate_in_every_format(leads: list[Artefact]) -> None:
    assert [one.runtime for one in leads] == ["onnx-fp32", "ort-int8", "int8", "w8", "int8"]
    assert [parity.failures(one.gates) for one in leads] == [[]] * 5


def test_three_leads_give_the_simulations_bits_in_every_integer_runtime(leads: list[Artefact]) -> None:
    graph, integers = leads[2].model, (motions(16, 3, seed=2) * 16).astype(np.int8)
    assert isinstance(graph, Graph)
    assert graph.tensors["window"].shape == (1, 3, 60)
    for opened, arithmetic in (
        (LiteRtSession(content_of(graph), kernels="reference"), Arithmetic.LITERT),
        (TfliteRuntimeSession(content_of(graph), kernels="reference"), Arithmetic.FIXED),
    ):
        expected, found = simulate(graph, integers, arithmetic=arithmetic), opened.run_all_integers(integers)
        for name in NAMES:
            np.testing.assert_array_equal(found[name], expected[name].reshape(len(integers), -1))


def test_leads_are_not_mixed_up(leads: list[Artefact]) -> None:
    windows = motions(16, 3, seed=3)
    turned = np.ascontiguousarray(windows[:, [1, 2, 0]])
    want = run_torch_all(dual(3), turned, NAMES)
    for one in leads:
        found = runner(one, "activity")(turned)
        assert np.abs(found - want["activity"]).mean() < 0.1 * np.abs(found - runner(one, "activity")(windows)).mean()
