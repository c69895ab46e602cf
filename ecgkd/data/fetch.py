"""Fetches files over HTTP: resumed from a `.part` where a connection was cut, tried again with growing pauses."""

import contextlib
import http.client
import io
import os
import shutil
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecgkd import __version__
from ecgkd.errors import DataError, NetworkError
from ecgkd.files import sha256_file, write_error

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Fetching:
    """How to fetch."""

    retries: int = 5
    """Attempts after the first that a file gets without progress."""
    backoff: float = 1.0
    """Seconds before the second attempt; doubled each time."""
    timeout: float = 30.0
    """Seconds without a byte after which a connection counts as lost."""
    jobs: int = 4
    """Files fetched at once."""


class Refused(NetworkError):
    """The server has said no."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
        """HTTP status."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from an encrypted address to an open one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            raise urllib.error.URLError(f"sent on from https to {newurl}, which is not encrypted; refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _explain(error: Exception, url: str) -> NetworkError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(error, urllib.error.HTTPError):
        known = {404: "not found there; is the version still offered?", 403: "not allowed; the set needs an account"}
        words = f"{url}: the server answered {error.code}: {known.get(error.code, error.reason)}"
        return Refused(words, error.code)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return NetworkError(
            f"{url}: the server's certificate is not valid ({reason.verify_message}); is this computer's clock right, "
            "are its certificates of this year, does a proxy stand between?"
        )
    if isinstance(error, urllib.error.URLError) and isinstance(reason, str):
        return NetworkError(f"{url}: {reason}")
    if isinstance(reason, socket.gaierror):
        return NetworkError(f"{url}: no such host, or no network here; run the same command again when there is one")
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        words = "the server went silent"
    elif isinstance(reason, ConnectionRefusedError):
        words = "nobody answers there (connection refused)"
    elif isinstance(reason, ConnectionError | ssl.SSLError | http.client.HTTPException):
        words = "the connection was cut"
    else:
        words = str(reason)
    return NetworkError(f"{url}: {words}; run the same command again, it goes on where it stopped")


def _is_final(error: Exception) -> bool:
    """Returns whether trying again is useless: the server has said no, or is not the one that was asked for.

    Closes the connection that an answer keeps.
    """
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return error.code not in (408, 425, 429, 500, 502, 503, 504)
    return isinstance(error, urllib.error.URLError) and isinstance(error.reason, ssl.SSLCertVerificationError | str)


class _Cut(Exception):
    """The connection ended before the file did."""


class Stopped(Exception):
    """The download was given up elsewhere."""


def require_room(path: Path, needed: int) -> None:
    """Raises: DataError where the disk that `path` is, or will be, on has fewer than `needed` free bytes."""
    place = next((parent for parent in (path, *path.absolute().parents) if parent.exists()), None)
    if place is None or needed <= 0:
        return
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(place).free
        if free < needed:
            raise DataError(
                f"{path}: needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; the disk is full before it is "
                "there: free some space or choose another place with --out"
            )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def _open_part(part: Path, mode: str) -> io.FileIO:
    try:
        return io.FileIO(part, mode)
    except OSError as error:
        raise write_error(part, error) from error


def _write(file: io.FileIO, part: Path, chunk: bytes) -> None:
    try:
        while chunk:
            chunk = chunk[file.write(chunk) :]
    except OSError as error:
        raise write_error(part, error) from error


def _edition_of(part: Path) -> Path:
    return part.with_name(part.name + ".edition")


def _read_edition(path: Path) -> str:
    """Returns which edition of its file a part is of, as the server named it; empty where it did not."""
    try:
        return path.read_text(encoding="latin1").strip()
    except OSError:
        return ""


def _note_edition(path: Path, response: http.client.HTTPResponse) -> None:
    """Notes which edition of a file begins to come, so that a later one is not appended to it."""
    tag = response.headers.get("ETag") or ""
    edition = tag if tag.startswith('"') else response.headers.get("Last-Modified") or ""
    with contextlib.suppress(OSError):  # without the note a mixture is found by its checksum only
        if edition:
            path.write_text(edition, encoding="latin1")
        else:
            path.unlink(missing_ok=True)


def discard(part: Path) -> None:
    """Removes an unfinished file and what is noted of it."""
    with contextlib.suppress(OSError):
        for path in (part, _edition_of(part)):
            path.unlink(missing_ok=True)


def finish(part: Path, target: Path) -> None:
    """Gives a finished file its name. Raises: DataError."""
    try:
        os.replace(part, target)
        _edition_of(part).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(target, error) from error


@dataclass
class Fetcher:
    """Fetches files until `stop` is set."""

    how: Fetching
    stop: threading.Event = field(default_factory=threading.Event)
    _reached: bool = False
    """Whether a server has answered."""
    _opener: urllib.request.OpenerDirector = field(default_factory=lambda: urllib.request.build_opener(_Redirects))

    def _open(self, url: str, start: int, edition: str = "") -> http.client.HTTPResponse:
        headers = {"User-Agent": f"ecgkd/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if start and edition:
            headers["If-Range"] = edition
        request = urllib.request.Request(url, headers=headers)
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=self.how.timeout)
        except urllib.error.HTTPError:
            self._reached = True
            raise
        self._reached = True
        return response

    @property
    def _retries(self) -> int:
        """Attempts after the first; few as long as somebody waits for the first answer."""
        return self.how.retries if self._reached else min(self.how.retries, 2)

    def _wait(self, attempt: int) -> None:
        if self.stop.wait(self.how.backoff * 2**attempt):
            raise Stopped

    def text(self, url: str) -> str:
        """Returns a small text file. Raises: NetworkError."""
        retries = min(self.how.retries, 2)  # somebody waits for the first answer
        for attempt in range(retries + 1):
            try:
                with self._open(url, 0) as response:
                    content: bytes = response.read()
                return content.decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as error:
                if _is_final(error) or attempt == retries:
                    raise _explain(error, url) from error
                self._wait(attempt)
        raise NetworkError(f"{url}: not fetched")

    def _append(self, url: str, part: Path, tell: Callable[[int], None]) -> None:
        """Fetches what `part` lacks. Raises: _Cut and network errors as they come, DataError where writing fails."""
        start = part.stat().st_size if part.exists() else 0
        edition = _edition_of(part)
        try:
            response = self._open(url, start, _read_edition(edition) if start else "")
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing beyond what is there; the checksum decides
                error.close()
                return
            raise
        received = 0
        with response:
            resumed = response.status == 206
            if resumed and not (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
                part.unlink()
                raise _Cut
            length = response.headers.get("Content-Length")
            require_room(part, int(length or 0) - (0 if resumed else start))
            _make_folder(part.parent)
            if not resumed:
                _note_edition(edition, response)
            with _open_part(part, "ab" if resumed else "wb") as file:
                while chunk := response.read1(_CHUNK):
                    _write(file, part, chunk)
                    received += len(chunk)
                    tell(len(chunk))
                    if self.stop.is_set():
                        raise Stopped
        if length is not None and received < int(length):
            raise _Cut

    def whole(self, url: str, part: Path, tell: Callable[[int], None]) -> None:
        """Fetches what `part` lacks, as often as it is cut. Raises: NetworkError, DataError."""
        attempt = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                self._append(url, part, tell)
                return
            except (OSError, http.client.HTTPException, _Cut) as error:
                after = part.stat().st_size if part.exists() else 0
                attempt = 0 if after > before else attempt + 1
                if _is_final(error) or attempt > self._retries:
                    raise _explain(ConnectionError() if isinstance(error, _Cut) else error, url) from error
                self._wait(attempt)

    def file(self, url: str, target: Path, sha256: str | None, tell: Callable[[int], None]) -> None:
        """Fetches one file, checks it where its SHA-256 is known, and gives it its name.

        Raises: NetworkError, DataError.
        """
        part = target.with_name(target.name + ".part")
        for _ in range(2):
            self.whole(url, part, tell)
            if sha256 is None or sha256_file(part) == sha256:
                finish(part, target)
                return
            discard(part)
        raise NetworkError(f"{url}: its checksum is wrong, twice; the file is damaged on the server or on the way")
