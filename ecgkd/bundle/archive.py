"""The bundle as a zip file: the same bytes for the same members, and read with suspicion.

Members are stored, never compressed, in the order of their names, dated 1980: a member can be mapped into memory where
it lies, nothing can swell, and a file that is not byte for byte what its members give was not written here.
"""

import io
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ecgkd.errors import DataError, GateError
from ecgkd.files import write_bytes

MAX_BYTES = 512 * 2**20
MAX_MEMBERS = 1000
MAX_NAME = 200
DATE = (1980, 1, 1, 0, 0, 0)
"""The first that zip knows."""
MODE = (stat.S_IFREG | 0o644) << 16
UNIX = 3


def archive_bytes(members: Mapping[str, bytes]) -> bytes:
    """Returns the zip file of `members`, name to content; the same for the same members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr, entry.create_system = MODE, UNIX
            archive.writestr(entry, members[name])
    return buffer.getvalue()


def write_archive(path: Path, members: Mapping[str, bytes]) -> int:
    """Writes `members` to `path`, whole or not at all; returns its size in bytes. Raises: DataError."""
    content = archive_bytes(members)
    write_bytes(path, content)
    return len(content)


def read_archive(path: Path) -> dict[str, bytes]:
    """Returns the members of the bundle at `path`; nothing is unpacked to disk.

    Raises: DataError where it cannot be read or is no zip file, GateError where it holds what no bundle holds.
    """
    return members_of(_content(path), str(path))


def members_of(content: bytes, where: str) -> dict[str, bytes]:
    """Returns the members of a bundle's bytes, called `where` in messages. Raises: as `read_archive`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _refuse_odd(where, entries, len(content))
            members = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise DataError(f"{where}: not a readable bundle ({error}); make or fetch it again") from error
    if archive_bytes(members) != content:
        raise GateError(f"{where}: bytes beside its members were changed or added; make or fetch it again")
    return members


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise GateError(f"{path}: {size / 2**20:.0f} MiB; a bundle has at most {MAX_BYTES // 2**20}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such bundle") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _refuse_odd(where: str, entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_MEMBERS:
        raise GateError(f"{where}: {len(entries)} members; a bundle has at most {MAX_MEMBERS}")
    names = [entry.filename for entry in entries]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise GateError(f"{where}: member {min(twice)!r} twice")
    for entry in entries:
        problem = _problem(entry)
        if problem:
            raise GateError(f"{where}: member {entry.filename[:MAX_NAME]!r} {problem}; not a bundle of ecgkd")
    total = sum(entry.file_size for entry in entries)
    if total > size:
        raise GateError(f"{where}: its members claim {total} bytes in a file of {size}; not a bundle of ecgkd")


def _problem(entry: zipfile.ZipInfo) -> str:
    """Returns what is wrong with a member before it is read, "" where nothing is."""
    name = entry.filename
    parts = PurePosixPath(name).parts
    if not name or len(name) > MAX_NAME or not name.isprintable():
        return "has no name that can be used"
    if name.startswith("/") or "\\" in name or ":" in name or ".." in parts:
        return "has a path that leads out of the bundle"
    if str(PurePosixPath(name)) != name:
        return "is a folder or has a roundabout path"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return "is compressed, which members of a bundle never are"
    if entry.external_attr >> 16 and not stat.S_ISREG(entry.external_attr >> 16):
        return "is no plain file"
    return ""
