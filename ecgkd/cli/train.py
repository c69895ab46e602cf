"""`ecgkd train` and `ecgkd distill`."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say
from ecgkd.errors import EcgkdError, UsageError

if TYPE_CHECKING:
    from ecgkd.config import Recipe
    from ecgkd.data.prepared import PreparedSet
    from ecgkd.protocols.protocol import Protocol

RecipeArgument = Annotated[str, typer.Argument(help="Name of a shipped recipe, or a TOML file.")]
DataOption = Annotated[list[str] | None, typer.Option("--data", help="Prepared set; once for each.")]
ProtocolOption = Annotated[str | None, typer.Option("--protocol", help="Protocol file.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over the recipe's.")]
ResumeOption = Annotated[Path | None, typer.Option("--resume", help="Unfinished run to go on with.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for runs.")]


def _inputs(recipe: "Recipe", resume: Path | None) -> "tuple[Protocol, list[PreparedSet]]":
    """Returns the protocol, free of leaks, and its sets."""
    from ecgkd.cli.load import open_sets
    from ecgkd.protocols.leakage import refuse_leaks
    from ecgkd.protocols.protocol import Protocol

    if not recipe.data.sets or not recipe.data.protocol:
        raise UsageError(
            f"{recipe.name}: needs prepared sets and a protocol; name them with --data SET --protocol P.json "
            "(`ecgkd protocol make SET --kind cross-session --out P.json` makes one)"
        )
    protocol = Protocol.load(resume / "protocol.json" if resume else recipe.data.protocol)
    sets = open_sets(list(recipe.data.sets))
    protocol.check_sets(sets)
    with progress("leakage lint") as report:
        refuse_leaks(protocol, sets, report)
    return protocol, sets


def _recipe(
    name: str, data: list[str] | None, protocol: str | None, overrides: list[str] | None, resume: Path | None
) -> "Recipe":
    """Returns the recipe with what the command line says, or that of the run to go on with."""
    from ecgkd.config import load_recipe

    if resume is None:
        recipe = load_recipe(name, overrides or ())
        sets = tuple(data) if data else recipe.data.sets
        return replace(recipe, data=replace(recipe.data, sets=sets, protocol=protocol or recipe.data.protocol))
    if data or protocol or overrides:
        raise UsageError("--resume takes data, protocol and settings from the run; leave out --data, --protocol, --set")
    if not (resume / "recipe.toml").is_file():
        raise UsageError(f"{resume}: no run to go on with (no recipe.toml)")
    recipe = load_recipe(str(resume / "recipe.toml"))
    if name not in (recipe.name, str(resume / "recipe.toml")) and load_recipe(name).name != recipe.name:
        raise UsageError(f"{resume}: a run of the recipe {recipe.name}, not of {name}")
    return recipe


def _plan(recipe: "Recipe", protocol: "Protocol", sets: "list[PreparedSet]", teacher: Path | None) -> dict[str, Any]:
    from ecgkd.training.dataset import training_stretches
    from ecgkd.training.sampler import Sampler

    stretches = training_stretches(protocol.train, {one.name: one for one in sets})
    batches = Sampler(stretches, recipe.data, recipe.optim).n_batches
    return {
        "dry_run": True,
        "recipe": recipe.to_dict(),
        "people": len(stretches.subjects),
        "windows": stretches.n_windows,
        "batches_per_epoch": batches,
        "teacher": None if teacher is None else str(teacher),
        "protocol_sha256": protocol.sha256,
    }


def _describe(metrics: dict[str, Any], folder: Path) -> str:
    lines = [f"{metrics['role']} {metrics['model']}, {metrics['people']} people: {folder}"]
    lines += [f"  EER of development people, {name}: {100 * eer:.1f} %" for name, eer in _rows(metrics)]
    lines.append(f"  epoch {metrics['best_epoch']} of {metrics['epochs']} kept, {metrics['seconds'] / 60:.1f} minutes")
    return "\n".join(lines)


def _rows(metrics: dict[str, Any]) -> list[tuple[str, float]]:
    return [(name, eer) for name, eer in metrics["development_eer"].items() if name != "mean"]


def _run(
    recipe: "Recipe",
    teacher: Path | None,
    resume: Path | None,
    out: Path,
    as_json: bool,
    dry_run: bool,
    activity_teacher: Path | None = None,
) -> None:
    from ecgkd.evaluation.decision_fit import fit_decision
    from ecgkd.training.distributed import is_first, one_folder
    from ecgkd.training.fit import is_finished, train
    from ecgkd.training.run_directory import new_folder

    protocol, sets = _inputs(recipe, resume)
    if dry_run:
        plan = _plan(recipe, protocol, sets, teacher)
        text = f"{recipe.name}: {plan['people']} people, {plan['windows']} windows, {plan['batches_per_epoch']} batches"
        emit(plan, f"{text} an epoch, {recipe.optim.epochs} epochs; nothing written", as_json)
        return
    if resume is not None and is_finished(resume):
        raise UsageError(f"{resume}: that run is finished; start a new one without --resume")
    folder = resume or one_folder(lambda: new_folder(out, recipe.name), recipe.optim)
    say(f"run: {folder}")
    try:
        with progress(recipe.name) as report:
            metrics = train(
                recipe,
                protocol,
                sets,
                folder,
                teacher=teacher,
                activity_teacher=activity_teacher,
                decide=fit_decision,
                progress=report,
            )
    except KeyboardInterrupt:
        say(f"stopped; go on with: --resume {folder}")
        raise
    except EcgkdError:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only where the recipe was refused before anything was written
        raise
    if any(one.synthetic for one in sets):
        from ecgkd.data.synthetic import SYNTHETIC_NOTICE

        metrics = {**metrics, "notice": SYNTHETIC_NOTICE}
    if is_first():
        emit({"run": str(folder), **metrics}, _describe(metrics, folder), as_json)


def _ablate(recipe: "Recipe", teacher: Path, resume: Path | None, out: Path, seeds: int, as_json: bool) -> None:
    from dataclasses import asdict

    from ecgkd.training.ablation import ablate, markdown
    from ecgkd.training.run_directory import new_folder

    protocol, sets = _inputs(recipe, resume)
    folder = resume or new_folder(out, f"{recipe.name}-ablation")
    recipe.save(folder / "recipe.toml")
    protocol.save(folder / "protocol.json")
    say(f"ablation: {folder}")
    try:
        with progress("ablation") as report:
            table = ablate(recipe, protocol, sets, folder, teacher, seeds, report)
    except KeyboardInterrupt:
        say(f"stopped; finished cells are kept, go on with: --resume {folder}")
        raise
    emit({"run": str(folder), "rows": [asdict(line) for line in table]}, markdown(table), as_json)


def _study_recipe(name: str, data: list[str] | None, overrides: list[str] | None, resume: Path | None) -> "Recipe":
    """Returns the recipe of a study, over one set. Its folds are made anew, so that no protocol file is named."""
    recipe = _recipe(name, data, None, overrides, resume)
    if len(recipe.data.sets) != 1:
        found = ", ".join(recipe.data.sets) or "none"
        raise UsageError(
            f"{recipe.name}: a study is of one set with activities; found {found}. Name it with --data SET"
        )
    return recipe


def _study(
    recipe: "Recipe",
    teacher: Path | None,
    start: Path | None,
    resume: Path | None,
    out: Path,
    folds: int,
    repeats: int,
    as_json: bool,
    dry_run: bool,
) -> None:
    from ecgkd.cli.load import open_sets
    from ecgkd.evaluation.dual_task_table import make_tables, markdown, write_tables
    from ecgkd.training.run_directory import new_folder
    from ecgkd.training.study import references, study, study_rows

    (one,) = open_sets(list(recipe.data.sets))
    rows = list(study_rows(recipe, teacher is not None, start))
    if dry_run:
        plan = {"dry_run": True, "recipe": recipe.to_dict(), "rows": rows, "trainings": len(rows) * folds * repeats + 1}
        emit(plan, f"{recipe.name}: {plan['trainings']} trainings; nothing written", as_json)
        return
    folder = resume or new_folder(out, f"{recipe.name}-study")
    recipe.save(folder / "recipe.toml")
    say(f"study: {folder}")
    try:
        with progress("study") as report:
            found = study(recipe, one, folder, teacher, start, folds, repeats, progress=report)
    except KeyboardInterrupt:
        say(f"stopped; finished cells are kept, go on with: --resume {folder}")
        raise
    found |= references(found["GradNorm"], one, {})
    document = make_tables(found, one)
    write_tables(document, folder)
    emit({"run": str(folder), **document}, markdown(document), as_json)


def register(app: typer.Typer) -> None:
    @app.command()
    def train(
        recipe: RecipeArgument,
        data: DataOption = None,
        protocol: ProtocolOption = None,
        settings: SetOption = None,
        resume: ResumeOption = None,
        out: OutOption = Path("runs"),
        study: Annotated[
            bool, typer.Option("--study", help="Both tasks of a DT4ECG recipe, alone and together, in folds of people.")
        ] = False,
        teacher: Annotated[Path | None, typer.Option("--teacher", help="Run to distil from, with --study.")] = None,
        start: Annotated[
            Path | None, typer.Option("--start", help="Run of the same network to begin two rows with, with --study.")
        ] = None,
        folds: Annotated[int, typer.Option("--folds", min=2, help="Groups of people left out, with --study.")] = 3,
        repeats: Annotated[int, typer.Option("--repeats", min=1, help="Partitions of the people, with --study.")] = 1,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Train a teacher, or a student on its own."""
        if study:
            plan = _study_recipe(recipe, data, settings, resume)
            _study(plan, teacher, start, resume, out, folds, repeats, as_json, dry_run)
            return
        if teacher is not None:
            raise UsageError(f"--teacher belongs to a study (--study) or to: ecgkd distill {recipe} --teacher RUN")
        chosen = _recipe(recipe, data, protocol, settings, resume)
        if chosen.loss.distils:
            raise UsageError(f"{chosen.name} distils; type: ecgkd distill {recipe} --teacher RUN")
        _run(chosen, None, resume, out, as_json, dry_run)

    @app.command()
    def distill(
        recipe: RecipeArgument,
        teacher: Annotated[Path, typer.Option("--teacher", help="Finished run of the teacher.")],
        activity_teacher: Annotated[
            Path | None,
            typer.Option("--activity-teacher", help="Run whose activity logits to learn, in place of the teacher's."),
        ] = None,
        data: DataOption = None,
        protocol: ProtocolOption = None,
        settings: SetOption = None,
        resume: ResumeOption = None,
        out: OutOption = Path("runs"),
        ablate: Annotated[bool, typer.Option("--ablate", help="Train with and without each term.")] = False,
        seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each row, with --ablate.")] = 3,
        as_json: JsonOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        """Teach a student what a teacher knows (THKD)."""
        chosen = _recipe(recipe, data, protocol, settings, resume)
        if not chosen.loss.distils:
            raise UsageError(f"{chosen.name} has no term of distillation; type: ecgkd train {recipe}")
        if ablate and activity_teacher is not None:
            raise UsageError("--ablate has one teacher; leave out --activity-teacher, or --ablate")
        if ablate and not dry_run:
            _ablate(chosen, teacher, resume, out, seeds, as_json)
        else:
            _run(chosen, teacher, resume, out, as_json, dry_run, activity_teacher)
