"""Gates of TFLite files that are not for a phone's processor: TFLM's own kernels run them, Vela compiles them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export import parity
from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.rewrite import Profile
from ecgkd_export.run.tflm import TflmSession
from ecgkd_export.run.vela import compile_for_npu

NPU_SHARE = 0.9
"""Of the operators that Vela maps; below it the processor does what the NPU was bought for."""
Steps = Callable[[TflmSession], Mapping[str, NDArray[np.int64]]]
"""By how many steps a session is off, output by output (n,)."""


def target_gates(
    content: bytes, profile: Profile, steps_off: Steps, bounds: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Returns the gates of an int8 file for `profile`; none for `cpu`. A tool that is not installed is `absent`."""
    gates: dict[str, dict[str, Any]] = {}
    if profile != Profile.CPU:
        gates["tflm"] = tflm_gate(content, steps_off, bounds)
    if profile == Profile.NPU:
        gates["vela"] = vela_gate(content)
    return gates


def tflm_gate(content: bytes, steps_off: Steps, bounds: Mapping[str, int]) -> dict[str, Any]:
    """Returns whether TensorFlow Lite for Microcontrollers runs the file and gives what is expected, all outputs."""
    try:
        off = steps_off(TflmSession(content))
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    windows = len(next(iter(off.values())))
    return {"windows": windows, **parity.steps_gate({name: int(o.max(initial=0)) for name, o in off.items()}, bounds)}


def vela_gate(content: bytes) -> dict[str, Any]:
    """Returns what Vela makes of the file: passed where the NPU gets nine operators of ten."""
    try:
        found = compile_for_npu(content)
    except MissingPackageError as error:
        return {"result": parity.ABSENT, "why": str(error)}
    except ArtefactError as error:
        return {"result": parity.FAILED, "why": str(error)}
    share = found["share_on_npu"]
    good = share >= NPU_SHARE
    why = {} if good else {"why": f"Vela maps {share:.0%} of the operators; expected {NPU_SHARE:.0%}"}
    return {"result": parity.PASSED if good else parity.FAILED, **found, "share_floor": NPU_SHARE, **why}
