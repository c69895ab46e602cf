"""Program → two readable C files: const tables, const structs, one list of calls; and the header that goes with it.

Each file ends with the SHA-256 of everything above its last line, so that a damaged one is told from a whole one, and
the header names the source's. The same graph, name and metadata give the same bytes.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd_export.c99.arena import Arena
from ecgkd_export.c99.arrays import array, comment, identifier, json_comment, number, remark, wrapped
from ecgkd_export.c99.declare import VERSION_CHECK, described, facts_of, header, model
from ecgkd_export.c99.layout import lay_out, scratch_of
from ecgkd_export.c99.lower import lower
from ecgkd_export.c99.program import ACTIVITY, EMBEDDING, WINDOW, Pointer, Program, Step, Struct, Value
from ecgkd_export.c99.views import View
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph
from ecgkd_export.graph_hash import graph_sha256

KEY = "ecgkd.artefact"
"""Of what the files say about themselves, beside the caller's metadata."""
SEAL = "/* sha256 of everything above: "
CALLERS = {WINDOW: "window", EMBEDDING: "embedding", ACTIVITY: "activity"}
"""What the caller's buffers are called in C."""


@dataclass(frozen=True)
class Sources:
    """A network as C."""

    header: bytes
    source: bytes
    arena: Arena
    facts: Mapping[str, Any]
    """What the header says about it, under `KEY`."""


def emit(
    graph: Graph,
    *,
    name: str,
    metadata: Mapping[str, str] | None = None,
    space: str | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Sources:
    """Returns the int8 graph as `<name>.h` and `<name>.c`.

    `metadata` are JSON documents, which the header keeps as comments; `space` is what templates are bound to, the
    graph's own hash without it; `classes` are the names of what the second output scores, by the output's name.
    Raises: GraphError naming the operator that no kernel computes.
    """
    if identifier(name) != name:
        raise GraphError(f"{name!r} cannot be the name of C files: letters, digits and underscores, a letter first")
    program, arena = lay_out(lower(graph))
    text = _Source(program, arena)
    body = text.tables_and_calls()
    facts = {
        **facts_of(graph, program, arena, classes or {}),
        "name": name,
        "space": space or graph_sha256(graph),
        "weights_bytes": text.bytes,
    }
    opening = comment(described(facts))
    source = _sealed(f'{opening}#include "{name}.h"\n\n{VERSION_CHECK}{body}{model(facts, name)}')
    facts["source_sha256"] = hashlib.sha256(source).hexdigest()
    documents = {KEY: facts, **{key: json.loads(value) for key, value in (metadata or {}).items()}}
    comments = "".join(json_comment(*one) for one in documents.items())
    head = _sealed(opening + header(facts, name) + comments)
    return Sources(head, source, arena, facts)


def _sealed(text: str) -> bytes:
    content = text.encode()
    return content + f"{SEAL}{hashlib.sha256(content).hexdigest()} */\n".encode()


class _Source:
    """The text of a program; equal tables are written once."""

    def __init__(self, program: Program, arena: Arena) -> None:
        self.program, self.arena = program, arena
        self.known: dict[tuple[str, bytes], str] = {}
        self.parts: list[str] = []
        self.bytes = 0
        """Of all tables."""

    def tables_and_calls(self) -> str:
        calls = []
        for place, (key, data) in enumerate(self.program.constants.items()):
            self._array(f"constant{place}_{identifier(key)}", data)
        for place, step in enumerate(self.program.steps):
            title = f"{place} {step.note}"
            self.parts.append(f"\n{remark(title)}\n")
            self._struct(f"op{place}", step.op, f"op{place}")
            calls.append(self._call(place, step))
        checks = dict.fromkeys(
            f"ECGKD_ROOM({place}, {step.scratch.expression} <= {step.scratch.size});"
            for place, step in enumerate(self.program.steps)
            if step.scratch.size
        )
        room = "\n/* What this file was planned with, held against what the kernels ask for. */\n" + _ROOM
        forward = _FORWARD.format(calls=self._asked(calls), unused=self._unused())
        return "".join(self.parts).lstrip() + room + "\n".join(checks) + "\n" + forward

    def _asked(self, calls: list[str]) -> str:
        """Returns the calls as lines, those of the activity alone only where somebody wants it."""
        alone = self.program.needless() if self._has_activity else frozenset()
        lines: list[str] = []
        for place, call in enumerate(calls):
            if place in alone:
                lines += [] if place - 1 in alone else ["    if (activity != NULL) {"]
                lines += [f"    {call}"]
                lines += [] if place + 1 in alone else ["    }"]
            else:
                lines.append(call)
        return "\n".join(lines)

    @property
    def _has_activity(self) -> bool:
        return any(view.root == ACTIVITY for step in self.program.steps for view in step.outputs if view)

    def _unused(self) -> str:
        unused = ("" if self._has_activity else "activity", "" if self.arena.size else "arena")
        return "".join(f"    (void){name};\n" for name in unused if name)

    def _call(self, place: int, step: Step) -> str:
        scratch = "NULL"
        if step.scratch.size:
            scratch = f"AT({self.arena.offsets[scratch_of(place)]})"
        places = [*map(self._address, step.inputs), *map(self._address, step.outputs), scratch]
        what = remark(step.note.partition(": ")[0])
        return f"    ecgkd_{step.kernel}_s8(&op{place}, {', '.join(places)}); {what}"

    def _address(self, view: View | None) -> str:
        if view is None:
            return "NULL"
        if view.root in CALLERS:
            base = CALLERS[view.root]
        elif view.root in self.program.constants:
            base = self._array("", self.program.constants[view.root])
        else:
            return f"AT({self.arena.offsets[view.root] + view.offset})"
        return base + (f" + {view.offset}" if view.offset else "")

    def _array(self, name: str, data: NDArray[Any]) -> str:
        """Returns the name of the table with these values, which is written where there is none yet."""
        key = (str(data.dtype), data.tobytes())
        if key not in self.known:
            self.known[key] = name
            self.bytes += data.nbytes
            self.parts.append(array(name, data, "ECGKD_ALIGNED" if name.endswith("_weights") else ""))
        return self.known[key]

    def _struct(self, name: str, struct: Struct, prefix: str) -> None:
        """Writes a struct, and what it points to before it."""
        parts = list(self._fields(struct, prefix))
        text = "\n".join(wrapped(parts, "    "))
        self.parts.append(f"static const {struct.ctype} {name} = {{\n{text}\n}};\n")

    def _fields(self, struct: Struct, prefix: str) -> Iterator[str]:
        for key, value in struct.fields.items():
            yield f".{key} = {self._value(value, f'{prefix}_{key}')}"

    def _value(self, value: Value, name: str) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, Struct):
            lines = wrapped(self._fields(value, name.removesuffix("_layer")), "        ")
            return "{\n" + "\n".join(lines) + "\n    }"
        if isinstance(value, Pointer):
            self._struct(name, value.to, name)
            return f"&{name}"
        if isinstance(value, tuple):
            return "{" + ", ".join(number(one) for one in value) + "}"
        if isinstance(value, np.ndarray):
            return self._array(name, value)
        return number(value)


_ROOM = "#define ECGKD_ROOM(n, fits) typedef char room_of_op##n[(fits) ? 1 : -1]\n"
_FORWARD = """
#define AT(offset) ((int8_t *)arena + (offset))

static void forward(const int8_t *window, int8_t *embedding, int8_t *activity, uint8_t *arena)
{{
{unused}{calls}
}}

"""
