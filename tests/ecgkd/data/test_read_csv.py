from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.read import read_raw, read_recording
from ecgkd.errors import RecordingError

FS = 250
N = 500
ECG = np.round(800 * np.sin(2 * np.pi * 1.2 * np.arange(N) / FS) ** 21, 1)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def refusal(path: Path, **options) -> str:
    with pytest.raises(RecordingError) as caught:
        read_recording(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_time_and_unit_come_from_the_header(tmp_path):
    path = write(tmp_path / "a.csv", ["time,ecg_uV"] + [f"{i / FS:.4f},{v}" for i, v in enumerate(ECG)])
    record = read_recording(path)
    assert (record.fs, record.leads, record.gain_known, record.n_samples) == (FS, ("ecg",), True, N)
    np.testing.assert_allclose(record.signal[0], ECG, atol=1e-3)


def test_millivolts_become_microvolts(tmp_path):
    path = write(tmp_path / "a.csv", ["t (ms),ECG (mV)"] + [f"{4 * i},{v / 1000}" for i, v in enumerate(ECG)])
    record = read_recording(path)
    assert record.fs == FS
    np.testing.assert_allclose(record.signal[0], ECG, atol=1e-3)


@pytest.mark.parametrize("mark", [";", "\t", " "])
def test_other_separators_and_decimal_commas_are_read(tmp_path, mark):
    lines = [f"time{mark}I_uV"] + [f"{i / FS:.4f}{mark}{v}".replace(".", ",") for i, v in enumerate(ECG)]
    record = read_recording(write(tmp_path / "a.txt", lines))
    assert (record.fs, record.leads) == (FS, ("I",))
    np.testing.assert_allclose(record.signal[0], ECG, atol=1e-3)


@pytest.mark.parametrize("step", ["iso", "epoch_ms", "unknown_us"])
def test_time_stamps_of_any_kind_give_the_rate(tmp_path, step):
    stamp = {
        "iso": lambda i: datetime.fromtimestamp(1.6e9 + i / FS).isoformat(timespec="milliseconds"),
        "epoch_ms": lambda i: str(1_600_000_000_000 + 4 * i),
        "unknown_us": lambda i: str(4000 * i),
    }[step]
    path = write(tmp_path / "a.csv", ["timestamp,ecg_uV"] + [f"{stamp(i)},{v}" for i, v in enumerate(ECG)])
    assert read_recording(path).fs == FS


def test_a_table_without_a_header_is_read(tmp_path):
    path = write(tmp_path / "two.csv", [f"{i / FS:.4f},{v}" for i, v in enumerate(ECG)])
    record = read_recording(path, unit="uV")
    assert (record.fs, record.leads) == (FS, ("2",))
    path = write(tmp_path / "one.csv", [str(v) for v in ECG])
    assert "does not say its sampling rate; give it with --fs" in refusal(path)
    assert read_recording(path, fs=FS, unit="uV").signal[0, 50] == np.float32(ECG[50])


def test_a_watch_export_with_a_preamble_is_read(tmp_path):
    lines = [
        "Name,Someone", "Date of Birth,1 Jan 1980", "Recorded Date,2023-05-06 07:08:09 +0100", "Software Version,1.90",
        'Device,"Watch6,1"', "Sample Rate,512 hertz", "", "Lead,Lead I", "Unit,µV", "",
    ]  # fmt: skip
    path = write(tmp_path / "ecg.csv", lines + [str(v) for v in ECG])
    record = read_recording(path)
    assert (record.fs, record.leads, record.gain_known, record.n_samples) == (512, ("I",), True, N)
    assert read_raw(path).start == datetime(2023, 5, 6, 7, 8, 9)
    quoted = ['"' + str(v).replace(".", ",") + '"' for v in ECG]
    np.testing.assert_array_equal(read_recording(write(tmp_path / "de.csv", lines + quoted)).signal, record.signal)
    assert "sampled at 512 Hz by its own account" in refusal(path, fs=500)


def test_comments_and_a_sample_counter_are_no_signals(tmp_path):
    lines = ["# fs: 250", "# device: x", ",ecg_uV", *[f"{i},{v}" for i, v in enumerate(ECG)]]
    record = read_recording(write(tmp_path / "a.csv", lines))
    assert (record.fs, record.leads) == (250, ("ecg",))


def test_the_ecg_is_chosen_among_other_columns(tmp_path):
    lines = ["time,acc_x,ecg_uV,acc_y"] + [f"{i / FS:.4f},{i % 7},{v},{i % 5}" for i, v in enumerate(ECG)]
    path = write(tmp_path / "a.csv", lines)
    assert read_recording(path).leads == ("ecg",)
    lines[0] = "time,acc_x,chest,acc_y"
    path = write(tmp_path / "b.csv", lines)
    assert "cannot tell which signal is the ECG (it has: acc_x, chest, acc_y)" in refusal(path)
    assert read_recording(path, lead="chest").leads == ("chest",)


def test_a_text_column_is_named_by_file_line_and_column(tmp_path):
    lines = ["time,ecg_uV,label"] + [f"{i / FS:.4f},{v},rest" for i, v in enumerate(ECG)]
    path = write(tmp_path / "a.csv", lines)
    message = refusal(path)
    assert f"{path}: line 2, column 'label': 'rest' is text" in message
    assert read_recording(path, lead="ecg").n_samples == N
    lines[100] = "0.396,oops,rest"
    assert "line 101, column 'ecg_uV': 'oops' is text" in refusal(write(path, lines), lead="ecg")


def test_empty_cells_are_missing_samples(tmp_path):
    lines = ["time,ecg_uV"] + [f"{i / FS:.4f},{'' if i == 7 else 'NaN' if i == 9 else v}" for i, v in enumerate(ECG)]
    record = read_recording(write(tmp_path / "a.csv", lines))
    assert np.flatnonzero(np.isnan(record.signal[0])).tolist() == [7, 9]


def test_a_gap_in_time_is_refused(tmp_path):
    lines = ["time,ecg_uV"] + [f"{i / FS + (i > 300):.4f},{v}" for i, v in enumerate(ECG)]
    path = write(tmp_path / "a.csv", lines)
    assert "line 303: 1 s after the sample before it" in refusal(path)
    lines[200] = f"0.1,{ECG[199]}"
    assert "line 201: the time is missing or runs backwards" in refusal(write(path, lines))


def test_a_rate_from_time_stamps_may_be_a_little_off(tmp_path):
    lines = ["time,ecg_uV"] + [f"{i / 248.7:.5f},{v}" for i, v in enumerate(ECG)]
    path = write(tmp_path / "a.csv", lines)
    assert read_recording(path).fs == 248.7
    assert read_recording(path, fs=250).fs == 250
    assert "not at the 500 Hz given" in refusal(path, fs=500)


def test_stamps_in_batches_need_the_rate(tmp_path):
    lines = ["time,ecg_uV"] + [f"{i // 50 * 0.2:.4f},{v}" for i, v in enumerate(ECG)]
    path = write(tmp_path / "a.csv", lines)
    assert "give it with --fs" in refusal(path)
    assert read_recording(path, fs=FS).fs == FS


def test_a_cut_line_is_named(tmp_path):
    lines = ["time,ecg_uV,acc"] + [f"{i / FS:.4f},{v},1" for i, v in enumerate(ECG)]
    assert "line 501 has 1 cell(s), the others 3" in refusal(write(tmp_path / "a.csv", [*lines[:-1], "1.9"]))


def test_text_without_numbers_is_refused(tmp_path):
    assert "holds no numbers" in refusal(write(tmp_path / "a.csv", ["dear diary", "it rained"]))
