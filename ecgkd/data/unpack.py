"""Takes recordings out of ZIP archives that strangers made: no path leaves the folder, no bomb fills the disk."""

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO

from ecgkd.errors import DataError, RecordingError
from ecgkd.files import atomic_path, write_error

Write = Callable[[IO[bytes], Path], None]
"""Writes what it reads to a path, whole or not at all."""
_MEMBERS = 100_000
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """What to take out of an archive."""

    take: tuple[str, ...]
    """Patterns of members, such as `*/S*.pkl`."""
    nested: tuple[str, ...] = ()
    """Patterns of members that are archives themselves; archives inside these are not opened."""
    most: int = 1_000_000_000
    """Bytes in all members taken, above which the archive is refused."""
    only: tuple[str, ...] = ()
    """Patterns of which a member has to fit one as well; empty: all."""

    def takes(self, name: str) -> bool:
        if any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts):
            return False
        return _fits(name, self.take) and (not self.only or _fits(name, self.only))


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(f"/{name}", pattern if pattern.startswith("*") else f"*/{pattern}") for pattern in patterns)


def unsafe_name(name: str) -> bool:
    """Returns whether a file of this name would lie outside its folder, or could on some system."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or not path.parts or bool(re.search(r"[\\:\x00-\x1f]", name))


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(200)
    if head.lstrip()[:1] == b"<":
        return "a web page instead: the address has moved, or wants a click"
    return "no archive" if head[:2] != b"PK" else "cut off, or damaged on the way"


def open_archive(path: Path) -> zipfile.ZipFile:
    """Returns the ZIP archive at `path`. Raises: DataError for a page, a foreign or a truncated file."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: not a whole ZIP archive ({_beginning(path)})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _members(archive: zipfile.ZipFile, where: Path, fits: Callable[[str], bool]) -> list[zipfile.ZipInfo]:
    """Returns the members that fit. Raises: DataError for an archive that is made to do harm."""
    infos = archive.infolist()
    if len(infos) > _MEMBERS:
        raise DataError(f"{where}: {len(infos)} members; no set of recordings has more than {_MEMBERS}; refused")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if unsafe_name(info.filename):
            raise DataError(f"{where}: its member {info.filename!r} would leave the folder; refused")
        if info.is_dir() or not fits(info.filename):
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DataError(f"{where}: its member {info.filename} is a link; refused")
        if info.flag_bits & 1:
            raise DataError(f"{where}: its member {info.filename} is encrypted; is it the archive of this set?")
        if info.filename in found:
            raise DataError(f"{where}: two members are called {info.filename}; refused")
        found[info.filename] = info
    return list(found.values())


def copy(source: IO[bytes], path: Path) -> None:
    """Writes the bytes of `source` to `path`, whole or not at all. Raises: DataError."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _copy_plainly(source: IO[bytes], path: Path) -> None:
    """Writes to `path` itself, so that an interrupted copy is overwritten by the next and never stays beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: Path, path: Path, write: Write) -> None:
    try:
        with archive.open(info) as member:
            write(member, path)
            while member.read(_CHUNK):  # the checksum is compared at the end of the member
                pass
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        path.unlink(missing_ok=True)
        raise DataError(f"{where}: its member {info.filename} is damaged ({error}); fetch the archive again") from error
    except NotImplementedError as error:
        raise DataError(
            f"{where}: its member {info.filename} is packed in a way that is not read here ({error}); unpack the "
            f"archive with another program into {path.parent} and run `ecgkd data prepare`"
        ) from error
    except RecordingError as error:
        path.unlink(missing_ok=True)
        raise DataError(f"{where}: {error}") from error
    except OSError as error:
        raise write_error(path, error) from error


def _opened(path: Path, folder: Path, wanted: Wanted) -> Iterator[tuple[zipfile.ZipFile, Path]]:
    """Gives the archive at `path` and, one after the other, those inside it, which lie unpacked for as long."""
    with open_archive(path) as outer:
        yield outer, path
        for info in _members(outer, path, lambda name: _fits(name, wanted.nested)):
            if info.file_size > wanted.most:
                raise DataError(f"{path}: its member {info.filename} holds {info.file_size / 1e9:.1f} GB; refused")
            inner = folder / f".{PurePosixPath(info.filename).name}.inner"
            try:
                _extract(outer, info, path, inner, _copy_plainly)
                with open_archive(inner) as archive:
                    yield archive, path / info.filename
            finally:
                inner.unlink(missing_ok=True)


def unpack(
    path: Path, folder: Path, wanted: Wanted, write: Write = copy, tell: Callable[[str], None] | None = None
) -> list[str]:
    """Takes the members that are `wanted` out of the archive at `path` into `folder`; returns their names.

    Members are read through `write`; each gets its name when it is whole. Raises: DataError for a foreign, damaged or
    harmful archive, one that holds more than `wanted.most`, and one without anything that is wanted.
    """
    names: list[str] = []
    total = 0
    for archive, where in _opened(path, folder, wanted):
        infos = _members(archive, where, wanted.takes)
        total += sum(info.file_size for info in infos)
        if total > wanted.most:
            raise DataError(
                f"{where}: its recordings would hold {total / 1e9:.1f} GB unpacked, this set has at most "
                f"{wanted.most / 1e9:.1f} GB; refused"
            )
        for info in infos:
            if tell is not None:
                tell(info.filename)
            _extract(archive, info, where, folder / info.filename, write)
            names.append(info.filename)
    if not names:
        raise DataError(f"{path}: no member of it is {' or '.join(wanted.take)}; is it the archive of this set?")
    return names
