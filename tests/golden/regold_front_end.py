"""Makes the front end's golden vectors: `python tests/golden/regold_front_end.py`.

One made-up ECG-like window for each sampling rate, and edge cases; C must give the same int8 values.
"""

import json
from pathlib import Path

import numpy as np

from ecgkd.signal.chain import SUPPORTED_FS, VERSION, definition_sha256, front_end, native_window

TARGET = Path(__file__).with_name("front_end.json")


def window(fs: int, seed: int) -> np.ndarray:
    """Returns beats, drift, 50 Hz hum and an electrode offset in int32 µV, made from integers of `seed` alone."""
    rng = np.random.default_rng(seed)
    t = np.arange(native_window(fs)) / fs
    x = 40_000 * (seed - 3) + 300 * np.sin(2 * np.pi * 0.3 * t) + 60 * np.sin(2 * np.pi * 50 * t)
    for beat in np.arange(0.4, 4, 0.83):
        x += 900 * np.exp(-0.5 * ((t - beat) / 0.012) ** 2) + 200 * np.exp(-0.5 * ((t - beat - 0.28) / 0.05) ** 2)
    return np.rint(x).astype(np.int32) + rng.integers(-15, 16, len(t), dtype=np.int32)


def edge_cases() -> dict[str, np.ndarray]:
    """Returns windows at 250 Hz that stand at the limits of the arithmetic."""
    step = np.where(np.arange(1000) < 500, -(2**24), 2**24).astype(np.int32)
    spike = np.zeros(1000, np.int32)
    spike[500] = 2**24
    return {
        "flat": np.full(1000, 12_345, np.int32),
        "step_beyond_the_clamp": step,
        "one_spike": spike,
        "ramp": np.arange(-5000, 5000, 10, dtype=np.int32),
        "alternating_rails": np.where(np.arange(1000) % 2, 32_767, -32_767).astype(np.int32),
    }


def vectors() -> list[dict]:
    made = [(f"{fs}_hz", fs, window(fs, seed)) for seed, fs in enumerate(SUPPORTED_FS)]
    made += [(name, 250, x) for name, x in edge_cases().items()]
    return [
        {"name": name, "fs": fs, "input_uv": x.tolist(), "output": front_end(x[None], fs)[0].tolist()}
        for name, fs, x in made
    ]


if __name__ == "__main__":
    document = {
        "made_by": "python tests/golden/regold_front_end.py",
        "front_end_version": VERSION,
        "definition_sha256": definition_sha256(),
        "vectors": vectors(),
    }
    TARGET.write_text(json.dumps(document, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
