"""Sets whose recordings hold several activities, in small files of the same layout as the sources'."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.plan import Options
from ecgkd.data.prepare import prepare
from ecgkd.data.prepared import open_set
from ecgkd.data.read import read_recording
from ecgkd.data.read_respiban import slim
from ecgkd.data.stretches import at_rate, of_numbers, stretches_of
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.record import Record

RNG = np.random.default_rng(0)
STEP = 3 / 65536
"""mV of one count of the belt's converter."""


def belt_ecg(n: int = 60 * 700) -> np.ndarray:
    return np.rint(RNG.normal(0, 0.3, (n, 1)) / STEP) * STEP


def respiban(path: Path, **labels: np.ndarray) -> np.ndarray:
    """Writes a pickled recording of 60 s in the layout of PPG-DaLiA and WESAD; returns its ECG in mV."""
    ecg = belt_ecg()
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


def python2(value: object) -> bytes:
    """Returns the opcodes that Python 2 wrote for texts, dictionaries and arrays of float64: samples as text."""
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode()
    if isinstance(value, dict):
        return b"}" + b"".join(python2(key) + python2(one) + b"s" for key, one in value.items())
    assert isinstance(value, np.ndarray)
    shape = b"".join(b"M" + struct.pack("<H", n) for n in value.shape) + (b"\x85" if value.ndim == 1 else b"\x86")
    kind = b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    samples = value.astype("<f8").tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + shape + kind + b"\x89T" + struct.pack("<i", len(samples)) + samples + b"tb"
    )  # fmt: skip


def test_a_pickle_of_python_2_is_read_bit_for_bit(tmp_path):
    ecg = belt_ecg(2000)
    content = {"signal": {"chest": {"ECG": ecg}}, "subject": "S3", "label": np.repeat([1.0, 2.0], 1000)}
    path = tmp_path / "S3.pkl"
    path.write_bytes(b"\x80\x02" + python2(content) + b".")

    found = read_recording(path)

    assert (found.fs, found.leads, found.gain_known) == (700, ("ECG",), True)
    np.testing.assert_array_equal(found.signal[0], np.float32(ecg[:, 0] * 1000))
    assert [one.activity for one in stretches_of(path, "respiban", {"1": "rest"})] == []
    assert pickle.loads(path.read_bytes(), encoding="latin1")["subject"] == "S3"  # the opcodes are sound


def test_counts_of_the_belt_become_millivolts_and_other_steps_stay_unknown(tmp_path):
    counts = np.rint(RNG.normal(32768, 5000, 2000))
    label = np.ones(2000)
    for name, ecg in (("S1", counts), ("S2", RNG.normal(0, 1, 2000))):
        content = {"signal": {"chest": {"ECG": ecg}}, "label": label}
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(content))

    known, unknown = (read_recording(tmp_path / f"{name}.pkl") for name in ("S1", "S2"))

    assert (known.gain_known, unknown.gain_known) == (True, False)
    np.testing.assert_allclose(known.signal[0], (counts / 65536 - 0.5) * 3000, rtol=1e-6)


def test_a_slim_recording_is_read_as_the_whole_one(tmp_path):
    label = np.repeat([0, 1, 6, 2], [700, 14_000, 7_000, 20_300])
    ecg = respiban(tmp_path / "S2.pkl", label=label)

    with (tmp_path / "S2.pkl").open("rb") as whole:
        slim(whole, tmp_path / "slim" / "S2.pkl")

    assert (tmp_path / "slim" / "S2.pkl").stat().st_size < (tmp_path / "S2.pkl").stat().st_size / 2
    found = read_recording(tmp_path / "slim" / "S2.pkl")
    np.testing.assert_array_equal(found.signal[0], np.float32(ecg[:, 0] * 1000))
    names = {"1": "rest", "2": "stress"}
    assert stretches_of(tmp_path / "slim" / "S2.pkl", "respiban", names) == stretches_of(
        tmp_path / "S2.pkl", "respiban", names
    )


class Harm:
    """Pickled, a call of `mkdir`."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize(
    "harm",
    [
        b"cos\nsystem\nU\x04true\x85R.",
        b"cbuiltins\neval\nU\x041+10\x85R.",
        b"cnumpy.core.multiarray\nscalar.__globals__\n.",
        b"cnumpy\nload\nU\x01x\x85R.",
        b"cecgkd.data.unpickle\n_STAND_INS\n.",
        b"Pabc\n.",
        b"\x82\x01.",
        # an array whose shape promises more than its samples hold
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01M\xff\xff\x85"
        b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R\x89U\x08abcdefghtb.",
    ],
)
def test_a_pickle_that_calls_something_is_refused(tmp_path, harm):
    path = tmp_path / "S1.pkl"
    path.write_bytes(b"\x80\x02" + harm)

    with pytest.raises(RecordingError, match="truncated, damaged or no pickled recording"):
        read_recording(path)


def test_a_pickle_with_a_program_in_it_runs_nothing(tmp_path):
    content = {"signal": {"chest": {"ECG": belt_ecg(100)}}, "label": np.ones(100), "more": Harm(tmp_path / "harm")}
    path = tmp_path / "S1.pkl"
    path.write_bytes(pickle.dumps(content))

    with pytest.raises(RecordingError, match=r"it holds (posix|nt).mkdir, which is no array"):
        read_recording(path)
    with path.open("rb") as file, pytest.raises(RecordingError, match="which is no array"):
        slim(file, tmp_path / "slim.pkl")

    assert [one.name for one in tmp_path.iterdir()] == ["S1.pkl"]


def test_an_array_of_objects_is_left_empty(tmp_path):
    content = {"signal": {"chest": {"ECG": np.array([None, 1], object)}}, "label": np.ones(2)}
    path = tmp_path / "S1.pkl"
    path.write_bytes(pickle.dumps(content))

    with pytest.raises(RecordingError, match="without signal, chest, ECG"):
        read_recording(path)


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
    assert (found.leads, found.gain_known) == (("ECG 1", "ECG 2"), True)
    raw = read_recording(path, lead="ECG 2")
    np.testing.assert_allclose(raw.signal[0], 1000 * table[:, 4], rtol=1e-5)


def test_another_table_is_no_log_of_mhealth(tmp_path):
    path = tmp_path / "mHealth_subject1.log"
    path.write_text("1 2 3\n4 5 6\n")

    with pytest.raises(RecordingError, match="3 columns; a log of MHEALTH has 24"):
        read_recording(path)


def move(folder: Path, labels: tuple[str, ...], marks: list[tuple[float, float | None, str]]) -> None:
    """Writes the EDF files of one person of ScientISST MOVE: 30 s of the signals named, at 500 Hz."""
    edfio = pytest.importorskip("edfio")
    signals = [
        edfio.EdfSignal(
            RNG.normal(0, 0.3, 30 * 500), 500, label=label, physical_dimension="mV" if "ecg" in label else "g"
        )
        for label in labels
    ]
    edf = edfio.Edf(signals, annotations=[edfio.EdfAnnotation(*mark) for mark in marks])
    folder.mkdir(parents=True)
    edf.write(folder / "scientisst_chest.edf")
    edf.write(folder / "scientisst_forearm.edf")


CHEST = ("ecg:dry", "ecg:gel", "acc_chest:x", "acc_chest:y", "acc_chest:z")


def test_scientisst_move_is_cut_by_annotations_that_last(tmp_path):
    marks = [(0, 10, "baseline"), (12, 8, "walk_before"), (20, None, "sync"), (20, 5, "run"), (28, 1, "lift-1")]
    move(tmp_path / "s/AP3H", CHEST, marks)

    prepare(tmp_path / "s", tmp_path / "s.npz", Options(known_as="scientisst"))

    found = open_set(tmp_path / "s.npz")
    assert found.activity.tolist() == ["rest", "walk", "run"]
    assert [found.n_samples(i) for i in range(3)] == [5000, 4000, 2500]
    assert found.subject.tolist() == ["moveAP3H"] * 3
    assert (found.leads, found.gain_known) == (("ecg:gel", "ecg:dry"), True)


def test_a_walk_down_the_stairs_is_no_walk_and_a_mark_ends_with_its_recording(tmp_path):
    marks = [(0, 10, "stairs_down_and_walk_before"), (12, 10, "gesticulate"), (24, 60, "walk_after"), (28, 9, "jumps")]
    move(tmp_path / "s/F408", CHEST, marks)

    prepare(tmp_path / "s", tmp_path / "s.npz", Options(known_as="scientisst"))

    found = open_set(tmp_path / "s.npz")
    assert found.activity.tolist() == ["gesticulating", "walk"]
    assert [found.n_samples(i) for i in range(2)] == [5000, 3000]


def test_leads_that_somebody_lacks_are_left_out_and_so_is_who_has_none(tmp_path):
    marks = [(0, 20, "baseline")]
    for person, labels in (("AP3H", CHEST), ("F408", ("ecg:dry", "acc_chest:x")), ("93JD", ("acc_chest:x",))):
        move(tmp_path / "s" / person, labels, marks)

    done = prepare(tmp_path / "s", tmp_path / "s.npz", Options(known_as="scientisst"))

    found = open_set(tmp_path / "s.npz")
    assert (found.leads, found.subject.tolist()) == (("ecg:dry",), ["moveAP3H", "moveF408"])
    assert done.skipped == [("93JD/scientisst_chest", "no lead ecg:gel or ecg:dry")]
    with pytest.raises(RecordingError, match="no lead 'ecg:gel'; it has acc_chest:x"):
        prepare(tmp_path / "s", tmp_path / "t.npz", Options(known_as="scientisst", lead="ecg:gel"))


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
