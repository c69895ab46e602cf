"""The bundle's zip file: the same bytes, and what is refused before a byte of it is used."""

import io
import stat
import zipfile
import zlib
from pathlib import Path

import pytest

from ecgkd.bundle.archive import archive_bytes, read_archive, write_archive
from ecgkd.errors import DataError, GateError

MEMBERS = {"models/a.tflite": b"\x00\x01\x02" * 50, "manifest.json": b"{}"}


def written(path: Path, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises((GateError, DataError)) as refused:
        read_archive(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_members_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    assert write_archive(path, MEMBERS) == path.stat().st_size
    assert read_archive(path) == MEMBERS


def test_bytes_depend_on_members_alone() -> None:
    assert archive_bytes(MEMBERS) == archive_bytes(dict(reversed(MEMBERS.items())))


def test_members_lie_in_the_file_as_they_are() -> None:
    assert MEMBERS["models/a.tflite"] in archive_bytes(MEMBERS)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "models/../../x", "C:\\x", "a\\..\\b"])
def test_a_path_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    assert "leads out" in refusal(written(tmp_path / "x.zip", [(zipfile.ZipInfo(name), b"x")]))


@pytest.mark.parametrize("name", ["models/", "./a", "a//b"])
def test_a_folder_or_roundabout_path_is_refused(name: str, tmp_path: Path) -> None:
    assert "roundabout" in refusal(written(tmp_path / "x.zip", [(zipfile.ZipInfo(name), b"")]))


def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    bomb = zipfile.ZipInfo("models/a.tflite")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    path = written(tmp_path / "x.zip", [(bomb, bytes(2**20))])
    assert path.stat().st_size < 2**13
    assert "is compressed" in refusal(path)


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    content = bytes(1000)
    plain = archive_bytes({"a": content})
    start = plain.index(b"PK\x01\x02")
    directory, end = plain[start:-22], plain[-22:]
    second = directory.replace(b"a", b"b", 1) if directory[-1:] != b"a" else directory[:-1] + b"b"
    both = plain[:start] + directory + second + end[:8] + b"\x02\x00\x02\x00"
    both += (2 * len(directory)).to_bytes(4, "little") + end[16:]
    path = tmp_path / "x.zip"
    path.write_bytes(both)
    assert "claim 2000 bytes" in refusal(path)


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    assert "'a' twice" in refusal(path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "no plain file" in refusal(written(tmp_path / "x.zip", [(link, b"/etc/passwd")]))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(archive_bytes({f"m{n}": b"" for n in range(1001)}))
    assert "1001 members" in refusal(path)


@pytest.mark.parametrize("added", [b"before", b"after", b"comment"])
def test_bytes_beside_the_members_are_refused(added: bytes, tmp_path: Path) -> None:
    path, plain = tmp_path / "x.zip", archive_bytes(MEMBERS)
    if added == b"comment":
        buffer = io.BytesIO(plain)
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.comment = added
        path.write_bytes(buffer.getvalue())
    else:
        path.write_bytes(added + plain if added == b"before" else plain + added)
    refusal(path)


@pytest.mark.parametrize("content", [b"", b"no zip file at all", archive_bytes(MEMBERS)[:-30]])
def test_what_is_no_zip_file_is_said_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert "not a readable bundle" in refusal(path)


def test_an_absent_file_is_said_so(tmp_path: Path) -> None:
    assert "no such bundle" in refusal(tmp_path / "x.zip")


def test_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    plain, path = archive_bytes(MEMBERS), tmp_path / "x.zip"
    for bit in range(0, 8 * len(plain), 7):
        content = bytearray(plain)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises((GateError, DataError)):
            read_archive(path)


def test_a_changed_member_with_the_right_checksum_is_not_the_archives_business(tmp_path: Path) -> None:
    changed = {**MEMBERS, "manifest.json": b"[]"}
    assert zlib.crc32(changed["manifest.json"]) != zlib.crc32(MEMBERS["manifest.json"])
    path = tmp_path / "x.zip"
    write_archive(path, changed)
    assert read_archive(path) == changed
