"""Vela, Arm's compiler for Ethos-U: what of a TFLite file an NPU would run, and its own estimate of the cycles."""

import csv
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.tflite.read import read

ACCELERATOR = "ethos-u55-128"
NPU = "ethos-u"
"""The one custom operator that Vela puts in the place of all it compiles."""
PATIENCE = 600
"""Seconds."""


def compile_for_npu(content: bytes, accelerator: str = ACCELERATOR) -> dict[str, Any]:
    """Returns what Vela makes of the file: operators left to the processor, share on the NPU, estimates per window.

    The estimates are Vela's, for its default memory system. Raises: ArtefactError where it refuses the file;
    MissingPackageError.
    """
    if find_spec("ethosu") is None:
        raise MissingPackageError(
            "compiling for an NPU needs Vela, which is not installed; type: pip install ethos-u-vela"
        )
    before = read(content)
    with TemporaryDirectory() as folder:
        path, output = Path(folder) / "window.tflite", Path(folder) / "out"
        path.write_bytes(content)
        command = [sys.executable, "-m", "ethosu.vela", str(path), "--accelerator-config", accelerator]
        try:
            ran = subprocess.run(
                [*command, "--output-dir", str(output)], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ArtefactError(f"Vela took longer than {PATIENCE} s over the TFLite file") from error
        summaries, compiled = list(output.glob("*_summary_*.csv")), output / "window_vela.tflite"
        if ran.returncode or not summaries or not compiled.exists():
            lines = (ran.stderr or ran.stdout).strip().splitlines()
            raise ArtefactError(f"Vela refuses the TFLite file ({lines[-1] if lines else 'without a word'})")
        with summaries[0].open(newline="") as file:
            estimate = next(csv.DictReader(file))
        left = [op.code for op in read(compiled.read_bytes()).ops if op.code != NPU]
    return {
        "accelerator": accelerator,
        "system": estimate["system_config"],
        "memory": estimate["memory_mode"],
        "operators": len(before.ops),
        "left_to_processor": dict(sorted(Counter(left).items())),
        "share_on_npu": 1 - len(left) / len(before.ops),
        "estimated_cycles": int(estimate["cycles_total"]),
        "estimated_sram_bytes": round(float(estimate["sram_memory_used"]) * 1024),
        "clock": "estimated",
    }
