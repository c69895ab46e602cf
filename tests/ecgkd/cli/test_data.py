import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from ecgkd.cli.data import register
from ecgkd.data.prepared import open_set, write_set
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.record import Record

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
app = typer.Typer()
app.callback()(lambda: None)
register(app)


def ecgkd(*words: object):
    return CliRunner().invoke(app, ["data", *map(str, words)])


def csv_folder(folder: Path) -> Path:
    for person in ("anna", "ben"):
        for take in (1, 2):
            path = folder / person / f"{take}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.random.default_rng(len(person) * take).normal(0, 300, 1100)
            rows = [f"{i / 250:.4f},{value:.0f}" for i, value in enumerate(values)]
            path.write_text("\n".join(["time,ecg_uV", *rows]))
    return folder


def test_list_names_every_set_and_how_to_cite_it():
    text = ecgkd("list").output
    for name in ("ecgid", "ptbdb", "ptbxl", "mitdb", "nstdb", "heartprint", "gudb"):
        assert name in text
    sets = json.loads(ecgkd("list", "--json").output)["sets"]
    assert all(one["licence"] and one["cite"] and one["traps"] and one["use"] for one in sets)
    assert all(one["downloadable"] or one["where"] for one in sets)
    assert json.loads(ecgkd("list", "mitdb", "--json").output)["doi"] == "10.13026/C2F305"
    assert isinstance(ecgkd("list", "nothing").exception, UsageError)


def test_prepare_writes_a_set_that_info_describes(tmp_path):
    out = tmp_path / "o.npz"
    ran = ecgkd("prepare", csv_folder(tmp_path / "src"), "--out", out, "--licence", "CC0-1.0", "--json")
    done = json.loads(ran.output)
    assert (done["n_records"], done["n_subjects"], done["undated"]) == (4, 2, 2)
    about = json.loads(ecgkd("info", out, "--json").output)
    assert (about["subjects"], about["records"], about["fs"], about["licence"]) == (2, 4, 250, "CC0-1.0")
    assert about["quality"]["windows_looked_at"] == 4
    assert about["sha256"] == open_set(out).sha256
    text = ecgkd("info", out, "--verify").output
    assert "2: 2 with 1 session" in text
    assert "250 Hz, lead ecg" in text


def test_prepare_says_what_it_left_out(tmp_path):
    src = csv_folder(tmp_path / "src")
    (src / "ben" / "3.csv").write_bytes((src / "ben" / "2.csv").read_bytes())
    (src / "ben" / "4.csv").write_text("nothing here")
    assert isinstance(ecgkd("prepare", src, "--out", tmp_path / "o.npz").exception, RecordingError)
    assert not (tmp_path / "o.npz").exists()
    text = ecgkd("prepare", src, "--out", tmp_path / "o.npz", "--on-bad", "skip").output
    assert "1 exact copies left out:\n  ben/3 is ben/2" in text
    assert "1 recordings skipped:\n  ben/4: " in text
    assert "no evidence across sessions" in text


def test_prepare_takes_patterns_tables_and_columns(tmp_path):
    src = csv_folder(tmp_path / "src")
    words = ("prepare", src, "--out", tmp_path / "o.npz")
    assert ecgkd(*words, "--pattern", "{subject}/{session}").exit_code == 0
    assert open_set(tmp_path / "o.npz").session.tolist() == [1, 2, 1, 2]
    (tmp_path / "t.csv").write_text("where,who,date\nanna/1,x,2024-01-01\nben/2,x,2024-01-05\n")
    columns = ("--table", tmp_path / "t.csv", "--columns", "file=where,subject=who")
    assert ecgkd(*words, *columns).exit_code == 0
    assert open_set(tmp_path / "o.npz").day.tolist() == [0, 4]
    assert isinstance(ecgkd(*words, "--columns", "fil=where").exception, UsageError)
    assert isinstance(ecgkd(*words, *columns, "--pattern", "{subject}/*").exception, UsageError)
    assert ecgkd(*words, "--on-bad", "perhaps").exit_code == 2


def test_a_dry_run_of_prepare_writes_nothing(tmp_path):
    src = csv_folder(tmp_path / "src")
    ran = ecgkd("prepare", src, "--out", tmp_path / "o.npz", "--dry-run")
    assert "would read 4 recordings of 2 people" in ran.output
    assert "anna/1: anna, session 1, day -1" in ran.output
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_info_describes_a_file_and_a_record(tmp_path):
    src = csv_folder(tmp_path / "src")
    about = json.loads(ecgkd("info", src / "anna" / "1.csv", "--json").output)
    assert (about["fs"], about["seconds"], about["leads"]) == (250, 4.4, ["ecg"])
    assert about["quality"]["windows_looked_at"] == 1
    ecgkd("prepare", src, "--out", tmp_path / "o")
    text = ecgkd("info", f"{tmp_path / 'o'}#ben/2").output
    assert "ben, session 1" in text
    assert isinstance(ecgkd("info", f"{tmp_path / 'o'}#ben/9").exception, UsageError)
    assert isinstance(ecgkd("info", tmp_path / "nowhere").exception, DataError)


def test_info_tells_flat_and_clipped_and_unsupported_signals(tmp_path):
    def record(name: str, signal: np.ndarray, fs: float = 250) -> Record:
        return Record(signal=signal[None].astype(np.float32), fs=fs, leads=("I",), name=name)

    wave = 2000 * np.sin(np.arange(1000) / 10)
    sets = {
        "flat": record("r", np.zeros(1000)),
        "clipped": record("r", np.clip(wave, -500, 500)),
        "fast": record("r", wave, 333),
        "short": record("r", wave[:500]),
    }
    for name, one in sets.items():
        write_set(tmp_path / f"{name}.npz", [one], {})
    assert "the signal is flat" in ecgkd("info", tmp_path / "flat.npz").output
    assert "the signal is clipped" in ecgkd("info", tmp_path / "clipped.npz").output
    assert "333 Hz is not supported" in ecgkd("info", tmp_path / "fast.npz").output
    assert "no window of 4 s" in ecgkd("info", tmp_path / "short.npz").output
    for name in sets:
        assert ecgkd("info", f"{tmp_path / name}.npz#r").exit_code == 0


def test_verify_finds_a_changed_shard(tmp_path):
    ecgkd("prepare", csv_folder(tmp_path / "src"), "--out", tmp_path / "o")
    shard = tmp_path / "o" / "shard-00000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert ecgkd("info", tmp_path / "o").exit_code == 0
    assert isinstance(ecgkd("info", tmp_path / "o", "--verify").exception, DataError)


def test_synth_makes_synthetic_people_and_says_so(tmp_path):
    assert ecgkd("synth", "--out", tmp_path / "s.npz", "--people", "2", "--dry-run").exit_code == 0
    assert not list(tmp_path.iterdir())
    done = json.loads(ecgkd("synth", "--out", tmp_path / "s.npz", "--people", "2", "--json").stdout)
    found = open_set(tmp_path / "s.npz")
    assert found.synthetic
    assert done["sha256"] == found.sha256
    assert len(set(found.subject.tolist())) == done["people"] == 2
    assert "synthetic: proves plumbing, not biometric quality" in ecgkd("info", tmp_path / "s.npz").output
    ecgkd("synth", "--out", tmp_path / "folder", "--people", "2")
    assert open_set(tmp_path / "folder").sha256 == found.sha256


def test_synth_records_several_leads(tmp_path):
    ecgkd("synth", "--out", tmp_path / "s.npz", "--people", "1", "--leads", "3")
    assert open_set(tmp_path / "s.npz").leads == ("I", "II", "III")
    assert ecgkd("synth", "--out", tmp_path / "t.npz", "--leads", "4").exit_code == 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
def test_a_real_set_is_described_as_it_is():
    about = json.loads(ecgkd("info", SHARED / "heartprint.npz", "--json").output)
    assert (about["subjects"], about["records"], about["sessions"]) == (160, 1147, 410)
    assert about["subjects_by_sessions"] == {"1": 1, "2": 68, "3": 91}
    assert about["quality"]["usable_share"] > 0.9
    assert not about["gain_known"]


def test_errors_are_one_line_with_the_documented_code(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x.csv").write_text("time,ecg_uV\n0,1\n0.004,abc\n0.008,3\n")
    for words, code in (
        (("prepare", tmp_path, "--out", tmp_path / "o.npz"), 5),
        (("info", tmp_path / "no.npz"), 5),
        (("download", "heartprint"), 2),
    ):
        command = [sys.executable, "-m", "ecgkd.cli", "data", *map(str, words)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ran.returncode == code, ran.stderr
        assert ran.stderr.startswith("ecgkd: error: ")
        assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "o.npz").exists()


def test_data_help_loads_no_numpy():
    code = (
        "import sys; sys.argv = ['ecgkd', 'data', '--help']\n"
        "import ecgkd.cli\n"
        "try: ecgkd.cli.main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert 'numpy' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    for verb in ("list", "download", "prepare", "info", "synth"):
        assert verb in ran.stdout
