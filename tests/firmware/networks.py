"""Untrained networks of fixed seeds as C, for tests and emulators: `python tests/firmware/networks.py OUT [PRESET…]`.

Writes OUT/<preset>/: <name>.c and <name>.h, windows.bin (int8, 1,000 for each lead), outputs.bin (what the network has
to give for them, embedding and then activity, by the simulation of the int8 graph) and facts.json.
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

PRESETS = ("deit_nano", "dt4ecg", "deit_micro", "resnet34_base24", "dt4ecg_both", "dt4ecg_leads")
"""What the budgets are about; others work too."""
VARIANTS = {
    "dt4ecg_both": ("dt4ecg", {"n_activities": 5}),
    "dt4ecg_leads": ("dt4ecg", {"n_activities": 5, "n_leads": 3}),
}
"""Networks that are no preset of their own: with both heads, and with three leads."""
ACTIVITIES = ("rest", "arms", "squat", "walk", "run")
CALIBRATED = 16
"""Windows that ranges are measured on."""


@lru_cache(maxsize=4)
def network(preset: str) -> Graph:
    """Returns the int8 graph of an untrained network of `preset`; the same every time."""
    import torch

    from ecgkd.models import build_model, export_form
    from ecgkd_export.torch_onnx import to_onnx

    torch.manual_seed(0)
    name, options = VARIANTS.get(preset, (preset, {}))
    windows = synthetic_windows(n_leads=options.get("n_leads", 1))[:CALIBRATED]
    step = Settings(INPUT_RANGE).input_step
    untrained = build_model(name, **options)
    for layer in untrained.modules():  # some begin at zero, which would leave whole layers without weights
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.0)
    untrained.eval()
    if "n_activities" in options:
        model = to_onnx(export_form(untrained, with_activity=True), windows[:1], ("embedding", "activity"))
    else:
        model = to_onnx(export_form(untrained), windows[:1])
    graph = tflite_artefacts.prepared(model, step)
    ranges = tflite_artefacts.ranges_of(graph, windows)
    return tflite_artefacts.int8_graph(graph, model, ranges, step, tflite_artefacts.Tuning())[0]


def golden_windows(count: int = 4, n_leads: int = 1) -> NDArray[np.int8]:
    """Returns `count` windows (count, leads · 1000) as the front end gives them: synthetic people, and extremes."""
    step = Settings(INPUT_RANGE).input_step
    some = np.clip(np.rint(synthetic_windows(n_leads=n_leads)[-count:] / step), -128, 127).astype(np.int8)
    some = some.reshape(count, -1)
    some[-1, ::2], some[-1, 1::2] = -128, 127
    return some


def expected(graph: Graph, windows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Returns what the kernels have to give (n, size), all outputs side by side, for `windows` (n, samples)."""
    found = simulate(graph, windows, arithmetic=Arithmetic.FIXED)
    return np.concatenate([found[name].reshape(len(windows), -1) for name in graph.outputs], axis=1).astype(np.int8)


def write_network(folder: Path, preset: str) -> str:
    """Writes the network of `preset` and its golden windows to `folder`; returns the artefact's name."""
    graph = network(preset)
    windows = golden_windows(n_leads=graph.tensors[graph.inputs[0]].shape[1])
    name = f"{preset}_4s_250hz_int8"
    files = emit(graph, name=name, classes={"activity": ACTIVITIES})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.c").write_bytes(files.source)
    (folder / f"{name}.h").write_bytes(files.header)
    (folder / "facts.json").write_text(json.dumps(dict(files.facts), indent=1) + "\n")
    (folder / "windows.bin").write_bytes(windows.tobytes())
    (folder / "outputs.bin").write_bytes(expected(graph, windows).tobytes())
    return name


if __name__ == "__main__":
    for preset in sys.argv[2:] or PRESETS:
        print(write_network(Path(sys.argv[1]) / preset, preset))
