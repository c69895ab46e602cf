"""A network with two outputs through `ecgkd export` and `ecgkd check`: embedding and activity in every file."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgkd.bundle.artefacts import write_export
from ecgkd.bundle.make import Evidence, make
from ecgkd.bundle.windows import synthetic_windows
from ecgkd.cli.load import load_model
from ecgkd.contract import Contract
from ecgkd.data.prepared import PreparedSet, open_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.data.write import write_set
from ecgkd.errors import GateError
from ecgkd.protocols.folds import fold_protocols
from ecgkd.protocols.split import make as make_protocol
from ecgkd_export import tflite_artefacts
from ecgkd_export.graph import Graph
from tests.ecgkd.bundle.test_commands import ecgkd

ACTIVITIES = ("jogging", "rest", "walking")
STEM = "tiny_4s_250hz"
FLOAT = f"{STEM}_fp32.onnx"
FILES = ("fp32.onnx", "fp32.ort", "int8.onnx", "int8.ort", "int8.tflite", "w8.tflite", "int8.c")


class DualNetwork(nn.Module):
    """A window to 24 unit-norm numbers and three scores, by random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.head = nn.Linear(40, 32), nn.Linear(32, 24)
        self.hidden, self.logits = nn.Linear(32, 16), nn.Linear(16, len(ACTIVITIES))

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        pooled = torch.relu(self.patch(window.reshape(25, 40))).mean(0, keepdim=True)
        embedding = self.head(pooled)
        scores = self.logits(torch.relu(self.hidden(pooled)))
        return embedding / torch.linalg.vector_norm(embedding, dim=1, keepdim=True), scores


@pytest.fixture(scope="module")
def dual() -> nn.Module:
    """The network, with scores that differ from window to window by more than rounding."""
    torch.manual_seed(1)
    network = DualNetwork().eval()
    windows = torch.from_numpy(synthetic_windows(64))
    with torch.no_grad():
        scores = torch.cat([network(window[None])[1] for window in windows])
        network.logits.weight *= 4 / scores.std(0).mean()
        network.logits.bias.zero_()
        network.logits.bias -= torch.cat([network(window[None])[1] for window in windows]).mean(0)
    return network


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    config = SynthConfig(people=40, sessions=2, records_per_session=1, seconds=12, activities=ACTIVITIES)
    path = tmp_path_factory.mktemp("moving") / "moving.npz"
    write_set(path, synthesise(config), synthetic_info(config))
    return open_set(path)


@pytest.fixture(scope="module")
def given(moving: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("protocol") / "protocol.json"
    make_protocol("cross-activity", [moving]).save(path)
    return ("--data", str(moving.path), "--protocol", str(path))


@pytest.fixture(scope="module")
def source(dual: nn.Module, contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float artefact with two outputs, alone."""
    folder = tmp_path_factory.mktemp("source") / "float"
    write_export(folder, make(dual, contract.telling(ACTIVITIES), None, int8=False), ["onnx"])
    return folder / FLOAT


@pytest.fixture(scope="module")
def made(source: Path, given: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    result = ecgkd("export", source, "--int8", "--no-timing", *given, "--out", out, "--json")
    assert result.exit_code == 0, result.exception
    document = json.loads(result.stdout)
    assert [Path(one["path"]).name for one in document["artefacts"]] == [f"{STEM}_{one}" for one in FILES]
    assert {line["artefact"] for line in document["table"] if "changed_answers" in line} == {
        f"{STEM}_{one}" for one in FILES if "fp32" not in one
    }
    return out


def test_every_file_says_and_gives_both_outputs(made: Path) -> None:
    windows = (synthetic_windows(16)[:, 0] * 16).astype(np.int8)
    told = {}
    for name in FILES:
        sidecar = json.loads((made / f"{STEM}_{name}.json").read_text())
        assert [(one["name"], one["unit"]) for one in sidecar["outputs"]][1] == ("activity", "logits")
        assert sidecar["activities"] == list(ACTIVITIES)
        if name.endswith(".ort"):
            continue
        model = load_model(made / f"{STEM}_{name}")
        assert model.tell is not None
        told[name] = model.tell(windows)
        assert model.embed(windows).shape == (16, 24)
    assert {logits.shape for logits in told.values()} == {(16, 3)}
    answers = {name: logits.argmax(1).tolist() for name, logits in told.items()}
    assert len({*map(tuple, answers.values())}) <= 3  # rounding may turn one or two
    assert all(np.mean(np.array(one) == answers["fp32.onnx"]) >= 0.85 for one in answers.values())


def test_gates_look_at_both_outputs_and_check_finds_them_again(made: Path, given: tuple[str, ...]) -> None:
    result = ecgkd("check", made, "--no-timing", *given, "--json")
    assert result.exit_code == 0, result.exception
    gates = json.loads(result.stdout)["gates"]
    for name in FILES[2:]:
        found = gates[f"{STEM}_{name}"]
        if name != "int8.ort":
            assert found["activity_parity"]["agreement"] >= 0.95
            assert found["activity"]["changed_answers"] <= 0.05
            exported = json.loads((made / f"{STEM}_{name}.json").read_text())["gates"]["activity"]
            assert exported["activity_accuracy"] == pytest.approx(found["activity"]["activity_accuracy"], abs=0.01)
    assert "activity" in json.loads(ecgkd("check", made, "--no-timing", "--json").stdout)["gates"][f"{STEM}_int8.c"]


def test_the_integers_of_the_activity_are_said_where_there_are_integers(made: Path) -> None:
    said = {
        name: json.loads((made / f"{STEM}_{name}.json").read_text())["quantisation"].get("activity") for name in FILES
    }
    assert [name for name, steps in said.items() if steps] == ["int8.tflite", "int8.c"]
    assert said["int8.tflite"] == said["int8.c"]


def test_the_doctor_says_what_layers_cost_the_activity(made: Path, given: tuple[str, ...], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "made"))
    result = ecgkd("check", folder, "--doctor", "--no-timing", *given)
    assert result.exit_code == 0, result.exception
    found = json.loads((folder / f"{STEM}_int8.doctor.json").read_text())
    assert found["everything"]["logit_rms"] > 0
    heads = [one for one in found["layers"] if one["logit_rms"] and not one["score_rms"]]
    assert heads  # of the activity alone
    assert "activity, the costliest" in result.stdout
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 100


def _other_head(graph: Graph) -> Graph:
    """Returns an int8 graph that tells each activity as another."""
    logits = next(op for op in graph.ops if op.output == "activity")
    tensors = dict(graph.tensors)
    for name in logits.inputs[1:]:
        data = tensors[name].data
        assert data is not None
        tensors[name] = replace(tensors[name], data=np.roll(data, 1, axis=0))
    return replace(graph, tensors=tensors)


def test_another_activity_head_in_the_int8_graph_alone_ends_the_export(
    source: Path, given: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_graph: Callable[..., tuple[Graph, dict[str, object]]] = tflite_artefacts.int8_graph

    def planted(*arguments: object) -> tuple[Graph, dict[str, object]]:
        graph, record = make_graph(*arguments)
        return _other_head(graph), record

    monkeypatch.setattr(tflite_artefacts, "int8_graph", planted)
    result = ecgkd("export", source, "--int8", "--formats", "onnx,tflite", *given, "--out", tmp_path / "out")
    assert isinstance(result.exception, GateError)
    assert result.exception.exit_code == 1
    assert f"{STEM}_int8.tflite fails activity_parity (the same answer in " in str(result.exception)
    assert "output_parity" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_graph_without_the_activity_is_no_export_of_a_network_that_tells_it(
    source: Path, made: Path, given: tuple[str, ...], graph: object, tmp_path: Path
) -> None:
    from ecgkd_export.errors import GraphError
    from ecgkd_export.metadata import read_onnx

    telling = load_model(source).contract
    with pytest.raises(GraphError, match="embedding"):
        make(graph, telling, None, int8=False)  # type: ignore[arg-type]
    one = make(read_onnx(source), telling, None, int8=False)[0][1]
    assert one.tells_activity


def test_an_older_artefact_with_one_output_still_loads(exported: Path) -> None:
    model = load_model(exported / FLOAT)
    assert model.tell is None
    assert not model.contract.tells_activity
    assert not replace(model.contract, activities=ACTIVITIES).tells_activity


def test_a_fold_is_exported_by_the_people_that_it_leaves_out(
    dual: nn.Module, contract: Contract, moving: PreparedSet
) -> None:
    fold = fold_protocols(moving, 3)[1]
    assert not fold.calibrate
    (_, int8) = make(dual, contract.telling(ACTIVITIES), Evidence(fold, (moving,)), formats=["onnx"])
    gates = int8[1].gates
    assert gates["activity"]["people"] == 13
    assert gates["biometric"]["people"] == gates["activity"]["people"]
    assert gates["verdict"] == "passed"
