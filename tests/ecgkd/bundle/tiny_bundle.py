"""A bundle with one small network in C, made in a second: golden recordings go through it as through a real one."""

from functools import lru_cache
from pathlib import Path

from ecgkd.bundle import golden
from ecgkd.bundle.archive import write_archive
from ecgkd.bundle.artefacts import decision_files
from ecgkd.bundle.manifest import MANIFEST, manifest_of
from ecgkd.bundle.open_artefact import open_everywhere
from ecgkd.bundle.pack import DECISION, MODELS
from ecgkd.contract import METADATA_KEY, Contract, ScoreCalibration, Threshold, embedding_space_id
from ecgkd.enrolment.decision import constants_of
from ecgkd.files import canonical_json
from ecgkd.signal.chain import definition, definition_sha256
from ecgkd_export.c99.emit import emit
from ecgkd_export.firmware_dir import firmware_dir
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.graph_hash import graph_sha256
from tests.export.c99.nets import Net

NAME = "tiny_4s_250hz_int8"


def _graph() -> Graph:
    net = Net((1, 1, 1000), zero_point=0)
    x = net.same(Kind.RESHAPE, net.input, (25, 40))
    x = net.layer(Kind.FULLY_CONNECTED, x, (32, 40), (25, 32), activation="relu")
    x = net.op(Kind.MEAN, (x,), (1, 32), axes=(0,), keep=True)
    return net.graph(net.op(Kind.L2_NORM, (net.layer(Kind.FULLY_CONNECTED, x, (24, 32), (1, 24)),), (1, 24)))


@lru_cache
def tiny_members() -> dict[str, bytes]:
    """Returns the members without a manifest."""
    graph = _graph()
    contract = Contract(
        model="tiny",
        precision="int8",
        inputs=(),
        outputs=(),
        embedding_size=24,
        front_end=definition(),
        weights_sha256="of the weights",
        embedding_space=embedding_space_id("int8", graph_sha256(graph), definition_sha256()),
        threshold=Threshold("cosine", 0.98, 6, 3, 0.01, 0.02, 0.05, 10, 45, "development"),
        calibration=ScoreCalibration(100.0, -98.0, 0.6, "cosine"),
        gates={"verdict": "passed", "biometric": {"result": "passed"}},
    )
    sources = emit(graph, name=NAME, metadata={METADATA_KEY: contract.to_json()}, space=contract.embedding_space)
    files = {f"{NAME}.c": sources.source, f"{NAME}.h": sources.header, **decision_files(contract, f"{NAME}.c")}
    _, model = next(open_everywhere(f"{NAME}.c", files, contract))
    assert not isinstance(model, str), model
    recordings = golden.choose(model)
    members = {f"{MODELS}/{place}": content for place, content in files.items()}
    members[f"{MODELS}/{NAME}.c.json"] = canonical_json(contract.to_dict())
    members[DECISION] = canonical_json({"model": contract.model, **constants_of(contract).to_dict()})
    members |= golden.golden_members(recordings, {f"{NAME}.c": golden.outcome(model, recordings)})
    root = firmware_dir()
    library = [
        path
        for folder in ("include", "kernels", "signal", "enrol", "ports")
        for path in (root / folder).rglob("*.[ch]")
    ]
    return members | {f"firmware/{path.relative_to(root).as_posix()}": path.read_bytes() for path in library}


def tiny_bundle(path: Path, changes: dict[str, bytes] | None = None) -> Path:
    """Writes the bundle, unsigned, with `changes` to its members, and a manifest that fits them."""
    members = tiny_members() | (changes or {})
    write_archive(path, {**members, MANIFEST: manifest_of(members, {"model": "tiny"})})
    return path
