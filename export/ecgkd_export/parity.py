"""Do two versions of a network give the same outputs? Numbers and verdicts as plain dictionaries."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Inputs (n, …) to outputs (n, size)."""
Score = Callable[[Run, Run], dict[str, Any]]
"""The caller's own gate: takes the reference and the candidate, returns a dictionary with `result`."""

PASSED, FAILED, UNDECIDED, ABSENT = "passed", "failed", "undecided", "absent"

FLOAT_BOUND = 1e-5
"""Largest difference of a float graph's output from PyTorch's."""
CLOSE_BOUND = 1e-4
"""The same of a float graph whose layer norms and convolutions another runtime sums in another order."""
INT8_MEAN_COSINE = 0.995
INT8_WORST_COSINE = 0.9
"""Below this a window's output is garbage, not rounding."""


def compare(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> dict[str, Any]:
    """Returns mean and worst cosine, and the largest difference, of outputs (n, size)."""
    if reference.shape != candidate.shape or not len(reference):
        raise ValueError(f"outputs of shape {reference.shape} and {candidate.shape} cannot be compared")
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(1), lengths, out=np.zeros(len(a)), where=lengths > 0)
    return {
        "windows": len(a),
        "cosine_mean": float(cosine.mean()),
        "cosine_min": float(cosine.min()),
        "max_abs": float(np.abs(a - b).max()),
    }


def float_gate(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> dict[str, Any]:
    """Returns the verdict on a float graph: every output within 1e-5 of PyTorch's, none of them NaN."""
    figures = compare(reference, candidate)
    return _verdict(figures["max_abs"] <= FLOAT_BOUND, figures, max_abs_bound=FLOAT_BOUND)


def close_gate(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> dict[str, Any]:
    """Returns the verdict on a rewritten float graph in another runtime: every output within 1e-4."""
    figures = compare(reference, candidate)
    return _verdict(figures["max_abs"] <= CLOSE_BOUND, figures, max_abs_bound=CLOSE_BOUND)


def int8_gate(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> dict[str, Any]:
    """Returns the verdict on an int8 graph: mean and worst cosine to the float outputs above their floors."""
    figures = compare(reference, candidate)
    good = figures["cosine_mean"] >= INT8_MEAN_COSINE and figures["cosine_min"] >= INT8_WORST_COSINE
    return _verdict(good, figures, cosine_mean_floor=INT8_MEAN_COSINE, cosine_min_floor=INT8_WORST_COSINE)


def _verdict(good: bool, figures: dict[str, Any], **bounds: float) -> dict[str, Any]:
    return {"result": PASSED if good else FAILED, **figures, **bounds}


def failures(gates: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the names of the gates that did not pass.

    One that is `absent` does not count, nor an undecided one whose caller says so (`counts` is false).
    """
    return [name for name, gate in gates.items() if gate["result"] in (FAILED, UNDECIDED) and gate.get("counts", True)]
