"""Fetches files over HTTP: resumed from a `.part` where a connection was cut, tried again with growing pauses."""

import http.client
import io
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ecgkd import __version__
from ecgkd.errors import NetworkError
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


def _explain(error: Exception, url: str) -> NetworkError:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        known = {404: "not found there; is the version still offered?", 403: "not allowed; the set needs an account"}
        return NetworkError(f"{url}: the server answered {error.code}: {known.get(error.code, error.reason)}")
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        words = "the server went silent"
    elif isinstance(reason, ConnectionRefusedError):
        words = "nobody answers there (connection refused)"
    elif isinstance(reason, ConnectionError | http.client.HTTPException):
        words = "the connection was cut"
    else:
        words = str(reason)
    return NetworkError(f"{url}: {words}; run the same command again, it goes on where it stopped")


def _is_final(error: Exception) -> bool:
    """Returns whether trying again is useless: the server has said no. Closes the connection that an answer keeps."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
    return isinstance(error, urllib.error.HTTPError) and error.code not in (408, 425, 429, 500, 502, 503, 504)


class _Cut(Exception):
    """The connection ended before the file did."""


class Stopped(Exception):
    """The download was given up elsewhere."""


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


@dataclass
class Fetcher:
    """Fetches files until `stop` is set."""

    how: Fetching
    stop: threading.Event = field(default_factory=threading.Event)

    def _open(self, url: str, start: int) -> http.client.HTTPResponse:
        headers = {"User-Agent": f"ecgkd/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = urllib.request.Request(url, headers=headers)
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=self.how.timeout)
        return response

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
        try:
            response = self._open(url, start)
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
            with _open_part(part, "ab" if resumed else "wb") as file:
                while chunk := response.read1(_CHUNK):
                    _write(file, part, chunk)
                    received += len(chunk)
                    tell(len(chunk))
                    if self.stop.is_set():
                        raise Stopped
        if length is not None and received < int(length):
            raise _Cut

    def file(self, url: str, target: Path, sha256: str, tell: Callable[[int], None]) -> None:
        """Fetches one file, checks it and gives it its name. Raises: NetworkError, DataError."""
        part = target.with_name(target.name + ".part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(target.parent, error) from error
        attempt = wrong = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                self._append(url, part, tell)
            except (OSError, http.client.HTTPException, _Cut) as error:
                after = part.stat().st_size if part.exists() else 0
                attempt = 0 if after > before else attempt + 1
                if _is_final(error) or attempt > self.how.retries:
                    raise _explain(ConnectionError() if isinstance(error, _Cut) else error, url) from error
                self._wait(attempt)
                continue
            if sha256_file(part) == sha256:
                os.replace(part, target)
                return
            part.unlink()
            wrong += 1
            if wrong > 1:
                raise NetworkError(
                    f"{url}: its checksum is wrong, twice; the file is damaged on the server or on the way"
                )
