"""What every verb prints with: results on stdout, everything else on stderr."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

Progress = Callable[[int, int, str], None]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]

_verbosity = 0


def set_verbosity(level: int) -> None:
    """Sets how much goes to stderr: -1 errors only, 0 the usual, 1 details."""
    global _verbosity
    _verbosity = level


def say(text: str, level: int = 0) -> None:
    """Prints a line for people on stderr, unless the user asked for less."""
    if level <= _verbosity:
        print(text, file=sys.stderr, flush=True)


def emit(document: dict[str, Any], text: str, as_json: bool) -> None:
    """Prints the result on stdout: `document` as JSON, or `text`."""
    print(json.dumps(document, indent=2, ensure_ascii=False) if as_json else text, flush=True)


@contextlib.contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Gives a callback (done, total, what) that draws a bar on a terminal and nothing elsewhere."""
    if not sys.stderr.isatty() or _verbosity < 0 or os.environ.get("TERM") == "dumb":
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def update(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{label} {what}".strip())

        yield update


@contextlib.contextmanager
def ended_like_by_hand() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP end a run as Ctrl-C does: the device is left clean, an emulated one is stopped."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
