"""C artefacts through ctypes: what goes in and out, status codes, and what happens without a compiler."""

import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecgkd_export import c99_artefacts, parity
from ecgkd_export.c99.emit import emit
from ecgkd_export.errors import ArtefactError, MissingPackageError
from ecgkd_export.firmware_dir import firmware_dir, kernel_sources
from ecgkd_export.graph import Graph, Kind
from ecgkd_export.run import compile_c
from ecgkd_export.run.c99 import C99Session, aligned_bytes
from tests.export.c99.nets import Net

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler on this machine"
)
OK, SIZE, ALIGNMENT, OVERLAP = "ok", "too small", "aligned", "inside the arena"


def some_graph() -> Graph:
    net = Net((1, 1, 40), zero_point=0)
    x = net.same(Kind.RESHAPE, net.input, (5, 8))
    x = net.layer(Kind.FULLY_CONNECTED, x, (16, 8), (5, 16))
    x = net.op(Kind.MEAN, (x,), (1, 16), axes=(0,), keep=True)
    return net.graph(net.op(Kind.L2_NORM, (net.layer(Kind.FULLY_CONNECTED, x, (24, 16), (1, 24)),), (1, 24)))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return some_graph()


@pytest.fixture(scope="module")
def session(graph: Graph) -> C99Session:
    return C99Session(emit(graph, name="net"))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(compile_c, "compiler", compile_c.compiler.__wrapped__)
    monkeypatch.setattr(compile_c, "cache", lambda: tmp_path)


def test_the_kernels_are_there() -> None:
    assert (firmware_dir() / "include" / "ecgkd_nn.h").is_file()
    assert "model.c" in [path.name for path in kernel_sources()]


@needs_compiler
def test_floats_on_both_sides_are_the_integers_in_their_steps(graph: Graph, session: C99Session) -> None:
    steps = np.random.default_rng(0).integers(-128, 128, (9, 1, 40)).astype(np.int8)

    floats = session.run((steps / 16).astype(np.float32))

    assert floats.shape == (9, 24)
    assert np.array_equal(floats * 128, session.run_integers(steps))
    assert np.array_equal(floats, c99_artefacts.simulated(graph, (steps / 16).astype(np.float32))[graph.outputs[0]])


@needs_compiler
def test_the_shapes_are_those_of_the_graph(session: C99Session) -> None:
    assert (session.input_name, session.input_shape, session.output_shape) == ("window", (1, 1, 40), (1, 24))
    assert session.arena_bytes == session.facts["arena_bytes"]
    assert session.run_integers(np.zeros((3, 1, 1, 40), np.int8)).shape == (3, 24)
    assert session.run_integers(np.zeros((0, 1, 40), np.int8)).shape == (0, 24)


@needs_compiler
def test_windows_of_another_shape_or_type_are_refused(session: C99Session) -> None:
    with pytest.raises(ArtefactError, match=r"windows of shape \(1, 39\)"):
        session.run_integers(np.zeros((2, 1, 39), np.int8))
    with pytest.raises(ArtefactError, match="windows of float32"):
        session.run_integers(np.zeros((2, 1, 40), np.float32))


@needs_compiler
@pytest.mark.parametrize(
    ("size", "shift", "said"), [(0, 0, OK), (-1, 0, SIZE), (0, 1, ALIGNMENT), (0, 8, ALIGNMENT), (16, 0, OK)]
)
def test_an_arena_too_small_or_misaligned_is_a_status(session: C99Session, size: int, shift: int, said: str) -> None:
    memory = aligned_bytes(session.arena_bytes + 64)
    arena = memory[shift : shift + session.arena_bytes + size]
    output = np.zeros((1, 24), np.int8)

    status = session._call(np.zeros((1, 40), np.int8), output, arena)

    assert said in session._library.bridge_text(status).decode()
    assert (status == 0) == (said == OK)


@needs_compiler
def test_nothing_outside_the_arena_is_written(session: C99Session) -> None:
    memory = aligned_bytes(session.arena_bytes + 64)
    memory[:] = 165
    arena = memory[: session.arena_bytes]

    status = session._call(np.full((1, 40), 99, np.int8), np.zeros((1, 24), np.int8), arena)

    assert status == 0
    assert np.all(memory[session.arena_bytes :] == 165)


@needs_compiler
def test_a_window_inside_the_arena_is_a_status(session: C99Session) -> None:
    arena = aligned_bytes(session.arena_bytes)

    status = session._call(arena[:40].view(np.int8), np.zeros((1, 24), np.int8), arena)

    assert OVERLAP in session._library.bridge_text(status).decode()


@needs_compiler
def test_the_library_is_built_once(session: C99Session, graph: Graph) -> None:
    again = C99Session(emit(graph, name="net"))

    assert again.library == session.library
    assert again.library.stat().st_mtime_ns == session.library.stat().st_mtime_ns
    assert compile_c.cache().stat().st_mode & 0o077 == 0


@needs_compiler
def test_files_run_from_their_folder(graph: Graph, session: C99Session, tmp_path: Path) -> None:
    files = emit(graph, name="net")
    (tmp_path / "renamed.c").write_bytes(files.source)
    (tmp_path / "renamed.h").write_bytes(files.header)
    windows = np.random.default_rng(1).integers(-128, 128, (4, 1, 40)).astype(np.int8)

    found = C99Session(tmp_path / "renamed.c").run_integers(windows)

    assert np.array_equal(found, session.run_integers(windows))


@needs_compiler
def test_source_that_a_compiler_refuses_is_named() -> None:
    with pytest.raises(ArtefactError, match=r"refuses it: broken\.c:1:.*error"):
        compile_c.shared_library({"broken.c": b"int broken(void) { return nothing; }\n"})


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_remedy_is_named(graph: Graph) -> None:
    with pytest.raises(MissingPackageError, match=r"found none of no-such-compiler; type: apt install gcc"):
        C99Session(emit(graph, name="other"))


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_artefact_is_made_and_its_integer_gate_is_absent(graph: Graph) -> None:
    windows = (np.random.default_rng(0).integers(-128, 128, (9, 1, 40)) / 16).astype(np.float32)
    reference = c99_artefacts.simulated(graph, windows)

    made = c99_artefacts.int8_artefact(graph, windows, reference, {}, {"result": parity.PASSED}, {})

    assert made.formats == ("c",)
    assert made.gates["integer_parity"]["result"] == parity.ABSENT
    assert "apt install gcc" in made.gates["integer_parity"]["why"]
    assert made.gates["structure"]["result"] == made.gates["output_parity"]["result"] == parity.PASSED
    assert not parity.failures(made.gates)


@needs_compiler
def test_the_integer_gate_tells_one_wrong_number(graph: Graph) -> None:
    windows = (np.random.default_rng(0).integers(-128, 128, (9, 1, 40)) / 16).astype(np.float32)
    good = emit(graph, name="net")
    other = some_graph()
    bias = next(one for one in other.tensors.values() if one.name.endswith(".b"))
    bias.data[0] += 200  # type: ignore[index]

    assert c99_artefacts.integer_gate(graph, good, windows)["result"] == parity.PASSED
    found = c99_artefacts.integer_gate(other, good, windows)
    assert found["result"] == parity.FAILED
    assert found["lsb"] > 0


@needs_compiler
def test_the_files_alone_pass_their_gates_and_damaged_ones_do_not(graph: Graph, tmp_path: Path) -> None:
    windows = (np.random.default_rng(0).integers(-128, 128, (9, 1, 40)) / 16).astype(np.float32)
    reference, files = c99_artefacts.simulated(graph, windows), emit(graph, name="net")
    (tmp_path / "net.c").write_bytes(files.source)
    (tmp_path / "net.h").write_bytes(files.header)

    gates = c99_artefacts.file_gates(tmp_path / "net.c", windows, reference, None)
    (tmp_path / "net.c").write_bytes(files.source[:-100])
    damaged = c99_artefacts.file_gates(tmp_path / "net.c", windows, reference, None)

    assert {name: one["result"] for name, one in gates.items()} == {
        "structure": parity.PASSED,
        "output_parity": parity.PASSED,
        "runtimes": parity.ABSENT,
    }
    assert list(damaged) == ["structure"]
    assert "truncated" in damaged["structure"]["problems"][0]


@needs_compiler
def test_two_threads_share_one_model(session: C99Session) -> None:
    from concurrent.futures import ThreadPoolExecutor

    windows = np.random.default_rng(2).integers(-128, 128, (200, 1, 40)).astype(np.int8)
    expected = session.run_integers(windows)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(session.run_integers, [windows] * 4))

    assert all(np.array_equal(one, expected) for one in found)
    assert isinstance(session._library, ctypes.CDLL)
