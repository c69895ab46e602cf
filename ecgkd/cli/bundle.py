"""`ecgkd bundle`: one signed file for the app, and whether it is what it says."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say

bundle = typer.Typer(no_args_is_help=True, help="One signed file for the app, that can test itself.")


@bundle.command("make")
def make(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `ecgkd export --int8` wrote.")],
    out: Annotated[Path, typer.Option(metavar="X.zip", help="The bundle.")],
    key: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Ed25519 private key, PEM, to sign with; else unsigned.")
    ] = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Pack artefacts, decision, golden recordings, sources and papers into one file."""
    from ecgkd.bundle.artefacts import read_export
    from ecgkd.bundle.pack import make_bundle
    from ecgkd.bundle.refusals import refuse

    if dry_run:
        contracts = {one.path.name: one.contract for one in read_export(folder)}
        refuse(contracts)
        document = {"bundle": str(out), "artefacts": sorted(contracts), "signed": key is not None, "written": False}
        emit(document, f"would write {out} with {', '.join(sorted(contracts))}", as_json)
        return
    with progress("bundling") as tell:
        made = make_bundle(folder, out, key, tell)
    if not made["signed"]:
        say("ecgkd: note: not signed; anyone can change it and nobody would notice: --key signs it")
    lines = [f"wrote {made['bundle']}, {made['bytes'] / 1000:.0f} kB, {made['members']} members", *made["artefacts"]]
    emit(made, "\n  ".join(lines), as_json)


@bundle.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="X.zip", help="The bundle.")],
    key: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Ed25519 public key, PEM, that must have signed it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every byte and the signature, and run the golden recordings in every runtime that is here."""
    from ecgkd.bundle.selftest import verify_bundle

    with progress("verifying") as tell:
        found = verify_bundle(file, key, tell)
    emit(found, _text(found), as_json)


def _text(found: dict[str, Any]) -> str:
    signer = found["signed_by"]
    signed = "not signed" if signer is None else f"signed by {signer[:16]}…"
    if signer is not None and not found["trusted"]:
        signed += " (whoever that is: name your key with --key)"
    lines = [f"{found['bundle']}: {found['members']} members as listed; {signed}"]
    for row in found["self_test"]:
        figures = row.get("why") or f"worst cosine {row['cosine_min']:.5f}, owner accepted, stranger refused"
        told = ", ".join(f"{role}: {one['name']}" for role, one in row.get("told", {}).items())
        lines.append(f"  {row['artefact']}, {row['runtime']}: {row['result']}; {figures}{told and f'; {told}'}")
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    app.add_typer(bundle, name="bundle")
