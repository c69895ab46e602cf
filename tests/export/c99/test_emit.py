"""The two files: readable, the same every time, compiled by any C99 compiler; and what is refused."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgkd_export.c99.arrays import read_json_comments
from ecgkd_export.c99.emit import KEY, emit
from ecgkd_export.c99.read import read, read_path
from ecgkd_export.errors import ArtefactError, GraphError
from ecgkd_export.firmware_dir import firmware_dir
from ecgkd_export.graph import DType, Graph, Kind, Op, Quant, Tensor
from ecgkd_export.graph_hash import graph_sha256
from tests.export.c99.nets import Net
from tests.export.c99.test_compiled import attention, stream

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-O1", "-c")
COMPILERS = {
    "gcc": (),
    "clang": (),
    "aarch64-linux-gnu-gcc": (),
    "arm-linux-gnueabihf-gcc": ("-march=armv7-a+simd", "-mfloat-abi=hard"),
    "arm-none-eabi-gcc -mcpu=cortex-m4": ("-mthumb", "-mfloat-abi=hard"),
    "arm-none-eabi-gcc -mcpu=cortex-m7": ("-mthumb", "-mfloat-abi=hard"),
    "arm-none-eabi-gcc -mcpu=cortex-m33": ("-mthumb", "-mfloat-abi=hard"),
    "arm-none-eabi-gcc -mcpu=cortex-m55": ("-mthumb", "-mfloat-abi=hard"),
}


def some_graph() -> Graph:
    """Returns a graph with most kernels in it."""
    net = Net((9, 10), zero_point=0)
    mixed = attention(net, tokens=9, heads=2, depth=16)
    x = net.layer(Kind.FULLY_CONNECTED, mixed, (10, 32), (9, 10))
    pooled = net.op(Kind.MEAN, (net.add(x, net.input),), (1, 10), axes=(0,), keep=True)
    return net.graph(net.op(Kind.L2_NORM, (pooled,), (1, 10)))


def carried_graph() -> Graph:
    net = Net((7, 16))
    return net.graph(stream(net, sums=3))


def test_the_same_graph_gives_the_same_bytes() -> None:
    first, second = (emit(some_graph(), name="net", metadata={"a": '{"b": 1}'}) for _ in range(2))

    assert (first.header, first.source) == (second.header, second.source)


def test_the_header_says_what_the_files_are() -> None:
    graph = some_graph()
    files = emit(graph, name="net", metadata={"ecgkd.contract": '{"model": "x"}'}, space="abc")
    documents = read_json_comments(files.header.decode())
    facts = json.loads(documents[KEY])

    assert json.loads(documents["ecgkd.contract"]) == {"model": "x"}
    assert facts["graph_sha256"] == graph_sha256(graph)
    assert facts["space"] == "abc"
    assert f"#define NET_ARENA_SIZE {facts['arena_bytes']}\n" in files.header.decode()
    assert b"Do not edit" in files.header
    assert b"Do not edit" in files.source
    assert f"tables {facts['weights_bytes']} bytes" in files.source.decode()
    assert '.embedding_space = "abc"' in files.source.decode()


def test_tables_count_as_many_bytes_as_they_have() -> None:
    files = emit(some_graph(), name="net")
    widths = {"int8_t": 1, "int16_t": 2, "int32_t": 4}
    tables = re.findall(r"^static const (u?int\d+_t) \w+\[(\d+)\]", files.source.decode(), re.MULTILINE)

    assert files.facts["weights_bytes"] == sum(widths[ctype] * int(size) for ctype, size in tables)


def test_every_call_stands_in_one_list_with_its_place_in_the_arena() -> None:
    files = emit(some_graph(), name="net")
    forward = files.source.decode().split("static void forward")[1]
    offsets = [int(place) for place in re.findall(r"AT\((\d+)\)", forward)]

    assert forward.count("    ecgkd_") == files.facts["calls"]
    assert max(offsets) < files.facts["arena_bytes"]


@pytest.mark.parametrize("graph", [some_graph(), carried_graph()], ids=["attention", "carry"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_generated_code_compiles_without_a_warning(compiler: str, graph: Graph, tmp_path: Path) -> None:
    command, *options = compiler.split()
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not on this machine (make arm-tools)")
    files = emit(graph, name="net")
    (tmp_path / "net.h").write_bytes(files.header)
    (tmp_path / "net.c").write_bytes(files.source)

    include = str(firmware_dir() / "include")
    done = subprocess.run(
        [command, *options, *COMPILERS[compiler], *STRICT, "-I", include, "net.c"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


def test_the_header_is_for_c_plus_plus_too(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on this machine")
    (tmp_path / "net.h").write_bytes(emit(some_graph(), name="net").header)
    (tmp_path / "use.cpp").write_text('#include "net.h"\nunsigned size() { return net.arena_size; }\n')

    command = [
        "g++",
        "-std=c++11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        str(firmware_dir() / "include"),
        "-c",
        "use.cpp",
    ]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0


def test_a_name_that_is_none_in_c_is_refused() -> None:
    with pytest.raises(GraphError, match="'net-2' cannot be the name of C files"):
        emit(some_graph(), name="net-2")


def test_an_operator_without_a_kernel_is_refused_by_its_name() -> None:
    net = Net((4, 6))
    graph = net.graph(net.op(Kind.SOFTMAX, (net.input,), (4, 6)))
    unknown = replace(graph, ops=(replace(graph.ops[0], kind=Kind.LAYER_NORM, name="norm_7"),))

    with pytest.raises(GraphError, match="layer_norm norm_7: has no C kernel"):
        emit(unknown, name="net")


def test_other_types_than_int8_are_refused() -> None:
    quant = Quant(np.full(1, 0.1, np.float32))
    tensors = {name: Tensor(name, (4,), DType.INT16, quant) for name in ("window", "y")}
    graph = Graph(
        tensors, (Op(Kind.ADD, "sum_3", ("window", "window"), "y", {"activation": "none"}),), ("window",), ("y",)
    )

    with pytest.raises(GraphError, match="window is int16; the C kernels are int8"):
        emit(graph, name="net")


def test_a_softmax_too_wide_for_the_kernel_is_refused() -> None:
    net = Net((2, 600))

    with pytest.raises(GraphError, match="softmax softmax0: rows of 600"):
        emit(net.graph(net.op(Kind.SOFTMAX, (net.input,), (2, 600))), name="net")


@pytest.mark.parametrize("part", ["header", "source"])
@pytest.mark.parametrize("cut", [1, 30, 200, 2000])
def test_a_truncated_file_is_refused(part: str, cut: int) -> None:
    files = emit(some_graph(), name="net")
    contents = {"header": files.header, "source": files.source}
    contents[part] = contents[part][: -cut - 1]

    with pytest.raises(ArtefactError, match=f"the {part} (is truncated|was changed)"):
        read(**contents)


def test_a_changed_number_is_found() -> None:
    files = emit(some_graph(), name="net")

    with pytest.raises(ArtefactError, match="the source was changed since it was written"):
        read(files.header, files.source.replace(b".depth = 32", b".depth = 33"))


def test_files_of_two_exports_do_not_go_together() -> None:
    with pytest.raises(ArtefactError, match="header and source are of two different artefacts"):
        read(emit(some_graph(), name="net").header, emit(carried_graph(), name="net").source)


def test_a_missing_header_is_named(tmp_path: Path) -> None:
    (tmp_path / "net.c").write_bytes(emit(some_graph(), name="net").source)

    with pytest.raises(ArtefactError, match=r"cannot read .*net\.h"):
        read_path(tmp_path / "net.c")


def test_another_c_file_is_no_artefact(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "main.h").write_text("int main(void);\n")

    with pytest.raises(ArtefactError, match=r"main\.c: the header is truncated, or no file of ecgkd"):
        read_path(tmp_path / "main.c")
