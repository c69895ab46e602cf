"""Numbers → C text. Pure functions; every line ends up to 110 columns wide."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 110
"""Columns."""
TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t"}
"""Of C, by NumPy's name."""


def identifier(text: str) -> str:
    """Returns `text` as a name in C: `node_add_1:raised` → `node_add_1_raised`."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII)
    return name if re.match(r"[A-Za-z]", name) else f"n{name}"


def number(value: int) -> str:
    """Returns `value` as a constant of type int; -2147483648 has no digits of its own in C."""
    return str(int(value)) if value > -(1 << 31) else "INT32_MIN"


def array(name: str, values: NDArray[Any], attribute: str = "") -> str:
    """Returns a constant array of the type of `values`, row after row: `static const int8_t name[6] = {…};`."""
    ctype = TYPES[str(values.dtype)]
    size = max(values.size, 1)
    lines = wrapped((number(value) for value in values.ravel().tolist()), "    ")
    end = f" {attribute}" if attribute else ""
    return f"static const {ctype} {name}[{size}]{end} = {{\n" + "\n".join(lines) + "\n};\n"


def struct(ctype: str, name: str, fields: Mapping[str, int | str]) -> str:
    """Returns a constant struct by designated initialisers; text stands as it is, numbers as constants."""
    parts = [f".{key} = {value if isinstance(value, str) else number(value)}" for key, value in fields.items()]
    return f"static const {ctype} {name} = {{\n" + "\n".join(wrapped(parts, "    ")) + "\n};\n"


def wrapped(parts: Iterable[str], indent: str) -> list[str]:
    """Returns lines of `parts`, each followed by a comma, none wider than need be."""
    lines: list[str] = []
    line = indent
    for part in parts:
        if len(line) > len(indent) and len(line) + len(part) + 2 > WIDTH:
            lines.append(line.rstrip())
            line = indent
        line += f"{part}, "
    return [*lines, line.rstrip()]


def comment(lines: Sequence[str]) -> str:
    """Returns a block comment."""
    return "/* " + "\n * ".join(_harmless(line) for line in lines) + "\n */\n"


def remark(text: str) -> str:
    """Returns a comment on one line."""
    return f"/* {_harmless(text)} */"


def json_comment(key: str, document: Any) -> str:
    """Returns a comment that holds `document`; `read_json_comments` gives it back.

    A star, which could end the comment or begin another, is spelled with JSON's own `\\u002a`.
    """
    lines, line = [], ""
    for token in json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=True).iterencode(document):
        part = token.replace("*", "\\u002a")
        if line and len(line) + len(part) > WIDTH:
            lines.append(line)
            line = ""
        line += part
    return f"/* {key}:\n" + "\n".join([*lines, line]) + "\n*/\n"


def read_json_comments(text: str) -> dict[str, str]:
    """Returns the documents that `json_comment` wrote, as JSON text, by key."""
    return dict(re.findall(r"^/\* (\S+):\n([^*]*)\n\*/$", text, re.MULTILINE))


def string(text: str) -> str:
    """Returns a string constant; what is not printable ASCII is escaped byte by byte."""
    out = []
    for byte in text.encode():
        if byte in b'"\\?':  # a question mark could begin a trigraph
            out.append("\\" + chr(byte))
        else:
            out.append(chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def padded(values: NDArray[Any], sizes: Sequence[int]) -> NDArray[Any]:
    """Returns `values` with zeros behind, up to `sizes`."""
    return np.pad(values, [(0, size - have) for size, have in zip(sizes, values.shape, strict=True)])


def _harmless(line: str) -> str:
    return line.replace("*/", "* /").replace("/*", "/ *")
