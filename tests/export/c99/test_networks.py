"""Whole networks, untrained: compiled C, the integer simulation and tflite-runtime's reference kernels are one."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ecgkd_export import c99_artefacts
from ecgkd_export.c99.emit import emit
from ecgkd_export.run.c99 import C99Session
from ecgkd_export.tflite.emit import emit as emit_tflite
from tests.firmware.networks import expected, golden_windows, network

pytestmark = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)
ARENA = {"dt4ecg": 32_000, "dt4ecg_both": 32_000, "dt4ecg_leads": 34_000}
ARENA |= {"deit_nano": 28_000, "deit_micro": 42_000, "deit_tiny": 123_000}
"""Most bytes; DT4ECG may have 56 kB, deit_nano 48, deit_micro 256."""
FLASH = {"deit_micro": 1_000_000}
PRESETS = [
    "deit_nano",
    "dt4ecg",
    "dt4ecg_both",
    "dt4ecg_leads",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("deit_micro", "resnet34_base24", "deit_tiny", "resnet34")
    ),
]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_network_gives_the_same_bits_in_every_integer_runtime(preset: str, tmp_path: Path) -> None:
    graph = network(preset)
    shape = graph.tensors[graph.inputs[0]].shape
    windows = golden_windows(8, n_leads=shape[1])
    files = emit(graph, name=preset)
    (tmp_path / "a.c").write_bytes(files.source)
    (tmp_path / "a.h").write_bytes(files.header)
    (tmp_path / "a.tflite").write_bytes(emit_tflite(graph, metadata={}, description=""))
    session = C99Session(tmp_path / "a.c")

    given = session.run_all_integers(windows.reshape(8, *shape[1:]))
    floats = (windows.reshape(8, *shape[1:]) / np.float32(16)).astype(np.float32)
    gates = c99_artefacts.file_gates(tmp_path / "a.c", floats, session.run_all(floats), tmp_path / "a.tflite")

    assert np.array_equal(np.concatenate(list(given.values()), axis=1), expected(graph, windows))
    assert {name for name, gate in gates.items() if gate["result"] == "failed"} == set()
    reference = gates["runtimes"]["runtimes"]["tflite-runtime, reference"]
    assert all(one.get("lsb", 0) == 0 for one in (reference, *reference.get("outputs", {}).values()))
    assert files.arena.size <= ARENA.get(preset, 1 << 20)
    assert files.arena.size <= 1.02 * files.arena.bound
    assert files.facts["weights_bytes"] <= FLASH.get(preset, 1 << 24)
