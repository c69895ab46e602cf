"""`ecgkd protocol make`, `ecgkd protocol lint`: who trains, who tunes, who tests."""

from pathlib import Path
from typing import Annotated

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say

SetsArgument = Annotated[list[str], typer.Argument(metavar="SET...", help="Prepared sets.")]
KINDS = "cross-session, same-day, closed-set, cross-database or cross-activity"


def register(app: typer.Typer) -> None:
    """Adds the verb `protocol` to the command line."""
    protocol = typer.Typer(help="Say who trains, who tunes and who tests; refuse leaks.", no_args_is_help=True)
    protocol.command("make")(_make)
    protocol.command("lint")(_lint)
    app.add_typer(protocol, name="protocol")


def _make(
    sets: SetsArgument,
    kind: Annotated[str, typer.Option("--kind", metavar="K", help=f"One of {KINDS}.")],
    out: Annotated[Path, typer.Option("--out", metavar="P.json", help="The protocol file to write.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="For the windows of leaky rows; people go by hash.")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="Its name in tables.")] = None,
    include_locked: Annotated[
        bool, typer.Option("--include-locked", help="Also rows of the locked people, whom nothing is chosen on.")
    ] = False,
    leaky: Annotated[
        bool, typer.Option("--leaky", help="Also rows split at random, labelled leaky, to compare with papers.")
    ] = False,
    test_set: Annotated[
        str | None,
        typer.Option("--test-set", metavar="NAME", help="The set that does not train; cross-database: the last one."),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the protocol file for these sets."""
    from ecgkd.cli.load import open_sets
    from ecgkd.protocols.leakage import refuse_leaks
    from ecgkd.protocols.split import make
    from ecgkd.protocols.summary import as_text, summarise

    opened = open_sets(sets)
    with progress("protocol") as report:
        made = make(kind, opened, seed, name, include_locked, leaky, test_set, report)
        refuse_leaks(made, opened, report)
    if not dry_run:
        made.save(out)
    say(f"would write {out}" if dry_run else f"wrote {out}")
    summary = summarise(made, opened)
    emit({**summary, "out": str(out), "written": not dry_run}, as_text(summary), as_json)


def _lint(
    path: Annotated[Path, typer.Argument(metavar="P.json", help="The protocol file.")],
    sets: SetsArgument,
    as_json: JsonOption = False,
) -> None:
    """Check a protocol file for leaks: exit 0 and a summary, or exit 2 and the reasons."""
    from ecgkd.cli.load import open_sets
    from ecgkd.protocols.leakage import lint
    from ecgkd.protocols.protocol import Protocol
    from ecgkd.protocols.summary import as_text, summarise

    loaded, opened = Protocol.load(path), open_sets(sets)
    loaded.check_sets(opened)
    with progress("lint") as report:
        reasons = lint(loaded, opened, report)
    if reasons:
        head = f"{path}: refused for {len(reasons)} reason(s)"
        document = {"protocol": str(path), "sha256": loaded.sha256, "sound": False, "reasons": reasons}
        emit(document, "\n".join([head, *(f"- {reason}" for reason in reasons)]), as_json)
        raise typer.Exit(2)
    summary = summarise(loaded, opened)
    emit(
        {**summary, "protocol": str(path), "sound": True, "reasons": []}, f"no leak found\n{as_text(summary)}", as_json
    )
