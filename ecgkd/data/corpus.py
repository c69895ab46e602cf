"""What the catalogue says of a set of recordings, and where its files lie."""

from dataclasses import dataclass

from ecgkd.data.rules import Rule

PHYSIONET_CITE = (
    "Goldberger A. et al. PhysioBank, PhysioToolkit, and PhysioNet: Components of a new research resource for complex "
    "physiologic signals. Circulation 101(23):e215-e220, 2000"
)


@dataclass(frozen=True)
class Remote:
    """One file that a publisher offers."""

    name: str
    """What it is called here: a path below the folder of the set."""
    urls: tuple[str, ...]
    """Where it lies; a further address is tried where the server of one says that it has gone."""
    size: int = 0
    """Bytes when others fetched it; 0 where nobody tells."""


@dataclass(frozen=True)
class Offer:
    """What a publisher that gives no checksums has for download, and how it is unpacked."""

    page: str
    """Where a person finds the files, should the addresses be others by now."""
    files: tuple[Remote, ...]
    take: tuple[str, ...] = ()
    """Members of the archives to unpack, such as `*/S*.pkl`; empty where the files are the recordings themselves."""
    nested: tuple[str, ...] = ()
    """Members that are archives and are opened as well, such as `data.zip`."""
    slim: bool = False
    """Whether members are pickled recordings of a RespiBAN belt, of which only ECG and labels are kept."""
    room: int = 0
    """Bytes that unpacking takes on disk, about."""
    most: int = 0
    """Bytes in all members taken, above which the archive is none of this set."""


@dataclass(frozen=True)
class Corpus:
    """One known set of recordings."""

    key: str
    """What `ecgkd data download` and `data prepare` call it."""
    name: str
    people: str
    records: str
    fs: str
    """Hz."""
    leads: str
    size: str
    """Of the download, about."""
    licence: str
    cite: str
    doi: str
    use: str
    traps: str
    slug: str = ""
    """PhysioNet project; empty where the set lies elsewhere."""
    version: str = ""
    where: str = ""
    """How to get it where `data download` cannot."""
    rule: Rule | None = None
    """How `data prepare` tells its people apart; None where a table or a pattern is needed."""
    offer: Offer | None = None
    """What its publisher has for download, where that is not PhysioNet."""
    terms: str = ""
    """What its users agree to beside the licence; said before a download."""
    also: tuple[str, ...] = ()
    """Other names that people look for."""

    @property
    def downloadable(self) -> bool:
        return bool(self.slug) or self.offer is not None

    @property
    def citation(self) -> str:
        return f"{self.cite}; {PHYSIONET_CITE}" if self.slug else self.cite
