"""What the verbs leave behind, in small: runs, protocol, artefacts and benchmark of people that are noise."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgkd.config import DataConfig, Recipe
from ecgkd.contract import Contract, Threshold
from ecgkd.data.prepared import PreparedSet, open_set
from ecgkd.data.write import write_set
from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.results import (
    Cell,
    Curves,
    Difference,
    Disturbed,
    Evaluation,
    Histogram,
    Identification,
    Outcome,
    Verification,
)
from ecgkd.evaluation.results import Model as Evaluated
from ecgkd.names import Role
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.split import make
from ecgkd.record import Record
from ecgkd.report.collect import collect
from ecgkd.report.page import render
from ecgkd.report.sections import make_page
from ecgkd.signal.chain import definition
from ecgkd_bench.result import (
    Backend,
    Clock,
    Device,
    Latency,
    Memory,
    Model,
    Ratio,
    Session,
    State,
    Threads,
    WarmUp,
)
from ecgkd_bench.result import Record as Benched

FS = 100
GATES = {
    "verdict": "failed",
    "failed": ["output_parity"],
    "forced": True,
    "structure": {"result": "passed", "problems": [], "int8_kernels": 26, "weighted": 26},
    "output_parity": {
        "result": "failed",
        "cosine_mean": 0.98765,
        "cosine_min": 0.8,
        "max_abs": 0.1,
        "cosine_mean_floor": 0.995,
        "cosine_min_floor": 0.9,
    },
    "biometric": {
        "result": "undecided",
        "why": "too few people: 11 people",
        "counts": False,
        "people": 11,
        "genuine": 77,
        "eer_float": 0.1,
        "eer": 0.1023,
        "delta_eer": 0.0023,
        "delta_eer_ci95": [-0.0026, 0.0072],
        "fmr_float": 0.01,
        "fmr": 0.012,
        "fnmr_float": 0.2,
        "fnmr": 0.21,
        "genuine_flips": 0.0,
        "impostor_flips": 0.004,
    },
}


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """24 people of noise in two sessions."""
    path = tmp_path_factory.mktemp("set") / "people.npz"
    records = []
    for person in range(24):
        for session, day in enumerate((0, 30), 1):
            signal = np.random.default_rng([person, session]).normal(0, 300, (1, 13 * FS)).astype(np.float32)
            records.append(
                Record(signal, FS, ("I",), f"p{person:02}/s{session}", f"p{person:02}", session, day, "rest")
            )
    write_set(path, records, {"name": "people", "licence": "CC0-1.0"})
    return open_set(path)


@pytest.fixture(scope="session")
def protocol(people: PreparedSet) -> Protocol:
    return make("cross-session", [people])


@pytest.fixture(scope="session")
def contract(protocol: Protocol) -> Contract:
    return Contract(
        model="deit_nano",
        precision="fp32",
        inputs=(),
        outputs=(),
        embedding_size=192,
        front_end=definition(),
        weights_sha256="0" * 64,
        embedding_space="torch's",
        versions={"ecgkd": "0.1.0", "torch": "2.13.0"},
        threshold=Threshold("as_norm", 2.5, 6, 3, 0.01, 0.03, 0.12, 11, 55, "development"),
        protocol_sha256=protocol.sha256,
        data_sha256=dict(protocol.sets),
        trained_on="people: 15 people, 30 recordings (CC0 <b>1.0</b>)",
    )


WriteRun = Callable[..., Path]


@pytest.fixture(scope="session")
def write_run(people: PreparedSet, protocol: Protocol, contract: Contract) -> WriteRun:
    """Gives a function that writes a finished run into a folder as the training does."""

    def write(
        root: Path, name: str = "thkd_ci", role: str = "student", teacher: Path | None = None, synthetic: bool = False
    ) -> Path:
        folder = root / "runs" / name / "20260101T000000Z"
        folder.mkdir(parents=True)
        Recipe(name, Role(role), DataConfig(sets=(str(people.path),))).save(folder / "recipe.toml")
        protocol.save(folder / "protocol.json")
        metrics = {"recipe": name, "role": role, "model": "deit_nano", "distilled": teacher is not None}
        metrics |= {"teacher": teacher and str(teacher), "people": 15, "windows": 90}
        metrics |= {"parameters": 217216, "macs": 5757952, "epochs": 2, "best_epoch": 2, "seconds": 12.0}
        metrics |= {"development_eer": {"people.s1-s2": 0.2, "mean": 0.2}}
        environment = {"started": "2026-01-01T00:00:00+00:00", "platform": "Linux", "device": "cpu", "threads": 1}
        trained = replace(contract, synthetic=synthetic).to_dict()
        parts = {"metrics": metrics, "environment": environment, "classes": ["p00"], "contract": trained}
        for part, document in parts.items():
            (folder / f"{part}.json").write_text(json.dumps(document))
        (folder / "weights.safetensors").write_bytes(b"")
        (folder / "history.csv").write_text("epoch,ce,triplet,eer.mean\n1,4,,0.3\n2,3,0.5,0.2\n")
        return folder

    return write


def sidecar(contract: Contract, name: str, content: bytes, gates: dict[str, Any]) -> str:
    """Returns what stands beside an artefact of these bytes."""
    file = {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "graph_sha256": "1"}
    return json.dumps({**replace(contract, precision="int8", gates=gates).to_dict(), "file": file})


def write_export(folder: Path, contract: Contract) -> None:
    """Writes an int8 artefact that failed a gate and was forced."""
    folder.mkdir(parents=True)
    name = "deit_nano_4s_250hz_int8.onnx"
    (folder / name).write_bytes(bytes(2000))
    (folder / f"{name}.json").write_text(sidecar(contract, name, bytes(2000), GATES))


def measured(precision: str, ms: float, clock: Clock = Clock.WALL) -> Benched:
    """Returns a benchmark record of one model."""
    state = State("performance", 1500.0, None)
    return Benched(
        model=Model(f"net_{precision}.onnx", "onnx", precision, "0" * 64),
        device=Device("pi", "Cortex-A72", 4, ("asimd",), 10**9, "Linux", "aarch64", "local", state, state),
        clock=clock,
        backend=Backend("onnxruntime", "onnxruntime CPU", "1"),
        threads=Threads(1, 1, 4),
        warm_up=WarmUp(30, 1.0, True),
        latency=Latency("ms", (ms,), 1, 1, ms, ms, ms, ms, ms, 0.0, (0.9 * ms, 1.1 * ms)),
        load_seconds=0.01,
        memory=Memory(2000, 10**7, 10**6, 9 * 10**6, None),
        operators=None,
    )


def bench(clock: Clock = Clock.WALL) -> Session:
    """Returns a session of a float and an int8 model."""
    records = (measured("fp32", 0.8, clock), measured("int8", 0.2, clock))
    return Session("2026-01-01T00:00:00", records, (Ratio("net_int8.onnx", "net_fp32.onnx", 0.25, (0.24, 0.26)),))


def outcome(model: str, eer: float, row: str = "people.s1-s2", population: str = "development") -> Outcome:
    """Returns what a model did on a row: 5 people, the EER given, a TAR that may be claimed and one that may not."""
    baseline = model in ("correlation", "LDA")
    figures = Measured(eer, eer / 2, 2 * eer), {"0.01": Measured(0.9, 0.8, 1.0), "0.001": None}
    cells = [
        Cell(k, 3, "cosine", gated, *figures, {"0.001": "not claimed: 10 pairs"}, Measured(0.8), 5, 5, 40, 160, 10)
        for k, gated in ((1, False), (6, False), (6, True))
    ]
    below = [replace(cell, below_baseline=not baseline and eer > 0.05) for cell in cells]
    checked = Verification("cosine", 6, 3, 0.5, Measured(0.01), Measured(0.2), Measured(0.3, 0.2, 0.4), 0.25, 0.2, True)
    bins = [(0.2, 0.3, 10), (0.8, 0.7, 10)]
    return Outcome(
        model=model,
        baseline=baseline,
        row=row,
        population=population,
        kind="same-day" if "day" in row else "cross-session",
        evidence="test: unseen people" if population == "locked" else "selection: choices were made on these people",
        leaky=False,
        score="cosine",
        cells=tuple(below),
        verification=None if baseline else checked,
        identification=Identification(0.1, 0.5, 0.3, 0.05, False, bins),
        curves=Curves(
            det={"fmr": [1.0, 0.1, 0.0], "fnmr": [0.0, 0.1, 1.0]},
            cmc=[0.8, 0.9, 1.0],
            scores=Histogram([-1.0, 0.0, 1.0], [0.1, 0.9], [0.9, 0.1]),
            enrolment=[(1, 0.2), (6, eer)],
            rejection=[(0.0, 0.2), (0.5, 0.1)],
            per_person=[0.0, 0.0, 0.0, 0.1, 0.5],
        ),
    )


RUN = "thkd_ci/20260101T000000Z"


def evaluation() -> Evaluation:
    """Returns the student of the demo beside both baselines, on one row of development and one of locked people."""
    models = [("LDA", 0.05), (RUN, 0.1), ("correlation", 0.2)]
    rows = (("people.day", "development"), ("people.s1-s2", "locked"))
    return Evaluation(
        protocol="cross-session people",
        protocol_sha256="2" * 64,
        sets={"people": "3" * 64},
        models=tuple(Evaluated(name, name != RUN, note="trained elsewhere" * (name == "LDA")) for name, _ in models),
        outcomes=tuple(outcome(name, eer, *row) for row in rows for name, eer in models),
        differences=(Difference("people.s1-s2", RUN, "LDA", Measured(0.05, 0.01, 0.1)),),
        replicates=300,
        gate={"people.s1-s2": {"enrol": 0.0, "probe": 0.015}},
        robustness=(Disturbed("people.s1-s2", RUN, "noise em", "a record", 12.0, 0.2),),
    )


@pytest.fixture
def session() -> Callable[[Clock], Session]:
    """Gives `bench`, for tests that need another clock."""
    return bench


@pytest.fixture(scope="session")
def write_demo(write_run: WriteRun, contract: Contract) -> Callable[[Path], Path]:
    """Gives a function that writes a folder as `ecgkd demo` leaves it, without evaluation."""

    def write(root: Path) -> Path:
        teacher = write_run(root, "teacher_ci", "teacher")
        write_run(root, "student_ci")
        write_run(root, "thkd_ci", teacher=teacher)
        write_export(root / "export", contract)
        (root / "bench.json").write_text(bench().to_json())
        return root

    return write


def write_evaluation(root: Path) -> Path:
    """Writes an evaluation into a demo's folder."""
    (root / "evaluation").mkdir()
    (root / "evaluation" / "results.json").write_text(json.dumps(evaluation().to_dict()))
    return root


@pytest.fixture
def demo(tmp_path: Path, write_demo: Callable[[Path], Path]) -> Path:
    """A folder as `ecgkd demo` leaves it, without evaluation."""
    return write_demo(tmp_path / "demo")


@pytest.fixture
def evaluated(demo: Path) -> Path:
    """The same with its evaluation."""
    return write_evaluation(demo)


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory, write_demo: Callable[[Path], Path]) -> str:
    """The page of all that."""
    return render(make_page(collect(write_evaluation(write_demo(tmp_path_factory.mktemp("page") / "demo")))))
