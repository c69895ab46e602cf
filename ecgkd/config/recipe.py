"""Recipes: the sections of one training together, and the TOML file that holds them."""

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ecgkd.config.sections import AugmentConfig, DataConfig, LossConfig, ModelConfig, OptimConfig
from ecgkd.errors import DataError, UsageError
from ecgkd.files import write_bytes
from ecgkd.names import Head, Role

Section = TypeVar("Section")


@dataclass(frozen=True)
class Recipe:
    """One training, whole."""

    name: str
    role: Role
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if not self.name or any(letter in self.name for letter in "/\\ \n"):
            raise UsageError(f"name is {self.name!r}; expected a word that can name a folder")
        if self.loss.margin and self.model.head != Head.COSINE:
            raise UsageError(f'loss.margin is {self.loss.margin}, which needs model.head = "cosine"')
        if self.model.frozen and (self.loss.identifies or not self.loss.activity):
            raise UsageError("model.frozen leaves only the activity head to learn: loss.activity above 0, the others 0")
        if self.role == Role.TEACHER and self.loss.distils:
            raise UsageError('role is "teacher", but loss has terms of distillation; a student takes those')

    def to_dict(self) -> dict[str, Any]:
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    def to_toml(self) -> str:
        """Returns the recipe as TOML, every value spelt out."""
        document = self.to_dict()
        lines = [f"{key} = {_toml(value)}" for key, value in document.items() if not isinstance(value, dict)]
        for key, value in document.items():
            if isinstance(value, dict):
                lines += ["", f"[{key}]", *(f"{name} = {_toml(one)}" for name, one in value.items())]
        return "\n".join(lines) + "\n"

    def save(self, path: Path | str) -> None:
        """Writes the recipe to `path`, whole or not at all. Raises: DataError."""
        write_bytes(path, self.to_toml().encode())


def shipped_recipes() -> tuple[str, ...]:
    """Returns the names of the recipes that the package brings."""
    found = resources.files("ecgkd").joinpath("recipes").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in found if entry.name.endswith(".toml")))


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Returns the shipped recipe of that name, or the one at that path, after `section.key=value` overrides.

    Raises: UsageError for an unknown recipe, key or value, DataError for a file that is no TOML.
    """
    if name_or_path in shipped_recipes():
        text, where = resources.files("ecgkd").joinpath("recipes", f"{name_or_path}.toml").read_text(), name_or_path
    else:
        path = Path(name_or_path)
        if not path.is_file():
            known = ", ".join(shipped_recipes())
            raise UsageError(f"{name_or_path}: no such recipe; expected a TOML file or one of {known}")
        try:
            text, where = path.read_text(), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{where}: not a recipe (broken TOML: {error})") from error
    return recipe_of(document, where, overrides)


def recipe_of(document: Mapping[str, Any], where: str, overrides: Sequence[str] = ()) -> Recipe:
    """Returns the recipe that `document` holds. Raises: UsageError naming the key and `where` it stands."""
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in document.items()}
    for text in overrides:
        _override(merged, text)
    try:
        return _build(Recipe, merged, where, "")
    except UsageError as error:
        message = str(error)
        raise UsageError(message if message.startswith(where) else f"{where}: {message}") from error


def _override(document: dict[str, Any], text: str) -> None:
    """Puts `section.key=value` (or `name=value`) into `document`. Raises: UsageError."""
    key, separator, value = text.partition("=")
    parts = key.strip().split(".")
    if not separator or len(parts) > 2 or not all(parts):
        raise UsageError(f"--set {text}: expected section.key=value, such as optim.epochs=5")
    table = document
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {text}: {part} has no keys of its own")
    table[parts[-1]] = _typed(value.strip())


def _typed(value: str) -> Any:
    """Returns a TOML value, or the text itself where it is none: `--set model.preset=deit_nano` needs no quotes."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _build(kind: type[Section], document: Mapping[str, Any], where: str, prefix: str) -> Section:
    hints = get_type_hints(kind)
    for key in document:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1, cutoff=0.5)
            hint = f"the nearest known key is {prefix}{near[0]}" if near else f"known: {', '.join(hints)}"
            raise UsageError(f"{where}: unknown key {prefix}{key}; {hint}")
    lacking = [name for name in ("name", "role") if kind is Recipe and name not in document]
    if lacking:
        raise UsageError(f"{where}: a recipe needs {' and '.join(lacking)} at its top")
    values = {key: _convert(hints[key], value, f"{prefix}{key}", where) for key, value in document.items()}
    return kind(**values)


def _convert(hint: Any, value: Any, key: str, where: str) -> Any:
    """Returns `value` as the field's type. Raises: UsageError naming the key and what was expected."""
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise UsageError(f"{where}: {key} is {value!r}; expected a table [{key}]")
        return _build(hint, value, where, f"{key}.")
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, list | tuple) or (inner[-1] is not Ellipsis and len(value) != len(inner)):
            count = "values" if inner[-1] is Ellipsis else f"{len(inner)} values"
            raise UsageError(f"{where}: {key} is {value!r}; expected a list of {count}")
        return tuple(_convert(inner[0], one, key, where) for one in value)
    if issubclass(hint, StrEnum):
        if value not in list(hint):
            raise UsageError(f"{where}: {key} is {value!r}; expected one of {', '.join(hint)}")
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        expected = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[hint]
        raise UsageError(f"{where}: {key} is {value!r}; expected {expected}")
    return value


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, StrEnum):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    """Returns a number, text, truth value or flat list as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return repr(value)
