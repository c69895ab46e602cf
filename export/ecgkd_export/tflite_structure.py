"""Is a TFLite file what its name says: everything inside, agreed names, integers where it counts, old runtimes too?"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ecgkd_export.errors import ArtefactError
from ecgkd_export.parity import FAILED, PASSED
from ecgkd_export.structure import no_scores, wrong_names
from ecgkd_export.tflite.read import FileOp, FileTensor, TfliteFile, read, unsound
from ecgkd_export.torch_onnx import INPUT, OUTPUT

VERSIONS: Mapping[str, int] = {
    "ADD": 5,
    "BATCH_MATMUL": 3,
    "CAST": 4,
    "CONCATENATION": 3,
    "CONV_2D": 6,
    "DEQUANTIZE": 4,
    "FULLY_CONNECTED": 9,
    "GELU": 2,
    "L2_NORMALIZATION": 2,
    "LOGISTIC": 3,
    "MAX_POOL_2D": 3,
    "MEAN": 3,
    "MUL": 7,
    "PAD": 4,
    "PADV2": 4,
    "QUANTIZE": 2,
    "REDUCE_MAX": 3,
    "RELU": 3,
    "RESHAPE": 1,
    "RSQRT": 2,
    "SLICE": 5,
    "SOFTMAX": 3,
    "SUB": 5,
    "TRANSPOSE": 5,
}
"""Highest version of an operator that tflite-runtime 2.14 has in its optimised and in its reference kernels.

Asked of 2.14.0 itself: a file with the one operator was loaded with its version set to 1, 2, … until it was refused.
"""
PROFILES: Mapping[str, tuple[str, ...]] = {
    "cpu": tuple(VERSIONS),
    "mcu": tuple(code for code in VERSIONS if code != "GELU"),
    "npu": tuple(VERSIONS),
}
"""Operators that a target has. `mcu`: TFLite Micro, asked of its own interpreter in the same way. `npu`: what Vela 5.2
maps to an Ethos-U55 by its own report, and what TFLite Micro runs beside it."""
LEFT_BY_NPU = ("CAST", "DEQUANTIZE", "L2_NORMALIZATION")
"""Operators that Vela leaves to the processor."""
INTEGERS = ("INT8", "INT16", "INT32", "INT64")
WEIGHTED = ("CONV_2D", "FULLY_CONNECTED")
INT8_SHARE = 0.9
"""Of the weights of a w8 file; layers on a single row may stay float and do not count."""


def float_gate(content: bytes, outputs: Sequence[str] = (OUTPUT,)) -> dict[str, Any]:
    """Returns the verdict on a float file: names, shapes, versions, everything inside the file."""
    return _gate(content, "cpu", outputs, _float_problems)


def int8_gate(content: bytes, profile: str = "cpu", outputs: Sequence[str] = (OUTPUT,)) -> dict[str, Any]:
    """Returns the verdict on an int8 file: as `float_gate`, no float tensor in it, and nothing `profile` has not."""
    return _gate(content, profile, outputs, _int8_problems)


def w8_gate(content: bytes, outputs: Sequence[str] = (OUTPUT,)) -> dict[str, Any]:
    """Returns the verdict on a file with int8 weights: as `float_gate`, and all large weights are int8."""
    return _gate(content, "cpu", outputs, _w8_problems)


def file_gate(
    content: bytes, precision: str, profile: str = "cpu", outputs: Sequence[str] = (OUTPUT,)
) -> dict[str, Any]:
    """Returns the verdict on a file of `precision`: `fp32`, `int8` or `w8`."""
    if precision == "int8":
        return int8_gate(content, profile, outputs)
    return w8_gate(content, outputs) if precision == "w8" else float_gate(content, outputs)


def _gate(
    content: bytes, profile: str, outputs: Sequence[str], further: Callable[[TfliteFile], list[str]]
) -> dict[str, Any]:
    try:
        file = read(content)
    except ArtefactError as error:
        return {"result": FAILED, "problems": [str(error)]}
    problems = [*_problems(file, outputs), *further(file), *_lacking(file, profile)]
    count = dict(sorted(Counter(op.code for op in file.ops).items()))
    weights = sum(len(tensor.data) for tensor in file.tensors if tensor.data is not None)
    left = {code: times for code, times in count.items() if code in LEFT_BY_NPU}
    return {
        "result": FAILED if problems else PASSED,
        "problems": problems,
        "profile": profile,
        "operators": count,
        "constant_bytes": weights,
        **({"left_to_processor": left} if profile == "npu" else {}),
    }


def _problems(file: TfliteFile, outputs: Sequence[str]) -> list[str]:
    """Returns what is wrong with any file of ours that has these outputs, in words."""
    problems = unsound(file)
    problems += wrong_names("input", file.names(file.inputs), (INPUT,))
    problems += wrong_names("output", file.names(file.outputs), outputs)
    for place in file.outputs[1:]:
        problems += no_scores(file.tensors[place].name, file.tensors[place].shape)
    if list(file.signatures.values()) != [((INPUT,), tuple(outputs))]:
        problems.append(f"no signature that takes {INPUT} and gives {', '.join(outputs)}")
    problems += [f"{tensor.name} has a dynamic shape" for tensor in file.tensors if tensor.dynamic]
    if file.subgraphs != 1:
        problems.append(f"{file.subgraphs} subgraphs; expected one")
    if file.misaligned:
        problems.append(f"{file.misaligned} buffers do not start at a multiple of 16 bytes")
    for op in file.ops:
        if op.code not in VERSIONS:
            problems.append(f"{op.code} is no operator of ours")
        elif op.version > VERSIONS[op.code]:
            problems.append(f"{op.code} version {op.version}; tflite-runtime 2.14 knows {VERSIONS[op.code]}")
        else:
            problems += _unsupported(file, op)
    return problems


def _unsupported(file: TfliteFile, op: FileOp) -> list[str]:
    """Returns what tflite-runtime 2.14 refuses or gets wrong although it knows the operator's version."""
    source, output = (file.tensors[places[0]] for places in (op.inputs, op.outputs))
    if op.code == "QUANTIZE" and (source.dtype, output.dtype) == ("INT8", "INT16"):
        return [f"QUANTIZE to {output.name}: tflite-runtime 2.14 does not turn int8 into int16"]
    if op.code == "FULLY_CONNECTED" and source.dtype == "FLOAT32":
        weights = file.tensors[op.inputs[1]]
        if weights.dtype == "INT8" and len(weights.scale) != 1:
            return [f"FULLY_CONNECTED to {output.name}: tflite-runtime 2.14 uses its first scale for all outputs"]
    return []


def _lacking(file: TfliteFile, profile: str) -> list[str]:
    """Returns the operators that the target of `profile` has not, in words."""
    problems = [f"{op.code}: {profile} has no such operator" for op in file.ops if op.code not in PROFILES[profile]]
    if profile == "mcu":
        for op in file.ops:
            if op.code == "REDUCE_MAX" and file.tensors[op.outputs[0]].dtype == "INT16":
                problems.append("REDUCE_MAX of int16: mcu has it for int8 only")
    return list(dict.fromkeys(problems))


def _float_problems(file: TfliteFile) -> list[str]:
    computed = [place for op in file.ops for place in op.outputs]
    return [
        f"{file.tensors[place].name} is not float32" for place in computed if file.tensors[place].dtype != "FLOAT32"
    ]


def _int8_problems(file: TfliteFile) -> list[str]:
    problems = [f"{tensor.name} is {tensor.dtype.lower()}" for tensor in file.tensors if tensor.dtype not in INTEGERS]
    weighted = _weights(file)
    problems += [f"weights {tensor.name} are {tensor.dtype.lower()}" for tensor in weighted if tensor.dtype != "INT8"]
    if not weighted:
        problems.append("no operator with int8 weights")
    for tensor in file.tensors:
        if tensor.dtype in ("INT8", "INT16") and not (len(tensor.scale) and np.all(tensor.scale > 0)):
            problems.append(f"{tensor.name} has no scale")
    return problems


def _w8_problems(file: TfliteFile) -> list[str]:
    weighted = [file.tensors[op.inputs[1]] for op in file.ops if op.code in WEIGHTED and not _single_row(file, op)]
    whole = sum(int(np.prod(tensor.shape)) for tensor in weighted)
    kept = sum(int(np.prod(tensor.shape)) for tensor in weighted if tensor.dtype == "INT8")
    if kept < INT8_SHARE * whole or not kept:
        return [f"{kept} of {whole} weights are int8; expected {INT8_SHARE:.0%}"]
    return []


def _weights(file: TfliteFile) -> list[FileTensor]:
    return [file.tensors[op.inputs[1]] for op in file.ops if op.code in WEIGHTED]


def _single_row(file: TfliteFile, op: FileOp) -> bool:
    return op.code == "FULLY_CONNECTED" and int(np.prod(file.tensors[op.inputs[0]].shape[:-1])) == 1
