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
        robustness: Annotated[
            bool, typer.Option("--robustness", help="Also with noise and other heart rates (first row).")
        ] = False,
        noise: Annotated[
            str | None, typer.Option(help="Prepared set of noise (bw, em, ma) for --robustness; else synthesised.")
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Compare models on people they have never seen, beside baselines: who it is and, where told, what they do."""
        from dataclasses import replace

        from ecgkd.cli.load import load_model, open_sets
        from ecgkd.data.prepared import open_set
        from ecgkd.errors import UsageError
        from ecgkd.evaluation import evaluate as evaluation
        from ecgkd.evaluation.looks import count_looks
        from ecgkd.evaluation.robustness import check_noise, disturb
        from ecgkd.evaluation.table import as_text
        from ecgkd.evaluation.write import write_evaluation
        from ecgkd.protocols.leakage import refuse_leaks
        from ecgkd.protocols.protocol import Protocol

        if noise is not None and not robustness:
            raise UsageError("--noise says where the noise of --robustness comes from; add --robustness")
        source = None if noise is None else open_set(noise)
        if source is not None:
            check_noise(source)
        loaded = Protocol.load(protocol)
        sets = open_sets(data)
        loaded.check_sets(sets)
        chosen = tuple(rows or ())
        given = [
            evaluation.Candidate(m.name, m.embed, m.contract, tell=m.tell)
            for m in (load_model(path) for path in models)
        ]
        if robustness and any(len(one.leads) > 1 for one in given):
            raise UsageError("--robustness disturbs one lead, and one of these models takes several; leave it out")
        with progress("evaluating") as report:
            refuse_leaks(loaded, sets, report)
            beside = evaluation.baselines(loaded, sets) if baselines else []
            given = count_looks(given, loaded, chosen, protocol)
            found = evaluation.evaluate(
                [*given, *beside], loaded, sets, rows=chosen, replicates=bootstrap, progress=report
            )
            if robustness:
                row = next((one.row for one in found.outcomes if not one.leaky), found.outcomes[0].row)
                disturbed = disturb([*given, *beside], loaded, sets, row, source, progress=report)
                found = replace(found, robustness=disturbed)
        if out is not None:
            write_evaluation(out, found)
            say(f"wrote {out}")
        emit({**found.to_dict(), "out": str(out) if out else None}, as_text(found), as_json)
