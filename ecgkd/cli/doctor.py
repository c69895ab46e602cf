"""`ecgkd doctor`: what is there and what is missing."""

import typer

from ecgkd.cli.output import JsonOption, emit


def register(app: typer.Typer) -> None:
    @app.command()
    def doctor(as_json: JsonOption = False) -> None:
        """Say what this machine can do, what is missing, and how to mend it."""
        from dataclasses import asdict

        from ecgkd.doctor import Finding, examine
        from ecgkd.errors import MissingToolError

        findings = examine()

        def line(finding: Finding) -> str:
            mark = "ok     " if finding.found else ("absent " if finding.optional else "MISSING")
            return f"  {mark} {finding.name}: {finding.found or finding.remedy}"

        groups = list(dict.fromkeys(finding.group for finding in findings))
        text = "\n".join(
            "\n".join([group, *(line(finding) for finding in findings if finding.group == group)]) for group in groups
        )
        emit({"findings": [asdict(finding) for finding in findings]}, text, as_json)
        lacking = [finding for finding in findings if not finding.found and not finding.optional]
        if lacking:
            names = ", ".join(finding.name for finding in lacking)
            raise MissingToolError(f"needed and missing: {names}; {lacking[0].remedy}")
