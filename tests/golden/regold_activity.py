"""Makes the activity's golden vectors: `python tests/golden/regold_activity.py` writes `activity.json`.

A list of cases with integers in and integers out, which C must repeat. They come from ecgkd.enrolment.activity and are
checked against a second implementation in tests/ecgkd/enrolment/test_activity.py; run this only after a deliberate
change of the definition in docs/decision.md.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.enrolment.activity import SCALE_Q, tell

HERE = Path(__file__).parent
Scores = NDArray[np.int8]


def cases() -> list[tuple[str, Scores, int, float]]:
    """Returns name, scores, zero point and scale of every case."""
    rng = np.random.default_rng(8)

    def some(n: int, size: int) -> Scores:
        return rng.integers(-128, 128, (n, size)).astype(np.int8)

    def rows(*values: list[int]) -> Scores:
        return np.array(values, np.int8)

    made = [
        ("one window", some(1, 5), -3, 0.0371),
        ("six windows", some(6, 5), 12, 0.0371),
        ("sixteen activities", some(16, 16), -128, 0.11),
        ("two activities", some(3, 2), 127, 0.25),
        ("one activity alone", some(4, 1), 5, 0.25),
        ("no window", np.zeros((0, 4), np.int8), 5, 0.25),
        ("equals: the first", rows([3, 9, 9], [-4, 1, 1]), 0, 1.0),
        ("all equal", rows([7, 7, 7]), 7, 1.0),
        ("the last is the likeliest", rows([0, -1, 2], [0, -1, 2]), 1, 0.5),
        ("half a step is rounded away from zero", rows([1, 0], [0, 0]), 0, 1 / 65536),
        ("below half a step is rounded to zero", rows([1, 0], [0, 0], [0, 0]), 0, 1 / 65536),
        ("the smallest scale", rows([127, -128]), 0, 2.0**-SCALE_Q),
        ("the largest scale and margin", rows([127, -128]), -128, 127.99999),
        ("as many windows as there can be", np.tile(rows([127, -128, -128]), (255, 1)), -128, 127.99999),
    ]
    return made + [(f"made up {k}", some(1 + k, 5), int(rng.integers(-128, 128)), 0.01 * (k + 1)) for k in range(6)]


def main() -> None:
    told = []
    for name, scores, zero_point, scale in cases():
        found = tell(scores, zero_point, scale)
        case: dict[str, Any] = {"name": name, "zero_point": zero_point, "scale": scale, "activities": scores.shape[1]}
        case |= {"scores": scores.tolist(), "index": found.index, "windows": found.windows}
        told.append({**case, "sums": list(found.sums), "margin_q16": found.margin})
    document = {"made_by": "python tests/golden/regold_activity.py", "cases": told}
    text = json.dumps(document, separators=(",", ":")).replace('{"name"', '\n{"name"')
    (HERE / "activity.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
