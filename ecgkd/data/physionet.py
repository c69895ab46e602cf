"""Downloads sets from PhysioNet, checked against their SHA256SUMS.txt."""

import os
import re
import urllib.parse
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from ecgkd.data.corpus import Corpus
from ecgkd.data.fetch import Fetcher, Fetching
from ecgkd.data.fetch_many import Download, Item, Progress, fetch_all
from ecgkd.data.unpack import unsafe_name
from ecgkd.errors import NetworkError, UsageError
from ecgkd.files import sha256_file, write_bytes, write_json

BASE_URL = "https://physionet.org/files"
SOURCE_FILE = "ecgkd-source.json"
"""Written beside the files: what the set is, so that `data prepare` knows its people, licence and citation."""
_MANIFEST = "SHA256SUMS.txt"
_LINE = re.compile(r"^([0-9a-fA-F]{64})[ \t]+\*?(\S.*)$")


def write_source(folder: Path, corpus: Corpus, **more: object) -> None:
    """Writes beside the files what the set is."""
    source = {"key": corpus.key, "name": f"{corpus.name} {corpus.version}".strip(), "licence": corpus.licence}
    about = {**source, "cite": corpus.citation, "doi": corpus.doi, "notes": corpus.traps}
    write_json(folder / SOURCE_FILE, {**about, **more})


def file_url(corpus: Corpus, name: str, base_url: str | None = None) -> str:
    """Returns the address of a set's file; the base is `ECGKD_PHYSIONET` of the environment, else PhysioNet.

    Raises: UsageError for a base that is no http(s) address.
    """
    base = base_url or os.environ.get("ECGKD_PHYSIONET") or BASE_URL
    if not base.startswith(("http://", "https://")):
        raise UsageError(f"{base!r} is no address to download from; expected http://… or https://…")
    return f"{base.rstrip('/')}/{corpus.slug}/{corpus.version}/{urllib.parse.quote(name)}"


def parse_manifest(text: str, where: str) -> dict[str, str]:
    """Returns file names and SHA-256 of a SHA256SUMS file.

    Raises: NetworkError for lines that are none, and for names that would leave the folder.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.match(line.rstrip())
        if match is None:
            raise NetworkError(f"{where}: line {number} is no checksum; is the address right?")
        name = match[2].removeprefix("./")
        if unsafe_name(name):
            raise NetworkError(f"{where}: line {number} names {name!r}, which would leave the folder; refused")
        found[name] = match[1].lower()
    if not found:
        raise NetworkError(f"{where}: lists no files")
    return found


def _manifest(fetcher: Fetcher, url: str, only: Iterable[str]) -> tuple[str, dict[str, str]]:
    text = fetcher.text(url)
    wanted = parse_manifest(text, url)
    patterns = tuple(only)
    if patterns:
        # Lists, tables and licences at the top are always needed.
        wanted = {n: s for n, s in wanted.items() if "/" not in n or any(fnmatch(n, p) for p in patterns)}
        if not any(fnmatch(name, pattern) for name in wanted for pattern in patterns):
            raise UsageError(f"{url}: no file fits {', '.join(patterns)}")
    return text, wanted


def download(
    corpus: Corpus,
    folder: Path | str,
    *,
    base_url: str | None = None,
    how: Fetching | None = None,
    only: Iterable[str] = (),
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Download:
    """Brings the files of a set into `folder`, those that fit one of the patterns `only` or all.

    Files that are there and whole stay; a file that was cut goes on from its `.part`. With `dry_run`, only the list of
    files is fetched and nothing is written.
    Raises: UsageError for a set that lies elsewhere, NetworkError, DataError where the disk is full or not permitted.
    """
    if not corpus.slug:
        raise UsageError(f"{corpus.key}: cannot be downloaded by ecgkd; get it from {corpus.where}")
    folder = Path(folder)
    fetcher = Fetcher(how or Fetching())
    text, wanted = _manifest(fetcher, file_url(corpus, _MANIFEST, base_url), only)
    done = Download(folder, len(wanted))
    items: list[Item] = []
    for number, (name, sha256) in enumerate(wanted.items()):
        target = folder / name
        if target.is_file() and sha256_file(target) == sha256:
            done.present += 1
        else:
            items.append((file_url(corpus, name, base_url), target, sha256))
        if progress is not None and folder.is_dir():
            progress(number + 1, len(wanted), "looking at what is there")
    if dry_run:
        return done
    write_bytes(folder / _MANIFEST, text.encode())
    if items:
        fetch_all(fetcher, items, done, progress)
    write_source(folder, corpus)
    return done
