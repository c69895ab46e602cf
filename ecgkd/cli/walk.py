"""Running verbs one after another, as a user would type them; for the demo and for the release of weights."""

import contextlib
import io
import json
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from ecgkd.cli.output import say
from ecgkd.files import read_json, write_json


@dataclass
class Walk:
    """Runs verbs in this process and keeps what each took and said."""

    app: typer.Typer
    kept: Path | None = None
    """Folder in which finished steps are remembered, so that a walk that was stopped goes on; None: from the start."""
    steps: list[dict[str, Any]] = field(default_factory=list)

    def run(self, title: str, *words: str) -> dict[str, Any]:
        """Returns the JSON document that `ecgkd WORDS --json` prints; its exit code stands under `exit_code`.

        Raises: whatever the verb raises.
        """
        number = len(self.steps) + 1
        command = f"ecgkd {shlex.join(words)}"
        memory = self.kept / f"{number:02}.json" if self.kept else None
        if memory is not None and memory.is_file():
            step: dict[str, Any] = read_json(memory, "finished step")
            if step["command"] == command:
                say(f"\n[{number}] {title}: done before")
                self.steps.append(step)
                return dict(step["document"])
        say(f"\n[{number}] {title}\n$ {command}")
        began = time.monotonic()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = self.app([*words, "--json"], standalone_mode=False)
        document = {**json.loads(printed.getvalue()), "exit_code": code or 0}
        step = {"title": title, "command": command, "seconds": round(time.monotonic() - began, 1)}
        self.steps.append(step)
        if memory is not None:
            write_json(memory, {**step, "document": document})
        return document
