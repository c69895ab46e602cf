"""`ecgkd bench`: latency and memory of models, measured in turns; and comparison of two such records."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say
from ecgkd.errors import GateError, UsageError
from ecgkd.files import write_bytes

if TYPE_CHECKING:
    from ecgkd_bench.devices import Reach
    from ecgkd_bench.runner import Plan, Subject

ARTEFACTS = (".onnx", ".ort", ".tflite", ".pt2")


def register(app: typer.Typer) -> None:
    @app.command()
    def bench(
        models: Annotated[
            list[str] | None,
            typer.Argument(help="Runs, export folders or artefacts; or: compare BEFORE.json AFTER.json"),
        ] = None,
        device: Annotated[
            str, typer.Option(help="Where to measure: local, ssh:user@host[:port], adb[:serial], qemu:aarch64[:CPU].")
        ] = "local",
        threads: Annotated[int, typer.Option(min=1, help="Threads that each model may use.")] = 1,
        rounds: Annotated[int, typer.Option(min=2, help="Turns; more of them narrow the intervals.")] = 40,
        out: Annotated[Path | None, typer.Option(help="Write the record, raw values included, to this file.")] = None,
        fail_if_slower: Annotated[
            str | None, typer.Option(help="With compare: exit 1 where a model got slower by more, such as 5%.")
        ] = None,
        setup: Annotated[
            bool, typer.Option("--setup", help="Give the device's Python the runtimes first; kept on the device.")
        ] = False,
        ssh_config: Annotated[Path | None, typer.Option(help="For ssh, instead of your own configuration.")] = None,
        instructions: Annotated[
            bool, typer.Option("--instructions", help="Count instructions instead of time; emulated devices only.")
        ] = False,
        record: Annotated[
            Path | None, typer.Option(help="Write down all that the device is asked and answers.")
        ] = None,
        replay: Annotated[Path | None, typer.Option(help="Ask such a file instead of the device.")] = None,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Measure latency and memory of models, taking turns in one run."""
        if models and models[0] == "compare":
            _compare(models[1:], fail_if_slower, as_json)
            return
        from ecgkd_bench.devices import Reach, parse
        from ecgkd_bench.runner import Plan

        parse(device)
        reach = Reach(ssh_config, setup, instructions, record, replay)
        if not models:
            _set_up(device, reach, dry_run, as_json)
            return
        with TemporaryDirectory() as folder:
            subjects = _subjects(models, Path(folder), dry_run)
            if dry_run:
                names = [subject.name for subject in subjects]
                emit({"models": names, "device": device, "written": False}, "\n".join(names), as_json)
                return
            _measure(subjects, device, reach, Plan(threads=threads, rounds=rounds), out, as_json)


def _set_up(device: str, reach: "Reach", dry_run: bool, as_json: bool) -> None:
    """Prepares a device without measuring anything."""
    from ecgkd_bench.devices import open_device

    if not reach.setup or device == "local":
        raise UsageError("name what to measure: runs, export folders or artefacts; or --setup with another --device")
    if not dry_run:
        with open_device(device, reach, say):
            pass
    emit({"device": device, "ready": not dry_run}, f"{device} {'would be set up' if dry_run else 'is ready'}", as_json)


def _measure(
    subjects: "list[Subject]", device: str, reach: "Reach", plan: "Plan", out: Path | None, as_json: bool
) -> None:
    from ecgkd_bench import summary
    from ecgkd_bench.devices import open_device
    from ecgkd_bench.runner import measure

    with open_device(device, reach, say) as transport, progress("measuring") as tell:
        session = measure(subjects, transport, plan, tell)
    if out is not None:
        write_bytes(out, session.to_json().encode())
        say(f"wrote {out}")
    emit(session.to_dict(), summary.table(session), as_json)


def _subjects(models: list[str], folder: Path, dry_run: bool) -> "list[Subject]":
    """Returns what to measure; PyTorch programs of runs are written into `folder`."""
    from ecgkd.cli.load import model_path
    from ecgkd_bench.runner import Subject

    subjects: list[Subject] = []
    for model in models:
        path = model_path(model)
        if path.is_file() and path.suffix in ARTEFACTS:
            subjects.append(_artefact(path))
        elif (path / "weights.safetensors").is_file():
            subjects.append(_program(path, folder / f"{len(subjects)}.pt2", dry_run))
        elif artefacts := sorted(one for one in path.glob("*") if one.suffix in ARTEFACTS):
            subjects += [_artefact(one) for one in artefacts]
        else:
            raise UsageError(f"{model}: neither a run, an export folder nor an artefact ({', '.join(ARTEFACTS)})")
    return subjects


def _artefact(path: Path) -> "Subject":
    from ecgkd_bench.runner import Subject

    precision = path.stem.rpartition("_")[2]
    return Subject(path.name, path, precision if precision in ("fp32", "int8", "w8") else "")


def _program(run: Path, path: Path, dry_run: bool) -> "Subject":
    """Returns PyTorch's own program of a run: what the artefacts are measured against."""
    import numpy as np

    from ecgkd_bench.runner import Subject

    name = f"{run.resolve().parent.name}/{run.resolve().name}.pt2"
    if dry_run:
        return Subject(name, path, "fp32")
    from ecgkd.models import export_form
    from ecgkd.signal.chain import WINDOW_SAMPLES
    from ecgkd.training.fit import load_run
    from ecgkd_export.torch_onnx import save_program

    model, info = load_run(run)
    save_program(export_form(model), np.zeros((1, 1, WINDOW_SAMPLES), np.float32), path)
    return Subject(name, path, "fp32", info.contract.weights_sha256)


def _compare(records: list[str], fail_if_slower: str | None, as_json: bool) -> None:
    from ecgkd_bench import summary
    from ecgkd_bench.result import Session

    if len(records) != 2:
        raise UsageError(f"compare takes two records; got {len(records)}: ecgkd bench compare BEFORE.json AFTER.json")
    limit = _share(fail_if_slower) if fail_if_slower is not None else 0.0
    changes = summary.compare(Session.load(records[0]), Session.load(records[1]), limit)
    document = {"limit": limit, "changes": [change.to_dict() for change in changes]}
    emit(document, summary.changes_table(changes), as_json)
    slower = [change.model for change in changes if change.slower]
    if slower and fail_if_slower is not None:
        raise GateError(f"slower by more than {fail_if_slower}, beyond the noise: {', '.join(slower)}")


def _share(text: str) -> float:
    """Returns 0.05 for `5%`."""
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError as error:
        raise UsageError(f"--fail-if-slower {text}: expected a percentage such as 5%") from error
    if not 0 <= value < 10:
        raise UsageError(f"--fail-if-slower {text}: expected a percentage from 0% to 1000%")
    return value
