"""Networks of two outputs in every runtime: both run, both are named, and a wrong one is refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgkd.cli.bench_models import expected_of, subjects_of
from ecgkd_bench import native, static_runner
from ecgkd_bench.backends import backend_for, load
from ecgkd_bench.errors import DeviceError, OutputError
from ecgkd_bench.outputs import agreement, outputs_of
from ecgkd_bench.plan import Plan, Subject
from ecgkd_bench.result import Output, Session
from ecgkd_bench.runner import measure
from ecgkd_bench.summary import table
from ecgkd_bench.transport.local import LocalTransport
from ecgkd_export.c99.emit import emit as emit_c
from ecgkd_export.graph import Graph
from ecgkd_export.tflite.emit import emit as emit_tflite
from tests.export.c99.test_two_outputs import two_heads

BOTH = ("embedding", "activity")
needs_compiler = pytest.mark.skipif(shutil.which("x86_64-linux-gnu-gcc") is None, reason="needs gcc; apt install gcc")
RUNTIMES = ["onnx", "ort", "tflite", pytest.param("c", marks=needs_compiler), "pt2"]


def _onnx(path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, make = onnx.helper, onnx.helper.make_tensor_value_info
    weight = onnx.numpy_helper.from_array(np.random.default_rng(1).normal(0, 1, (40, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Relu", ["window"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "w"], ["activity"]),
    ]
    ends = [make(name, 1, shape) for name, shape in (("window", [1, 40]), ("embedding", [1, 40]), ("activity", [1, 3]))]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], [weight])
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def _ort(path: Path) -> None:
    from ecgkd_export.artefact import to_ort

    _onnx(path.with_suffix(".tmp"))
    path.write_bytes(to_ort(path.with_suffix(".tmp").read_bytes()))


def _tflite(path: Path) -> None:
    path.write_bytes(emit_tflite(two_heads(), metadata={}, description=""))


def _c(path: Path, graph: Graph | None = None) -> None:
    files = emit_c(graph or two_heads(), name=path.stem)
    path.write_bytes(files.source)
    path.with_suffix(".h").write_bytes(files.header)


def _pt2(path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):  # type: ignore[name-defined]
        def forward(self, window):  # type: ignore[no-untyped-def]
            return window * 2, window[:, :3] + 1

    from ecgkd_export.torch_onnx import save_program

    save_program(Two(), np.zeros((1, 40), np.float32), path)


WRITE = {"onnx": _onnx, "ort": _ort, "tflite": _tflite, "c": _c, "pt2": _pt2}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns a function that writes the small network for a runtime."""
    written: dict[str, Path] = {}

    def of(ending: str) -> Path:
        if ending not in written:
            path = tmp_path_factory.mktemp(ending) / f"net.{ending}"
            WRITE[ending](path)
            written[ending] = path
        return written[ending]

    return of


def _said(path: Path) -> list[dict[str, Any]]:
    file = static_runner.build(path, "x86_64", path.parent) if path.suffix == ".c" else path
    model = load(backend_for(path), str(file), 1)
    assert model.outputs is not None
    return model.outputs()


@pytest.mark.parametrize("ending", RUNTIMES)
def test_both_outputs_run_and_are_those_of_the_file(ending: str, network: Callable[[str], Path]) -> None:
    path = network(ending)
    subject = Subject("net", path, outputs=BOTH, expected=None if ending == "pt2" else expected_of(path))
    found = outputs_of(subject, _said(path), "local")
    assert [one.name for one in found] == list(BOTH)
    assert found[1].size == 3
    if ending == "c":
        assert [one.agreement for one in found] == [1.0, 1.0]  # the C engine's bits are the same everywhere
    elif ending != "pt2":
        assert min(one.agreement or 0 for one in found) > 0.99


@pytest.mark.parametrize("ending", RUNTIMES[:4])
@pytest.mark.parametrize("wrong", BOTH)
def test_a_wrong_output_is_refused_whichever_it_is(ending: str, wrong: str, network: Callable[[str], Path]) -> None:
    path = network(ending)
    expected = expected_of(path)
    assert expected is not None
    turned = {**expected, wrong: tuple(-value for value in expected[wrong])}
    with pytest.raises(OutputError, match=rf"its output {wrong} on ssh:pi is not what the file gives here"):
        outputs_of(Subject("net", path, expected=turned), _said(path), "ssh:pi")


def test_outputs_in_another_order_of_another_number_or_size_are_refused(network: Callable[[str], Path]) -> None:
    path = network("tflite")
    subject, said = Subject("net", path, expected=expected_of(path)), _said(path)
    with pytest.raises(OutputError, match="gives activity, embedding on local; its file has embedding, activity"):
        outputs_of(subject, said[::-1], "local")
    with pytest.raises(OutputError, match="gives embedding on local; its file has embedding, activity"):
        outputs_of(subject, said[:1], "local")
    short = [said[0], {"name": "activity", "values": [1.0, 2.0]}]
    with pytest.raises(OutputError, match=r"2 values, cosine 0\.000; expected 3 values"):
        outputs_of(subject, short, "local")


def test_agreement_knows_integers_from_garbage() -> None:
    values = [3.0, -1.0, 2.0, 7.0]
    assert agreement(values, values) == 1.0
    assert agreement([2 * v - 5 for v in values], values) == pytest.approx(1.0)  # integers of the same
    assert agreement([0.0] * 4, values) == 0.0
    assert agreement([float("nan"), 1, 2, 3], values) == 0.0
    assert agreement([7.0, 2.0, -1.0, 3.0], values) < 0.5


@needs_compiler
def test_a_session_names_and_checks_the_outputs_of_all_its_models(
    network: Callable[[str], Path], tmp_path: Path
) -> None:
    paths = [str(network(ending)) for ending in ("onnx", "tflite", "c")]
    subjects = subjects_of(paths, tmp_path, dry_run=False)
    session = measure(subjects, LocalTransport(), Plan(rounds=2, block_ms=1))
    for record in session.records:
        assert [one.name for one in record.outputs] == list(BOTH)
        assert all(one.agreement is not None and one.agreement > 0.99 for one in record.outputs)
    assert Session.from_dict(json.loads(session.to_json())) == session
    assert "net.c: gives embedding (8) and activity (3), as its file gives them (cosine 1.0000 or more)" in table(
        session
    )
    assert session.reference is not None
    assert [one.name for one in session.reference.outputs] == ["embedding"]


def test_a_device_that_computes_garbage_is_not_measured(network: Callable[[str], Path], tmp_path: Path) -> None:
    (subject,) = subjects_of([str(network("onnx"))], tmp_path, dry_run=False)
    assert subject.expected is not None
    other = {**subject.expected, "activity": (1.0, -9.0, 4.0)}
    with pytest.raises(OutputError, match=r"net\.onnx: its output activity on local"):
        measure([replace(subject, expected=other)], LocalTransport(), Plan(rounds=2))


@needs_compiler
def test_the_native_runner_is_checked_too(network: Callable[[str], Path], tmp_path: Path) -> None:
    from tests.benchmarks.test_native import Shell

    (subject,) = subjects_of([str(network("c"))], tmp_path, dry_run=False)
    session = native.measure([subject], Shell(tmp_path), Plan(rounds=2), None)
    assert session.records[0].outputs == (Output("embedding", 8, 1.0), Output("activity", 3, 1.0))
    assert subject.expected is not None
    other = {**subject.expected, "activity": (1.0, -9.0, 4.0)}
    with pytest.raises(OutputError, match="its output activity on adb:stand-in"):
        native.measure([replace(subject, expected=other)], Shell(tmp_path), Plan(rounds=2), None)


def test_a_runner_that_writes_another_number_of_bytes_is_one_clear_line() -> None:
    facts = {"embedding_bytes": 2, "activity_bytes": 3}
    assert static_runner.told(facts, [1, 255, 0, 128, 127]) == [
        {"name": "embedding", "values": [1, -1]},
        {"name": "activity", "values": [0, -128, 127]},
    ]
    with pytest.raises(DeviceError, match="wrote 4 bytes for a window; expected 5"):
        static_runner.told(facts, [1, 2, 3, 4])


@needs_compiler
def test_networks_of_one_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    for folder in ("alone", "both"):
        (tmp_path / folder).mkdir()
    graph = two_heads()
    _c(tmp_path / "both" / "net_int8.c", graph)
    alone = replace(graph, ops=tuple(op for op in graph.ops if op.output != "activity"), outputs=("embedding",))
    _c(tmp_path / "alone" / "net_int8.c", alone)
    subjects = subjects_of([str(tmp_path / one) for one in ("alone", "both")], tmp_path, dry_run=False)
    assert [subject.name for subject in subjects] == ["alone/net_int8.c", "both/net_int8.c"]
    session = measure(subjects, LocalTransport(), Plan(rounds=2, block_ms=1))
    assert [len(record.outputs) for record in session.records] == [1, 2]


def test_the_window_of_a_generated_network_has_as_many_leads_as_its_header_says(tmp_path: Path) -> None:
    _c(tmp_path / "net.c", two_heads(leads=3))
    assert static_runner.window_bytes((tmp_path / "net.h").read_text()) == 120
    assert static_runner.window_bytes("nothing\n") == 1000
