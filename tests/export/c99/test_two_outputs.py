"""Embedding and activity: both with the simulation's bits, the second only where it is wanted; names and scale in C."""

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgkd_export import c99_artefacts, parity
from ecgkd_export.c99.arrays import read_json_comments
from ecgkd_export.c99.declare import ABI, scale_step
from ecgkd_export.c99.emit import KEY, SEAL, emit
from ecgkd_export.c99.lower import lower
from ecgkd_export.c99.read import read
from ecgkd_export.errors import ArtefactError, GraphError
from ecgkd_export.firmware_dir import firmware_dir
from ecgkd_export.graph import Graph, Kind, Tensor
from ecgkd_export.run.c99 import C99Session, aligned_bytes
from ecgkd_export.simulate import Arithmetic, simulate
from tests.export.c99.nets import Net
from tests.export.c99.test_emit import COMPILERS, STRICT

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)
NAMES = {"activity": ("rest", "walk", 'a "run"')}


def named(graph: Graph, *names: str) -> Graph:
    """Returns the graph with its outputs called `names`."""
    new = dict(zip(graph.outputs, names, strict=True))
    tensors = {new.get(k, k): replace(t, name=new.get(k, k)) for k, t in graph.tensors.items()}
    ops = tuple(
        replace(op, output=new.get(op.output, op.output), inputs=tuple(new.get(k, k) for k in op.inputs))
        for op in graph.ops
    )
    return Graph(tensors, ops, graph.inputs, names)


def two_heads(leads: int = 1) -> Graph:
    """Returns a convolution and two heads, the activity's between layers of the embedding's."""
    net = Net((1, leads, 40), zero_point=0)
    x = net.same(Kind.TRANSPOSE, net.input, (1, 40, leads), permutation=(0, 2, 1))
    x = net.same(Kind.RESHAPE, x, (1, 1, 40, leads))
    x = net.layer(Kind.CONV, x, (12, 1, 5, leads), (1, 1, 20, 12), 12, stride=2, pad=(2, 2), activation="relu")
    pooled = net.op(Kind.MEAN, (x,), (1, 1, 1, 12), axes=(2,), keep=True)
    row = net.same(Kind.RESHAPE, pooled, (1, 12))
    first = net.layer(Kind.FULLY_CONNECTED, row, (16, 12), (1, 16), activation="relu")
    second = net.layer(Kind.FULLY_CONNECTED, row, (10, 12), (1, 10), activation="relu")
    activity = net.layer(Kind.FULLY_CONNECTED, second, (3, 10), (1, 3))
    embedding = net.layer(Kind.FULLY_CONNECTED, first, (8, 16), (1, 8))
    return named(net.graph(embedding, activity), "embedding", "activity")


def shared_end() -> Graph:
    """Returns a graph whose activity is read from the embedding itself, and lies in memory in another order."""
    net = Net((1, 1, 40), zero_point=0)
    x = net.same(Kind.RESHAPE, net.input, (5, 8))
    embedding = net.layer(Kind.FULLY_CONNECTED, x, (4, 8), (5, 4))
    turned = net.same(Kind.TRANSPOSE, embedding, (4, 5), permutation=(1, 0))
    return named(net.graph(embedding, turned), "embedding", "activity")


def windows_for(graph: Graph, count: int = 9) -> np.ndarray:
    found = np.random.default_rng(3).integers(-128, 128, (count, *graph.tensors["window"].shape[1:])).astype(np.int8)
    found[-2], found[-1] = 127, -128
    return found


@needs_compiler
@pytest.mark.parametrize("graph", [two_heads(), two_heads(leads=3), shared_end()], ids=["heads", "leads", "shared"])
def test_both_outputs_have_the_simulations_bits(graph: Graph) -> None:
    session, windows = C99Session(emit(graph, name="net")), windows_for(graph)

    given = session.run_all_integers(windows)
    floats = session.run_all(np.float32(windows / 16))

    assert session.output_names == ("embedding", "activity")
    assert (session.output_name, session.output_shape) == ("embedding", graph.tensors["embedding"].shape)
    for name, expected in simulate(graph, windows, arithmetic=Arithmetic.FIXED).items():
        assert np.array_equal(given[name].reshape(expected.shape), expected)
        quant = graph.tensors[name].quant
        assert np.array_equal(floats[name], (given[name].astype(np.float32) - quant.zero_point) * quant.scale[0])
    assert np.array_equal(session.run_integers(windows), given["embedding"])
    assert np.array_equal(session.run(np.float32(windows / 16)), floats["embedding"])


@needs_compiler
def test_the_embedding_is_the_same_where_nobody_wants_the_activity() -> None:
    graph = two_heads()
    session, windows = C99Session(emit(graph, name="net")), windows_for(graph)
    alone = np.zeros((len(windows), 8), np.int8)

    assert session._call(windows, alone, aligned_bytes(session.arena_bytes)) == 0

    assert np.array_equal(alone, session.run_integers(windows))


def test_the_calls_of_the_activity_alone_wait_for_somebody_who_wants_it() -> None:
    files = emit(two_heads(), name="net")
    forward = files.source.decode().split("static void forward")[1]
    asked = re.findall(r"    if \(activity != NULL\) \{\n(.*?)\n    \}", forward, re.DOTALL)

    assert [re.findall(r"ecgkd_(\w+)_s8\(&op(\d+)", block) for block in asked] == [
        [("fully_connected", "3"), ("fully_connected", "4")]
    ]
    assert forward.count("    ecgkd_") == files.facts["calls"] == 6


def test_a_network_of_one_output_asks_nothing_and_names_nothing() -> None:
    graph = two_heads()
    alone = replace(graph, ops=tuple(op for op in graph.ops if op.output != "activity"), outputs=("embedding",))

    text = emit(alone, name="net").source.decode()

    assert "activity != NULL" not in text
    assert "(void)activity;" in text
    assert "activity_" not in text


def test_names_zero_point_and_scale_stand_in_the_files() -> None:
    graph = two_heads()
    files = emit(graph, name="net", classes=NAMES)
    header, source = files.header.decode(), files.source.decode()
    quant = graph.tensors["activity"].quant
    outputs = json.loads(read_json_comments(header)[KEY])["outputs"]

    assert [port["name"] for port in outputs] == ["embedding", "activity"]
    assert outputs[1]["classes"] == list(NAMES["activity"])
    assert "classes" not in outputs[0]
    assert "#define NET_EMBEDDING_SIZE 8\n#define NET_ACTIVITY_SIZE 3\n" in header
    assert 'activities[3] = {\n    "rest", "walk", "a \\"run\\"",\n};' in source
    assert ".activity_names = activities,\n" in source
    assert f".activity_zero_point = {quant.zero_point},\n" in source
    assert f".activity_scale = {round(float(quant.scale[0]) * 2**24)}u,\n" in source


def test_without_names_there_is_no_table_of_them() -> None:
    assert "activity_names" not in emit(two_heads(), name="net").source.decode()


@pytest.mark.parametrize("graph", [two_heads(), two_heads(leads=3)], ids=["one lead", "three leads"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_generated_code_compiles_without_a_warning(compiler: str, graph: Graph, tmp_path: Path) -> None:
    command, *options = compiler.split()
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not on this machine (make arm-tools)")
    files = emit(graph, name="net", classes=NAMES)
    (tmp_path / "net.h").write_bytes(files.header)
    (tmp_path / "net.c").write_bytes(files.source)

    done = subprocess.run(
        [command, *options, *COMPILERS[compiler], *STRICT, "-I", str(firmware_dir() / "include"), "net.c"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


@needs_compiler
def test_the_integer_gate_looks_at_both_outputs() -> None:
    graph = two_heads()
    files, windows = emit(graph, name="net"), np.float32(windows_for(graph) / 16)

    assert c99_artefacts.integer_gate(graph, files, windows)["result"] == parity.PASSED

    bias = graph.ops[-2].inputs[2]
    shifted = replace(graph.tensors[bias], data=graph.tensors[bias].data + 400)
    other = replace(graph, tensors={**graph.tensors, bias: shifted})
    gate = c99_artefacts.integer_gate(other, files, windows)
    assert gate["result"] == parity.FAILED
    assert gate["lsb"] == 0
    assert re.fullmatch(r"activity: its numbers are \d+ steps off; allowed 0", gate["why"])


def test_what_the_c_interface_cannot_hold_is_refused() -> None:
    graph = two_heads()
    with pytest.raises(GraphError, match=r"3 output\(s\); expected one input, and one output or two"):
        lower(replace(graph, outputs=("embedding", "activity", "window")))
    with pytest.raises(GraphError, match=r"2 output\(s\)"):
        lower(replace(graph, outputs=("embedding", "embedding")))
    with pytest.raises(GraphError, match="activity scores 3 classes, but 2 names were given"):
        emit(graph, name="net", classes={"activity": ("rest", "run")})
    with pytest.raises(GraphError, match="the activity's scale is 200; the C interface takes"):
        scale_step(200.0)
    with pytest.raises(GraphError, match="the activity's scale is 1e-09"):
        scale_step(1e-9)


def test_an_activity_that_is_not_int8_is_refused() -> None:
    graph = two_heads()
    wide = Tensor("activity", (1, 3), quant=graph.tensors["activity"].quant)

    with pytest.raises(GraphError, match="activity is float32; the C kernels are int8"):
        emit(replace(graph, tensors={**graph.tensors, "activity": wide}), name="net")


def test_the_generator_and_the_kernels_are_of_one_version() -> None:
    header = (firmware_dir() / "include" / "ecgkd_nn.h").read_text()

    assert re.search(r"#define ECGKD_MODEL_ABI (\d+)u", header)[1] == str(ABI)
    assert f"#if ECGKD_MODEL_ABI != {ABI}u\n#error" in emit(two_heads(), name="net").source.decode()


def test_a_file_of_an_older_version_is_refused_in_words() -> None:
    files = emit(two_heads(), name="net")
    older = files.header.decode().replace('"outputs"', '"puts"')
    body = older[: older.rindex(SEAL)].encode()

    with pytest.raises(ArtefactError, match=r"was written for another version of ecgkd_nn\.h"):
        read(body + f"{SEAL}{hashlib.sha256(body).hexdigest()} */\n".encode(), files.source)
