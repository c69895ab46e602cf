import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgkd.errors import DataError
from ecgkd.files import atomic_folder, canonical_json, read_json, sha256_of, write_bytes, write_json


def as_nobody(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python as an unprivileged child where this process is root (root ignores file modes)."""
    drop = "import os\nif os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    words = [sys.executable, "-c", "import ecgkd.files\n" + drop + code, *arguments]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60)


def test_a_file_appears_whole(tmp_path):
    write_bytes(tmp_path / "deep" / "file", b"content")
    assert (tmp_path / "deep" / "file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_a_failed_folder_leaves_the_old_one_untouched(tmp_path):
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "first").write_text("1")
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "out") as folder:
        (folder / "second").write_text("2")
        _ = 1 / 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "out") as folder:
            (folder / name).write_text(name)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["second"]


def test_a_forbidden_place_is_one_clear_error_and_nothing_is_left(tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    place = tmp_path / "locked"
    place.mkdir(mode=0o555)
    code = (
        "import sys\nfrom ecgkd.errors import DataError\n"
        "try: ecgkd.files.write_bytes(sys.argv[1] + '/file', b'x')\n"
        "except DataError as error: print(error)"
    )
    ran = as_nobody(code, str(place))
    assert "no permission to write there" in ran.stdout, ran.stderr
    assert not list(place.iterdir())


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="mounting a small tmpfs needs root on Linux")
def test_a_full_disk_is_one_clear_error_and_the_old_file_stays(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], check=False).returncode:
        pytest.skip("this machine lets no one mount a tmpfs")
    try:
        write_bytes(tmp_path / "file", b"old")
        with pytest.raises(DataError, match="the disk is full"):
            write_bytes(tmp_path / "file", bytes(200_000))
        assert (tmp_path / "file").read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_broken_json_says_what_was_expected(tmp_path):
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(DataError, match=r"p\.json: not a protocol file"):
        read_json(tmp_path / "p.json", "protocol file")


def test_json_survives_a_round_trip(tmp_path):
    write_json(tmp_path / "x.json", {"µV": [1, 2.5, None]})
    assert read_json(tmp_path / "x.json", "document") == {"µV": [1, 2.5, None]}


def test_a_hash_does_not_depend_on_the_order_of_keys():
    assert sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
