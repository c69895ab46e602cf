"""Fetches many files at once, until all are there or one cannot be had."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ecgkd.data.fetch import Fetcher, Refused, Stopped
from ecgkd.errors import EcgkdError
from ecgkd.files import write_error

Progress = Callable[[int, int, str], None]
Item = tuple[str, Path, str | None]
"""Address, where to, SHA-256 (None: not known)."""
GONE = (404, 410)
"""What servers answer for a file that they do not have."""


@dataclass
class Download:
    """What a download did, or would do."""

    folder: Path
    files: int
    present: int = 0
    """Files that were there and whole before."""
    fetched: list[str] = field(default_factory=list)
    received: int = 0
    """Bytes that came over the network."""
    missing: list[str] = field(default_factory=list)
    """Files that the publisher's server does not have."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Of files whose publisher gives no checksums: what came."""
    first: list[str] = field(default_factory=list)
    """Those of them that came for the first time, so that nothing could be compared."""
    unpacked: list[str] = field(default_factory=list)
    """Recordings unpacked from archives now."""
    notes: list[str] = field(default_factory=list)
    """What else the user should know."""


def _worker(fetcher: Fetcher, tasks: "queue.Queue[Item]", results: "queue.Queue[object]", skip_gone: bool) -> None:
    while not fetcher.stop.is_set():
        try:
            url, target, sha256 = tasks.get_nowait()
        except queue.Empty:
            return
        try:
            fetcher.file(url, target, sha256, results.put)
            results.put(target)
        except Stopped:
            return
        except Refused as error:
            results.put((target, error) if skip_gone and error.code in GONE else error)
        except Exception as error:
            results.put(error)
            return


def fetch_all(
    fetcher: Fetcher, items: list[Item], done: Download, progress: Progress | None, skip_gone: bool = False
) -> None:
    """Fetches `items` with several threads; any error, and Ctrl-C, stops all of them where they are.

    With `skip_gone`, files that the server does not have are noted as missing instead, unless it has none at all.
    """
    tasks: queue.Queue[Item] = queue.Queue()
    results: queue.Queue[object] = queue.Queue()
    for item in items:
        tasks.put(item)
    threads = [
        threading.Thread(target=_worker, args=(fetcher, tasks, results, skip_gone), daemon=True)
        for _ in range(min(fetcher.how.jobs, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        while len(done.fetched) + len(done.missing) < len(items):
            result = results.get()
            if isinstance(result, int):
                done.received += result
            elif isinstance(result, Path):
                done.fetched.append(result.relative_to(done.folder).as_posix())
            elif isinstance(result, tuple):
                done.missing.append(result[0].relative_to(done.folder).as_posix())
                if len(done.missing) == len(items) and not done.present:
                    raise result[1]
            elif isinstance(result, EcgkdError):
                raise result
            elif isinstance(result, OSError):
                raise write_error(done.folder, result) from result
            elif isinstance(result, Exception):
                raise result
            if progress is not None:
                megabytes = f"({done.received / 1e6:.1f} MB)"
                progress(done.present + len(done.fetched), done.files, megabytes)
    finally:
        fetcher.stop.set()
        for thread in threads:
            thread.join(timeout=1.0)
