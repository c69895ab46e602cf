"""`ecgkd weights make`: the networks that the package brings, by one command."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ecgkd.cli.output import JsonOption, emit, say
from ecgkd.cli.walk import Walk
from ecgkd.errors import GateError

RECIPES = {"teacher": "teacher_cpu", "alone": "student_cpu", "student": "thkd_cpu"}


def _unfinished(root: Path, recipe: str) -> list[str]:
    """Returns `--resume RUN` for the newest run of a recipe that was cut short."""
    cut = [path.parent for path in sorted((root / recipe).glob("*/checkpoint.pt"))]
    cut = [run for run in cut if not (run / "contract.json").is_file()]
    return ["--resume", str(cut[-1])] if cut else []


def _train(walk: Walk, title: str, verb: str, recipe: str, root: Path, given: list[str], teacher: str = "") -> str:
    """Returns the run folder of a recipe: the finished one, the resumed one, or a new one."""
    done = sorted((root / recipe).glob("*/contract.json"))
    if done:
        say(f"{title}: {done[-1].parent}, done before")
        return str(done[-1].parent)
    resume = _unfinished(root, recipe)
    words = [verb, recipe, *(["--teacher", teacher] if teacher else []), "--out", str(root)]
    return str(walk.run(title, *words, *(resume or given))["run"])


def _rows(protocol: Path, population: str) -> list[str]:
    """Returns `--rows NAME` for every row of a population."""
    from ecgkd.protocols.protocol import Protocol

    return [
        word for row in Protocol.load(protocol).rows if row.population == population for word in ("--rows", row.name)
    ]


def choose(results: dict[str, Any], preferred: list[str]) -> str:
    """Returns the first of the models that the baselines do not beat on the development people.

    That is: on the first row, with most windows, by the better of its scores. Raises: GateError where all are beaten.
    """
    row = results["outcomes"][0]["row"]
    for model in preferred:
        cells = [
            cell
            for one in results["outcomes"]
            if one["model"] == model and one["row"] == row
            for cell in one["cells"]
            if not cell["gated"]
        ]
        most = max(cell["enrol_windows"] * cell["probe_windows"] for cell in cells)
        if any(not c["below_baseline"] for c in cells if c["enrol_windows"] * c["probe_windows"] == most):
            return model
    raise GateError(f"the baselines beat {', '.join(preferred)} on {row}; nothing is released")


def make_weights(app: typer.Typer, sets: list[str], work: Path, out: Path, command: str) -> dict[str, Any]:
    """Trains, distils, evaluates and exports on `sets`, and puts student and teacher into `out`.

    The student is the default, or the teacher ships alone where the baselines beat the student on development people.
    What `work` holds already is not done again. Locked people are scored once, with the networks that are released.
    """
    from ecgkd.bundle.release import Evidence, Network, release
    from ecgkd.evaluation.looks import ledger_of
    from ecgkd.files import read_json

    walk = Walk(app)
    protocol = work / "protocol.json"
    if not protocol.is_file():
        kind = ("--kind", "cross-session", "--include-locked", "--out", str(protocol))
        walk.run("Who trains, who tunes, who tests", "protocol", "make", *sets, *kind)
    _bring_looks(out / "looks.json", protocol)
    data = [word for one in sets for word in ("--data", one)]
    given = [*data, "--protocol", str(protocol)]
    teacher = _train(walk, "Teacher", "train", RECIPES["teacher"], work, given)
    student = _train(walk, "Distilled student", "distill", RECIPES["student"], work, given, teacher)
    alone = _train(walk, "Student alone", "train", RECIPES["alone"], work, given)
    development = work / "development"
    if not (development / "results.json").is_file():
        rows = _rows(protocol, "development")
        walk.run("Choice", "evaluate", teacher, alone, student, *given, *rows, "--out", str(development))
    names = {"/".join(Path(run).parts[-2:]): run for run in (student, teacher)}
    chosen = names[choose(read_json(development / "results.json", "evaluation"), list(names))]
    released = [student, teacher] if chosen == student else [teacher]
    say(f"released: {', '.join(released)}")
    networks = [Network(Path(run), work / "artefacts" / Path(run).parent.name) for run in released]
    for number, one in enumerate(networks):
        to = ("--formats", "onnx" if number else "onnx,tflite", "--out", str(one.artefacts))
        walk.run("Artefacts behind gates", "export", str(one.run), "--int8", *given, *to)
    locked = work / "locked"
    if not (locked / "results.json").is_file():
        walk.run("Locked people", "evaluate", *released, *given, *_rows(protocol, "locked"), "--out", str(locked))
    files = release(networks, Evidence(development, locked, ledger_of(protocol)), out, command)
    return {
        "teacher": teacher,
        "alone": alone,
        "student": student,
        "released": released,
        "out": str(out),
        "files": files,
    }


def _bring_looks(shipped: Path, protocol: Path) -> None:
    """Puts the ledger of the last release beside the protocol, where it is of the same protocol and not there yet."""
    import shutil

    from ecgkd.evaluation.looks import ledger_of
    from ecgkd.files import atomic_path, read_json
    from ecgkd.protocols.protocol import Protocol

    ledger = ledger_of(protocol)
    if ledger.exists() or not shipped.is_file():
        return
    if read_json(shipped, "ledger of looks").get("protocol_sha256") == Protocol.load(protocol).sha256:
        with atomic_path(ledger) as temporary:
            shutil.copy(shipped, temporary)


def register(app: typer.Typer) -> None:
    weights = typer.Typer(help="Make the networks that the package brings.", no_args_is_help=True)

    @weights.command("make")
    def make(
        sets: Annotated[list[str], typer.Argument(metavar="SET...", help="Prepared sets.")],
        work: Annotated[Path, typer.Option(help="Folder for runs; what is done there is not done again.")] = Path(
            "runs/release"
        ),
        out: Annotated[Path | None, typer.Option(help="Where the weights go; default: into the package.")] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Train, distil, evaluate, export and release. Takes hours on two cores; can be cut and resumed."""
        from ecgkd.cli.load import SHIPPED

        command = "ecgkd weights make " + " ".join(Path(one).name for one in sets)
        made = make_weights(app, sets, work, out or SHIPPED, command)
        emit(made, "\n".join(made["files"]), as_json)

    app.add_typer(weights, name="weights")
