"""`ecgkd export` and `ecgkd check`: artefacts behind gates, and the gates again."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgkd.cli import check
from ecgkd.cli.check import DataOption, ProtocolOption, TimingOption, measured
from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say
from ecgkd.cli.source import Source, load_evidence, load_source
from ecgkd.errors import GateError, UsageError

if TYPE_CHECKING:
    from ecgkd.bundle.make import Evidence
    from ecgkd.cli.output import Progress
    from ecgkd_export.tflite_artefacts import Tuning

KNOWN_FORMATS = ("onnx", "ort", "tflite", "c")


class Target(StrEnum):
    """What users may type; `ecgkd_export.rewrite.Profile` by its values."""

    cpu = "cpu"
    mcu = "mcu"
    npu = "npu"


PROFILE_FORMATS = {Target.mcu: ("onnx", "tflite"), Target.npu: ("onnx", "tflite")}
"""Of profiles that do not write all: the float graph, to compare with, and TFLite int8."""


def register(app: typer.Typer) -> None:
    @app.command()
    def export(
        run: Annotated[
            Path | None, typer.Argument(help="A run, or a float .onnx of ecgkd; default: the newest student.")
        ] = None,
        int8: Annotated[bool, typer.Option("--int8", help="Also write the int8 artefact.")] = False,
        formats: Annotated[
            str | None, typer.Option(help="Comma-separated: onnx, ort, tflite, c; default: all that is installed.")
        ] = None,
        data: DataOption = None,
        protocol: ProtocolOption = None,
        out: Annotated[Path | None, typer.Option(help="Folder for the artefacts; default: the run's.")] = None,
        profile: Annotated[
            Target, typer.Option(help="What TFLite int8 is for: cpu, mcu (TFLM has its operators), npu (Ethos-U).")
        ] = Target.cpu,
        float_tflite: Annotated[
            bool, typer.Option("--float-tflite", help="Also write the float graph for LiteRT, to compare times with.")
        ] = False,
        qat: Annotated[
            bool, typer.Option("--qat", help="Fine-tune TFLite's and C's int8 on the protocol's training people.")
        ] = False,
        qat_steps: Annotated[int, typer.Option(min=1, help="Steps of --qat, 32 windows each.")] = 1000,
        with_kernels: Annotated[
            bool, typer.Option("--with-kernels", help="Copy the C kernels beside the .c, so that they compile alone.")
        ] = False,
        force: Annotated[
            bool, typer.Option("--force", help="Write even what failed a gate, marked as failed.")
        ] = False,
        timing: TimingOption = True,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Write artefacts that run without ecgkd; each passes its gates, or nothing is written."""
        from ecgkd.bundle.artefacts import check_free

        wanted = _formats(formats, profile) if formats is not None else _installed(int8, profile)
        _refuse_contradictions(int8, wanted, profile, float_tflite)
        if qat and (not int8 or not {"tflite", "c"} & set(wanted)):
            raise UsageError("--qat: belongs to --int8, and to the formats tflite and c")
        source = load_source(run)
        if formats is None and int8 and source.tuned is not None and "tflite" not in wanted:
            say(
                "ecgkd: note: no C either: what fine-tuning changed is in the released TFLite file, "
                "which cannot be read"
            )
            wanted = [one for one in wanted if one != "c"]
        target = out or _folder(source.out, profile)
        check_free(target)
        evidence = load_evidence(data or list(source.data), protocol or source.protocol, given=bool(data or protocol))
        if dry_run:
            document = {"model": source.name, "out": str(target), "formats": wanted, "int8": int8, "written": False}
            what = f"would export {source.name} to {target}: {', '.join(wanted)}, profile {profile.value}"
            emit({**document, "profile": profile.value}, what, as_json)
            return
        if qat and evidence is None:
            raise UsageError("--qat fine-tunes on recordings; name them with --data and --protocol")
        how = _How(wanted, int8, profile, float_tflite, qat_steps if qat else 0, force, timing, with_kernels)
        _export(source, evidence, target, how, as_json)

    check.register(app)


@dataclass(frozen=True)
class _How:
    """What the options of `export` say."""

    formats: list[str]
    int8: bool
    profile: Target
    float_tflite: bool
    qat: int
    """Steps of fine-tuning."""
    force: bool
    timing: bool
    with_kernels: bool


def _export(source: Source, evidence: "Evidence | None", out: Path, how: _How, as_json: bool) -> None:
    from ecgkd.bundle import table
    from ecgkd.bundle.artefacts import name_of, write_export
    from ecgkd.bundle.make import make
    from ecgkd_export.parity import failures
    from ecgkd_export.rewrite import Profile

    with progress("exporting") as tell:
        made = make(
            source.network,
            source.contract,
            evidence,
            int8=how.int8,
            formats=how.formats,
            profile=Profile(how.profile.value),
            float_tflite=how.float_tflite,
            tuning=_tuning(source, evidence, how, tell),
            force=how.force,
            released=source.released,
            progress=tell,
        )
    if evidence is None and how.int8:
        say(f"ecgkd: {_without_recordings([artefact.gates for artefact, _ in made])}")
    gates = {name_of(c, artefact.formats[0]): artefact.gates for artefact, c in made}
    failed = [name for (_, contract), name in zip(made, gates, strict=True) if contract.gates["failed"]]
    write = how.force or not failed
    files = write_export(out, made, how.formats, kernels=how.with_kernels) if write else []
    by_name = {name_of(c, format): artefact.gates for artefact, c in made for format in artefact.formats}
    of_file = {file["name"]: by_name[file["name"]] for file in files} or gates
    sizes = {file["name"]: file["bytes"] for file in files}
    shown = table.lines(of_file, sizes, measured({name: out / name for name in sizes}) if how.timing else {})
    document = {
        "model": source.name,
        "out": str(out) if write else None,
        "artefacts": [{**file, "path": str(out / file["name"])} for file in files],
        "table": [line.to_dict() for line in shown],
        "gates": gates,
        "passed": not failed,
        "forced": bool(failed) and how.force,
        "profile": how.profile.value,
        "embedding_space": {artefact.runtime: c.embedding_space for artefact, c in made},
    }
    emit(document, _text(document, table.text(shown, of_file)), as_json)
    say(table.details(gates), level=1)
    for name, found in gates.items():
        for gate, result in found.items():
            if gate == "integer_parity" and result["result"] == "absent":
                say(f"ecgkd: warning: {name}: {gate} gate absent: {result['why']}")
            if result["result"] == "undecided":
                say(f"ecgkd: warning: {name}: {gate} gate undecided: {result['why']}")
    if failed and not how.force:
        refusals = [table.refusal(name, gates[name], failures(gates[name])) for name in failed]
        raise GateError("; ".join(refusals) + "; nothing was written")


def _tuning(source: Source, evidence: "Evidence | None", how: _How, tell: "Progress") -> "Tuning | None":
    """Returns how the int8 graph is fine-tuned; without recordings it is what was released."""
    if evidence is None:
        return source.tuned if how.profile == Target.cpu else None
    if not how.qat:
        return None
    from ecgkd.protocols.trials import taking
    from ecgkd.training.qat import QatConfig, refiner
    from ecgkd_export.tflite_artefacts import Tuning

    sets = taking(evidence.sets, source.contract.leads)
    return Tuning(refine=refiner(evidence.protocol, sets, QatConfig(steps=how.qat), tell))


def _text(document: dict[str, Any], shown: str) -> str:
    lines = [shown]
    if document["out"]:
        lines.append(f"wrote {len(document['artefacts'])} files and their sidecars to {document['out']}")
    sources = [Path(one["path"]) for one in document["artefacts"] if one["path"].endswith(".c")]
    if sources:
        lines.append(_how_to_compile(sources[0]))
    if document["forced"]:
        lines.append("written by --force and marked as failed")
    return "\n".join(lines)


def _how_to_compile(source: Path) -> str:
    """Returns the line that says what a generated network is compiled with."""
    from ecgkd_export.firmware_dir import firmware_dir

    beside = source.parent / "firmware"
    root = beside if beside.is_dir() else firmware_dir()
    include = f"-I {root / 'include'} -I {root / 'kernels'} -I {source.parent}"
    return f"compile: cc -std=c99 -O2 -c {include} {source} {root / 'kernels' / '*.c'}"


def _without_recordings(gates: list[dict[str, Any]]) -> str:
    """Returns what an export without recordings could not find out."""
    told = "no recordings: numbers are compared on synthetic windows, biometric parity is"
    if any(found.get("biometric", {}).get("result") == "absent" for found in gates):
        return f"warning: {told} absent"
    return f"note: {told} the release's own, for these very graphs"


def _installed(int8: bool, profile: Target) -> list[str]:
    """Returns the formats whose packages are installed and that `profile` has; says what is left out."""
    from importlib.util import find_spec

    known = PROFILE_FORMATS.get(profile, KNOWN_FORMATS)
    if not int8 or (find_spec("ai_edge_litert") and find_spec("flatbuffers")):
        return list(known)
    say("ecgkd: note: no TFLite files, since LiteRT is not installed; type: pip install 'ecgkd[tflite]'")
    return [one for one in known if one != "tflite"]


def _formats(text: str, profile: Target) -> list[str]:
    known = PROFILE_FORMATS.get(profile, KNOWN_FORMATS)
    formats = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [one for one in formats if one not in known]
    if unknown or not formats:
        of = "this version" if known is KNOWN_FORMATS else f"--profile {profile.value}"
        raise UsageError(f"--formats {text}: {of} writes {', '.join(known)}")
    return formats


def _refuse_contradictions(int8: bool, formats: list[str], profile: Target, float_tflite: bool) -> None:
    """Raises: UsageError for options that ask for TFLite or C files where none are made."""
    if not int8 and formats == ["c"]:
        raise UsageError("--formats c: belongs to --int8")
    for asked, option in ((profile != Target.cpu, f"--profile {profile.value}"), (float_tflite, "--float-tflite")):
        if asked and not int8:
            raise UsageError(f"{option}: belongs to --int8")
        if asked and "tflite" not in formats:
            raise UsageError(
                f"{option}: needs TFLite files; add tflite to --formats, or type: pip install 'ecgkd[tflite]'"
            )


def _folder(usual: Path, profile: Target) -> Path:
    """Returns the folder for `profile`: one of its own, since a folder is replaced as a whole."""
    return usual if profile == Target.cpu else usual.with_name(f"{usual.name}-{profile.value}")
