"""`ecgkd data …`: list, download, prepare, info, synth."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ecgkd.cli.output import DryRunOption, JsonOption, emit, progress, say
from ecgkd.errors import UsageError

if TYPE_CHECKING:
    from ecgkd.data.catalogue import Corpus
    from ecgkd.data.download import Download
    from ecgkd.data.prepare import Plan, Prepared

data = typer.Typer(help="Recordings: what is known, download, prepare, look at, synthesise.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(data, name="data")


def _columns(text: str | None) -> tuple[tuple[str, str], ...]:
    """Returns (field, column) of `file=filename_lr,subject=patient_id`. Raises: UsageError."""
    fields = ("file", "subject", "session", "date", "day", "activity", "lead")
    pairs = []
    for part in (text or "").split(",") if text else []:
        name, _, column = part.partition("=")
        if name.strip() not in fields or not column.strip():
            raise UsageError(f"--columns {text!r}: expected FIELD=COLUMN,… where a field is one of {', '.join(fields)}")
        pairs.append((name.strip(), column.strip()))
    return tuple(pairs)


@data.command("list")
def list_sets(
    name: Annotated[str | None, typer.Argument(help="Tell everything about this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which sets of recordings are known, what for, and how to get and cite them."""
    from dataclasses import asdict

    from ecgkd.data.catalogue import CATALOGUE, find_corpus
    from ecgkd.data.download import address

    def public(corpus: "Corpus") -> dict[str, Any]:
        fields = asdict(corpus)
        del fields["rule"], fields["offer"]
        where = {"address": address(corpus)} if corpus.downloadable else {}
        return {**fields, "cite": corpus.citation, "downloadable": corpus.downloadable, **where}

    if name is not None:
        about = public(find_corpus(name))
        emit(
            about,
            "\n".join(f"{key:<13}{value}" for key, value in about.items() if value not in ("", None, ())),
            as_json,
        )
        return
    rows = [f"{'name':<11} {'people':>7}  {'Hz':<11} {'licence':<11} for"]
    for corpus in CATALOGUE:
        count = corpus.people.split(",")[0] if not corpus.people[0].isdigit() else corpus.people.split(", ")[0]
        licence = corpus.licence.split(" ")[0] if corpus.licence[0].isupper() else "-"
        use = corpus.use.split(";")[0]
        rows.append(f"{corpus.key:<11} {count:>7}  {corpus.fs:<11} {licence:<11} {use}")
    here = ", ".join(corpus.key for corpus in CATALOGUE if corpus.downloadable)
    rows.append(f"\n`ecgkd data download NAME` brings: {here}. `ecgkd data list NAME` tells traps and citation.")
    emit({"sets": [public(corpus) for corpus in CATALOGUE]}, "\n".join(rows), as_json)


@data.command()
def download(
    name: Annotated[str, typer.Argument(help="A set of `ecgkd data list`.")],
    out: Annotated[Path | None, typer.Option(help="Folder for its files [default: NAME].")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only files like this, such as 'records100/*'; may repeat.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="The set's archive, fetched by hand: it is checked and unpacked.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Mirror to use instead (for PhysioNet's sets also ECGKD_PHYSIONET).")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Files fetched at once.")] = 4,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a set from PhysioNet or its publisher: checked, and resumed where it stopped when asked again."""
    from ecgkd.data.catalogue import find_corpus
    from ecgkd.data.download import Fetching, address, download

    corpus = find_corpus(name)
    folder = out or Path(corpus.key)
    if corpus.downloadable:
        say(f"{corpus.name}: licence {corpus.licence}{f'; {corpus.terms}' if corpus.terms else ''}")
    with progress(corpus.key) as tell:
        done = download(
            corpus,
            folder,
            base_url=base_url,
            how=Fetching(jobs=jobs),
            only=only or (),
            dry_run=dry_run,
            given=source,
            progress=tell,
        )
    where = address(corpus, base_url)
    about = {
        "set": corpus.key,
        "folder": str(folder),
        "address": where,
        "files": done.files,
        "present": done.present,
        "fetched": len(done.fetched),
        "missing": done.missing,
        "unpacked": done.unpacked,
        "sha256": done.sha256,
        "first": done.first,
        "bytes": done.received,
        "notes": done.notes,
        "dry_run": dry_run,
        "licence": corpus.licence,
        "terms": corpus.terms,
        "cite": corpus.citation,
    }
    emit(about, _download_text(corpus, done, dry_run, where), as_json)


def _download_text(corpus: "Corpus", done: "Download", dry_run: bool, where: str) -> str:
    if dry_run:
        count = f"{done.files - done.present} of {done.files} files ({corpus.size})"
        return f"would bring {count} from {where} into {done.folder}"
    lines = [
        f"{done.folder}: {done.files} files, {len(done.fetched)} fetched ({done.received / 1e6:.1f} MB), "
        f"{done.present} were there"
    ]
    if done.unpacked:
        lines.append(f"{len(done.unpacked)} recordings unpacked; the archive is not needed any more")
    if done.missing:
        lines.append(f"{len(done.missing)} are not on the server, such as {done.missing[0]}")
    lines += done.notes
    lines += [f"sha256 {digest}  {name}" for name, digest in list(done.sha256.items())[:3]]
    if len(done.sha256) > 3:
        lines.append(f"… and {len(done.sha256) - 3} more in {done.folder / 'SHA256SUMS.txt'}")
    if done.first:
        lines.append(
            "the publisher gives no checksums: this was the first time, nothing could be compared; the next download "
            "is compared with it"
        )
    elif done.sha256:
        lines.append("the publisher gives no checksums: the same as the first time")
    lines.append(f"licence {corpus.licence}{f'; {corpus.terms}' if corpus.terms else ''}; cite {corpus.citation}")
    return "\n".join([*lines, f"next: ecgkd data prepare {done.folder} --out {corpus.key}.npz"])


def _plan_text(todo: "Plan") -> tuple[dict[str, Any], str]:
    rows = [
        {"record": source.name, "subject": source.subject, "session": session, "day": day, "activity": source.activity}
        for source, (session, day) in zip(todo.sources, todo.sittings)
    ]
    people = len({source.subject for source in todo.sources})
    text = f"would read {len(rows)} recordings of {people} people:\n" + "\n".join(
        f"  {row['record']}: {row['subject']}, session {row['session']}, day {row['day']}, {row['activity'] or '-'}"
        for row in rows[:20]
    )
    return {"dry_run": True, "records": rows}, text + (f"\n  … and {len(rows) - 20} more" if len(rows) > 20 else "")


def _prepared_text(done: "Prepared") -> str:
    lines = [
        f"{done.path}: {done.n_records} recordings of {done.n_subjects} people, {done.hours:.2f} hours, "
        f"{done.fs:g} Hz, leads {', '.join(done.leads)}"
    ]
    if done.resumed:
        lines.append(f"{done.resumed} recordings were done by an interrupted run")
    if done.duplicates:
        lines.append(f"{len(done.duplicates)} exact copies left out:")
        lines += [f"  {name} is {other}" for name, other in done.duplicates[:10]]
    if done.skipped:
        lines.append(f"{len(done.skipped)} recordings skipped:")
        lines += [f"  {name}: {why}" for name, why in done.skipped[:10]]
    if max(len(done.duplicates), len(done.skipped)) > 10:
        lines.append("  … (--json lists all)")
    if done.undated:
        lines.append(
            f"{done.undated} people have several recordings without session or date: all count as session 1, so they "
            "are no evidence across sessions"
        )
    return "\n".join([*lines, f"next: ecgkd data info {done.path}"])


@data.command()
def prepare(
    src: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    out: Annotated[Path, typer.Option(help="Where to: SET.npz, or a folder of shards for what exceeds memory.")],
    table: Annotated[
        Path | None, typer.Option(help="CSV with file, subject and, where known, session, date or day, activity, lead.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="Rule of file names: '{subject}/{session}_{activity}', or a regular expression.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Other names of columns: 'file=path,subject=who'.")] = None,
    known_as: Annotated[str | None, typer.Option("--as", help="SRC is this set of `ecgkd data list`.")] = None,
    lead: Annotated[str | None, typer.Option(help="Lead, or leads separated by commas [default: all].")] = None,
    fs: Annotated[float | None, typer.Option(help="Sampling rate in Hz, for files that do not say.")] = None,
    unit: Annotated[str | None, typer.Option(help="uV, mV or V, for files that do not say.")] = None,
    on_bad: Annotated[
        Literal["stop", "skip"], typer.Option(help="What to do with a recording that is unfit.")
    ] = "stop",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that read [default: as fits].")] = None,
    name: Annotated[str | None, typer.Option(help="What the set is called in reports.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the recordings.")] = None,
    cite: Annotated[str | None, typer.Option(help="How to cite them.")] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a folder of recordings (WFDB, EDF, BDF, MAT, NPZ, CSV) into a prepared set."""
    from dataclasses import asdict

    from ecgkd.data.prepare import Options, plan, prepare

    said = {"name": name, "licence": licence, "cite": cite}
    options = Options(
        table=table,
        pattern=pattern,
        columns=_columns(columns),
        known_as=known_as,
        lead=lead,
        fs=fs,
        unit=unit,
        on_bad=on_bad,
        workers=workers,
        info={key: value for key, value in said.items() if value is not None},
    )
    with progress(src.name) as tell:
        if dry_run:
            about, text = _plan_text(plan(src, options, tell))
        else:
            done = prepare(src, out, options, tell)
            about, text = {**asdict(done), "path": str(done.path)}, _prepared_text(done)
    emit(about, text, as_json)


@data.command()
def info(
    ref: Annotated[str, typer.Argument(metavar="SET", help="A prepared set, SET#RECORD, or a recording file.")],
    verify: Annotated[bool, typer.Option("--verify", help="Read all samples again and compare their hash.")] = False,
    fs: Annotated[float | None, typer.Option(help="For a recording file: Hz.")] = None,
    lead: Annotated[str | None, typer.Option(help="For a recording: lead or leads.")] = None,
    unit: Annotated[str | None, typer.Option(help="For a recording file: uV, mV or V.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is in a prepared set or a recording: people, sessions, days, hours, quality, licence."""
    from ecgkd.data.info import describe_record, describe_set, record_text, set_text
    from ecgkd.data.prepared import is_set, open_set
    from ecgkd.data.read import read_recording
    from ecgkd.errors import DataError

    if not is_set(ref) and ("#" in ref or os.path.isfile(ref) or os.path.isfile(f"{ref}.hea")):
        about = describe_record(read_recording(ref, fs=fs, lead=lead, unit=unit))
        emit(about, record_text(about), as_json)
        return
    found = open_set(ref)
    if verify and found.compute_sha256() != found.sha256:
        raise DataError(f"{ref}: its samples are not those that were written; copy or prepare the set again")
    about = describe_set(found)
    emit(about, set_text(about), as_json)


@data.command()
def synth(
    out: Annotated[Path, typer.Option(help="Where to: SET.npz, or a folder of shards.")],
    people: Annotated[int, typer.Option(min=1, help="How many synthetic people.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other people.")] = 0,
    activities: Annotated[
        str, typer.Option(help="What they do while they are recorded, such as rest,walking,jogging.")
    ] = "rest",
    leads: Annotated[int, typer.Option(min=1, max=3, help="1: lead I; 2: I and II; 3: I, II and III.")] = 1,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make recordings of synthetic people, as hard to tell apart as real ones: proves plumbing, not quality."""
    from ecgkd.data.prepared import open_set, write_set
    from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
    from ecgkd.data.write import is_npz

    config = SynthConfig(people=people, seed=seed, activities=tuple(activities.split(",")), leads=leads)
    is_npz(out)
    about: dict[str, Any] = {"set": str(out), "people": people, "seed": seed, "records": config.n_records}
    if dry_run:
        emit(
            {**about, "dry_run": True},
            f"would write {config.n_records} recordings of {people} people to {out}",
            as_json,
        )
        return
    with progress("synthetic people") as tell:
        write_set(out, synthesise(config, tell), synthetic_info(config))
    about["sha256"] = open_set(out).sha256
    say("synthetic: proves plumbing, not biometric quality")
    emit(
        about,
        f"{out}: {config.n_records} recordings of {people} synthetic people\nnext: ecgkd data info {out}",
        as_json,
    )
