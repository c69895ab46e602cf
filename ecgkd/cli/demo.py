"""`ecgkd demo`: every verb in turn on synthetic people."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ecgkd.cli.output import JsonOption, emit
from ecgkd.cli.walk import Walk

TITLES = ("teacher", "student alone", "student, distilled")
EER_TITLE = "Equal error rate on people no network ever saw, another day, in % (95 % interval over people):"


def _run_name(run: str) -> str:
    return "/".join(Path(run).parts[-2:])


def _train_all(walk: Walk, out: Path, people: str, protocol: str) -> dict[str, str]:
    """Returns run folders of the teacher, the student alone and the distilled student."""
    where = ("--data", people, "--protocol", protocol, "--out", str(out / "runs"))
    teacher = walk.run("A teacher learns to tell people apart", "train", "teacher_ci", *where)["run"]
    alone = walk.run("A small student learns alone: the baseline of every claim", "train", "student_ci", *where)["run"]
    student = walk.run(
        "The same student learns from the teacher (THKD)", "distill", "thkd_ci", "--teacher", teacher, *where
    )["run"]
    return {"teacher": teacher, "alone": alone, "student": student}


def _say_who(walk: Walk, out: Path, people: str, model: str) -> dict[str, dict[str, Any]]:
    """Enrols one person the networks never saw, then lets that person and a stranger try."""
    from ecgkd.data.prepared import open_set
    from ecgkd.protocols.split import population

    known = open_set(people)
    names = [str(s) for s in dict.fromkeys(known.subject.tolist()) if population(str(s)) == "locked"]
    owner, stranger = names[0], names[1]

    def recordings(person: str, session: int) -> list[str]:
        rows = [i for i in range(len(known)) if known.subject[i] == person and known.session[i] == session]
        return [f"{people}#{known.record[i]}" for i in rows]

    gallery = str(out / "gallery.json")
    who = ("--person", owner)
    walk.run("A new owner is enrolled, no retraining", "enroll", gallery, *who, "--model", model, *recordings(owner, 1))
    mine = walk.run("The owner, weeks later", "verify", gallery, *who, *recordings(owner, 2)[:1])
    other = walk.run("Somebody else", "verify", gallery, *who, *recordings(stranger, 2)[:1])
    return {"owner": mine, "stranger": other}


def run_demo(app: typer.Typer, out: Path, people: int) -> dict[str, Any]:
    """Runs the whole path on synthetic people into `out` and returns a summary."""
    began = time.monotonic()
    walk = Walk(app)
    data, protocol = str(out / "people.npz"), str(out / "protocol.json")
    walk.run(
        "Synthetic people, as hard to tell apart as real ones", "data", "synth", "--out", data, "--people", str(people)
    )
    walk.run(
        "Who trains, who tunes, who tests",
        "protocol",
        "make",
        data,
        "--kind",
        "cross-session",
        "--include-locked",
        "--out",
        protocol,
    )
    runs = _train_all(walk, out, data, protocol)
    given = ("--data", data, "--protocol", protocol)
    evaluation = walk.run(
        "Evidence on people the networks never saw", "evaluate", *runs.values(), *given,
        "--out", str(out / "evaluation"), "--bootstrap", "500",
    )  # fmt: skip
    # The int8 of TFLite asks more of a network than a few epochs give; its gate might end the demo.
    to = ("--formats", "onnx,ort", "--out", str(out / "export"))
    export = walk.run("int8 for the watch, behind gates", "export", runs["student"], "--int8", *given, *to)
    artefacts = sorted(str(path) for path in (out / "export").glob("*.onnx"))
    bench = walk.run("Latency and memory here", "bench", runs["student"], *artefacts, "--out", str(out / "bench.json"))
    int8 = next(path for path in artefacts if path.endswith("int8.onnx"))
    decisions = _say_who(walk, out, data, int8)
    report = walk.run("One page that shows it all", "report", str(out), "--out", str(out / "report.html"))
    return {
        "steps": walk.steps,
        "seconds": round(time.monotonic() - began, 1),
        "runs": runs,
        "evaluation": evaluation,
        "export": export,
        "bench": bench,
        "decisions": decisions,
        "report": report["report"],
        "artefact": int8,
    }


def _closing(summary: dict[str, Any]) -> str:
    """Returns what came of it, in words for somebody who sees ecgkd for the first time."""
    from ecgkd.data.synthetic import SYNTHETIC_NOTICE

    outcomes = {one["model"]: one for one in summary["evaluation"]["outcomes"] if one["row"].endswith("s1-s2.locked")}
    names = {_run_name(run): title for run, title in zip(summary["runs"].values(), TITLES, strict=True)}
    lines = [f"Done in {summary['seconds'] / 60:.1f} minutes. {SYNTHETIC_NOTICE.capitalize()}.", "", EER_TITLE]
    for model, one in outcomes.items():
        eer = one["cells"][-2]["eer"]
        span = "" if eer["low"] is None else f"   [{100 * eer['low']:.1f} to {100 * eer['high']:.1f}]"
        lines.append(f"  {names.get(model, 'baseline: ' + model):32} {100 * eer['value']:5.1f}{span}")
    lines += ["", "What it costs on this machine, one window (4 s of signal), one thread:"]
    for record in summary["bench"]["records"]:
        latency, size = record["latency"], record["memory"]["file_bytes"]
        lines.append(f"  {record['model']['name']:32} {latency['p50']:6.2f} ms   {size / 1000:.0f} kB")
    owner, stranger = summary["decisions"]["owner"], summary["decisions"]["stranger"]
    lines += [
        "",
        "A new owner was enrolled without training. "
        f"Weeks later: {owner['decision']}. A stranger: {stranger['decision']}.",
        "",
        f"Report:   {summary['report']}   (open it in a browser)",
        f"Artefact: {summary['artefact']}",
        'Next:     your own recordings; see README.md, "With your own recordings"',
    ]
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
        people: Annotated[int, typer.Option(min=40, help="Synthetic people.")] = 60,
        as_json: JsonOption = False,
    ) -> None:
        """Do everything once, on synthetic people, in minutes."""
        summary = run_demo(app, out, people)
        emit(summary, "\n" + _closing(summary), as_json)
