"""`ecgkd enroll`, `ecgkd verify`, `ecgkd identify`: a gallery on this machine, with the watch's own decisions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, say

if TYPE_CHECKING:
    from ecgkd.cli.load import LoadedModel
    from ecgkd.contract import Contract
    from ecgkd.enrolment.gallery import Gallery
    from ecgkd.record import Record

GalleryArgument = Annotated[Path, typer.Argument(metavar="GALLERY", help="The gallery file.")]
FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Recordings of one person: files, or SET#RECORD.")
]
PersonOption = Annotated[str, typer.Option("--person", metavar="NAME", help="Whose recordings they are said to be.")]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="A run or artefact; else the gallery's or the shipped one."),
]
FsOption = Annotated[float | None, typer.Option("--fs", metavar="HZ", help="Sampling rate, if the file has none.")]
LeadOption = Annotated[str | None, typer.Option("--lead", metavar="LEAD", help="Lead to use; else the first.")]
UnitOption = Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="Unit of the samples in a CSV file.")]


def _read(files: list[str], fs: float | None, lead: str | None, unit: str | None) -> "list[Record]":
    from ecgkd.data.read import read_recording

    return [read_recording(file, fs=fs, lead=lead, unit=unit) for file in files]


def _load(gallery: "Gallery | None", model: str | None) -> "tuple[LoadedModel, str]":
    """Returns the model and how the gallery shall name it: "" for the one that ecgkd brings."""
    from ecgkd.cli.load import load_model, shipped_model
    from ecgkd.errors import UsageError

    if model is None and gallery is not None and gallery.model_path:
        if not Path(gallery.model_path).exists():
            raise UsageError(f"the gallery's model {gallery.model_path} is gone; name it with --model")
        model = gallery.model_path
    if model is None:
        return load_model(shipped_model()), ""
    found = load_model(model)
    return found, str(found.path.resolve())


def _warn(contract: "Contract", notes: tuple[str, ...]) -> None:
    for note in notes:
        say(f"note: {note}")
    threshold = contract.threshold
    if threshold is not None:
        say(
            f"threshold {threshold.value:.3f} ({threshold.kind}): set for a false match rate of {threshold.fmr:.2g} "
            f"(upper 95 % bound {threshold.fmr_upper:.2g}) on {threshold.n_subjects} {threshold.population} people",
            level=1,
        )


def _enroll(
    gallery: GalleryArgument,
    person: PersonOption,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="Recordings of one person: files, or SET#RECORD.")
    ] = None,
    model: ModelOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of an older template.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the person out of the gallery; no FILE.")] = False,
    fs: FsOption = None,
    lead: LeadOption = None,
    unit: UnitOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Enrol a person: about half a minute, better from two placements. Exit 0 enrolled, 1 refused with reasons."""
    from ecgkd.enrolment.enrol import enrol_person
    from ecgkd.enrolment.gallery import Gallery, store
    from ecgkd.errors import UsageError

    if bool(files) == remove:
        raise UsageError("--remove takes no recording" if remove else "no recording given; name a file, or SET#RECORD")
    if remove:
        _remove(gallery, person, dry_run, as_json)
        return
    known = Gallery.load(gallery) if gallery.exists() else None
    if known is not None:
        known.check_name(person, replace)  # said before anything slow begins
    records = _read(files or [], fs, lead, unit)
    network, model_path = _load(known, model)
    known = known or Gallery.empty(network.contract, model_path)
    report = enrol_person(known, person, records, network, replace=replace)
    if report.entry is not None and not dry_run:
        known = store(gallery, network.contract, model_path, person, report.entry, replace=replace)
    document = {
        "gallery": str(gallery),
        "model": network.name,
        "dry_run": dry_run,
        "people": len(known.people),
        **report.to_dict(),
    }
    emit(document, report.in_words() + (" (dry run: nothing written)" if dry_run and report.enrolled else ""), as_json)
    _warn(network.contract, report.notes)
    if not report.enrolled:
        raise typer.Exit(1)


def _remove(gallery: Path, person: str, dry_run: bool, as_json: bool) -> None:
    from ecgkd.enrolment.gallery import Gallery, forget

    known = Gallery.load(gallery)
    known.person(person)
    left = len(known.people) - 1 if dry_run else len(forget(gallery, person).people)
    document = {"gallery": str(gallery), "person": person, "removed": not dry_run, "dry_run": dry_run, "people": left}
    words = "would be removed from" if dry_run else "removed from"
    emit(document, f"{person} {words} {gallery}; enrolled still: {left}", as_json)


def _verify(
    gallery: GalleryArgument,
    files: FilesArgument,
    person: PersonOption,
    model: ModelOption = None,
    fs: FsOption = None,
    lead: LeadOption = None,
    unit: UnitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether recordings are of the person: exit 0 accepted, 1 refused or no decision."""
    from ecgkd.enrolment.gallery import Gallery
    from ecgkd.enrolment.verify import verify_person

    known = Gallery.load(gallery)
    known.person(person)  # an unknown name is said before anything slow begins
    records = _read(files, fs, lead, unit)
    network, _ = _load(known, model)
    report = verify_person(known, person, records, network)
    emit({"gallery": str(gallery), "model": network.name, **report.to_dict()}, report.in_words(), as_json)
    _warn(network.contract, report.notes)
    if not report.accepted:
        raise typer.Exit(1)


def _identify(
    gallery: GalleryArgument,
    files: FilesArgument,
    model: ModelOption = None,
    fs: FsOption = None,
    lead: LeadOption = None,
    unit: UnitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whose recordings these are, if anyone's: exit 0 identified, 1 nobody or no decision."""
    from ecgkd.enrolment.gallery import Gallery
    from ecgkd.enrolment.identify import identify_person

    known = Gallery.load(gallery)
    records = _read(files, fs, lead, unit)
    network, _ = _load(known, model)
    report = identify_person(known, records, network)
    emit({"gallery": str(gallery), "model": network.name, **report.to_dict()}, report.in_words(), as_json)
    _warn(network.contract, report.notes)
    if report.person is None:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    app.command("enroll")(_enroll)
    app.command("verify")(_verify)
    app.command("identify")(_identify)
