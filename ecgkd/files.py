"""Writing files so that a crash, a full disk or Ctrl-C never leaves a half-written one."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecgkd.errors import DataError

_HINTS = {
    errno.ENOSPC: "the disk is full; free some space or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another place",
    errno.EACCES: "no permission to write there; choose another place or change its owner",
    errno.EPERM: "no permission to write there; choose another place or change its owner",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOENT: "the folder does not exist; make it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
}


def write_error(path: Path | str, error: OSError) -> DataError:
    """Returns the error to raise when writing `path` failed with `error`."""
    hint = _HINTS.get(error.errno or 0, error.strerror or str(error))
    return DataError(f"cannot write {path}: {hint}")


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Gives a temporary file name beside `path` and renames it to `path` when the block succeeds.

    Raises: DataError where the place is full, read-only or not permitted; nothing is left behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Gives a temporary folder beside `path` that takes the place of `path` when the block succeeds.

    An older folder of that name is replaced only then. Raises: DataError as `atomic_path` does.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        temporary.chmod(0o755)
        yield temporary
        if path.exists():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all. Raises: DataError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path | str, document: Any) -> None:
    """Writes `document` as indented JSON, whole or not at all. Raises: DataError."""
    write_bytes(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path | str, what: str) -> Any:
    """Returns the JSON document at `path`. Raises: DataError naming `what` was expected there."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such {what}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: not a {what} (broken JSON: {error})") from error


def canonical_json(document: Any) -> bytes:
    """Returns the one JSON text of `document` that hashes are taken of (sorted keys, no spaces)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_of(document: Any) -> str:
    """Returns the SHA-256 of `document`'s canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def sha256_file(path: Path | str) -> str:
    """Returns the SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
