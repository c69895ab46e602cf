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
from ecgkd.names import Role
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.split import make
from ecgkd.record import Record
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
from ecgkd_bench.result import Record as Measured

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


@pytest.fixture
def write_run(tmp_path: Path, people: PreparedSet, protocol: Protocol, contract: Contract) -> WriteRun:
    """Gives a function that writes a finished run as the training does."""

    def write(
        name: str = "thkd_ci", role: str = "student", teacher: Path | None = None, synthetic: bool = False
    ) -> Path:
        folder = tmp_path / "demo" / "runs" / name / "20260101T000000Z"
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


def measured(precision: str, ms: float, clock: Clock = Clock.WALL) -> Measured:
    """Returns a benchmark record of one model."""
    state = State("performance", 1500.0, None)
    return Measured(
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


@pytest.fixture
def session() -> Callable[[Clock], Session]:
    """Gives `bench`, for tests that need another clock."""
    return bench


@pytest.fixture
def demo(tmp_path: Path, write_run: WriteRun, contract: Contract) -> Path:
    """A folder as `ecgkd demo` leaves it, without evaluation."""
    teacher = write_run("teacher_ci", "teacher")
    write_run("student_ci")
    write_run("thkd_ci", teacher=teacher)
    write_export(tmp_path / "demo" / "export", contract)
    (tmp_path / "demo" / "bench.json").write_text(bench().to_json())
    return tmp_path / "demo"
