"""The command line: parses, calls one function of the library, prints."""

import importlib
import os
import sys
from typing import Annotated

import typer

from ecgkd import __version__
from ecgkd.cli.output import set_verbosity
from ecgkd.errors import EcgkdError

VERBS = (
    "doctor",
    "data",
    "protocol",
    "train",
    "evaluate",
    "export",
    "bench",
    "enrol",
    "bundle",
    "report",
    "demo",
    "weights",
)
"""Modules of this package, each with `register(app)`, in the order of `--help`."""

app = typer.Typer(
    name="ecgkd",
    help="From ECG recordings to a network on a watch that knows its owner.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ecgkd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only what went wrong.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    set_verbosity(-1 if quiet else int(verbose))


for _verb in VERBS:
    importlib.import_module(f"ecgkd.cli.{_verb}").register(app)


def _report(error: Exception, code: int) -> int:
    print(f"ecgkd: error: {error}", file=sys.stderr)
    return code


def main() -> None:
    """Runs the command line and exits with the documented code; a traceback means a bug (exit 70)."""
    try:
        app(standalone_mode=True)
        code = 0
    except EcgkdError as error:
        code = _report(error, error.exit_code)
    except KeyboardInterrupt:
        print("ecgkd: interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 5
    except Exception as error:
        # The two packages below ecgkd have error trees of their own, with the same exit codes.
        if not isinstance(getattr(error, "exit_code", None), int) or isinstance(error, typer.Exit):
            import traceback

            traceback.print_exc()
            code = _report(RuntimeError(f"internal error ({type(error).__name__}: {error}); please report it"), 70)
        else:
            code = _report(error, error.exit_code)  # type: ignore[attr-defined]
    sys.exit(code)
