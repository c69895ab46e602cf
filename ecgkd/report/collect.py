"""Finds what a report is made of: the JSON documents of a run, or of a folder with runs, evidence, export, benchmark.

A part that is not there is no error: it stays None and the page says so. A part that is there and broken is one.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ecgkd.bundle.artefacts import Shipped, read_export
from ecgkd.data.prepared import open_set
from ecgkd.errors import DataError, UsageError
from ecgkd.evaluation.results import Evaluation
from ecgkd.files import read_json
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.summary import summarise
from ecgkd.report.results import load_results
from ecgkd.training.run_directory import RunInfo, read_info
from ecgkd_bench.errors import BenchError
from ecgkd_bench.result import Session

if TYPE_CHECKING:
    from ecgkd.data.prepared import PreparedSet

METRICS = ("recipe", "role", "model", "distilled", "teacher", "people", "windows", "parameters", "macs")
METRICS_OF_TRAINING = ("epochs", "best_epoch", "development_eer", "seconds")

ABLATION = "-ablation"
"""How folders of `ecgkd distill --ablate` end."""

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A finished run."""

    info: RunInfo
    environment: dict[str, Any]
    history: dict[str, list[float | None]]
    """Columns of history.csv, a value per epoch."""

    @property
    def name(self) -> str:
        return str(self.info.metrics["recipe"])

    @property
    def path(self) -> Path:
        return self.info.path

    @property
    def order(self) -> tuple[bool, bool, str]:
        """Teachers first, then students without and with distillation."""
        metrics = self.info.metrics
        return (metrics["role"] != "teacher", bool(metrics["distilled"]), self.name)

    @property
    def what(self) -> str:
        """What it is, in words."""
        if self.info.metrics["role"] == "teacher":
            return "teacher"
        return "distilled student" if self.info.metrics["distilled"] else "student alone"


@dataclass(frozen=True)
class Material:
    """Everything that was found."""

    where: Path
    runs: tuple[Run, ...] = ()
    protocol: Protocol | None = None
    counts: dict[str, Any] | None = None
    """`ecgkd.protocols.summary.summarise`; None where the prepared sets are not here."""
    evaluation: Evaluation | None = None
    evaluation_path: Path | None = None
    export: tuple[Shipped, ...] = ()
    ablation: dict[str, Any] | None = None
    """What `ecgkd distill --ablate` wrote."""
    bench: Session | None = None
    bench_path: Path | None = None
    absent: tuple[str, ...] = ()
    """What is not there, a sentence each."""

    @property
    def headline(self) -> Run | None:
        """The run that the page is about: the distilled student where there is one."""
        return self.runs[-1] if self.runs else None

    @property
    def synthetic(self) -> bool:
        """Whether any of it rests on synthetic people."""
        contracts = [run.info.contract for run in self.runs] + [one.contract for one in self.export]
        noticed = self.evaluation is not None and bool(self.evaluation.notice)
        return noticed or any(one.synthetic for one in contracts) or bool((self.counts or {}).get("synthetic"))


def collect(
    where: Path, evaluation: Path | None = None, export: Path | None = None, bench: Path | None = None
) -> Material:
    """Returns what is in `where`, a run or a folder that holds runs, evaluation, export, bench.json, protocol.json.

    The other arguments name parts that lie elsewhere. Raises: UsageError where `where` is neither or a named part is
    not there, DataError for a broken part, GateError for a damaged artefact.
    """
    if not where.is_dir():
        raise UsageError(f"{where}: no such folder; expected a run, or a folder that holds runs/, such as the demo's")
    absent: list[str] = []
    runs = _runs(where, absent)
    single = _is_run(where)
    found_evaluation = _part(evaluation, where / "evaluation", lambda folder: load_results(folder / "results.json"))
    found_export = _part(export, where / ("artefacts" if single else "export"), read_export)
    found_bench = _part(bench, where / "bench.json", read_bench)
    ablation = _ablation(where)
    if not (runs or found_evaluation or found_export or found_bench or ablation):
        raise UsageError(f"{where}: {' '.join(absent) or 'neither a run nor a folder that holds runs/'}")
    protocol = _protocol(where, runs)
    counts = _counts(protocol, runs, absent) if protocol else None
    return Material(
        where=where,
        runs=tuple(runs),
        protocol=protocol,
        counts=counts,
        evaluation=found_evaluation,
        evaluation_path=(evaluation or where / "evaluation") if found_evaluation else None,
        export=tuple(found_export or ()),
        ablation=ablation,
        bench=found_bench,
        bench_path=(bench or where / "bench.json") if found_bench else None,
        absent=tuple(absent),
    )


def _part(named: Path | None, usual: Path, read: Callable[[Path], T]) -> T | None:
    """Returns the part at `named`, which must be there, or at its usual place, where it may be missing."""
    if named is not None:
        if not named.exists():
            raise UsageError(f"{named}: no such file or folder")
        return read(named)
    return read(usual) if usual.exists() else None


def _is_run(folder: Path) -> bool:
    return (folder / "recipe.toml").is_file() and not folder.resolve().parent.name.endswith(ABLATION)


def _runs(where: Path, absent: list[str]) -> list[Run]:
    """Returns the runs to show: one and its teacher, or the newest of each name under runs/."""
    if _is_run(where):
        run = read_run(where)
        teacher = run.info.metrics["teacher"]
        if teacher is None:
            return [run]
        if not (Path(teacher) / "weights.safetensors").is_file():
            absent.append(f"Its teacher's run ({Path(teacher).name}) is no longer where it was.")
            return [run]
        return [read_run(Path(teacher)), run]
    newest: dict[str, Path] = {}
    for recipe in sorted(where.glob("runs/*/*/recipe.toml"), key=lambda path: path.parent.name):
        folder = recipe.parent
        if not _is_run(folder):
            continue
        if (folder / "weights.safetensors").is_file():
            newest[folder.parent.name] = folder
        else:
            absent.append(f"The run {folder.parent.name}/{folder.name} is not finished and left out.")
    return sorted((read_run(folder) for folder in newest.values()), key=lambda run: run.order)


def read_run(folder: Path) -> Run:
    """Returns a finished run. Raises: UsageError where it is not finished, DataError where a part of it is broken."""
    info = read_info(folder)
    missing = [key for key in (*METRICS, *METRICS_OF_TRAINING) if key not in info.metrics]
    if missing:
        raise DataError(f"{folder / 'metrics.json'}: broken run metrics (no {missing[0]}); train again")
    environment = read_json(folder / "environment.json", "run environment")
    return Run(info, environment, read_history(folder / "history.csv"))


def _ablation(where: Path) -> dict[str, Any] | None:
    """Returns the newest table of an ablation. Raises: DataError where it is broken."""
    found = [where / "ablation.json", *sorted(where.glob("runs/*/*/ablation.json"), key=lambda path: path.parent.name)]
    path = next((path for path in reversed(found) if path.is_file()), None)
    if path is None:
        return None
    document = read_json(path, "ablation table")
    keys = ("row", "seeds", "eer", "low", "high", "gain", "gain_low", "gain_high")
    if not isinstance(document, dict) or not all(key in row for row in document.get("rows", [{}]) for key in keys):
        raise DataError(f"{path}: not an ablation table; run `ecgkd distill --ablate` again")
    return document


def read_history(path: Path) -> dict[str, list[float | None]]:
    """Returns the columns of a history, {} where there is none. Raises: DataError for something else."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) if row[name] else None for row in rows] for name in (rows[0] if rows else ())}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: not a training history ({error}); train again") from error


def read_bench(path: Path) -> Session:
    """Returns a benchmark record. Raises: DataError where it is none."""
    try:
        session = Session.load(path)
    except BenchError as error:
        raise DataError(str(error)) from error
    if not session.records:
        raise DataError(f"{path}: a benchmark record without a model; measure again")
    return session


def _protocol(where: Path, runs: list[Run]) -> Protocol | None:
    """Returns the protocol of the headline run, else the one in the folder."""
    places = [*(run.info.protocol_path for run in reversed(runs)), where / "protocol.json"]
    found = next((path for path in places if path.is_file()), None)
    return Protocol.load(found) if found else None


def _counts(protocol: Protocol, runs: list[Run], absent: list[str]) -> dict[str, Any] | None:
    """Returns people, recordings and windows of each part, where the sets that the runs used are still here."""
    paths = [Path(path) for path in dict.fromkeys(p for run in runs for p in run.info.data_paths)]
    sets: list[PreparedSet] = [one for one in (open_set(path) for path in paths if path.exists()) if _of(protocol, one)]
    if {one.name for one in sets} >= set(protocol.sets):
        try:
            return summarise(protocol, list(protocol.check_sets(sets).values()))
        except UsageError:
            absent.append("The prepared sets have changed since, so people and windows of each part are not counted.")
            return None
    absent.append("The prepared sets are not here, so people and windows of each part are not counted.")
    return None


def _of(protocol: Protocol, one: "PreparedSet") -> bool:
    return one.name in protocol.sets
