"""`ecgkd protocol make`, `ecgkd protocol lint`: who trains, who tunes, who tests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say

if TYPE_CHECKING:
    from ecgkd.protocols.protocol import Protocol

SetsArgument = Annotated[list[str], typer.Argument(metavar="SET...", help="Prepared sets.")]
KINDS = "cross-session, same-day, closed-set, cross-database or cross-activity"


def register(app: typer.Typer) -> None:
    """Adds the verb `protocol` to the command line."""
    protocol = typer.Typer(help="Say who trains, who tunes and who tests; refuse leaks.", no_args_is_help=True)
    protocol.command("make")(_make)
    protocol.command("lint")(_lint)
    protocol.command("fold")(_fold)
    protocol.command("part")(_part)
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


PathArgument = Annotated[Path, typer.Argument(metavar="P.json", help="The protocol file.")]


def _fold(
    path: PathArgument,
    of: Annotated[str, typer.Argument(metavar="SET", help="The small set, one that the protocol is over.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files r0f0.json, r0f1.json, …")],
    folds: Annotated[int, typer.Option("--folds", min=2, help="Groups of people left out.")] = 3,
    repeat: Annotated[int, typer.Option("--repeat", min=0, help="Which partition of the people.")] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="For the partitions.")] = 0,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Leave the people of a small set out, in groups, and all else as it is: one protocol file a group."""
    from ecgkd.cli.load import open_sets
    from ecgkd.protocols.joint_folds import joint_folds
    from ecgkd.protocols.protocol import Protocol

    (one,) = open_sets([of])
    base = Protocol.load(path)
    base.check_sets([one], ())
    made = {out / f"r{repeat}f{n}.json": fold for n, fold in enumerate(joint_folds(base, one, folds, repeat, seed))}
    _write(made, as_json, dry_run)


def _part(
    path: PathArgument,
    of: Annotated[str, typer.Argument(metavar="SET", help="One of the sets that the protocol is over.")],
    out: Annotated[Path, typer.Option("--out", metavar="Q.json", help="The protocol file to write.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write what a protocol says of one of its sets, as a protocol of its own."""
    from ecgkd.cli.load import open_sets
    from ecgkd.protocols.joint_folds import of_set
    from ecgkd.protocols.protocol import Protocol

    (one,) = open_sets([of])
    base = Protocol.load(path)
    base.check_sets([one], ())
    _write({out: of_set(base, one)}, as_json, dry_run)


def _write(made: "dict[Path, Protocol]", as_json: bool, dry_run: bool) -> None:
    for path, protocol in made.items():
        if not dry_run:
            protocol.save(path)
        say(f"would write {path}" if dry_run else f"wrote {path}")
    lines = [{"protocol": str(path), "name": one.name, "sha256": one.sha256} for path, one in made.items()]
    text = "\n".join(f"{line['protocol']}: {line['name']}, SHA-256 {line['sha256'][:12]}" for line in lines)
    emit({"written": not dry_run, "protocols": lines}, text, as_json)
