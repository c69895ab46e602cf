"""Untrained networks of fixed seeds as C, for tests and emulators: `python tests/firmware/networks.py OUT [PRESET…]`.

Writes OUT/<preset>/: <name>.c and <name>.h, windows.bin (int8, 1,000 each), embeddings.bin (what the network has to
give for them, by the simulation of the int8 graph) and facts.json.
"""

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.windows import INPUT_RANGE, synthetic_windows
from ecgkd_export import tflite_artefacts
from ecgkd_export.c99.emit import emit
from ecgkd_export.graph import Graph
from ecgkd_export.ort_int8 import Settings
from ecgkd_export.simulate import Arithmetic, simulate

PRESETS = ("deit_nano", "dt4ecg", "deit_micro", "resnet34_base24")
"""What the budgets are about; others work too."""
CALIBRATED = 16
"""Windows that ranges are measured on."""


@lru_cache(maxsize=4)
def network(preset: str) -> Graph:
    """Returns the int8 graph of an untrained network of `preset`; the same every time."""
    import torch

    from ecgkd.models.build import build_model
    from ecgkd_export.torch_onnx import to_onnx

    torch.manual_seed(0)
    windows = synthetic_windows()[:CALIBRATED]
    step = Settings(INPUT_RANGE).input_step
    untrained = build_model(preset)
    for layer in untrained.modules():  # some begin at zero, which would leave whole layers without weights
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.0)
    model = to_onnx(untrained.eval().export_form(), windows[:1])
    graph = tflite_artefacts.prepared(model, step)
    ranges = tflite_artefacts.ranges_of(graph, windows)
    return tflite_artefacts.int8_graph(graph, model, ranges, step, tflite_artefacts.Tuning())[0]


def golden_windows(count: int = 4) -> NDArray[np.int8]:
    """Returns `count` windows (count, 1000) as the front end gives them: synthetic people, and one of extremes."""
    step = Settings(INPUT_RANGE).input_step
    some = np.clip(np.rint(synthetic_windows()[-count:] / step), -128, 127).astype(np.int8).reshape(count, -1)
    some[-1, ::2], some[-1, 1::2] = -128, 127
    return some


def expected(graph: Graph, windows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Returns what the kernels have to give (n, size) for `windows` (n, samples)."""
    found: NDArray[np.int8] = simulate(graph, windows, arithmetic=Arithmetic.FIXED)[graph.outputs[0]]
    return found.reshape(len(windows), -1)


def write_network(folder: Path, preset: str) -> str:
    """Writes the network of `preset` and its golden windows to `folder`; returns the artefact's name."""
    graph, windows = network(preset), golden_windows()
    name = f"{preset}_4s_250hz_int8"
    files = emit(graph, name=name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.c").write_bytes(files.source)
    (folder / f"{name}.h").write_bytes(files.header)
    (folder / "facts.json").write_text(json.dumps(dict(files.facts), indent=1) + "\n")
    (folder / "windows.bin").write_bytes(windows.tobytes())
    (folder / "embeddings.bin").write_bytes(expected(graph, windows).tobytes())
    return name


if __name__ == "__main__":
    for preset in sys.argv[2:] or PRESETS:
        print(write_network(Path(sys.argv[1]) / preset, preset))
