"""The folder of one run: what stands in it, and reading it back.

recipe.toml (resolved), protocol.json (a copy), classes.json (training people by class), activities.json
(where they are a task), environment.json,
history.csv, metrics.json, contract.json, weights.safetensors; checkpoint.pt until the run is finished.
"""

import csv
import io
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ecgkd import __version__
from ecgkd.config import Recipe, load_recipe
from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import DataError, UsageError
from ecgkd.files import read_json, write_bytes, write_json
from ecgkd.protocols.protocol import Protocol, Span

ACTIVITIES = "activities.json"
PACKAGES = ("torch", "timm", "lightning-fabric", "numpy", "scipy", "safetensors")


def new_folder(root: Path, name: str) -> Path:
    """Makes and returns `root`/`name`/<UTC time>. Raises: DataError where that is not possible."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in ("", *(f"-{n}" for n in range(2, 100))):
        folder = root / name / f"{stamp}{attempt}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir():
                break
            continue
        except OSError as error:
            raise DataError(f"cannot make {folder}: {error.strerror}") from error
        return folder
    raise DataError(f"cannot make a folder for the run under {root / name}")


def versions() -> dict[str, str]:
    """Returns the versions that a run depends on."""
    found = {"ecgkd": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_start(
    folder: Path,
    recipe: Recipe,
    protocol: Protocol,
    classes: Sequence[str],
    facts: dict[str, Any],
    activities: Sequence[str] = (),
) -> None:
    """Writes what is known before the first step."""
    recipe.save(folder / "recipe.toml")
    protocol.save(folder / "protocol.json")
    write_json(folder / "classes.json", list(classes))
    if activities:
        write_json(folder / ACTIVITIES, list(activities))
    environment = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **facts,
    }
    write_json(folder / "environment.json", environment)


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Writes one line per epoch."""
    columns = list(dict.fromkeys(key for entry in history for key in entry))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for entry in history:
        writer.writerow({key: f"{one:.6g}" if isinstance(one, float) else one for key, one in entry.items()})
    write_bytes(folder / "history.csv", text.getvalue().encode())


@dataclass(frozen=True)
class RunInfo:
    """What a finished run says of itself."""

    path: Path
    recipe: Recipe
    contract: Contract
    classes: tuple[str, ...]
    """Training people by class number."""
    metrics: dict[str, Any]
    activities: tuple[str, ...] = ()
    """What its activity head tells apart; none without one."""

    @property
    def protocol_path(self) -> Path:
        return self.path / "protocol.json"

    @property
    def data_paths(self) -> tuple[str, ...]:
        """The prepared sets that it was trained with."""
        return self.recipe.data.sets


def read_info(folder: Path | str) -> RunInfo:
    """Returns what the run in `folder` says of itself. Raises: UsageError where it is no finished run."""
    folder = Path(folder)
    if not (folder / "weights.safetensors").is_file():
        if (folder / "checkpoint.pt").is_file():
            raise UsageError(f"{folder}: an unfinished run; finish it with --resume {folder}")
        raise UsageError(f"{folder}: not a run; expected a folder that `ecgkd train` or `ecgkd distill` wrote")
    contract = Contract.from_dict(read_json(folder / "contract.json", "model contract"), str(folder / "contract.json"))
    classes = read_json(folder / "classes.json", "list of training people")
    metrics = read_json(folder / "metrics.json", "table of metrics")
    named = folder / ACTIVITIES
    activities = tuple(read_json(named, "list of activities")) if named.is_file() else ()
    recipe = load_recipe(str(folder / "recipe.toml"))
    return RunInfo(folder, recipe, contract, tuple(classes), metrics, activities)


def trained_on(spans: Sequence[Span], sets: Mapping[str, PreparedSet]) -> str:
    """Returns whom `spans` train on, in words, with the licences."""
    parts = []
    for name in dict.fromkeys(span.set for span in spans):
        one = sets[name]
        numbers = {one.find(span.record) for span in spans if span.set == name}
        people = {str(one.subject[i]) for i in numbers}
        licence = one.info.get("licence") or "licence not stated"
        parts.append(f"{name}: {len(people)} people, {len(numbers)} recordings ({licence})")
    return "; ".join(parts)
