"""`ecgkd export` and `ecgkd check`: artefacts behind gates, and the gates again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say
from ecgkd.cli.source import Source, load_evidence, load_source, run_beside
from ecgkd.errors import GateError, UsageError

if TYPE_CHECKING:
    from ecgkd.bundle.make import Evidence

KNOWN_FORMATS = ("onnx", "ort", "tflite")
DataOption = Annotated[
    list[str] | None, typer.Option("--data", help="Prepared sets of the protocol; by default those of the run.")
]
ProtocolOption = Annotated[
    Path | None, typer.Option(help="Protocol whose calibration and development people are used; default: the run's.")
]


def register(app: typer.Typer) -> None:
    @app.command()
    def export(
        run: Annotated[
            Path | None, typer.Argument(help="A run, or a float .onnx of ecgkd; default: the newest student.")
        ] = None,
        int8: Annotated[bool, typer.Option("--int8", help="Also write the int8 artefact.")] = False,
        formats: Annotated[
            str | None, typer.Option(help="Comma-separated: onnx, ort, tflite; default: all that is installed.")
        ] = None,
        data: DataOption = None,
        protocol: ProtocolOption = None,
        out: Annotated[Path | None, typer.Option(help="Folder for the artefacts; default: the run's.")] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Write even what failed a gate, marked as failed.")
        ] = False,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Write artefacts that run without ecgkd; each passes its gates, or nothing is written."""
        from ecgkd.bundle.artefacts import check_free

        wanted = _formats(formats) if formats is not None else _installed(int8)
        source = load_source(run)
        target = out or source.out
        check_free(target)
        evidence = load_evidence(data or list(source.data), protocol or source.protocol, given=bool(data or protocol))
        if dry_run:
            document = {"model": source.name, "out": str(target), "formats": wanted, "int8": int8, "written": False}
            emit(document, f"would export {source.name} to {target}", as_json)
            return
        _export(source, evidence, target, wanted, int8, force, as_json)

    @app.command()
    def check(
        folder: Annotated[Path, typer.Argument(help="A folder that `ecgkd export` wrote.")],
        data: DataOption = None,
        protocol: ProtocolOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Run the gates again on artefacts: bytes, contract, structure, parity."""
        from ecgkd.bundle.artefacts import read_export
        from ecgkd.bundle.make import recheck
        from ecgkd_export.parity import failures

        shipped = read_export(folder)
        torch_run, known_data, known_protocol = run_beside(folder, shipped[0].contract)
        evidence = load_evidence(data or known_data, protocol or known_protocol, given=bool(data or protocol))
        gates = recheck(shipped, evidence, torch_run)
        failed = {name: failures(found) for name, found in gates.items() if failures(found)}
        emit({"folder": str(folder), "passed": not failed, "gates": gates}, gates_text(gates), as_json)
        if failed:
            raise GateError("; ".join(_refusal(name, gates[name]) for name in failed))


def _export(
    source: Source, evidence: "Evidence | None", out: Path, formats: list[str], int8: bool, force: bool, as_json: bool
) -> None:
    from ecgkd.bundle.artefacts import file_name, write_export
    from ecgkd.bundle.make import make

    if evidence is None and int8:
        say("ecgkd: warning: no recordings: numbers are compared on synthetic windows, biometric parity is absent")
    with progress("exporting") as tell:
        made = make(
            source.network,
            source.contract,
            evidence,
            int8=int8,
            formats=formats,
            force=force,
            released=source.released,
            progress=tell,
        )
    gates = {file_name(c.model, c.precision, artefact.formats[0]): artefact.gates for artefact, c in made}
    failed = [name for (_, contract), name in zip(made, gates, strict=True) if contract.gates["failed"]]
    write = force or not failed
    files = write_export(out, made, formats) if write else []
    document = {
        "model": source.name,
        "out": str(out) if write else None,
        "artefacts": [{**file, "path": str(out / file["name"])} for file in files],
        "gates": gates,
        "passed": not failed,
        "forced": bool(failed) and force,
        "embedding_space": {artefact.runtime: c.embedding_space for artefact, c in made},
    }
    emit(document, _export_text(document), as_json)
    for name, found in gates.items():
        for gate, result in found.items():
            if result["result"] == "undecided":
                say(f"ecgkd: warning: {name}: {gate} gate undecided: {result['why']}")
    if failed and not force:
        raise GateError("; ".join(_refusal(name, gates[name]) for name in failed) + "; nothing was written")


def _installed(int8: bool) -> list[str]:
    """Returns the formats whose packages are installed; says what is left out."""
    from importlib.util import find_spec

    if not int8 or (find_spec("ai_edge_litert") and find_spec("flatbuffers")):
        return list(KNOWN_FORMATS)
    say("ecgkd: note: no TFLite files, since LiteRT is not installed; type: pip install 'ecgkd[tflite]'")
    return [one for one in KNOWN_FORMATS if one != "tflite"]


def _formats(text: str) -> list[str]:
    formats = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [one for one in formats if one not in KNOWN_FORMATS]
    if unknown or not formats:
        raise UsageError(f"--formats {text}: this version writes {', '.join(KNOWN_FORMATS)}")
    return formats


def _refusal(name: str, gates: dict[str, Any]) -> str:
    from ecgkd_export.parity import failures

    return f"{name} fails {', '.join(f'{gate} ({_figures(gates[gate])})' for gate in failures(gates))}"


def _figures(gate: dict[str, Any]) -> str:
    """Returns the numbers of a gate in one short line."""
    if "why" in gate:
        return str(gate["why"])
    if gate.get("problems"):
        more = len(gate["problems"]) - 1
        return gate["problems"][0] + (f" and {more} more" if more else "")
    if "cosine_mean" in gate:
        cosine = f"cosine {gate['cosine_mean']:.5f}, worst {gate['cosine_min']:.5f}"
        return f"{cosine}, largest difference {gate['max_abs']:.2g}"
    if "int8_kernels" in gate:
        return f"{gate['int8_kernels']} of {gate['weighted']} operators with weights by int8 kernels"
    return ""


def gates_text(gates: dict[str, dict[str, Any]]) -> str:
    """Returns one line per artefact and gate."""
    lines = []
    for name, found in gates.items():
        lines.append(name)
        for gate, result in found.items():
            lines.append(f"  {gate:14} {result['result']:10} {_figures(result)}".rstrip())
            if "genuine_flips" in result:
                lines.append(
                    f"{'':28}FMR {100 * result['fmr_float']:.2f} → {100 * result['fmr']:.2f} %, "
                    f"FNMR {100 * result['fnmr_float']:.2f} → {100 * result['fnmr']:.2f} % at the threshold; flips: "
                    f"{100 * result['genuine_flips']:.2f} % genuine, {100 * result['impostor_flips']:.2f} % impostor"
                )
    return "\n".join(lines)


def _export_text(document: dict[str, Any]) -> str:
    lines = [gates_text(document["gates"])]
    lines += [f"wrote {file['path']}, {file['bytes'] / 1000:.0f} kB" for file in document["artefacts"]]
    if document["forced"]:
        lines.append("written by --force and marked as failed")
    return "\n".join(lines)
