"""Do two versions of a network give the same outputs? Numbers and verdicts as plain dictionaries."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
"""One output for n windows (n, size)."""
Outputs = Mapping[str, Rows]
"""All outputs by name, the embedding first."""
Run = Callable[[NDArray[np.float32]], Rows]
"""Inputs (n, …) to outputs (n, size)."""
Score = Callable[[Run, Run], dict[str, Any]]
"""The caller's own gate: takes the reference and the candidate, returns a dictionary with `result`."""

PASSED, FAILED, UNDECIDED, ABSENT = "passed", "failed", "undecided", "absent"

FLOAT_BOUND = 1e-5
"""Largest difference of a float graph's output from PyTorch's; in proportion where numbers are larger than 1."""
CLOSE_BOUND = 1e-4
"""The same of a float graph whose layer norms and convolutions another runtime sums in another order."""
INT8_MEAN_COSINE = 0.995
INT8_WORST_COSINE = 0.9
"""Below this a window's output is garbage, not rounding."""
CLASS_AGREEMENT = 0.85
CLASS_COSINE = 0.96
"""Scores of classes: share of windows with the same largest class, and mean cosine of scores without their mean.

Of 22 trained DT4ECGs (five activities), in ONNX Runtime int8, TFLite int8 and w8, the worst gives 0.934 and 0.997 on
windows of moving people, 0.875 and 0.977 on synthetic windows, where the first two classes often tie. One whose
embedding fails on those (0.989) gives 0.56 and 0.82. Whether answers got worse is the caller's gate: it takes labels.
"""


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
    return _near(reference, candidate, FLOAT_BOUND)


def close_gate(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> dict[str, Any]:
    """Returns the verdict on a rewritten float graph in another runtime: every output within 1e-4."""
    return _near(reference, candidate, CLOSE_BOUND)


def int8_gate(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> dict[str, Any]:
    """Returns the verdict on an int8 graph: mean and worst cosine to the float outputs above their floors."""
    if reference.shape != candidate.shape:
        return _misshapen(reference, candidate)
    figures = compare(reference, candidate)
    good = figures["cosine_mean"] >= INT8_MEAN_COSINE and figures["cosine_min"] >= INT8_WORST_COSINE
    return _verdict(good, figures, cosine_mean_floor=INT8_MEAN_COSINE, cosine_min_floor=INT8_WORST_COSINE)


def class_gate(reference: Rows, candidate: Rows) -> dict[str, Any]:
    """Returns the verdict on scores of classes (n, classes) of an int8 graph: the same answers, from like scores."""
    if reference.shape != candidate.shape:
        return _misshapen(reference, candidate)
    centred = [rows - rows.mean(1, keepdims=True) for rows in (reference, candidate)]
    found = compare(*centred)
    agreement = float((reference.argmax(1) == candidate.argmax(1)).mean())
    figures = {
        "windows": found["windows"],
        "agreement": agreement,
        "cosine_mean": found["cosine_mean"],
        "max_abs": float(np.abs(reference.astype(np.float64) - candidate).max()),
    }
    good = agreement >= CLASS_AGREEMENT and found["cosine_mean"] >= CLASS_COSINE
    return _verdict(good, figures, agreement_floor=CLASS_AGREEMENT, cosine_mean_floor=CLASS_COSINE)


def output_gates(reference: Outputs, candidate: Outputs) -> dict[str, dict[str, Any]]:
    """Returns the gates of an int8 graph's outputs: `output_parity` of the first, `<name>_parity` of the others."""
    found = {}
    for position, name in enumerate(reference):
        gate = class_gate if position else int8_gate
        found[f"{name}_parity" if position else "output_parity"] = (
            gate(reference[name], candidate[name]) if name in candidate else _lacking(name)
        )
    return found


def over_outputs(
    first: Callable[[Rows, Rows], dict[str, Any]],
    reference: Outputs,
    candidate: Outputs,
    others: Callable[[Rows, Rows], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Returns one verdict on all outputs: that of `first` on the first, with those of `others` on the others in it.

    `others` is `first` where it is not said. One that fails fails all.
    """
    gates = [first, *[others or first] * (len(reference) - 1)]
    lacking = [name for name in reference if name not in candidate]
    if lacking:
        return _lacking(lacking[0])
    return joined({name: gate(reference[name], candidate[name]) for gate, name in zip(gates, reference, strict=True)})


def joined(verdicts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns verdicts on outputs as one: the first one's figures, the others' by name under `outputs`."""
    (_, first), *others = verdicts.items()
    if not others:
        return first
    failed = {name: one for name, one in verdicts.items() if one["result"] == FAILED}
    why = "; ".join(f"{name}: {one['why']}" for name, one in failed.items() if "why" in one)
    return {
        **first,
        "result": FAILED if failed else PASSED,
        **({"why": why} if why else {}),
        "outputs": dict(others),
    }


def steps_gate(off: Mapping[str, int], bounds: Mapping[str, int]) -> dict[str, Any]:
    """Returns the verdict on integers: by how many steps each output is off at most, and by how many it may be."""
    verdicts = {}
    for name, most in off.items():
        good = most <= bounds[name]
        why = {} if good else {"why": f"its numbers are {most} steps off; allowed {bounds[name]}"}
        verdicts[name] = {"result": PASSED if good else FAILED, "lsb": most, "lsb_bound": bounds[name], **why}
    return joined(verdicts)


def _near(reference: Rows, candidate: Rows, bound: float) -> dict[str, Any]:
    """Returns the verdict on a float graph's output: every number within `bound`, or `bound` of the largest above 1."""
    if reference.shape != candidate.shape:
        return _misshapen(reference, candidate)
    figures = compare(reference, candidate)
    largest = float(np.abs(reference).max())
    bound *= max(1.0, largest)
    return _verdict(bool(np.isfinite(largest)) and figures["max_abs"] <= bound, figures, max_abs_bound=bound)


def _misshapen(reference: Rows, candidate: Rows) -> dict[str, Any]:
    return {"result": FAILED, "why": f"it gives {candidate.shape[1:]}; expected {reference.shape[1:]}"}


def _lacking(name: str) -> dict[str, Any]:
    return {"result": FAILED, "why": f"no output {name}"}


def _verdict(good: bool, figures: dict[str, Any], **bounds: float) -> dict[str, Any]:
    return {"result": PASSED if good else FAILED, **figures, **bounds}


def failures(gates: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the names of the gates that did not pass.

    One that is `absent` does not count, nor an undecided one whose caller says so (`counts` is false).
    """
    return [name for name, gate in gates.items() if gate["result"] in (FAILED, UNDECIDED) and gate.get("counts", True)]
