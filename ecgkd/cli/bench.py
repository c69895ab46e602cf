"""`ecgkd bench`: latency and memory of models, measured in turns; their comparison; and a bundle's self-test."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, ended_like_by_hand, progress, say
from ecgkd.errors import GateError, UsageError
from ecgkd.files import atomic_folder, write_bytes

if TYPE_CHECKING:
    from ecgkd_bench.devices import Reach
    from ecgkd_bench.plan import Plan, Subject

ROUNDS = 40
COUNTED_ROUNDS = 4
"""Where nothing varies, a few are enough."""


def register(app: typer.Typer) -> None:
    @app.command()
    def bench(
        models: Annotated[
            list[str] | None,
            typer.Argument(
                help="Runs, export folders or artefacts; or: compare BEFORE.json AFTER.json; or: report RECORD..."
            ),
        ] = None,
        device: Annotated[
            str,
            typer.Option(
                help="Where to measure: local, ssh:user@host[:port], adb[:serial], qemu:aarch64[:CPU], qemu:BOARD."
            ),
        ] = "local",
        threads: Annotated[int, typer.Option(min=1, help="Threads that each model may use.")] = 1,
        rounds: Annotated[
            int | None, typer.Option(min=2, help="Turns; more of them narrow the intervals.", show_default="40")
        ] = None,
        cores: Annotated[str | None, typer.Option(help="Processor numbers to stay on, such as 2,3.")] = None,
        out: Annotated[
            Path | None,
            typer.Option(help="Write the record, raw values included, to this file; with report: to this folder."),
        ] = None,
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
        runner: Annotated[
            Path | None,
            typer.Option(help="A native runner for a device without Python: benchmark_model or onnxruntime_perf_test."),
        ] = None,
        native: Annotated[
            bool,
            typer.Option("--native", help="Use no Python on the device, though it has some: .c files alone need none."),
        ] = False,
        record: Annotated[
            Path | None, typer.Option(help="Write down all that the device is asked and answers.")
        ] = None,
        replay: Annotated[Path | None, typer.Option(help="Ask such a file instead of the device.")] = None,
        selftest: Annotated[
            Path | None,
            typer.Option(metavar="X.zip", help="Instead of measuring: run a bundle's golden recordings there, in C."),
        ] = None,
        key: Annotated[
            Path | None, typer.Option(help="With --selftest: Ed25519 public key, PEM, that must have signed it.")
        ] = None,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Measure latency and memory of models, taking turns in one run."""
        if models and models[0] == "compare":
            _compare(models[1:], fail_if_slower, as_json)
            return
        if models and models[0] == "report":
            _report(models[1:], out, dry_run, as_json)
            return
        from ecgkd.cli.bench_models import subjects_of
        from ecgkd.signal.chain import WINDOW_SECONDS
        from ecgkd_bench.devices import Reach, parse
        from ecgkd_bench.plan import Plan

        parse(device)
        if selftest is not None:
            from ecgkd.cli.bench_selftest import run_selftest

            if models or setup or instructions or runner or record or replay or out:
                raise UsageError("--selftest goes with --device, --ssh-config and --key alone: it measures nothing")
            run_selftest(selftest, key, device, Reach(ssh_config, native=True), dry_run, as_json)
            return
        if key is not None:
            raise UsageError("--key goes with --selftest")
        reach = Reach(ssh_config, setup, instructions, native or runner is not None, record, replay)
        if not models:
            _set_up(device, reach, dry_run, as_json)
            return
        with TemporaryDirectory() as folder:
            subjects = subjects_of(models, Path(folder), dry_run)
            if dry_run:
                names = [subject.name for subject in subjects]
                emit({"models": names, "device": device, "written": False}, "\n".join(names), as_json)
                return
            rounds = rounds or (COUNTED_ROUNDS if instructions else ROUNDS)
            plan = Plan(threads=threads, rounds=rounds, cores=_numbers(cores), hop_seconds=WINDOW_SECONDS)
            _measure(subjects, device, reach, plan, runner, out, as_json)


def _set_up(device: str, reach: "Reach", dry_run: bool, as_json: bool) -> None:
    """Prepares a device without measuring anything."""
    from ecgkd_bench.devices import open_device

    if not reach.setup or device == "local":
        raise UsageError("name what to measure: runs, export folders or artefacts; or --setup with another --device")
    if not dry_run:
        with ended_like_by_hand(), open_device(device, reach, say):
            pass
    emit({"device": device, "ready": not dry_run}, f"{device} {'would be set up' if dry_run else 'is ready'}", as_json)


def _measure(
    subjects: "list[Subject]",
    device: str,
    reach: "Reach",
    plan: "Plan",
    runner: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    from ecgkd_bench import counted, native, summary
    from ecgkd_bench.devices import open_device, parse
    from ecgkd_bench.runner import measure

    address = parse(device)
    with ended_like_by_hand(), progress("measuring") as tell:
        if address.kind == "counted":
            session = counted.measure(subjects, address.where, tell)
        else:
            with open_device(device, reach, say) as transport:
                if reach.native:
                    session = native.measure(subjects, transport, plan, runner, tell)
                else:
                    session = measure(subjects, transport, plan, tell)
    if out is not None:
        write_bytes(out, session.to_json().encode())
        say(f"wrote {out}")
    emit(session.to_dict(), summary.table(session), as_json)


def _compare(records: list[str], fail_if_slower: str | None, as_json: bool) -> None:
    from ecgkd_bench import comparison
    from ecgkd_bench.result import Session

    if len(records) != 2:
        raise UsageError(f"compare takes two records; got {len(records)}: ecgkd bench compare BEFORE.json AFTER.json")
    limit = _share(fail_if_slower) if fail_if_slower is not None else 0.0
    changes = comparison.compare(Session.load(records[0]), Session.load(records[1]), limit)
    document = {"limit": limit, "changes": [change.to_dict() for change in changes]}
    emit(document, comparison.changes_table(changes), as_json)
    slower = [change.model for change in changes if change.slower]
    if slower and fail_if_slower is not None:
        raise GateError(f"slower by more than {fail_if_slower}, beyond the noise: {', '.join(slower)}")


def _report(records: list[str], out: Path | None, dry_run: bool, as_json: bool) -> None:
    from ecgkd_bench import report
    from ecgkd_bench.result import Session

    if not records:
        raise UsageError("report takes records: ecgkd bench report RECORD.json... [--out DIR]")
    sessions = [Session.load(record) for record in records]
    text = report.markdown(sessions)
    if out is not None and not dry_run:
        with atomic_folder(out) as folder:
            report.write(sessions, folder)
        say(f"wrote {out}")
    emit(report.document(sessions), text, as_json)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """Returns (2, 3) for `2,3`."""
    if text is None:
        return None
    try:
        return tuple(sorted({int(one) for one in text.split(",")}))
    except ValueError as error:
        raise UsageError(f"--cores {text}: expected processor numbers such as 2,3") from error


def _share(text: str) -> float:
    """Returns 0.05 for `5%`."""
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError as error:
        raise UsageError(f"--fail-if-slower {text}: expected a percentage such as 5%") from error
    if not 0 <= value < 10:
        raise UsageError(f"--fail-if-slower {text}: expected a percentage from 0% to 1000%")
    return value
