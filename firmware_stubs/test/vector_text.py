"""A test case of a kernel, and its C text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = int | str | Sequence[int] | NDArray[Any] | Mapping[str, Any] | None
COLUMNS = 116


@dataclass(frozen=True, eq=False)
class Case:
    """One call: fields of the op struct, inputs, and the bytes that must come out."""

    op: str
    """conv1d, add, …: kernel ecgkd_<op>_s8."""
    what: str
    fields: Mapping[str, Value]
    """Of the struct; arrays become const tables, mappings structs inside."""
    inputs: tuple[NDArray[np.int8], ...]
    expected: NDArray[np.int8]
    scratch: str = "0"
    """C expression for its size."""
    in_place: tuple[int, ...] = ()
    """Inputs that may be the output."""
    struct: str = ""
    """Of the op, where it is not the kernel's name."""
    second: NDArray[np.int8] | None = field(default=None)
    """Expected second output."""

    @property
    def name(self) -> str:
        return f"{self.op}_{self.what}"


def text(case: Case) -> str:
    """Returns the file of a case, without its first line."""
    tables: list[str] = []
    name = case.name
    body = _struct(name, case.fields, tables)
    arrays = [_array("int8_t", f"{name}_in{n}", data) for n, data in enumerate(case.inputs)]
    arrays.append(_array("int8_t", f"{name}_expected", case.expected))
    second = "NULL"
    if case.second is not None:
        arrays.append(_array("int8_t", f"{name}_second", case.second))
        second = f"{name}_second"
    inputs = [f"{name}_in{n}" if n < len(case.inputs) else "NULL" for n in range(3)]
    sizes = [str(case.inputs[n].size) if n < len(case.inputs) else "0" for n in range(3)]
    struct = f"ecgkd_{case.struct or case.op}_t"
    in_place = sum(1 << n for n in case.in_place)
    entry = (
        f'static const case_t case_{name} = {{"{name}", run_{case.op}, &{name}_op, {{{", ".join(inputs)}}},\n'
        f"    {{{', '.join(sizes)}}}, {name}_expected, {second}, {case.expected.size}, {case.scratch}, {in_place}}};\n"
    )
    return "".join(tables) + f"static const {struct} {name}_op = {body};\n" + "".join(arrays) + entry


def _struct(name: str, fields: Mapping[str, Value], tables: list[str]) -> str:
    parts = []
    for key, value in fields.items():
        if isinstance(value, Mapping) and "struct" in value:
            inner = {k: v for k, v in value.items() if k != "struct"}
            body = _struct(f"{name}_{key}", inner, tables)
            tables.append(f"static const {value['struct']} {name}_{key} = {body};\n")
            parts.append(f".{key} = &{name}_{key}")
        elif isinstance(value, Mapping):
            parts.append(f".{key} = {_struct(f'{name}_{key}', value, tables)}")
        elif isinstance(value, np.ndarray):
            tables.append(_array(f"{value.dtype}_t", f"{name}_{key}", value))
            parts.append(f".{key} = {name}_{key}")
        elif value is None:
            parts.append(f".{key} = NULL")
        elif isinstance(value, int | np.integer | str):
            parts.append(f".{key} = {value}")
        else:
            parts.append(f".{key} = {{{', '.join(str(int(v)) for v in value)}}}")
    return "{" + ", ".join(parts) + "}"


def _array(kind: str, name: str, data: NDArray[Any]) -> str:
    lines, line = [], "    "
    for value in data.reshape(-1).tolist():
        word = f"{value if value != -(2**31) else 'INT32_MIN'},"
        if len(line) + len(word) > COLUMNS:
            lines.append(line)
            line = "    "
        line += word
    return f"static const {kind} {name}[{data.size}] ECGKD_ALIGNED = {{\n" + "\n".join([*lines, line]) + "\n};\n"
