import datetime
import subprocess
import sys
from pathlib import Path

import edfio
import numpy as np
import pytest
import scipy.io
import wfdb

from ecgkd.data.prepared import open_set, write_set
from ecgkd.data.raw import is_ecg_label, lead_name, microvolts_per, split_unit
from ecgkd.data.read import read_raw, read_recording
from ecgkd.errors import EcgkdError, UsageError
from ecgkd.record import Record

FS = 250
T = np.arange(5 * FS) / FS
ECG = np.round(1000 * np.sin(2 * np.pi * 1.2 * T) ** 21)  # µV, pulses


def refusal(path: Path | str, **options) -> str:
    with pytest.raises(EcgkdError) as caught:
        read_recording(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code in (2, 5)
    return message


def make_wfdb(folder: Path, name: str = "r1", fmt: str = "16", **options) -> Path:
    signals = np.stack([ECG / 1000, ECG / 2000], axis=1)
    wfdb.wrsamp(
        name, FS, ["mV", "mV"], ["ECG I", "V5"], signals, fmt=[fmt] * 2, adc_gain=[200.0, 200.0], baseline=[0, 0],
        write_dir=str(folder), **options,
    )  # fmt: skip
    return folder / f"{name}.hea"


@pytest.mark.parametrize("fmt", ["16", "212", "24", "32"])
def test_wfdb_is_read_in_microvolts(tmp_path, fmt):
    where = make_wfdb(tmp_path, fmt=fmt)
    for ref in (where, where.with_suffix(".dat"), where.with_suffix("")):
        record = read_recording(ref)
        assert (record.fs, record.leads, record.name, record.gain_known) == (FS, ("I", "V5"), "r1", True)
        np.testing.assert_allclose(record.signal[0], ECG, atol=2.6)


def test_wfdb_header_gives_date_subject_and_notes(tmp_path):
    where = make_wfdb(tmp_path, base_date=datetime.date(2020, 5, 17), base_time=datetime.time(9, 30))
    assert read_raw(where).start == datetime.datetime(2020, 5, 17, 9, 30)
    where = make_wfdb(tmp_path, "r2", comments=["Age: 25", "ECG date: 08.12.2004", "Subject: anna"])
    raw = read_raw(where)
    assert (raw.start, raw.subject, raw.notes["age"]) == (datetime.datetime(2004, 12, 8), "anna", "25")


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_a_truncated_wfdb_record_is_refused_with_both_counts(tmp_path, fmt):
    where = make_wfdb(tmp_path, fmt=fmt)
    signal = where.with_suffix(".dat")
    signal.write_bytes(signal.read_bytes()[:-30])
    message = refusal(where)
    assert "truncated" in message
    assert "the header promises 1,250 samples" in message


def test_a_wfdb_record_without_its_other_half_is_refused(tmp_path):
    where = make_wfdb(tmp_path)
    where.with_suffix(".dat").rename(tmp_path / "elsewhere")
    assert "its signal file r1.dat is missing" in refusal(where)
    (tmp_path / "elsewhere").rename(tmp_path / "r1.dat")
    where.unlink()
    assert "its WFDB header r1.hea is missing" in refusal(tmp_path / "r1.dat")


def test_a_foreign_wfdb_header_is_refused(tmp_path):
    (tmp_path / "x.hea").write_text("once upon a time\n")
    assert "not a WFDB record" in refusal(tmp_path / "x.hea")
    (tmp_path / "e.hea").write_bytes(b"")
    refusal(tmp_path / "e.hea")


def test_a_record_in_segments_is_read_whole_or_refused(tmp_path):
    for name in ("one", "two"):
        make_wfdb(tmp_path, name)
    (tmp_path / "multi.hea").write_text("multi/2 2 250 2500\none 1250\ntwo 1250\n")
    record = read_recording(tmp_path / "multi")
    assert (record.n_samples, record.leads) == (2500, ("I", "V5"))
    signal = tmp_path / "two.dat"
    signal.write_bytes(signal.read_bytes()[:1000])
    assert "two.dat: truncated" in refusal(tmp_path / "multi")
    (tmp_path / "two.hea").unlink()
    assert "a part of the record is missing" in refusal(tmp_path / "multi")


def test_a_wfdb_signal_without_a_gain_has_an_unknown_unit(tmp_path):
    make_wfdb(tmp_path)
    header = tmp_path / "r1.hea"
    header.write_text(header.read_text().replace("200.0(0)/mV", "0(0)/mV"))
    assert not read_recording(header).gain_known
    assert read_recording(header, unit="mV").gain_known


def test_invalid_wfdb_samples_become_nan(tmp_path):
    signals = np.stack([ECG / 1000], axis=1)
    signals[100:110] = np.nan
    wfdb.wrsamp("gap", FS, ["mV"], ["I"], signals, fmt=["16"], adc_gain=[200.0], baseline=[0], write_dir=str(tmp_path))
    record = read_recording(tmp_path / "gap.hea")
    assert np.isnan(record.signal[0, 100:110]).all()
    assert np.isfinite(record.signal[0, 110:]).all()


def test_wfdb_signals_of_several_samples_a_frame_keep_their_rate(tmp_path):
    wfdb.wrsamp(
        "multi", 125, ["mV", "mmHg"], ["ECG", "BP"], e_p_signal=[ECG / 1000, ECG[::2]], samps_per_frame=[2, 1],
        fmt=["16", "16"], adc_gain=[200.0, 10.0], baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    record = read_recording(tmp_path / "multi")
    assert (record.fs, record.leads, record.n_samples) == (250, ("ECG",), 1250)
    assert "BP is in mmHg, which is no voltage" in refusal(tmp_path / "multi", lead="BP")


def test_the_lead_is_found_by_any_spelling(tmp_path):
    where = make_wfdb(tmp_path)
    for lead in ("I", "i", "ECG I", "ecg i"):
        record = read_recording(where, lead=lead)
        assert record.leads == ("I",)
        np.testing.assert_allclose(record.signal[0], ECG, atol=2.6)
    assert read_recording(where, lead="V5,I").leads == ("V5", "I")
    assert "no lead 'II'; it has ECG I, V5" in refusal(where, lead="II")


def test_a_given_rate_or_unit_must_not_contradict_the_file(tmp_path):
    where = make_wfdb(tmp_path)
    assert read_recording(where, fs=250, unit="mV").fs == 250
    assert "sampled at 250 Hz by its own account, not at the 500 Hz given" in refusal(where, fs=500)
    assert "is in mV by its own account, not in uV" in refusal(where, unit="uV")
    assert "'volts per metre' is no unit" in refusal(where, unit="volts per metre")


def make_edf(path: Path, kind: type = edfio.EdfSignal, whole: type = edfio.Edf, **options) -> Path:
    signals = [
        kind(ECG / 1000, FS, label="ECG I", physical_dimension="mV", physical_range=(-5, 5)),
        kind(ECG[::10], FS / 10, label="Resp", physical_dimension="", physical_range=(-2000, 2000)),
    ]
    whole(signals, **options).write(path)
    return path


def test_edf_and_bdf_are_read_in_microvolts(tmp_path):
    edf = read_recording(make_edf(tmp_path / "a.edf"))
    bdf = read_recording(make_edf(tmp_path / "b.bdf", edfio.BdfSignal, edfio.Bdf))
    for record in (edf, bdf):
        assert (record.fs, record.leads) == (FS, ("I",))
        np.testing.assert_allclose(record.signal[0], ECG, atol=0.2)


def test_edf_gives_subject_and_start(tmp_path):
    path = make_edf(
        tmp_path / "a.edf",
        patient=edfio.Patient(code="P07"),
        recording=edfio.Recording(startdate=datetime.date(2021, 3, 4)),
        starttime=datetime.time(8, 0),
    )
    raw = read_raw(path)
    assert (raw.subject, raw.start) == ("P07", datetime.datetime(2021, 3, 4, 8, 0))
    assert read_raw(make_edf(tmp_path / "b.edf")).subject == ""


def test_truncated_and_foreign_edf_files_are_refused(tmp_path):
    path = make_edf(tmp_path / "a.edf")
    whole = path.read_bytes()
    path.write_bytes(whole[:-300])
    assert "truncated: 4 of the 5 data records" in refusal(path)
    path.write_bytes(whole[:300])
    assert "truncated inside its header" in refusal(path)
    path.write_bytes(b"x" * 4000)
    assert "not an EDF" in refusal(path)


def test_matlab_variables_and_structs_are_read(tmp_path):
    scipy.io.savemat(tmp_path / "plain.mat", {"ecg": ECG / 1000, "fs": FS, "unit": "mV", "note": "x"})
    scipy.io.savemat(tmp_path / "struct.mat", {"rec": {"data": np.stack([ECG, ECG]).T, "Fs": FS, "leads": ["I", "II"]}})
    record = read_recording(tmp_path / "plain.mat")
    assert (record.fs, record.gain_known) == (FS, True)
    np.testing.assert_allclose(record.signal[0], ECG, atol=1e-3)
    record = read_recording(tmp_path / "struct.mat", unit="uV", lead="II")
    assert (record.leads, record.n_samples, record.gain_known) == (("II",), len(ECG), True)


def test_unreadable_matlab_files_are_refused(tmp_path):
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    assert "save it in MATLAB with the option -v7" in refusal(tmp_path / "new.mat")
    (tmp_path / "bad.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(20))
    assert "no MATLAB file" in refusal(tmp_path / "bad.mat")
    scipy.io.savemat(tmp_path / "two.mat", {"a": ECG, "b": ECG})
    assert "cannot tell which array is the ECG (a, b)" in refusal(tmp_path / "two.mat", fs=FS)
    assert read_recording(tmp_path / "two.mat", fs=FS, lead="b").leads == ("b",)
    scipy.io.savemat(tmp_path / "none.mat", {"a": "text"})
    assert "no array of samples" in refusal(tmp_path / "none.mat")


def test_numpy_files_need_a_rate(tmp_path):
    np.save(tmp_path / "a.npy", ECG)
    assert "give it with --fs" in refusal(tmp_path / "a.npy")
    assert read_recording(tmp_path / "a.npy", fs=FS, unit="uV").gain_known
    np.savez(tmp_path / "b.npz", ecg=ECG, fs=FS, unit="uV")
    np.testing.assert_array_equal(read_recording(tmp_path / "b.npz").signal[0], ECG.astype(np.float32))
    (tmp_path / "c.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:500])
    assert "truncated" in refusal(tmp_path / "c.npz")


def test_a_record_of_a_prepared_set_is_read_by_name(tmp_path):
    records = [
        Record(signal=np.stack([ECG, -ECG]).astype(np.float32), fs=FS, leads=("I", "II"), name=f"p/{i}", subject="p")
        for i in range(2)
    ]
    for path in (tmp_path / "s.npz", tmp_path / "s"):
        write_set(path, records, {"gain_known": False})
        record = read_recording(f"{path}#p/1", lead="ii", fs=FS)
        assert (record.name, record.subject, record.leads, record.gain_known) == ("p/1", "p", ("II",), False)
        np.testing.assert_array_equal(record.signal[0], open_set(path).microvolts(1, 1))
        assert "name one, such as" in refusal(path)
        assert "no record 'p/9'" in refusal(f"{path}#p/9")
        assert "not at the 360 Hz given" in refusal(f"{path}#p/1", fs=360)
        assert "no lead 'V9'" in refusal(f"{path}#p/1", lead="V9")


def test_foreign_missing_and_empty_files_are_refused(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 whatever")
    assert "not a recording that ecgkd knows" in refusal(tmp_path / "a.pdf")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 20)
    assert "neither text nor a recording format" in refusal(tmp_path / "noise.bin")
    (tmp_path / "empty.csv").write_bytes(b"")
    assert "an empty file" in refusal(tmp_path / "empty.csv")
    assert "no such recording" in refusal(tmp_path / "nowhere.edf")
    assert "a folder, not a recording" in refusal(tmp_path)
    with pytest.raises(UsageError):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    ("label", "name", "unit"),
    [
        ("ecg_uV", "ecg", "uV"),
        ("ECG (mV)", "ECG", "mV"),
        ("I [µV]", "I", "µV"),
        ("mV", "ecg", "mV"),
        ("Lead I", "I", ""),
        ("ECG aVR", "aVR", ""),
        ("avf", "aVF", ""),
        ("V", "V", ""),
        ("V5", "V5", ""),
        ("ecg_V", "ecg", "V"),
        ("ECG I filtered", "ECG I filtered", ""),
    ],
)
def test_labels_are_taken_apart(label, name, unit):
    assert (lead_name(label), split_unit(label)[1]) == (name, unit)


def test_units_and_labels_are_known():
    assert [microvolts_per(u) for u in ("uV", "µV", "μV", "mV", "V", "nV", "microvolts", "millivolt")] == [
        1, 1, 1, 1e3, 1e6, 1e-3, 1, 1e3,
    ]  # fmt: skip
    assert microvolts_per("mmHg") is None
    assert [is_ecg_label(label) for label in ("ECG", "ecg_uV", "EKG1 (mV)", "V2", "acc_x", "Resp")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def test_an_unknown_unit_is_scaled_nominally_and_said(tmp_path):
    for scale in (1e-6, 1.0, 1e5):
        np.savez(tmp_path / "a.npz", ecg=ECG * scale, fs=FS)
        record = read_recording(tmp_path / "a.npz")
        assert not record.gain_known
        assert 300 < np.ptp(record.signal) < 5000


def test_the_readers_libraries_load_only_when_needed():
    code = "import sys, ecgkd.data.read; print(sorted({'wfdb', 'edfio', 'scipy', 'pandas'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
