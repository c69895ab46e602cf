"""Sets whose recordings hold several activities, in small files of the same layout as the sources'."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.plan import Options
from ecgkd.data.prepare import prepare
from ecgkd.data.prepared import open_set
from ecgkd.data.read import read_recording
from ecgkd.data.stretches import at_rate, of_numbers, stretches_of
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.record import Record

RNG = np.random.default_rng(0)


def respiban(path: Path, **labels: np.ndarray) -> np.ndarray:
    """Writes a pickled recording of 60 s in the layout of PPG-DaLiA and WESAD; returns its ECG in mV."""
    ecg = RNG.normal(0, 0.3, (60 * 700, 1))
    content = {"signal": {"chest": {"ECG": ecg, "Temp": ecg}, "wrist": {}}, "subject": path.stem, **labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return ecg


def test_runs_of_known_numbers_are_stretches_where_a_window_fits():
    labels = np.array([0] * 8 + [1] * 20 + [7] * 40 + [1] * 8 + [9] * 40)

    found = of_numbers(labels, 4.0, {"1": "rest", "7": "walk"})

    assert [(one.begin, one.end, one.activity) for one in found] == [(2, 7, "rest"), (7, 17, "walk")]


def test_ppg_dalia_is_cut_by_its_activities_and_brought_to_500_hz(tmp_path):
    activity = np.repeat([0, 1, 7], [40, 120, 80])[:, None].astype(float)
    for subject in (1, 2):
        respiban(tmp_path / f"d/PPG_FieldStudy/S{subject}/S{subject}.pkl", activity=activity, label=np.ones(30))
    (tmp_path / "d/PPG_FieldStudy/S1/S1_activity.csv").write_text("# SUBJECT_ID\n")

    prepare(tmp_path / "d", tmp_path / "d.npz", Options(known_as="dalia"))

    found = open_set(tmp_path / "d.npz")
    assert found.fs == 500
    assert found.subject.tolist() == ["dalia1"] * 2 + ["dalia2"] * 2
    assert found.activity.tolist() == ["rest", "walk"] * 2
    assert [found.n_samples(i) for i in range(2)] == [15_000, 10_000]
    assert found.gain_known
    assert found.record[1] == "PPG_FieldStudy/S1/S1/02-walk"


def test_wesad_is_cut_by_its_conditions(tmp_path):
    label = np.repeat([0, 1, 6, 2], [700, 14_000, 7_000, 20_300])
    respiban(tmp_path / "w/S2/S2.pkl", label=label)

    prepare(tmp_path / "w", tmp_path / "w.npz", Options(known_as="wesad"))

    found = open_set(tmp_path / "w.npz")
    assert found.activity.tolist() == ["rest", "stress"]
    assert found.subject.tolist() == ["wesad2"] * 2


def test_a_pickle_that_holds_more_than_arrays_is_refused(tmp_path):
    path = tmp_path / "S1.pkl"
    path.write_bytes(pickle.dumps({"signal": Path("x")}))

    with pytest.raises(RecordingError, match=r"holds pathlib.*which is no array"):
        read_recording(path)
    path.write_bytes(b"\x80\x04 cut")
    with pytest.raises(RecordingError, match="truncated, damaged or no pickled recording"):
        read_recording(path)
    path.write_bytes(pickle.dumps({"signal": {"wrist": {}}}))
    with pytest.raises(RecordingError, match="without signal, chest, ECG"):
        read_recording(path)


def test_mhealth_is_cut_by_its_last_column_and_brought_to_100_hz(tmp_path):
    table = RNG.normal(size=(50 * 40, 24))
    table[:, 23] = np.repeat([0, 2, 4, 0], [250, 1000, 500, 250])
    path = tmp_path / "m/MHEALTHDATASET/mHealth_subject3.log"
    path.parent.mkdir(parents=True)
    np.savetxt(path, table, delimiter="\t")
    (path.parent / "README.txt").write_text("…")

    prepare(tmp_path / "m", tmp_path / "m.npz", Options(known_as="mhealth"))

    found = open_set(tmp_path / "m.npz")
    assert (found.fs, found.subject.tolist(), found.activity.tolist()) == (100, ["mh3"] * 2, ["rest", "walk"])
    assert found.n_samples(0) == 2000
    raw = read_recording(path, lead="ECG 2")
    np.testing.assert_allclose(raw.signal[0], 1000 * table[:, 4], rtol=1e-5)


def test_another_table_is_no_log_of_mhealth(tmp_path):
    path = tmp_path / "mHealth_subject1.log"
    path.write_text("1 2 3\n4 5 6\n")

    with pytest.raises(RecordingError, match="3 columns; a log of MHEALTH has 24"):
        read_recording(path)


def test_scientisst_move_is_cut_by_annotations_that_last(tmp_path):
    edfio = pytest.importorskip("edfio")
    marks = [(0, 10, "baseline"), (12, 8, "walk_before"), (20, None, "sync"), (22, 6, "Running fast"), (28, 1, "lift")]
    signal = edfio.EdfSignal(RNG.normal(0, 0.3, 30 * 500), 500, label="ecg:dry", physical_dimension="mV")
    other = edfio.EdfSignal(RNG.normal(0, 0.3, 30 * 500), 500, label="ecg:gel", physical_dimension="mV")
    edf = edfio.Edf([signal, other], annotations=[edfio.EdfAnnotation(*mark) for mark in marks])
    (tmp_path / "s/AP3H").mkdir(parents=True)
    edf.write(tmp_path / "s/AP3H/scientisst_chest.edf")
    edf.write(tmp_path / "s/AP3H/scientisst_forearm.edf")

    prepare(tmp_path / "s", tmp_path / "s.npz", Options(known_as="scientisst"))

    found = open_set(tmp_path / "s.npz")
    assert found.activity.tolist() == ["rest", "walk", "run"]
    assert [found.n_samples(i) for i in range(3)] == [5000, 4000, 3000]
    assert found.subject.tolist() == ["moveAP3H"] * 3


def test_a_set_without_any_mark_is_an_error(tmp_path):
    respiban(tmp_path / "w/S2/S2.pkl", label=np.zeros(42_000))

    with pytest.raises(DataError, match="no activity is marked"):
        prepare(tmp_path / "w", tmp_path / "w.npz", Options(known_as="wesad"))
    with pytest.raises(UsageError, match="no way 'guess' to find labels"):
        stretches_of(tmp_path / "w/S2/S2.pkl", "guess", {})


def test_a_resampled_sine_stays_a_sine():
    t = np.arange(7000) / 700
    record = Record(np.sin(2 * np.pi * 10 * t)[None].astype(np.float32), 700, ("I",), "r")

    found = at_rate(record, 500)

    expected = np.sin(2 * np.pi * 10 * np.arange(5000) / 500)
    assert found.fs == 500
    np.testing.assert_allclose(found.signal[0, 50:-50], expected[50:-50], atol=5e-3)
