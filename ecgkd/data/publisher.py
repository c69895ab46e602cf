"""Downloads sets from their publishers' own pages, which give no checksums: what came first is what is trusted.

The SHA-256 of what comes is written into `SHA256SUMS.txt` beside it and compared by every later download. A first
download has nothing to be compared with: it is as trustworthy as the encrypted connection that it came through.
"""

import json
import urllib.parse
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from ecgkd.data.corpus import Corpus, Offer, Remote
from ecgkd.data.fetch import Fetcher, Fetching, Refused, discard, finish, require_room
from ecgkd.data.fetch_many import GONE, Download, Item, Progress, fetch_all
from ecgkd.data.physionet import parse_manifest, write_source
from ecgkd.data.read_respiban import slim
from ecgkd.data.unpack import Wanted, copy, open_archive, unpack
from ecgkd.errors import DataError, NetworkError, UsageError
from ecgkd.files import sha256_file, write_bytes, write_json

SUMS = "SHA256SUMS.txt"
_UNPACKED = ".ecgkd-unpacked.json"
"""Which archive was unpacked (its SHA-256) to which files of which size."""


def _addresses(remote: Remote, base_url: str | None) -> tuple[str, ...]:
    if base_url is None:
        return remote.urls
    if not base_url.startswith(("http://", "https://")):
        raise UsageError(f"{base_url!r} is no address to download from; expected http://… or https://…")
    return (f"{base_url.rstrip('/')}/{urllib.parse.quote(remote.name)}",)


def read_sums(folder: Path) -> dict[str, str]:
    """Returns names and SHA-256 of what came into `folder` before. Raises: DataError for a broken list."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    try:
        return parse_manifest(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (NetworkError, UnicodeDecodeError) as error:
        raise DataError(f"{error}; delete {path} to trust what comes next") from error


def _write_sums(folder: Path, sums: dict[str, str]) -> None:
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    write_bytes(folder / SUMS, text.encode())


def _changed(name: str, folder: Path, before: str, now: str, kept: Path) -> NetworkError:
    return NetworkError(
        f"{name}: not what came the first time (SHA-256 {now}, then {before}). Its publisher has changed it, or it is "
        f"damaged or forged. It lies in {kept}; if its publisher says that it is new, take its line out of "
        f"{folder / SUMS} and give the file with --from"
    )


def _moved(error: Refused, offer: Offer) -> Refused:
    words = "may the files have moved? Get them by hand from"
    return Refused(f"{error}; {words} {offer.page} and give the archive with --from FILE", error.code)


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _fetch_archive(
    offer: Offer, remote: Remote, part: Path, fetcher: Fetcher, base_url: str | None, tell: Progress | None
) -> int:
    """Fetches the archive into `part` from the first address that has it; returns the bytes that came.

    Raises: NetworkError, and removes `part`, where what comes is no whole archive.
    """
    received = 0

    def count(n: int) -> None:
        nonlocal received
        received += n
        if tell is not None and part.exists():
            size = part.stat().st_size
            tell(size // 1_000_000, max(remote.size, size) // 1_000_000, f"{remote.name} (MB)")

    addresses = _addresses(remote, base_url)
    for url in addresses:
        last = url == addresses[-1]
        try:
            fetcher.whole(url, part, count)
        except Refused as error:
            if last or error.code not in GONE:
                raise _moved(error, offer) from error
            continue
        try:
            open_archive(part).close()
            break
        except DataError as error:
            discard(part)
            if last:
                why = str(error).partition(": ")[2]
                advice = f"run the same command again, or get the archive from {offer.page} and give it with --from"
                raise NetworkError(f"{url}: {why}; {advice}") from error
    return received


def _unpacked(folder: Path, digest: str | None) -> list[str]:
    """Returns the files that the archive of this SHA-256 was unpacked to, nothing where one of them is not whole."""
    try:
        note = json.loads((folder / _UNPACKED).read_text())
        files: dict[str, int] = note["files"]
        if note["sha256"] != digest or any((folder / name).stat().st_size != size for name, size in files.items()):
            return []
        return list(files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _take(
    corpus: Corpus, archive: Path, digest: str, folder: Path, only: tuple[str, ...], progress: Progress | None
) -> list[str]:
    offer = corpus.offer
    assert offer is not None
    require_room(folder, offer.room)
    done: list[str] = []

    def tell(name: str) -> None:
        if progress is not None:
            progress(len(done), 0, f"unpacking {name}")
        done.append(name)

    wanted = Wanted(offer.take, offer.nested, offer.most, only)
    names = unpack(archive, folder, wanted, slim if offer.slim else copy, tell)
    if not only:
        sizes = {name: (folder / name).stat().st_size for name in names}
        write_json(folder / _UNPACKED, {"sha256": digest, "files": sizes})
    return names


def _known(name: str, digest: str, sums: dict[str, str], done: Download) -> None:
    """Notes what came, and whether it came for the first time."""
    if name not in sums:
        done.first.append(name)
    sums[name] = done.sha256[name] = digest


def _from_file(corpus: Corpus, given: Path, folder: Path, only: tuple[str, ...], progress: Progress | None) -> Download:
    """Unpacks an archive that somebody fetched by hand."""
    if not given.is_file():
        raise DataError(f"{given}: no such file to take {corpus.name} from")
    open_archive(given).close()
    sums, done = read_sums(folder), Download(folder, 1, present=1)
    assert corpus.offer is not None
    expected = [remote.name for remote in corpus.offer.files if remote.name.endswith(".zip")]
    name = expected[0] if expected else given.name
    digest = _digest(given)
    if sums.get(name, digest) != digest:
        raise _changed(name, folder, sums[name], digest, given)
    done.unpacked = _take(corpus, given, digest, folder, only, progress)
    _known(name, digest, sums, done)
    _write_sums(folder, sums)
    write_source(folder, corpus)
    return done


def _archive(
    corpus: Corpus,
    folder: Path,
    fetcher: Fetcher,
    base_url: str | None,
    only: tuple[str, ...],
    progress: Progress | None,
) -> Download:
    """Fetches the set's archive, or takes one that lies in the folder, and unpacks it."""
    offer = corpus.offer
    assert offer is not None
    (remote,) = offer.files
    sums, done, target = read_sums(folder), Download(folder, 1), folder / remote.name
    before = sums.get(remote.name)
    if not only and _unpacked(folder, before):
        done.present, done.sha256 = 1, {remote.name: before or ""}
        return done
    part = target.with_name(target.name + ".part")
    if target.is_file():
        digest = _digest(target)
        if before is not None and digest != before:
            raise _changed(remote.name, folder, before, digest, target)
        open_archive(target).close()
        done.present = 1
    else:
        have = part.stat().st_size if part.exists() else 0
        require_room(folder, remote.size - have + offer.room)
        done.received = _fetch_archive(offer, remote, part, fetcher, base_url, progress)
        digest = _digest(part)
        if before is not None and digest != before:
            kept = target.with_name(target.name + ".new")
            finish(part, kept)
            raise _changed(remote.name, folder, before, digest, kept)
        size = part.stat().st_size
        finish(part, target)
        done.fetched.append(remote.name)
        if remote.size and abs(size - remote.size) > 0.05 * remote.size:
            done.notes.append(f"{remote.name} has {size / 1e6:.1f} MB; when others fetched it, {remote.size / 1e6:.1f}")
    done.unpacked = _take(corpus, target, digest, folder, only, progress)
    _known(remote.name, digest, sums, done)
    _write_sums(folder, sums)
    return done


def _files(
    corpus: Corpus,
    folder: Path,
    fetcher: Fetcher,
    base_url: str | None,
    only: tuple[str, ...],
    progress: Progress | None,
) -> Download:
    """Fetches the files of a set that lie side by side."""
    offer = corpus.offer
    assert offer is not None
    wanted = [remote for remote in offer.files if not only or any(fnmatch(remote.name, pattern) for pattern in only)]
    if not wanted:
        raise UsageError(f"{corpus.key}: no file fits {', '.join(only)}; there are {offer.files[0].name} and such")
    sums, done = read_sums(folder), Download(folder, len(wanted))
    items: list[Item] = []
    for remote in wanted:
        target, before = folder / remote.name, sums.get(remote.name)
        digest = _digest(target) if target.is_file() else ""
        if digest and before in (None, digest):
            done.present += 1
            _known(remote.name, digest, sums, done)
        else:
            items.append((_addresses(remote, base_url)[0], target, None))
    require_room(folder, offer.room * len(items) // len(offer.files))
    names = [target.relative_to(folder).as_posix() for _, target, _ in items]
    if items:
        try:
            fetch_all(fetcher, items, done, progress, skip_gone=True)
        except Refused as error:
            raise _moved(error, offer) from error
        finally:
            _note_files(folder, [name for name in names if name in done.fetched], sums, done)
    _write_sums(folder, sums)
    return done


def _note_files(folder: Path, names: list[str], sums: dict[str, str], done: Download) -> None:
    """Writes down the SHA-256 of what came. Raises: NetworkError for a file that is another than the first time."""
    try:
        for name in names:
            path, before, digest = folder / name, sums.get(name), _digest(folder / name)
            with path.open("rb") as file:
                page = file.read(100).lstrip()[:1] in (b"<", b"")
            if page:
                discard(path)
                raise NetworkError(f"{name}: a web page or nothing came instead of a recording; run the command again")
            if before is not None and digest != before:
                kept = path.with_name(path.name + ".new")
                finish(path, kept)
                raise _changed(name, folder, before, digest, kept)
            _known(name, digest, sums, done)
    finally:
        if sums:
            _write_sums(folder, sums)


def download_published(
    corpus: Corpus,
    folder: Path | str,
    *,
    base_url: str | None = None,
    how: Fetching | None = None,
    only: Iterable[str] = (),
    dry_run: bool = False,
    given: Path | None = None,
    progress: Progress | None = None,
) -> Download:
    """Brings the recordings of a set into `folder` from its publisher, or from an archive `given` by hand.

    Raises: NetworkError where nothing comes or something else than the first time, DataError for an archive that is
    foreign, damaged or harmful and for a full disk, UsageError.
    """
    offer, folder, patterns = corpus.offer, Path(folder), tuple(only)
    if offer is None:
        raise UsageError(f"{corpus.key}: cannot be downloaded by ecgkd; get it from {corpus.where}")
    if dry_run:
        there = sum((folder / remote.name).is_file() for remote in offer.files)
        return Download(folder, len(offer.files), present=there)
    if given is not None:
        return _from_file(corpus, given, folder, patterns, progress)
    bring = _archive if offer.files[0].name.endswith(".zip") else _files
    done = bring(corpus, folder, Fetcher(how or Fetching()), base_url, patterns, progress)
    write_source(folder, corpus)
    return done
