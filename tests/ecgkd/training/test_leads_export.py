"""A run of three leads through the doors behind the training: export, check, evaluation, enrolment."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from ecgkd.bundle.windows import INPUT_RANGE, synthetic_windows
from ecgkd.cli import enrol, evaluate, export
from ecgkd.cli.load import load_model
from ecgkd.contract import Contract
from ecgkd.data.prepared import open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.errors import RecordingError, UsageError
from ecgkd.models import export_form
from ecgkd.protocols.protocol import Span
from ecgkd.protocols.trials import network_windows, span_windows, taking
from ecgkd.training.fit import load_run
from ecgkd_export.convert import convert
from ecgkd_export.ort_int8 import Settings

NUMERICAL = ("structure", "float_parity", "output_parity", "integer_parity")
app = typer.Typer()
app.callback()(lambda: None)
for verb in (export, evaluate, enrol):
    verb.register(app)


def ecgkd(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def exported(three_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("three") / "artefacts"
    # Forced: a network that has learned nothing has gates of decisions that say nothing.
    result = ecgkd("export", three_run, "--int8", "--formats", "onnx,tflite,c", "--force", "--out", out, "--json")
    assert result.exit_code == 0, result.exception
    return out


def test_three_leads_pass_the_numerical_gates_of_every_format(three_run: Path) -> None:
    network = export_form(load_run(three_run)[0], with_activity=True)

    artefacts = convert(
        network, synthetic_windows(16, 3), int8=True, formats=("onnx", "tflite", "c"), settings=Settings(INPUT_RANGE),
        outputs=("embedding", "activity"),
    )  # fmt: skip

    assert [(one.runtime, one.outputs) for one in artefacts] == [
        (runtime, ("embedding", "activity")) for runtime in ("onnx-fp32", "ort-int8", "int8", "w8", "int8")
    ]
    for one in artefacts:
        results = {gate: one.gates[gate]["result"] for gate in NUMERICAL if gate in one.gates}
        assert set(results.values()) == {"passed"}, (one.runtime, one.gates)


@pytest.mark.slow
def test_every_format_takes_three_leads_with_the_bits_that_the_gates_ask_for(exported: Path) -> None:
    found = {path.name.removeprefix("dt4ecg_4s_250hz_"): path for path in sorted(exported.glob("*.json"))}
    assert set(found) == {f"{name}.json" for name in ("fp32.onnx", "int8.onnx", "int8.tflite", "int8.c", "w8.tflite")}
    for name, path in found.items():
        document = json.loads(path.read_text())
        contract = Contract.from_dict(document)
        assert contract.inputs[0].shape == (1, 3, 1000), name
        assert contract.leads == ("I", "II", "III"), name
        results = {gate: contract.gates[gate]["result"] for gate in NUMERICAL if gate in contract.gates}
        assert set(results.values()) == {"passed"}, (name, contract.gates)
    assert {"integer_parity", "output_parity"} <= set(json.loads(found["int8.c.json"].read_text())["gates"])


@pytest.mark.slow
def test_check_runs_the_gates_again(exported: Path, three_leads) -> None:
    result = ecgkd("check", exported, "--data", three_leads.set_path, "--protocol", three_leads.protocol_path, "--json")

    for name, gates in json.loads(result.stdout)["gates"].items():
        for gate in NUMERICAL:
            assert gates.get(gate, {"result": "passed"})["result"] in ("passed", "absent"), (name, gate, gates[gate])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fp32.onnx", "int8.onnx", "int8.tflite", "int8.c"])
def test_artefacts_embed_windows_of_three_leads(exported: Path, three_run: Path, three_leads, name: str) -> None:
    model, run = load_model(exported / f"dt4ecg_4s_250hz_{name}"), load_model(three_run)
    sets = taking(three_leads.sets, model.contract.leads)
    spans = [Span(sets[0].name, str(record), 0, 3000) for record in sets[0].record[:4]]
    windows = network_windows(span_windows(spans, sets), sets)

    cosines = (model.embed(windows) * run.embed(windows)).sum(axis=1)

    assert cosines.min() > (0.9999 if name == "fp32.onnx" else 0.9)
    assert model.tell is not None
    assert model.tell(windows).shape == (len(windows), 2)


def test_recordings_are_enrolled_and_verified_by_the_names_of_their_leads(
    three_run: Path, three_leads, tmp_path: Path
) -> None:
    gallery, network, people = tmp_path / "g.json", three_run, three_leads.set_path
    mine = [f"{people}#syn001-s{session}-rest-1" for session in (1, 2)]
    write_set(
        tmp_path / "one.npz", synthesise(SynthConfig(people=1, sessions=1)), synthetic_info(SynthConfig(people=1))
    )

    enrolled = ecgkd("enroll", gallery, "--person", "ann", "--model", network, *mine, "--json")
    absent = ecgkd("enroll", gallery, "--person", "bob", "--model", network, f"{tmp_path / 'one.npz'}#syn001-s1-rest-1")
    chosen = ecgkd("enroll", gallery, "--person", "bob", "--model", network, "--lead", "II", mine[0])

    assert json.loads(enrolled.stdout)["windows"] == 6
    for refused in (absent, chosen):
        assert isinstance(refused.exception, RecordingError | UsageError), refused.exception
        assert "no lead 'II'; it has I" in str(absent.exception)


def test_a_network_of_three_leads_is_evaluated(three_run: Path, three_leads) -> None:
    given = ("--data", three_leads.set_path, "--protocol", three_leads.protocol_path, "--no-baselines")
    row = three_leads.protocol.rows[0].name

    result = ecgkd("evaluate", three_run, *given, "--rows", row, "--bootstrap", "100", "--json")

    assert result.exit_code == 0, result.exception
    document = json.loads(result.stdout)
    assert [one["row"] for one in document["outcomes"]] == [row]


def test_a_set_without_the_leads_cannot_be_evaluated_on(three_run: Path, three_leads, tmp_path: Path) -> None:
    narrow = tmp_path / "three.npz"
    records = list(synthesise(SynthConfig(people=2, sessions=1)))
    write_set(narrow, records, synthetic_info(SynthConfig()))
    windows = open_set(narrow)
    with pytest.raises(UsageError, match="no lead 'II' in the set three; it has I"):
        taking([windows], load_model(three_run).contract.leads)
    assert np.array_equal(windows.taking(["I"]).taken, (0,))
