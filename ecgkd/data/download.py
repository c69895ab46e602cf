"""Brings a known set of recordings: from PhysioNet, or from its publisher's own page."""

from collections.abc import Iterable
from pathlib import Path

from ecgkd.data.corpus import Corpus
from ecgkd.data.fetch import Fetching
from ecgkd.data.fetch_many import Download, Progress
from ecgkd.data.physionet import download as download_physionet
from ecgkd.data.physionet import file_url
from ecgkd.data.publisher import download_published
from ecgkd.errors import UsageError

__all__ = ["Download", "Fetching", "address", "download"]


def address(corpus: Corpus, base_url: str | None = None) -> str:
    """Returns where a set is fetched from. Raises: UsageError for a base that is no http(s) address."""
    if corpus.offer is None:
        return file_url(corpus, "", base_url)
    return base_url or corpus.offer.files[0].urls[0]


def download(
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
    """Brings the files of a set into `folder`; `given` is an archive that was fetched by hand.

    Raises: UsageError for a set that cannot be fetched, NetworkError, DataError.
    """
    if corpus.offer is not None:
        return download_published(
            corpus, folder, base_url=base_url, how=how, only=only, dry_run=dry_run, given=given, progress=progress
        )
    if given is not None:
        raise UsageError(f"{corpus.key}: --from is for archives; unpack the files and run `ecgkd data prepare FOLDER`")
    return download_physionet(corpus, folder, base_url=base_url, how=how, only=only, dry_run=dry_run, progress=progress)
