"""`ecgkd evaluate`: error rates of models and baselines on the rows of a protocol."""

from pathlib import Path
from typing import Annotated

import typer

from ecgkd.cli.output import JsonOption, emit, progress, say


def register(app: typer.Typer) -> None:
    @app.command()
    def evaluate(
        models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Runs or artefacts.")],
        data: Annotated[list[str], typer.Option("--data", help="Prepared set; once for each.")],
        protocol: Annotated[Path, typer.Option("--protocol", help="Protocol file.")],
        out: Annotated[Path | None, typer.Option(help="Folder for results.json, table.md and plots.")] = None,
        rows: Annotated[list[str] | None, typer.Option("--rows", help="Only this row; once for each.")] = None,
        baselines: Annotated[bool, typer.Option(help="Correlation and LDA beside the models.")] = True,
        bootstrap: Annotated[int, typer.Option(min=100, help="Replicates of the bootstrap over people.")] = 2000,
        as_json: JsonOption = False,
    ) -> None:
        """Compare models on people they have never seen, beside two baselines, with intervals."""
        from ecgkd.cli.load import load_model, open_sets
        from ecgkd.evaluation.evaluate import Candidate
        from ecgkd.evaluation.evaluate import baselines as make_baselines
        from ecgkd.evaluation.evaluate import evaluate as run
        from ecgkd.evaluation.table import as_text
        from ecgkd.evaluation.write import write_evaluation
        from ecgkd.protocols.leakage import refuse_leaks
        from ecgkd.protocols.protocol import Protocol

        loaded = Protocol.load(protocol)
        sets = open_sets(data)
        loaded.check_sets(sets)
        candidates = [Candidate(m.name, m.embed, m.contract) for m in (load_model(path) for path in models)]
        with progress("evaluating") as report:
            refuse_leaks(loaded, sets, report)
            beside = make_baselines(loaded, sets) if baselines else []
            found = run(
                [*candidates, *beside], loaded, sets, rows=tuple(rows or ()), replicates=bootstrap, progress=report
            )
        if out is not None:
            write_evaluation(out, found)
            say(f"wrote {out}")
        emit({**found.to_dict(), "out": str(out) if out else None}, as_text(found), as_json)
