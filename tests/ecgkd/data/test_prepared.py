import json
import os
import pickle
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.encode import choose_gain, to_counts
from ecgkd.data.prepared import open_set, write_set
from ecgkd.errors import DataError, RecordingError, UsageError
from ecgkd.record import Record, to_integer_microvolts

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")


def record(name: str = "a/1", subject: str = "p1", n: int = 1000, fs: float = 250, scale: float = 300.0, **rest):
    generator = np.random.default_rng(zlib.crc32(name.encode()) + n)
    signal = (generator.standard_normal((len(rest.get("leads", ("I",))), n)) * scale).astype(np.float32)
    return Record(**{"signal": signal, "fs": fs, "leads": ("I",), "name": name, "subject": subject, **rest})


def three() -> list[Record]:
    return [
        record("a/1", "p1", 1000, session=1, day=0, activity="rest"),
        record("a/2", "p1", 1500, session=2, day=9, activity="walk"),
        record("b/1", "p2", 700, session=1),
    ]


def test_a_set_gives_back_what_was_written(tmp_path):
    write_set(tmp_path / "s.npz", three(), {"name": "mine", "licence": "CC0-1.0"})
    found = open_set(tmp_path / "s.npz")
    assert (len(found), found.n_records, found.fs, found.leads, found.name) == (3, 3, 250.0, ("I",), "s")
    assert found.subject.tolist() == ["p1", "p1", "p2"]
    assert found.session.tolist() == [1, 2, 1]
    assert found.day.tolist() == [0, 9, -1]
    assert found.activity.tolist() == ["rest", "walk", ""]
    assert [found.n_samples(i) for i in range(3)] == [1000, 1500, 700]
    assert found.find("b/1") == 2
    loaded = found.load(1)
    assert (loaded.subject, loaded.session, loaded.day, loaded.licence) == ("p1", 2, 9, "CC0-1.0")
    np.testing.assert_allclose(loaded.signal, three()[1].signal, atol=0.06)


def test_npz_and_shards_have_one_content_hash(tmp_path):
    write_set(tmp_path / "s.npz", three(), {"name": "mine"})
    write_set(tmp_path / "folder", three(), {"name": "mine"}, shard_samples=1800)
    npz, folder = open_set(tmp_path / "s.npz"), open_set(tmp_path / "folder")
    assert len(list((tmp_path / "folder").glob("shard-*.npy"))) == 2
    assert npz.sha256 == folder.sha256 == folder.compute_sha256() == npz.compute_sha256()
    for i in range(3):
        np.testing.assert_array_equal(npz.microvolts(i), folder.microvolts(i))


def test_the_hash_tells_content_not_description(tmp_path):
    write_set(tmp_path / "a.npz", three(), {"notes": "one"})
    write_set(tmp_path / "b.npz", three(), {"notes": "two"})
    write_set(tmp_path / "c.npz", three()[:2], {})
    write_set(tmp_path / "d.npz", three(), {"synthetic": True})
    a, b, c, d = (open_set(tmp_path / f"{name}.npz") for name in "abcd")
    assert a.sha256 == b.sha256
    assert len({a.sha256, c.sha256, d.sha256}) == 3
    assert d.synthetic
    assert not a.synthetic


def test_a_key_in_info_names_the_set(tmp_path):
    write_set(tmp_path / "s.npz", three(), {"key": "ours"})
    assert open_set(tmp_path / "s.npz").name == "ours"


def test_shards_are_memory_mapped_and_read_only(tmp_path):
    write_set(tmp_path / "folder", three(), {}, shard_samples=1000)
    counts = open_set(tmp_path / "folder").counts(2)
    assert isinstance(counts.base, np.memmap | np.ndarray)
    assert not counts.flags.writeable
    write_set(tmp_path / "s.npz", three(), {})
    assert not open_set(tmp_path / "s.npz").counts(2).flags.writeable


def test_a_pickled_set_opens_the_file_again(tmp_path):
    write_set(tmp_path / "s.npz", three(), {})
    found = open_set(tmp_path / "s.npz")
    found.counts(0)
    packed = pickle.dumps(found)
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed).counts(1), found.counts(1))


def test_integer_microvolts_are_those_of_the_loaded_record(tmp_path):
    write_set(tmp_path / "s.npz", three(), {})
    found = open_set(tmp_path / "s.npz")
    np.testing.assert_array_equal(found.integer_microvolts(1), to_integer_microvolts(found.load(1).signal[0]))


@pytest.mark.parametrize("gain", [5.0, 0.1, 1.0, 2.44140625, 0.5, 4.88, 1e-4])
def test_a_converters_step_is_found_and_nothing_is_lost(gain):
    counts = np.random.default_rng(1).integers(-2048, 2048, 5000).astype(np.int16)
    x = counts.astype(np.float32) * np.float32(gain)
    assert choose_gain(x) == np.float32(gain)


@pytest.mark.parametrize("top", [0.3, 40.0, 3000.0, 32767.0, 60_000.0, 4e6])
def test_other_signals_lose_at_most_half_a_count(top):
    x = (np.random.default_rng(2).uniform(-top, top, (1, 5000))).astype(np.float32)
    one = Record(signal=x, fs=250, leads=("I",), name="r")
    counts, gain = to_counts(one)
    assert np.abs(counts.astype(np.float64) * gain[0] - x).max() <= gain[0] / 2
    assert gain[0] <= 2 * top / 32767


@pytest.mark.parametrize("value", [0.0, 7.3, -1e5])
def test_a_constant_signal_fits(value):
    one = Record(signal=np.full((1, 50), value, np.float32), fs=250, leads=("I",), name="flat")
    counts, gain = to_counts(one)
    np.testing.assert_array_equal(counts.astype(np.float32) * gain, one.signal)


def test_a_record_of_another_rate_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"b: sampled at 500 Hz.*one set for each rate"):
        write_set(tmp_path / "s.npz", [record("a"), record("b", fs=500)], {})
    assert not list(tmp_path.iterdir())


def test_missing_samples_are_refused_by_record_and_place(tmp_path):
    bad = record("bad")
    bad.signal[0, 17] = np.nan
    for path in (tmp_path / "s.npz", tmp_path / "folder"):
        with pytest.raises(RecordingError, match=r"bad: 1 sample\(s\) are missing.*lead I at sample 17"):
            write_set(path, [record("a"), bad], {})
    assert not list(tmp_path.iterdir())


def test_two_records_of_one_name_and_other_leads_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="second record of this name"):
        write_set(tmp_path / "s.npz", [record("a"), record("a")], {})
    with pytest.raises(RecordingError, match="choose one with --lead"):
        write_set(tmp_path / "s.npz", [record("a"), record("b", leads=("I", "II"))], {})
    with pytest.raises(DataError, match="no recording to write"):
        write_set(tmp_path / "s.npz", [], {})


def test_several_leads_keep_their_order_and_gains(tmp_path):
    write_set(tmp_path / "s.npz", [record("a", leads=("I", "II"))], {})
    found = open_set(tmp_path / "s.npz")
    np.testing.assert_allclose(found.microvolts(0, 1), record("a", leads=("I", "II")).signal[1], atol=0.1)
    with pytest.raises(UsageError, match="no lead number 2; it has I, II"):
        found.counts(0, 2)


def test_an_unknown_record_is_a_usage_error(tmp_path):
    write_set(tmp_path / "s.npz", three(), {})
    with pytest.raises(UsageError, match="no record 'zz' among its 3"):
        open_set(tmp_path / "s.npz").find("zz")


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="exists and is not a prepared set"):
        write_set(tmp_path / "home", three(), {})
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


def broken(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        found = open_set(path)
        for i in range(len(found)):
            found.counts(i)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_damaged_and_foreign_files_are_one_clear_line(tmp_path):
    write_set(tmp_path / "s.npz", three(), {})
    whole = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in broken(tmp_path / "cut.npz")
    middle = bytearray(whole)
    middle[len(whole) // 3] ^= 0xFF
    (tmp_path / "flip.npz").write_bytes(middle)
    assert "damaged" in broken(tmp_path / "flip.npz")
    (tmp_path / "text.npz").write_text("hello")
    broken(tmp_path / "text.npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    broken(tmp_path / "empty.npz")
    np.savez(tmp_path / "other.npz", ecg=np.zeros(9))
    assert "not a prepared set (no x, offset" in broken(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.zeros(9))
    assert "one NumPy array" in broken(tmp_path / "array.npy")
    (tmp_path / "folder").mkdir()
    assert "without set.json" in broken(tmp_path / "folder")
    assert "no such prepared set" in broken(tmp_path / "nowhere.npz")


def test_contradicting_arrays_are_refused(tmp_path):
    write_set(tmp_path / "s.npz", three(), {})
    with np.load(tmp_path / "s.npz") as archive:
        arrays = dict(archive)
    changes = {
        "offset": arrays["offset"][::-1],
        "subject": arrays["subject"][:2],
        "gain_uv": arrays["gain_uv"] * np.float32("nan"),
        "record": np.array(["a", "a", "b"]),
        "x": arrays["x"][:, :-1],
        "fs": np.float64(-1),
        "info": np.array("[1]"),
    }
    for key, value in changes.items():
        np.savez(tmp_path / "bad.npz", **{**arrays, key: value})
        broken(tmp_path / "bad.npz")


def test_a_missing_or_cut_shard_is_named(tmp_path):
    write_set(tmp_path / "f", three(), {}, shard_samples=1000)
    shard = tmp_path / "f" / "shard-00001.npy"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"shard-00001.npy: the shard is damaged"):
        open_set(tmp_path / "f").counts(1)
    shard.unlink()
    with pytest.raises(DataError, match=r"shard-00001.npy: a shard of the set is missing"):
        open_set(tmp_path / "f").counts(1)
    document = json.loads((tmp_path / "f" / "set.json").read_text())
    (tmp_path / "f" / "set.json").write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(DataError, match="version 99; this ecgkd reads version 1"):
        open_set(tmp_path / "f")


def test_a_changed_shard_changes_the_computed_hash_only(tmp_path):
    write_set(tmp_path / "f", three(), {})
    noted = open_set(tmp_path / "f").sha256
    shard = tmp_path / "f" / "shard-00000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert open_set(tmp_path / "f").sha256 == noted
    assert open_set(tmp_path / "f").compute_sha256() != noted


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs root to become an unprivileged user")
def test_without_permission_to_write_one_line_and_nothing_left(roots_place):
    place = roots_place
    code = (
        "import os, sys; import numpy as np\n"
        "from ecgkd.data.prepared import open_set, write_set; from ecgkd.record import Record\n"
        "from ecgkd.errors import DataError\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "r = Record(signal=np.ones((1, 9), np.float32), fs=250, leads=('I',), name='r')\n"
        "for path in sys.argv[1:]:\n"
        "    try: write_set(path, [r], {})\n"
        "    except DataError as error: print(error)\n"
        "    try: open_set(path)\n"
        "    except DataError as error: print(error)\n"
    )
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    places = [str(place / name) for name in ("s.npz", "folder", "closed/s.npz", "closed/folder")]
    ran = subprocess.run([sys.executable, "-c", code, *places], capture_output=True, text=True)
    assert ran.stdout.count("no permission to write there") == 4, ran.stdout + ran.stderr
    assert [path.name for path in place.iterdir()] == ["closed"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB, where root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip("cannot mount a small file system here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_line_and_nothing_left(small_disk):
    big = [record("big", n=400_000)]
    for path in (small_disk / "s.npz", small_disk / "folder"):
        with pytest.raises(DataError, match="the disk is full"):
            write_set(path, big, {})
        assert not list(small_disk.iterdir())


@needs_shared
@pytest.mark.parametrize("name", ["ecgid", "heartprint", "mitbih", "motion", "noise", "ptbxl", "ptbxl_pool"])
def test_the_real_sets_open_at_once_and_as_they_are(name):
    found = open_set(SHARED / f"{name}.npz")
    assert "_samples" not in vars(found)
    assert found.name == name
    assert found.info["licence"]


@needs_shared
def test_a_copied_real_set_keeps_its_bits_and_hash(tmp_path):
    found = open_set(SHARED / "ecgid.npz")
    write_set(tmp_path / "copy", found.records(), found.info, shard_samples=1_000_000)
    copy = open_set(tmp_path / "copy")
    assert copy.sha256 == found.sha256
    np.testing.assert_array_equal(copy.counts(77), found.counts(77))
    assert not open_set(SHARED / "heartprint.npz").gain_known


def test_the_npz_holds_the_documented_keys(tmp_path):
    write_set(tmp_path / "s.npz", three(), {})
    with zipfile.ZipFile(tmp_path / "s.npz") as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    assert names == {
        "x", "offset", "gain_uv", "fs", "leads", "subject", "session", "day", "record", "activity", "info",
    }  # fmt: skip
