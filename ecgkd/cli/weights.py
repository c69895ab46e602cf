"""`ecgkd weights make`: the networks that the package brings, by one command."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ecgkd.cli.output import JsonOption, emit, say
from ecgkd.cli.walk import Walk

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


def make_weights(app: typer.Typer, sets: list[str], work: Path, out: Path, command: str) -> dict[str, Any]:
    """Trains, distils, evaluates and exports on `sets`, and puts the student into `out`. Goes on where it was cut."""
    from ecgkd.bundle.release import release

    walk = Walk(app)
    protocol = work / "protocol.json"
    if not protocol.is_file():
        kind = ("--kind", "cross-session", "--include-locked", "--out", str(protocol))
        walk.run("Who trains, who tunes, who tests", "protocol", "make", *sets, *kind)
    given = [word for one in sets for word in ("--data", one)] + ["--protocol", str(protocol)]
    teacher = _train(walk, "Teacher", "train", RECIPES["teacher"], work, given)
    alone = _train(walk, "Student alone", "train", RECIPES["alone"], work, given)
    student = _train(walk, "Distilled student", "distill", RECIPES["student"], work, given, teacher)
    evidence = work / "evaluation"
    if not (evidence / "results.json").is_file():
        walk.run("Evidence", "evaluate", teacher, alone, student, *given, "--out", str(evidence))
    artefacts = work / "artefacts"
    if not artefacts.is_dir():
        walk.run("Artefacts behind gates", "export", student, "--int8", *given, "--out", str(artefacts))
    files = release(Path(student), artefacts, evidence, out, command)
    return {"teacher": teacher, "alone": alone, "student": student, "out": str(out), "files": files}


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
        """Train, distil, evaluate and export the shipped student. Takes hours on two cores; can be cut and resumed."""
        from ecgkd.cli.load import SHIPPED

        command = "ecgkd weights make " + " ".join(Path(one).name for one in sets)
        made = make_weights(app, sets, work, out or SHIPPED, command)
        emit(made, "\n".join(made["files"]), as_json)

    app.add_typer(weights, name="weights")
