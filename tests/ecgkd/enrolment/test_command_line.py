"""`ecgkd enroll`, `verify` and `identify` with a toy network in a real ONNX file."""

import json
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ecgkd.contract import METADATA_KEY

SIZE = 64


def write_toy_onnx(path, contract) -> str:
    """Writes the toy network of conftest.py as ONNX, the contract inside."""
    rng = np.random.default_rng(3)
    directions, phases = rng.normal(0, 3, (80, SIZE)), rng.uniform(0, 2 * np.pi, SIZE)
    angle = 2 * np.pi * np.outer(np.arange(1000), np.arange(1, 161)) / 1000
    tensors = {"cos": np.cos(angle), "sin": np.sin(angle), "directions": directions, "phases": phases}
    initial = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()]
    initial.append(numpy_helper.from_array(np.array([1, 1000]), "row"))
    initial.append(numpy_helper.from_array(np.array([1, 80, 2]), "pairs"))
    steps = [
        ("Reshape", "window row", "x", {}),
        ("MatMul", "x cos", "re", {}),
        ("MatMul", "x sin", "im", {}),
        ("Mul", "re re", "re2", {}),
        ("Mul", "im im", "im2", {}),
        ("Add", "re2 im2", "power", {}),
        ("Sqrt", "power", "magnitude", {}),
        ("Reshape", "magnitude pairs", "paired", {}),
        ("ReduceMean", "paired", "bands", {"axes": [2], "keepdims": 0}),
        ("ReduceL2", "bands", "loudness", {"axes": [1], "keepdims": 1}),
        ("Div", "bands loudness", "spectrum", {}),
        ("MatMul", "spectrum directions", "projected", {}),
        ("Add", "projected phases", "turned", {}),
        ("Cos", "turned", "features", {}),
        ("ReduceL2", "features", "norm", {"axes": [1], "keepdims": 1}),
        ("Div", "features norm", "embedding", {}),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs.split(), [output], **kwargs) for op, inputs, output, kwargs in steps],
        "toy",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, [1, 1, 1000])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, SIZE])],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.save(model, str(path))
    return str(path)


@pytest.fixture
def ecgkd(monkeypatch, capsys, tmp_path):
    """Returns a caller of the command line in a folder of its own: exit code, stdout, stderr."""
    from ecgkd.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ecgkd", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def files(tmp_path, contract, record):
    """Puts toy.onnx and recordings p<person>s<session>.csv (µV, 250 Hz) into the folder; returns a writer of more."""

    def write(person: int, session: int, fs: int = 250, **changes) -> str:
        made = record(person, session, fs=fs)
        signal = changes.get("signal", made.signal[0])
        name = changes.get("name", f"p{person}s{session}.csv")
        (tmp_path / name).write_text("I\n" + "\n".join(f"{value:.0f}" for value in signal) + "\n")
        return name

    write_toy_onnx(tmp_path / "toy.onnx", contract())
    for person in (0, 4):
        for session in (1, 2):
            write(person, session)
    return write


CSV = ("--fs", "250", "--unit", "uV")
ADA = ("enroll", "people.json", "--person", "ada", "--model", "toy.onnx", *CSV)
IS_ADA = ("verify", "people.json", "--person", "ada", *CSV)


def test_a_person_is_enrolled_and_accepted_and_another_refused(ecgkd, files, tmp_path):
    code, out, err = ecgkd(*ADA, "p0s1.csv")
    assert (code, out.split(" windows")[0]) == (0, "ada enrolled from 8")
    assert "note: one recording only" in err
    code, out, _ = ecgkd(*IS_ADA, "p0s2.csv")
    assert (code, out.split(":")[0]) == (0, "accepted as ada")
    code, out, _ = ecgkd(*IS_ADA, "p4s2.csv")
    assert (code, out.split(":")[0]) == (1, "refused as ada")
    assert [path.name for path in tmp_path.glob("*people*")] == ["people.json"]


def test_json_is_one_document_on_stdout(ecgkd, files):
    enrolled = json.loads(ecgkd(*ADA, "p0s1.csv", "--json")[1])
    assert (enrolled["enrolled"], enrolled["used"], enrolled["people"], enrolled["model"]) == (True, 8, 1, "toy")
    verified = json.loads(ecgkd(*IS_ADA, "p0s2.csv", "--json")[1])
    assert verified["decision"] == "accepted"
    assert {"reason", "score", "threshold", "llr", "windows", "seconds"} <= set(verified)
    found = json.loads(ecgkd("identify", "people.json", *CSV, "p0s2.csv", "--json")[1])
    assert (found["decision"], found["person"], found["ranking"][0]["person"]) == ("identified", "ada", "ada")


def test_identify_ends_with_1_where_it_is_nobody(ecgkd, files):
    ecgkd(*ADA, "p0s1.csv")
    code, out, _ = ecgkd("identify", "people.json", *CSV, "p4s2.csv")
    assert (code, out.split(":")[0]) == (1, "nobody")


def test_the_gallery_finds_its_model_until_it_is_gone(ecgkd, files, tmp_path):
    ecgkd(*ADA, "p0s1.csv")
    (tmp_path / "toy.onnx").rename(tmp_path / "moved.onnx")
    code, _, err = ecgkd(*IS_ADA, "p0s2.csv")
    assert code == 2
    assert "toy.onnx is gone; name it with --model" in err
    assert ecgkd(*IS_ADA, "--model", "moved.onnx", "p0s2.csv")[0] == 0


def test_a_dry_run_writes_nothing(ecgkd, files, tmp_path):
    code, out, _ = ecgkd(*ADA, "--dry-run", "p0s1.csv")
    assert (code, out.strip().endswith("(dry run: nothing written)")) == (0, True)
    assert not (tmp_path / "people.json").exists()


def refused(ecgkd, path, *words: str) -> tuple[int, str]:
    """Returns exit code and what was said, once the gallery is known to be as it was."""
    before = path.read_bytes()
    code, out, err = ecgkd(*words)
    assert path.read_bytes() == before
    assert "Traceback" not in err
    return code, (out + err).strip()


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("flat", 1, "the signal is flat"),
        ("clipped", 1, "the signal is clipped"),
        ("nan", 1, "samples are missing"),
        ("short", 1, "lasts 2.0 s, less than one window of 4 s"),
        ("rate", 5, "a sampling rate of 240 Hz is not supported; the front end takes 100, 125, 128"),
        ("absent", 5, "no such recording"),
    ],
)
def test_unusable_recordings_are_refused_in_one_line(ecgkd, files, record, tmp_path, name, code, words):
    ecgkd(*ADA, "p0s1.csv")
    good = record(0, 3).signal[0]
    spoilt = {
        "flat": np.zeros(8000),
        "clipped": np.clip(good * 20, -1000, 1000),
        "nan": np.where(np.arange(8000) % 500, good, np.nan),
        "short": good[:500],
        "rate": good,
    }
    rate = ("--fs", "240", "--unit", "uV") if name == "rate" else CSV
    if name != "absent":
        files(0, 3, name=f"{name}.csv", signal=spoilt[name])
    new = ("enroll", "people.json", "--person", "eve", "--model", "toy.onnx", *rate, f"{name}.csv")
    claim = ("verify", "people.json", "--person", "ada", *rate, f"{name}.csv")
    for verb in (new, claim):
        got, said = refused(ecgkd, tmp_path / "people.json", *verb)
        assert got == code
        assert words in said
        assert len(said.splitlines()) == 1


def test_mistakes_are_refused_in_one_line_and_change_nothing(ecgkd, files, contract, tmp_path):
    ecgkd(*ADA, "p0s1.csv")
    path = tmp_path / "people.json"
    assert refused(ecgkd, path, *ADA, "p0s2.csv")[0] == 2  # enrolled already
    code, said = refused(ecgkd, path, "verify", "people.json", "--person", "eve", *CSV, "p0s2.csv")
    assert (code, said) == (2, "ecgkd: error: nobody called 'eve' is enrolled; known: ada")
    other = write_toy_onnx(tmp_path / "other.onnx", contract(model="other", embedding_space="other-space"))
    code, said = refused(ecgkd, path, *IS_ADA, "--model", other, "p0s2.csv")
    assert code == 2
    assert "toy-space" in said
    assert "other-space" in said
    path.write_bytes(path.read_bytes()[:-100])
    code, said = refused(ecgkd, path, *IS_ADA, "p0s2.csv")
    assert code == 5
    assert len(said.splitlines()) == 1


def test_an_enrolled_person_can_be_replaced(ecgkd, files):
    ecgkd(*ADA, "p0s1.csv")
    assert ecgkd(*ADA, "--replace", "p4s1.csv")[0] == 0
    assert ecgkd(*IS_ADA, "p4s2.csv")[0] == 0
    assert ecgkd(*IS_ADA, "p0s2.csv")[0] == 1


def test_a_person_is_removed_and_nobody_else(ecgkd, files):
    ecgkd(*ADA, "p0s1.csv")
    ecgkd("enroll", "people.json", "--person", "bob", *CSV, "p4s1.csv")
    remove = ("enroll", "people.json", "--person", "ada", "--remove")
    assert ecgkd(*remove, "--dry-run")[0] == 0
    assert ecgkd(*IS_ADA, "p0s2.csv")[0] == 0
    code, out, _ = ecgkd(*remove)
    assert (code, out.strip()) == (0, "ada removed from people.json; enrolled still: 1")
    for words, message in (
        (remove, "nobody called 'ada' is enrolled; known: bob"),
        ((*remove, "p0s1.csv"), "--remove takes no recording"),
        (ADA, "no recording given"),
    ):
        code, _, err = ecgkd(*words)
        assert code == 2
        assert message in err
    assert ecgkd("verify", "people.json", "--person", "bob", *CSV, "p4s2.csv")[0] == 0


ACTIVITIES = ("resting", "moving")


@pytest.fixture
def telling(files, contract, tmp_path):
    """Gives the toy network in toy.onnx a second output."""
    path = str(tmp_path / "toy.onnx")
    model = onnx.load(path)
    weights = np.random.default_rng(5).normal(0, 1, (SIZE, len(ACTIVITIES))).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "scores"))
    model.graph.node.append(helper.make_node("MatMul", ["embedding", "scores"], ["activity"]))
    model.graph.output.append(helper.make_tensor_value_info("activity", TensorProto.FLOAT, [1, len(ACTIVITIES)]))
    helper.set_model_props(model, {METADATA_KEY: contract().telling(ACTIVITIES).to_json()})
    onnx.save(model, path)


def test_the_verbs_print_the_activity_beside_the_decision(ecgkd, telling):
    code, out, _ = ecgkd(*ADA, "p0s1.csv")
    assert (code, "; activity: " in out) == (0, True)
    code, out, _ = ecgkd(*IS_ADA, "p0s2.csv", "--json")
    document = json.loads(out)
    assert (code, document["decision"]) == (0, "accepted")
    assert document["activity"]["name"] in ACTIVITIES
    assert document["activity"]["windows"] == document["windows"]
    code, out, _ = ecgkd("identify", "people.json", *CSV, "p0s2.csv")
    assert (code, out.splitlines()[-1].split(" by ")[0]) in [(0, f"activity: {name}") for name in ACTIVITIES]
