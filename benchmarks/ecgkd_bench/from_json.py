"""Dataclasses from what JSON holds, by the types of their fields."""

import dataclasses
import types
import typing
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


def build(kind: type[T], value: Any) -> T:
    """Returns `value`, as it comes out of JSON, as a `kind`: a dataclass, or what its fields hold.

    Raises: KeyError for a missing field that has no default, TypeError or ValueError for one of another type.
    """
    hints = typing.get_type_hints(kind)
    known = [
        field
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.name in value or field.default is dataclasses.MISSING
    ]
    fields = {field.name: _field(hints[field.name], value[field.name]) for field in known}
    return kind(**fields)


def _field(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _field(arguments[0], value)
    if origin is tuple:
        return tuple(_field(arguments[0], item) for item in value)
    if origin is dict:
        return {str(key): _field(arguments[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if issubclass(hint, StrEnum):
        return hint(value)
    if not isinstance(value, hint):
        raise TypeError(f"{value!r} where {hint.__name__} was expected")
    return value
