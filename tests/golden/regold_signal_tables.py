"""Makes the C front end's tables from Python's: `python tests/golden/regold_signal_tables.py`."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ecgkd.signal.chain import SUPPORTED_FS, VERSION, definition_sha256
from ecgkd.signal.filters import LOW_PASS_TAPS
from ecgkd.signal.resample import MODEL_FS, phase_table

TARGET = Path(__file__).parents[2] / "firmware_stubs" / "signal" / "tables.c"
WIDTH = 116


def numbers(values: Iterable[int]) -> str:
    """Returns the values as lines of C."""
    lines = [""]
    for value in values:
        word = f"{value},"
        if len(lines[-1]) + len(word) + 1 > WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(f"    {line}" for line in lines)


def rate(fs: int) -> str:
    """Returns the phases and the struct of one sampling rate."""
    if fs == MODEL_FS:
        return f"const ecgkd_rate_t ecgkd_rate_{fs} = {{ .fs = {fs}, .phases = 1, .taps = 2, .table = NULL }};\n"
    table = phase_table(fs)
    phases, taps = table.shape
    return (
        f"static const int16_t phases_{fs}[{table.size}] = {{\n{numbers(table.ravel().tolist())}\n}};\n"
        f"const ecgkd_rate_t ecgkd_rate_{fs} = {{\n"
        f"    .fs = {fs}, .phases = {phases}, .taps = {taps}, .table = phases_{fs}\n}};\n"
    )


def text() -> str:
    """Returns tables.c."""
    sine = np.rint(1024 * np.sin(2 * np.pi * np.arange(1250) / 1000)).astype(int)
    return "\n".join(
        [
            "/* Made by `python tests/golden/regold_signal_tables.py`: do not edit.",
            f" * Front end, version {VERSION}: {definition_sha256()} */",
            '#include "signal.h"\n',
            "const int16_t ecgkd_low_pass_taps[ECGKD_LOW_PASS_TAPS] = {",
            f"{numbers(LOW_PASS_TAPS)}\n}};\n",
            "const int16_t ecgkd_sine[ECGKD_WAVE_PERIOD + 250] = {",
            f"{numbers(sine.tolist())}\n}};\n",
            *(rate(fs) for fs in SUPPORTED_FS),
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(text())
