"""`ecgkd report`: one page of a run, or of all that the demo made."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, say
from ecgkd.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command()
    def report(
        where: Annotated[
            Path | None,
            typer.Argument(
                help="A run, or a folder with runs/, evaluation/, export/, bench.json; default: newest run."
            ),
        ] = None,
        evaluation: Annotated[Path | None, typer.Option(help="Folder that `ecgkd evaluate` wrote.")] = None,
        export: Annotated[Path | None, typer.Option(help="Folder that `ecgkd export` wrote.")] = None,
        bench: Annotated[Path | None, typer.Option(help="Record that `ecgkd bench` wrote.")] = None,
        out: Annotated[Path | None, typer.Option(help="The page; default: report.html in WHERE.")] = None,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Write one self-contained HTML page: who trained, evidence, artefacts and gates, latency and memory."""
        from ecgkd.files import write_bytes
        from ecgkd.report.collect import collect
        from ecgkd.report.page import render
        from ecgkd.report.sections import make_page

        folder = where or _newest()
        material = collect(folder, evaluation, export, bench)
        page = make_page(material)
        target = out or folder / "report.html"
        if target.is_dir():
            raise UsageError(f"{target}: is a folder; name the page with --out FILE.html")
        html = render(page)
        if not dry_run:
            write_bytes(target, html.encode())
        for sentence in material.absent:
            say(sentence)
        document = {
            "report": str(target),
            "written": not dry_run,
            "bytes": len(html.encode()),
            "summary": [asdict(tile) for tile in page.summary],
            "sections": [section.title for section in page.sections],
            "notice": page.notice,
            "absent": list(material.absent),
        }
        emit(document, f"would write {target}" if dry_run else str(target), as_json)


def _newest() -> Path:
    """Returns the newest finished run under runs/. Raises: UsageError where there is none."""
    from ecgkd.cli.load import newest_run

    found = newest_run()
    if found is None:
        raise UsageError("no finished run under runs/; name a run, or a folder such as the demo's")
    say(f"reporting {found}")
    return found
