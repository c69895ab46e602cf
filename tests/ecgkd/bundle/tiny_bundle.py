"""A bundle with one small network in C, made in a second: golden recordings go through it as through a real one."""

from dataclasses import replace
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
from ecgkd_export.graph import Graph, Kind, check
from ecgkd_export.graph_hash import graph_sha256
from tests.export.c99.nets import Net

NAME = "tiny_4s_250hz_int8"


def _graph(activities: tuple[str, ...]) -> Graph:
    net = Net((1, 1, 1000), zero_point=0)
    x = net.same(Kind.RESHAPE, net.input, (25, 40))
    x = net.layer(Kind.FULLY_CONNECTED, x, (32, 40), (25, 32), activation="relu")
    x = net.op(Kind.MEAN, (x,), (1, 32), axes=(0,), keep=True)
    embedding = net.op(Kind.L2_NORM, (net.layer(Kind.FULLY_CONNECTED, x, (24, 32), (1, 24)),), (1, 24))
    if not activities:
        return net.graph(embedding)
    n = len(activities)
    graph = net.graph(embedding, net.layer(Kind.FULLY_CONNECTED, x, (n, 32), (1, n)))
    names = dict(zip(graph.outputs, ("embedding", "activity"), strict=True))
    tensors = {names.get(k, k): replace(one, name=names.get(k, k)) for k, one in graph.tensors.items()}
    ops = tuple(replace(op, output=names.get(op.output, op.output)) for op in graph.ops)
    return check(Graph(tensors, ops, graph.inputs, tuple(names.values())))


@lru_cache
def tiny_members(activities: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Returns the members without a manifest; the network tells `activities`, if any."""
    graph = _graph(activities)
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
    ).telling(activities)
    if activities:
        quant = graph.tensors["activity"].quant
        assert quant is not None
        steps = {"scale": float(quant.scale[0]), "zero_point": quant.zero_point}
        contract = replace(contract, quantisation={"activity": steps})
    inside = {METADATA_KEY: contract.to_json()}
    sources = emit(graph, name=NAME, metadata=inside, space=contract.embedding_space, classes={"activity": activities})
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


def tiny_bundle(path: Path, changes: dict[str, bytes] | None = None, activities: tuple[str, ...] = ()) -> Path:
    """Writes the bundle, unsigned, with `changes` to its members, and a manifest that fits them."""
    members = tiny_members(activities) | (changes or {})
    about = {"model": "tiny", **({"activities": list(activities)} if activities else {})}
    write_archive(path, {**members, MANIFEST: manifest_of(members, about)})
    return path
