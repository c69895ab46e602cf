import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgkd.data.catalogue import CATALOGUE, find_corpus
from ecgkd.data.prepare import Options, plan, prepare
from ecgkd.data.prepared import open_set
from ecgkd.errors import DataError, RecordingError, UsageError

FS = 250


def ecg(seed: int, n: int = 1000) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(0, 300, n))


def csv_file(path: Path, seed: int, fs: float = FS, n: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{i / fs:.5f},{value:.0f}" for i, value in enumerate(ecg(seed, n))]
    path.write_text("\n".join(["time,ecg_uV", *rows]) + "\n")
    return path


def wfdb_file(path: Path, seed: int, leads: tuple[str, ...] = ("ECG I",), fs: float = FS, **rest) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    signals = np.stack([ecg(seed + i) / 1000 for i in range(len(leads))], axis=1)
    wfdb.wrsamp(
        path.name, fs, ["mV"] * len(leads), list(leads), signals, fmt=["16"] * len(leads),
        adc_gain=[1000.0] * len(leads), baseline=[0] * len(leads), write_dir=str(path.parent), **rest,
    )  # fmt: skip


def people(folder: Path, n: int = 3, each: int = 2) -> Path:
    for person in range(n):
        for take in range(each):
            csv_file(folder / f"p{person}" / f"{take}.csv", 10 * person + take)
    return folder


def leftovers(folder: Path, *expected: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)


def test_a_folder_for_each_person_becomes_a_set(tmp_path):
    done = prepare(people(tmp_path / "src"), tmp_path / "out.npz")
    assert (done.n_records, done.n_subjects, done.fs, done.leads, done.undated) == (6, 3, FS, ("ecg",), 3)
    found = open_set(tmp_path / "out.npz")
    assert found.record.tolist() == ["p0/0", "p0/1", "p1/0", "p1/1", "p2/0", "p2/1"]
    assert found.subject.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert set(found.session.tolist()) == {1}
    np.testing.assert_array_equal(found.microvolts(3), ecg(11).astype(np.float32))
    assert found.info["name"] == "src"
    assert found.gain_known


def test_npz_and_folder_hold_the_same(tmp_path):
    src = people(tmp_path / "src")
    prepare(src, tmp_path / "out.npz")
    prepare(src, tmp_path / "out", Options(shard_samples=1500))
    assert open_set(tmp_path / "out.npz").sha256 == open_set(tmp_path / "out").sha256
    leftovers(tmp_path, "src", "out", "out.npz")


def test_workers_give_the_same_set(tmp_path):
    src = people(tmp_path / "src")
    prepare(src, tmp_path / "one.npz", Options(workers=1))
    prepare(src, tmp_path / "two.npz", Options(workers=2))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_preparation_leaves_no_processes_and_goes_on(tmp_path, how):
    src = people(tmp_path / "src", 30)
    code = (
        "import sys; from ecgkd.data.prepare import Options, prepare\n"
        "if __name__ == '__main__':\n"
        "    def tell(done, total, what):\n"
        "        if done == 20 and '/' in what: print('going', flush=True)\n"
        "        if done > 20 and '/' in what: import time; time.sleep(1)\n"
        "    prepare(sys.argv[1], sys.argv[2], Options(workers=2, shard_samples=3000), tell)\n"
    )
    (tmp_path / "run.py").write_text(code)
    words = [sys.executable, str(tmp_path / "run.py"), str(src), str(tmp_path / "o")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "going\n"
        child.send_signal(how)
        # Returns only when every process that holds the pipes has ended.
        noise = child.communicate(timeout=20)[1]
    assert "Process SpawnProcess" not in noise
    assert not (tmp_path / "o").exists()
    done = prepare(src, tmp_path / "o", Options(shard_samples=3000))
    assert 18 <= done.resumed < 60
    assert done.n_records == 60


def test_a_pattern_tells_people_and_sessions(tmp_path):
    for name in ("anna_1_rest", "anna_2_walk", "ben_1_rest"):
        csv_file(tmp_path / "src" / f"{name}.csv", len(name) + ord(name[5]))
    prepare(tmp_path / "src", tmp_path / "o.npz", Options(pattern="{subject}_{session}_{activity}"))
    found = open_set(tmp_path / "o.npz")
    assert found.subject.tolist() == ["anna", "anna", "ben"]
    assert found.session.tolist() == [1, 2, 1]
    assert found.activity.tolist() == ["rest", "walk", "rest"]
    csv_file(tmp_path / "src" / "stray.csv", 9)
    with pytest.raises(UsageError, match=r"1 of 4 recording.s. do not fit the pattern"):
        plan(tmp_path / "src", Options(pattern="{subject}_{session}_{activity}"))


def test_a_table_tells_people_dates_and_activities(tmp_path):
    csv_file(tmp_path / "src" / "x.csv", 1)
    csv_file(tmp_path / "src" / "y.csv", 2)
    (tmp_path / "people.csv").write_text("file,subject,date,activity\nx.csv,p1,2024-02-01,rest\ny,p1,2024-03-01,walk\n")
    prepare(tmp_path / "src", tmp_path / "o.npz", Options(table=tmp_path / "people.csv"))
    found = open_set(tmp_path / "o.npz")
    assert found.day.tolist() == [0, 29]
    assert found.session.tolist() == [1, 2]


def test_recordings_of_unknown_people_are_refused(tmp_path):
    csv_file(tmp_path / "src" / "x.csv", 1)
    with pytest.raises(UsageError, match=r"cannot tell whose recording x is.*--table or --pattern"):
        prepare(tmp_path / "src", tmp_path / "o.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no recordings in it"):
        prepare(tmp_path / "empty", tmp_path / "o.npz")
    with pytest.raises(DataError, match="no such folder"):
        prepare(tmp_path / "nowhere", tmp_path / "o.npz")
    for take in "ab":
        csv_file(tmp_path / "deep" / "data" / f"p{take}" / "x.csv", ord(take))
    with pytest.raises(UsageError, match="all 2 recordings lie in its folder 'data'"):
        prepare(tmp_path / "deep", tmp_path / "o.npz")
    leftovers(tmp_path, "src", "empty", "deep")


def test_dates_of_wfdb_headers_make_sessions(tmp_path):
    for person, rec, when in (
        ("01", 1, "08.12.2004"),
        ("01", 2, "08.12.2004"),
        ("01", 3, "20.12.2004"),
        ("02", 1, "01.01.2005"),
    ):
        wfdb_file(
            tmp_path / "src" / f"Person_{person}" / f"rec_{rec}", int(person) * 9 + rec, comments=[f"ECG date: {when}"]
        )
    done = prepare(tmp_path / "src", tmp_path / "o.npz")
    found = open_set(tmp_path / "o.npz")
    assert found.session.tolist() == [1, 1, 2, 1]
    assert found.day.tolist() == [0, 0, 12, 0]
    assert done.undated == 0


def test_exact_copies_are_left_out_and_named(tmp_path):
    src = people(tmp_path / "src", 2, 1)
    csv_file(src / "p1" / "copy.csv", 0)
    done = prepare(src, tmp_path / "o.npz")
    assert done.duplicates == [("p1/copy", "p0/0")]
    assert open_set(tmp_path / "o.npz").record.tolist() == ["p0/0", "p1/0"]


@pytest.mark.parametrize("out", ["o.npz", "folder"])
def test_a_bad_recording_stops_and_nothing_is_written(tmp_path, out):
    src = people(tmp_path / "src")
    (src / "p1" / "0.csv").write_text("time,ecg_uV\n0,1\n0.004,\n0.008,2\n0.012,x\n")
    with pytest.raises(RecordingError, match=r"0.csv: line 5, column 'ecg_uV': 'x' is text"):
        prepare(src, tmp_path / out)
    leftovers(tmp_path, "src")


def test_bad_recordings_are_skipped_when_asked_and_listed(tmp_path):
    src = people(tmp_path / "src")
    lines = (src / "p1" / "0.csv").read_text().splitlines()
    lines[5] = lines[5].partition(",")[0] + ",NaN"
    (src / "p1" / "0.csv").write_text("\n".join(lines))
    csv_file(src / "p2" / "0.csv", 7, fs=500)
    done = prepare(src, tmp_path / "o.npz", Options(on_bad="skip"))
    assert [name for name, _ in done.skipped] == ["p1/0", "p2/0"]
    assert "p1/0: 1 sample(s) are missing" in done.skipped[0][1]
    assert "one sampling rate" in done.skipped[1][1]
    assert done.n_records == 4


def test_when_nothing_can_be_used_the_first_reason_is_told(tmp_path):
    (tmp_path / "src" / "p").mkdir(parents=True)
    (tmp_path / "src" / "p" / "a.csv").write_text("words\n")
    with pytest.raises(DataError, match=r"none of 1 recording.s. can be used; the first: .*holds no numbers"):
        prepare(tmp_path / "src", tmp_path / "o", Options(on_bad="skip"))
    leftovers(tmp_path, "src")


def test_mixed_rates_are_one_clear_error(tmp_path):
    src = people(tmp_path / "src", 1)
    csv_file(src / "p5" / "x.csv", 5, fs=500)
    with pytest.raises(
        RecordingError, match=r"p5/x: sampled at 500 Hz, the records before it at 250 Hz.*one set for each"
    ):
        prepare(src, tmp_path / "o.npz")


def test_a_rate_is_needed_and_must_not_contradict(tmp_path):
    (tmp_path / "src" / "p").mkdir(parents=True)
    (tmp_path / "src" / "p" / "a.csv").write_text("\n".join(str(v) for v in ecg(1)))
    with pytest.raises(RecordingError, match="give it with --fs"):
        prepare(tmp_path / "src", tmp_path / "o.npz")
    assert prepare(tmp_path / "src", tmp_path / "o.npz", Options(fs=125, unit="uV")).fs == 125
    csv_file(tmp_path / "src" / "p" / "b.csv", 3)
    with pytest.raises(RecordingError, match="not at the 125 Hz given"):
        prepare(tmp_path / "src", tmp_path / "o.npz", Options(fs=125))


def test_the_truncated_file_is_named(tmp_path):
    wfdb_file(tmp_path / "src" / "p" / "r", 1)
    path = tmp_path / "src" / "p" / "r.dat"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordingError, match=r"r.dat: truncated"):
        prepare(tmp_path / "src", tmp_path / "o.npz")


def test_an_interrupted_preparation_goes_on_after_its_last_shard(tmp_path):
    src = people(tmp_path / "src", 5)
    options = Options(shard_samples=3000)
    seen: list[str] = []

    def interrupt(done: int, total: int, what: str) -> None:
        seen.append(what)
        if what == "p3/1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(src, tmp_path / "o", options, interrupt)
    leftovers(tmp_path, "src", ".o.partial")
    seen.clear()
    done = prepare(src, tmp_path / "o", options, lambda done, total, what: seen.append(what))
    assert done.resumed == 6
    assert seen[-4:] == ["p3/0", "p3/1", "p4/0", "p4/1"]
    assert "p2/1" not in seen
    prepare(src, tmp_path / "whole", options)
    assert open_set(tmp_path / "o").compute_sha256() == open_set(tmp_path / "whole").compute_sha256()
    leftovers(tmp_path, "src", "o", "whole")


def test_a_changed_recording_starts_the_preparation_afresh(tmp_path):
    src = people(tmp_path / "src", 5)
    (src / "p4" / "1.csv").write_text("bad")
    with pytest.raises(RecordingError, match="holds no numbers"):
        prepare(src, tmp_path / "o", Options(shard_samples=3000))
    csv_file(src / "p4" / "1.csv", 77)
    csv_file(src / "p0" / "0.csv", 78)
    done = prepare(src, tmp_path / "o", Options(shard_samples=3000))
    assert done.resumed == 0
    np.testing.assert_array_equal(open_set(tmp_path / "o").microvolts(0), ecg(78).astype(np.float32))


def test_a_repaired_later_recording_keeps_the_progress(tmp_path):
    src = people(tmp_path / "src", 5)
    (src / "p4" / "1.csv").write_text("bad")
    with pytest.raises(RecordingError):
        prepare(src, tmp_path / "o", Options(shard_samples=3000))
    csv_file(src / "p4" / "1.csv", 77)
    assert prepare(src, tmp_path / "o", Options(shard_samples=3000)).resumed == 9


def test_an_older_set_is_replaced_and_other_folders_are_not(tmp_path):
    src = people(tmp_path / "src")
    prepare(src, tmp_path / "o")
    prepare(people(tmp_path / "src", 4), tmp_path / "o")
    assert len(open_set(tmp_path / "o")) == 8
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "x").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not a prepared set"):
        prepare(src, tmp_path / "home")


def downloaded(folder: Path, key: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    corpus = find_corpus(key)
    note = {"key": key, "name": corpus.name, "licence": corpus.licence, "cite": corpus.citation}
    (folder / "ecgkd-source.json").write_text(json.dumps(note))
    return folder


def test_a_downloaded_ecgid_is_prepared_without_a_word(tmp_path):
    src = downloaded(tmp_path / "ecgid", "ecgid")
    for rec, when in ((1, "08.12.2004"), (2, "20.12.2004")):
        wfdb_file(
            src / "Person_07" / f"rec_{rec}", rec * 10, ("ECG I", "ECG I filtered"), comments=[f"ECG date: {when}"]
        )
    prepare(src, tmp_path / "o.npz")
    found = open_set(tmp_path / "o.npz")
    assert (found.name, found.leads, found.info["licence"]) == ("ecgid", ("I",), "ODC-BY-1.0")
    assert found.record.tolist() == ["Person_07/rec_1", "Person_07/rec_2"]
    assert found.subject.tolist() == ["ecgid07", "ecgid07"]
    assert found.session.tolist() == [1, 2]
    assert found.activity.tolist() == ["rest", "rest"]


def test_a_downloaded_mitdb_knows_its_double_man_and_its_missing_leads(tmp_path):
    src = downloaded(tmp_path / "mitdb", "mitdb")
    for number in (100, 102, 201, 202):
        wfdb_file(src / str(number), number, ("V5", "V2") if number == 102 else ("MLII", "V1"), 360)
    prepare(src, tmp_path / "o.npz")
    found = open_set(tmp_path / "o.npz")
    assert found.subject.tolist() == ["mit100", "mit201", "mit201"]
    assert found.leads == ("MLII",)


def test_a_downloaded_ptbxl_takes_the_rate_that_is_there(tmp_path):
    src = downloaded(tmp_path / "ptbxl", "ptbxl")
    wfdb_file(src / "records100" / "00000" / "00001_lr", 1, ("I", "II"), 100)
    wfdb_file(src / "records100" / "00000" / "00002_lr", 3, ("I", "II"), 100)
    (src / "ptbxl_database.csv").write_text(
        "ecg_id,patient_id,recording_date,filename_lr,filename_hr\n"
        "1,15709.0,1984-11-09 09:17:34,records100/00000/00001_lr,records500/00000/00001_hr\n"
        "2,15709.0,1984-11-12 09:17:34,records100/00000/00002_lr,records500/00000/00002_hr\n"
    )
    done = prepare(src, tmp_path / "o.npz")
    found = open_set(tmp_path / "o.npz")
    assert (done.fs, found.subject.tolist(), found.day.tolist()) == (100, ["xl15709", "xl15709"], [0, 3])


def test_other_known_sets_are_prepared_from_their_folders(tmp_path):
    for activity in ("sitting", "jogging"):
        path = tmp_path / "gudb" / "experiment_data" / "subject_03" / activity / "ECG.tsv"
        path.parent.mkdir(parents=True)
        rows = zip(*(ecg(i + ord(activity[0])) / 1e6 + 0.1 for i in range(6)))
        path.write_text("\n".join(" ".join(f"{value:e}" for value in row) for row in rows))
    prepare(tmp_path / "gudb", tmp_path / "g.npz", Options(known_as="gudb"))
    found = open_set(tmp_path / "g.npz")
    assert sorted(found.activity.tolist()) == ["rest", "run"]
    assert (found.fs, found.subject.tolist(), found.gain_known) == (250, ["gu03", "gu03"], True)
    assert found.leads == ("II", "III", "V2-V1")
    for lead, column in enumerate((1, 2, 0)):  # the files say: chest strap, II, III, acceleration
        sitting = ecg(ord("s") + column)
        np.testing.assert_allclose(found.microvolts(1, lead), sitting - np.median(sitting), atol=2)
    prepare(tmp_path / "gudb", tmp_path / "one.npz", Options(known_as="gudb", lead="lead iii,V2-V1"))
    one = open_set(tmp_path / "one.npz")
    assert one.leads == ("III", "V2-V1")
    np.testing.assert_allclose(one.microvolts(1, 0), found.microvolts(1, 1), atol=1)


def test_patient_folders_of_ptb_are_people(tmp_path):
    src = downloaded(tmp_path / "ptbdb", "ptbdb")
    wfdb_file(src / "patient001" / "s0010_re", 1, ("i", "ii"), 1000, comments=["ECG date: 01/10/1990"])
    wfdb_file(src / "patient001" / "s0014lre", 4, ("i", "ii"), 1000, comments=["ECG date: 02/10/1990"])
    prepare(src, tmp_path / "o.npz")
    found = open_set(tmp_path / "o.npz")
    assert (found.subject.tolist(), found.session.tolist(), found.leads) == (["ptb001", "ptb001"], [1, 2], ("I",))


def test_every_rule_of_the_catalogue_is_sound():
    from ecgkd.data.rules import compile_pattern

    for corpus in CATALOGUE:
        if corpus.rule is not None and corpus.rule.pattern:
            compile_pattern(corpus.rule.pattern)
    with pytest.raises(UsageError, match="no set called 'mimic' is known; there are ecgid, ptbdb"):
        find_corpus("mimic")
    assert find_corpus("ptb-xl").key == "ptbxl"


def test_the_date_in_a_header_line_counts(tmp_path):
    for name, day in (("a", 1), ("b", 4)):
        when = {"base_date": datetime.date(2020, 1, day), "base_time": datetime.time(12)}
        wfdb_file(tmp_path / "src" / "p" / name, day, **when)
    prepare(tmp_path / "src", tmp_path / "o.npz")
    assert open_set(tmp_path / "o.npz").day.tolist() == [0, 3]


def test_preparing_needs_no_data_in_memory_beyond_a_shard(tmp_path):
    src = people(tmp_path / "src", 4)
    prepare(src, tmp_path / "o", Options(shard_samples=2000))
    sizes = [os.path.getsize(path) for path in (tmp_path / "o").glob("shard-*.npy")]
    assert len(sizes) == 4
    assert max(sizes) < 2 * 2000 + 200
