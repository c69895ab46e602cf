"""`ecgkd check`: the gates again on what `ecgkd export` wrote."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgkd.cli.output import JsonOption, emit, progress, say
from ecgkd.cli.source import load_evidence, run_beside
from ecgkd.errors import GateError, MissingToolError, UsageError
from ecgkd.files import write_bytes, write_json

if TYPE_CHECKING:
    from ecgkd.bundle.artefacts import Shipped
    from ecgkd.bundle.make import Evidence

DataOption = Annotated[
    list[str] | None, typer.Option("--data", help="Prepared sets of the protocol; by default those of the run.")
]
ProtocolOption = Annotated[
    Path | None, typer.Option(help="Protocol whose calibration and development people are used; default: the run's.")
]
TimingOption = Annotated[bool, typer.Option("--timing/--no-timing", help="Measure the artefacts in turns.")]


def register(app: typer.Typer) -> None:
    @app.command()
    def check(
        folder: Annotated[Path, typer.Argument(help="A folder that `ecgkd export` wrote.")],
        data: DataOption = None,
        protocol: ProtocolOption = None,
        doctor: Annotated[
            bool, typer.Option("--doctor", help="Rank tensors and layers by how much error their rounding costs.")
        ] = False,
        timing: TimingOption = True,
        as_json: JsonOption = False,
    ) -> None:
        """Run the gates again on artefacts: bytes, contract, structure, parity."""
        from ecgkd.bundle import table
        from ecgkd.bundle.artefacts import read_export
        from ecgkd.bundle.recheck import recheck
        from ecgkd_export.parity import failures

        shipped = read_export(folder)
        torch_run, known_data, known_protocol = run_beside(folder, shipped[0].contract)
        evidence = load_evidence(data or known_data, protocol or known_protocol, given=bool(data or protocol))
        patients = _patients(shipped, evidence) if doctor else None
        gates = recheck(shipped, evidence, torch_run)
        failed = {name: failures(found) for name, found in gates.items() if failures(found)}
        paths = {one.path.name: one.path for one in shipped}
        sizes = {name: path.stat().st_size for name, path in paths.items()}
        shown = table.lines(gates, sizes, measured(paths) if timing else {})
        document: dict[str, Any] = {
            "folder": str(folder),
            "passed": not failed,
            "table": [line.to_dict() for line in shown],
        }
        text = table.text(shown, gates)
        if patients is not None and evidence is not None:
            diagnosis, words = _diagnose(patients, evidence)
            document["doctor"], text = diagnosis, f"{text}\n\n{words}"
        emit({**document, "gates": gates}, text, as_json)
        say(table.details(gates), level=1)
        if failed:
            raise GateError("; ".join(table.refusal(name, gates[name], which) for name, which in failed.items()))


def _patients(shipped: "list[Shipped]", evidence: "Evidence | None") -> "tuple[Shipped, Shipped]":
    """Returns the float graph and the int8 TFLite file that the doctor looks at.

    Raises: UsageError where one is not there, or no recordings are.
    """
    if evidence is None:
        raise UsageError("--doctor compares development people; name recordings with --data and --protocol")
    floats = [one for one in shipped if one.path.name.endswith("_fp32.onnx")]
    tflite = [one for one in shipped if one.path.suffix == ".tflite" and one.contract.precision == "int8"]
    if not floats or not tflite:
        raise UsageError("--doctor needs the float .onnx and the int8 .tflite beside each other; export them again")
    return floats[0], tflite[0]


def _diagnose(patients: "tuple[Shipped, Shipped]", evidence: "Evidence") -> tuple[dict[str, Any], str]:
    """Returns the diagnosis as a document and in words; writes it and its drawing beside the int8 file."""
    from ecgkd.bundle.diagnose import diagnose
    from ecgkd.bundle.diagnosis_shown import drawing, text
    from ecgkd_export.metadata import read_onnx

    reference, int8 = patients
    if "qat" in int8.contract.quantisation:
        say("ecgkd: note: its integers were fine-tuned; the doctor looks at what rounding alone would cost")
    with progress("rounding") as tell:
        found = diagnose(read_onnx(reference.path), int8.contract, evidence.protocol, evidence.sets, tell)
    base = int8.path.with_suffix("")
    written = [base.with_name(f"{base.name}.doctor.json")]
    write_json(written[0], found.to_dict())
    try:
        picture = drawing(found)
    except MissingToolError as error:
        say(f"ecgkd: warning: no drawing: {error}")
    else:
        written.append(base.with_name(f"{base.name}.doctor.svg"))
        write_bytes(written[1], picture.encode())
    return found.to_dict(), "\n".join([text(found), f"wrote {' and '.join(str(path) for path in written)}"])


def measured(files: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Returns ms by file name; a runtime that cannot measure is a warning, not an error."""
    from ecgkd.bundle.speed import times
    from ecgkd_bench.errors import BenchError

    try:
        return times(files)
    except BenchError as error:
        say(f"ecgkd: warning: no times: {error}")
        return {}
