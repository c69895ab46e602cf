"""`ecgkd export`, `ecgkd check` and `ecgkd bench` as users type them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import typer
from typer.testing import CliRunner, Result

from ecgkd.bundle.artefacts import write_export
from ecgkd.bundle.make import Evidence, make
from ecgkd.cli import bench, export
from ecgkd.contract import Contract
from ecgkd.errors import DataError, GateError, UsageError
from ecgkd_bench.errors import MismatchError

FLOAT, INT8 = "tiny_4s_250hz_fp32.onnx", "tiny_4s_250hz_int8.onnx"
app = typer.Typer()
app.callback()(lambda: None)
export.register(app)
bench.register(app)


def ecgkd(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def source(exported: Path, tmp_path: Path) -> Path:
    """A float artefact alone, as another machine got it."""
    return Path(shutil.copy(exported / FLOAT, tmp_path / FLOAT))


@pytest.fixture
def narrow(graph: onnx.ModelProto, contract: Contract, tmp_path: Path) -> Path:
    """A float artefact whose activation ranges are a fiftieth of what they should be."""
    (_, first), _ = make(graph, contract, None)
    ranges = {name: (low / 50, high / 50) for name, (low, high) in first.activation_ranges.items()}
    (artefact, _), _ = make(graph, contract, None)
    write_export(tmp_path / "narrow", [(artefact, replace(first, activation_ranges=ranges))], ["onnx"])
    return tmp_path / "narrow" / FLOAT


@pytest.fixture(scope="module")
def given(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("protocol") / "protocol.json"
    evidence.protocol.save(path)
    return ("--data", str(evidence.sets[0].path), "--protocol", str(path))


def test_export_writes_all_artefacts_and_says_what_they_are(
    source: Path, given: tuple[str, ...], tmp_path: Path
) -> None:
    result = ecgkd("export", source, "--int8", *given, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.exception
    document = json.loads(result.stdout)
    assert document["passed"]
    stem = FLOAT.removesuffix("_fp32.onnx")
    written = ["fp32.onnx", "fp32.ort", "int8.onnx", "int8.ort", "int8.tflite", "w8.tflite", "int8.c"]
    assert [Path(one["path"]).name for one in document["artefacts"]] == [f"{stem}_{one}" for one in written]
    assert document["gates"][INT8]["biometric"]["result"] == "undecided"
    assert "too few people" in result.stderr
    assert len(set(document["embedding_space"].values())) == 4
    exact = document["gates"][f"{stem}_int8.tflite"]["integer_parity"]["runtimes"]
    assert {one["lsb"] for name, one in exact.items() if "reference" in name} == {0}
    checked = ecgkd("check", tmp_path / "out", "--json")
    assert checked.exit_code == 0, checked.exception
    again = json.loads(checked.stdout)["gates"]
    assert set(again) == {f"{stem}_{one}" for one in written}
    bits = again[f"{stem}_int8.c"]["runtimes"].get("runtimes", {})
    assert bits.get("tflite-runtime, reference", {"lsb": 0}).get("lsb", 0) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {FLOAT, INT8, f"{INT8}.json"}


def test_without_recordings_export_warns_and_uses_synthetic_windows(source: Path, tmp_path: Path) -> None:
    result = ecgkd("export", source, "--int8", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.exception
    assert "biometric parity is absent" in result.stderr
    assert "biometric absent: no recordings were given" in result.stdout


def test_a_failed_gate_ends_with_its_numbers_and_leaves_nothing(narrow: Path, tmp_path: Path) -> None:
    result = ecgkd("export", narrow, "--int8", "--out", tmp_path / "out", "--json")
    assert isinstance(result.exception, GateError)
    assert f"{INT8} fails output_parity (cosine " in str(result.exception)
    assert not json.loads(result.stdout)["passed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["narrow"]


def test_force_leaves_a_failed_artefact_marked(narrow: Path, tmp_path: Path) -> None:
    result = ecgkd("export", narrow, "--int8", "--force", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.exception
    assert "marked as failed" in result.stdout
    gates = json.loads((tmp_path / "out" / f"{INT8}.json").read_text())["gates"]
    assert (gates["verdict"], gates["forced"]) == ("failed", True)
    assert isinstance(ecgkd("check", tmp_path / "out").exception, GateError)


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    assert ecgkd("export", source, "--int8", "--out", tmp_path / "out", "--dry-run").exit_code == 0
    assert not (tmp_path / "out").exists()


def test_an_older_export_stays_where_a_gate_fails(narrow: Path, exported: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(exported, tmp_path / "out"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert isinstance(ecgkd("export", narrow, "--int8", "--out", out).exception, GateError)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("nowhere",), UsageError, "no such run"),
        (("SOURCE", "--formats", "coreml"), UsageError, "this version writes onnx, ort, tflite, c"),
        (("SOURCE", "--formats", "c"), UsageError, "--formats c: belongs to --int8"),
        (("SOURCE", "--data", "x.npz"), UsageError, "--data and --protocol belong together"),
        (("INT8",), UsageError, "is int8 already"),
        (("FOREIGN",), DataError, "without ecgkd's contract"),
        (("BROKEN",), Exception, "not an ONNX file"),
        (("SOURCE", "--out", "TAKEN"), UsageError, "holds other files"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(
    words: tuple[str, ...],
    error: type[Exception],
    message: str,
    source: Path,
    exported: Path,
    graph: onnx.ModelProto,
    tmp_path: Path,
) -> None:
    onnx.save(graph, tmp_path / "foreign.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"\x00broken")
    places = {
        "SOURCE": source,
        "INT8": exported / INT8,
        "FOREIGN": tmp_path / "foreign.onnx",
        "BROKEN": tmp_path / "broken.onnx",
        "TAKEN": tmp_path,
    }
    result = ecgkd("export", *(places.get(word, word) for word in words))
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def _bad_onnx(source: Path, folder: Path, fault: str) -> Path:
    """Returns an ONNX file of ours that something happened to."""
    path = folder / f"{fault}.onnx"
    if fault == "two_gigabytes":
        with path.open("wb") as file:
            file.truncate(2**31)
        return path
    if fault == "truncated":
        path.write_bytes(source.read_bytes()[:3000])
        return path
    model = onnx.load(source)
    if fault == "dynamic":
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    else:
        last = next(node for node in model.graph.node if "embedding" in node.output)
        last.output[0] = "before"
        model.graph.node.append(onnx.helper.make_node("Sin", ["before"], ["embedding"], "wave"))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("two_gigabytes", 5, "at most 2 GB"),
        ("truncated", 5, "not an ONNX file, or a truncated one"),
        ("dynamic", 2, "window has a dynamic shape"),
        ("unsupported", 2, "Sin wave: an operator that cannot be converted to int8"),
    ],
)
def test_a_broken_onnx_file_is_one_line_and_nothing_is_written(
    fault: str, code: int, message: str, source: Path, tmp_path: Path
) -> None:
    path = _bad_onnx(source, tmp_path, fault)
    before = sorted(tmp_path.iterdir())
    result = ecgkd("export", path, "--int8", "--out", tmp_path / "out")
    assert getattr(result.exception, "exit_code", None) == code, result.exception
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--profile", "mcu"), "--profile mcu: belongs to --int8"),
        (("--int8", "--profile", "mcu", "--formats", "onnx"), "needs TFLite files"),
        (("--int8", "--profile", "npu", "--formats", "ort"), "--profile npu writes onnx, tflite"),
        (("--float-tflite",), "belongs to --int8"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words: tuple[str, ...], message: str, source: Path) -> None:
    result = ecgkd("export", source, *words)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_a_dry_run_of_a_profile_names_a_folder_of_its_own(source: Path) -> None:
    result = ecgkd("export", source, "--int8", "--profile", "mcu", "--dry-run", "--json")
    assert result.exit_code == 0, result.exception
    document = json.loads(result.stdout)
    assert (document["profile"], document["formats"]) == ("mcu", ["onnx", "tflite"])
    assert document["out"].endswith("tiny-mcu")


def test_the_doctor_ranks_what_rounding_costs_and_needs_people_for_it(
    source: Path, exported: Path, given: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    made = ecgkd("export", source, "--int8", "--formats", "onnx,tflite", *given, "--out", out, "--no-timing")
    assert made.exit_code == 0, made.exception
    assert "name recordings" in str(ecgkd("check", out, "--doctor").exception)
    assert "needs the float .onnx and the int8 .tflite" in str(ecgkd("check", exported, "--doctor", *given).exception)
    result = ecgkd("check", out, "--doctor", "--no-timing", *given, "--json")
    assert result.exit_code == 0, result.exception
    found = json.loads(result.stdout)["doctor"]
    assert found["everything"]["cosine_loss"] > 0
    assert {one["kind"] for one in found["layers"]} == {"layer"}
    assert {"weights", "fully_connected"} <= {one["kind"] for one in found["tensors"]}
    quiet = [one["score_rms"] for one in found["tensors"] if one["noise"]]
    assert quiet == sorted(quiet, reverse=True)
    stem = out / "tiny_4s_250hz_int8.doctor"
    assert json.loads(stem.with_suffix(".doctor.json").read_text()) == found
    assert "<svg" in stem.with_suffix(".doctor.svg").read_text()
    assert ecgkd("check", out, "--no-timing").exit_code == 0


def test_recordings_that_the_protocol_was_not_made_for_are_refused(
    source: Path, given: tuple[str, ...], tmp_path: Path
) -> None:
    from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
    from ecgkd.data.write import write_set

    config = SynthConfig(people=3, sessions=1)
    write_set(tmp_path / "people.npz", synthesise(config), synthetic_info(config))
    result = ecgkd("export", source, "--int8", "--data", tmp_path / "people.npz", *given[2:])
    assert isinstance(result.exception, UsageError)
    assert "its content is not what protocol" in str(result.exception)


def test_check_passes_what_export_wrote_and_finds_a_flipped_byte(
    exported: Path, given: tuple[str, ...], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "copy"))
    result = ecgkd("check", folder, *given, "--json")
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["passed"]
    content = bytearray((folder / INT8).read_bytes())
    content[-100] ^= 4
    (folder / INT8).write_bytes(content)
    damaged = ecgkd("check", folder).exception
    assert isinstance(damaged, GateError)
    assert "damaged or exchanged" in str(damaged)


def test_bench_measures_a_folder_and_compares_records(exported: Path, tmp_path: Path) -> None:
    record = tmp_path / "a.json"
    result = ecgkd("bench", exported / FLOAT, exported / INT8, "--rounds", 3, "--out", record, "--json")
    assert result.exit_code == 0, result.exception
    session = json.loads(result.stdout)
    assert [one["model"]["precision"] for one in session["records"]] == ["fp32", "int8"]
    assert session == json.loads(record.read_text())
    same = ecgkd("bench", "compare", record, record, "--fail-if-slower", "5%")
    assert same.exit_code == 0, same.exception
    for one in session["records"]:
        one["latency"]["raw"] = [2 * value for value in one["latency"]["raw"]]
        one["latency"]["p50"] *= 2
    (tmp_path / "b.json").write_text(json.dumps(session))
    slower = ecgkd("bench", "compare", record, tmp_path / "b.json", "--fail-if-slower", "5%").exception
    assert isinstance(slower, GateError)
    assert "slower by more than 5%" in str(slower)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("nowhere",), UsageError, "no such run or artefact"),
        (("FOLDER",), UsageError, "neither a run, an export folder nor an artefact"),
        (("nowhere", "--device", "vax"), MismatchError, "no such kind of device"),
        (("compare", "a.json"), UsageError, "takes two records"),
        (("compare", "a.json", "b.json", "--fail-if-slower", "much"), UsageError, "a percentage such as 5%"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: tuple[str, ...], error: type[Exception], message: str, tmp_path: Path
) -> None:
    result = ecgkd("bench", *(tmp_path if word == "FOLDER" else word for word in words))
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
