"""What a C network says to those who call it: its facts, its header's declarations, its `ecgkd_model_t`."""

from collections.abc import Mapping, Sequence
from importlib import metadata as packages
from math import floor, prod
from typing import Any

from ecgkd_export.c99.arena import Arena
from ecgkd_export.c99.arrays import string, wrapped
from ecgkd_export.c99.program import Program
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph, Tensor
from ecgkd_export.graph_hash import graph_sha256

ABI = 2
"""Of `ecgkd_nn.h`: its `ECGKD_MODEL_ABI`."""
SCALE_Q = 24
"""Fraction bits of `activity_scale`."""

VERSION_CHECK = f"""#if ECGKD_MODEL_ABI != {ABI}u
#error "made for version {ABI} of ecgkd_nn.h; export the network again with the ecgkd that these kernels are of"
#endif

"""


def facts_of(graph: Graph, program: Program, arena: Arena, classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Returns what the header says of a network; `classes` as in `emit`."""
    outputs = [_port(graph.tensors[name]) for name in graph.outputs]
    for port in outputs[1:]:
        port["classes"] = _names(port, classes.get(port["name"]))
    return {
        "version": packages.version("ecgkd"),
        "graph_sha256": graph_sha256(graph),
        "input": _port(graph.tensors[graph.inputs[0]]),
        "outputs": outputs,
        "arena_bytes": arena.size,
        "arena_lower_bound": arena.bound,
        "calls": len(program.steps),
        "macs": sum(step.macs for step in program.steps),
    }


def _port(tensor: Tensor) -> dict[str, Any]:
    assert tensor.quant is not None
    scale = float(tensor.quant.scale[0])
    return {"name": tensor.name, "shape": list(tensor.shape), "scale": scale, "zero_point": tensor.quant.zero_point}


def _names(port: Mapping[str, Any], names: Sequence[str] | None) -> list[str] | None:
    """Returns the names of a port's classes. Raises: GraphError where they are not as many as its values."""
    if names is not None and len(names) != _size(port):
        raise GraphError(f"{port['name']} scores {_size(port)} classes, but {len(names)} names were given")
    return None if names is None else list(names)


def _size(port: Mapping[str, Any]) -> int:
    return prod(port["shape"])


def scale_step(scale: float) -> int:
    """Returns a scale in steps of 2^−24, rounded half up. Raises: GraphError where that does not fit 31 bits."""
    step = floor(scale * 2**SCALE_Q + 0.5)
    if not 0 < step < 2**31:
        raise GraphError(f"the activity's scale is {scale:g}; the C interface takes 1e-7 to 127")
    return step


def described(facts: Mapping[str, Any]) -> list[str]:
    """Returns the lines that both files begin with."""
    return [
        f"{facts['name']}: an int8 network, written by ecgkd {facts['version']}. Do not edit; export it again.",
        f"Graph (sha256) {facts['graph_sha256']}.",
        f"Arena {facts['arena_bytes']} bytes (no order of buffers needs less than {facts['arena_lower_bound']}), "
        f"tables {facts['weights_bytes']} bytes,",
        f"{facts['calls']} calls, {facts['macs']} multiply-accumulates for a window.",
    ]


def header(facts: Mapping[str, Any], name: str) -> str:
    """Returns the declarations of a header."""
    guard = name.upper()
    sizes = {"WINDOW": facts["input"], **dict(zip(("EMBEDDING", "ACTIVITY"), facts["outputs"], strict=False))}
    defines = "".join(f"#define {guard}_{key}_SIZE {_size(port)}\n" for key, port in sizes.items())
    return f"""#ifndef {guard}_H
#define {guard}_H

#include "ecgkd_nn.h"

#define {guard}_ARENA_SIZE {facts["arena_bytes"]}
{defines}
#ifdef __cplusplus
extern "C" {{
#endif

extern const ecgkd_model_t {name};

#ifdef __cplusplus
}}
#endif

#endif

"""


def model(facts: Mapping[str, Any], name: str) -> str:
    """Returns the definition of the `ecgkd_model_t`, which `forward` stands before."""
    embedding, *further = facts["outputs"]
    fields = {
        "magic": "ECGKD_MODEL_MAGIC",
        "abi": "ECGKD_MODEL_ABI",
        "name": string(facts["name"]),
        "embedding_space": string(facts["space"]),
        "window_size": f"{_size(facts['input'])}u",
        "embedding_size": f"{_size(embedding)}u",
        "arena_size": f"{facts['arena_bytes']}u",
        "weights_size": f"{facts['weights_bytes']}u",
        "forward": "forward",
    }
    names = ""
    for activity in further:
        fields["activity_size"] = f"{_size(activity)}u"
        fields["activity_zero_point"] = str(activity["zero_point"])
        fields["activity_scale"] = f"{scale_step(activity['scale'])}u"
        if activity["classes"]:
            listed = "\n".join(wrapped(map(string, activity["classes"]), "    "))
            names = f"static const char *const activities[{_size(activity)}] = {{\n{listed}\n}};\n\n"
            fields["activity_names"] = "activities"
    lines = "".join(f"    .{key} = {value},\n" for key, value in fields.items())
    return f"{names}const ecgkd_model_t {name} = {{\n{lines}}};\n"
