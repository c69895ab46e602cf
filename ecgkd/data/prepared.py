"""Prepared sets: recordings packed so that any window can be read at once, from one NPZ file or a folder of shards."""

import stat
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.encode import ContentHash
from ecgkd.data.index import BROKEN, map_shard, read_index
from ecgkd.data.write import COLUMNS, FORMAT, FORMAT_VERSION, write_set
from ecgkd.errors import DataError, UsageError
from ecgkd.files import read_json
from ecgkd.record import Record, to_integer_microvolts

__all__ = ["PreparedSet", "is_set", "open_set", "write_set"]


class PreparedSet:
    """Recordings of many people at one sampling rate. `open_set` makes one; samples are read when first asked for."""

    def __init__(
        self,
        path: Path,
        arrays: dict[str, NDArray[Any]],
        info: dict[str, Any],
        files: tuple[dict[str, Any], ...] = (),
        sha256: str = "",
    ) -> None:
        self.path = path
        self.info = info
        self.name: str = str(info.get("key") or path.stem)
        self.fs = float(arrays["fs"])
        self.leads: tuple[str, ...] = tuple(str(lead) for lead in arrays["leads"])
        self.subject: NDArray[np.str_] = arrays["subject"]
        self.session: NDArray[np.int16] = arrays["session"]
        self.day: NDArray[np.int32] = arrays["day"]
        self.record: NDArray[np.str_] = arrays["record"]
        self.activity: NDArray[np.str_] = arrays["activity"]
        self._arrays = arrays
        self._files = files
        self._written_sha256 = sha256
        self.taken: tuple[int, ...] = (0,)
        """Numbers of the leads that windows are cut of, in the network's order."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes open the file again instead of receiving its samples.
        return _open_taking, (self.path, self.taken)

    def taking(self, leads: Sequence[str]) -> "PreparedSet":
        """Returns this set with windows of `leads`, () or "" for the first. Raises: UsageError for an absent one."""
        for lead in leads:
            if lead and lead not in self.leads:
                raise UsageError(
                    f"{self.path}: no lead {lead!r} in the set {self.name}; it has {', '.join(self.leads)}"
                )
        return self._taking(tuple(self.leads.index(lead) if lead else 0 for lead in leads) or (0,))

    def _taking(self, numbers: tuple[int, ...]) -> "PreparedSet":
        if numbers == self.taken:
            return self
        other = object.__new__(PreparedSet)  # shares what is read already
        other.__dict__ = {**self.__dict__, "taken": numbers}
        return other

    def __len__(self) -> int:
        return len(self.record)

    @property
    def n_records(self) -> int:
        return len(self.record)

    @property
    def gain_known(self) -> bool:
        """Whether µV are really µV; without it amplitudes are nominal."""
        return bool(self.info.get("gain_known", True))

    @property
    def synthetic(self) -> bool:
        """Whether no real person is in it: figures made from it prove plumbing, not biometric quality."""
        return bool(self.info.get("synthetic", False))

    def n_samples(self, i: int) -> int:
        return int(self._arrays["offset"][i + 1] - self._arrays["offset"][i])

    def counts(self, i: int, lead: int = 0) -> NDArray[np.int16]:
        """Returns the raw samples (n_samples,) of record `i`, a view that is not to be written to."""
        if not 0 <= lead < len(self.leads):
            raise UsageError(f"{self.name}: no lead number {lead}; it has {', '.join(self.leads)}")
        samples, start = self._place(i)
        return samples[lead, start : start + self.n_samples(i)]

    def microvolts(self, i: int, lead: int = 0, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Returns the samples [start, stop) of record `i` in µV; of a mapped shard, only those are read."""
        return self.counts(i, lead)[start:stop].astype(np.float32) * self._arrays["gain_uv"][i, lead]

    def integer_microvolts(self, i: int, lead: int = 0, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Returns the samples [start, stop) of record `i` in whole µV, what the front end takes."""
        return to_integer_microvolts(self.microvolts(i, lead, start, stop))

    def taken_microvolts(self, i: int, start: int = 0, stop: int | None = None) -> NDArray[np.int32]:
        """Returns the leads that are taken, whole µV: (n_samples,), or (n_leads, n_samples) for more than one."""
        signals = [self.integer_microvolts(i, lead, start, stop) for lead in self.taken]
        return np.stack(signals) if len(signals) > 1 else signals[0]

    def load(self, i: int) -> Record:
        """Returns record `i` with all its leads."""
        return Record(
            signal=np.stack([self.microvolts(i, lead) for lead in range(len(self.leads))]),
            fs=self.fs,
            leads=self.leads,
            name=str(self.record[i]),
            subject=str(self.subject[i]),
            session=int(self.session[i]),
            day=int(self.day[i]),
            activity=str(self.activity[i]),
            source=self.name,
            licence=str(self.info.get("licence", "")),
            gain_known=self.gain_known,
        )

    def records(self) -> Iterator[Record]:
        """Gives every record, one after another."""
        return (self.load(i) for i in range(len(self)))

    def find(self, record: str) -> int:
        """Returns the number of the record of that name. Raises: UsageError where there is none."""
        if record not in self._numbers:
            raise UsageError(
                f"{self.name}: no record {record!r} among its {len(self)}; the first is {str(self.record[0])!r}"
            )
        return self._numbers[record]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content (names and µV): the same for an NPZ file and a folder of shards."""
        return self._written_sha256 or self.compute_sha256()

    def compute_sha256(self) -> str:
        """Returns the hash of what is there now; for a folder of shards, `sha256` is the one noted when written."""
        content = ContentHash()
        for i in range(len(self)):
            columns = {name: self._arrays[name][i].item() for name in COLUMNS}
            samples, start = self._place(i)
            content.add(columns, samples[:, start : start + self.n_samples(i)], self._arrays["gain_uv"][i])
        return content.hexdigest(self.fs, self.leads, self.info)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {str(name): i for i, name in enumerate(self.record)}

    @cached_property
    def _samples(self) -> NDArray[np.int16]:
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                samples: NDArray[np.int16] = archive["x"]
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error
        except BROKEN as error:
            raise DataError(f"{self.path}: the samples are damaged ({error}); copy or prepare the set again") from error
        samples.flags.writeable = False
        return samples

    @cached_property
    def _shards(self) -> list[NDArray[np.int16]]:
        return [map_shard(self.path / one["file"], one["samples"], len(self.leads)) for one in self._files]

    def _place(self, i: int) -> tuple[NDArray[np.int16], int]:
        """Returns the array (n_leads, …) that holds record `i` and the sample where it starts."""
        if not 0 <= i < len(self):
            raise IndexError(f"record number {i} of {len(self)}")
        if "shard" in self._arrays:
            return self._shards[int(self._arrays["shard"][i])], int(self._arrays["start"][i])
        return self._samples, int(self._arrays["offset"][i])


def _open_taking(path: Path, numbers: tuple[int, ...]) -> PreparedSet:
    return open_set(path)._taking(numbers)


def is_set(path: Path | str) -> bool:
    """Returns whether `path` looks like a prepared set, sound or not, rather than a single recording."""
    path = Path(path)
    try:
        if path.is_dir():
            return (path / "set.json").is_file()
        with zipfile.ZipFile(path) as archive:
            return {"x.npy", "offset.npy", "subject.npy", "record.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def open_set(path: Path | str) -> PreparedSet:
    """Returns the prepared set at `path`, an NPZ file or a folder of shards, without reading its samples.

    Raises: DataError for a file that is missing, damaged or something else.
    """
    path = Path(path)
    try:
        folder, described = stat.S_ISDIR(path.stat().st_mode), (path / "set.json").is_file()
    except FileNotFoundError as error:
        make = f"`ecgkd data synth --out {path}` makes one of synthetic people"
        raise DataError(f"{path}: no such prepared set; {make}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if not folder:
        return PreparedSet(path, *read_index(path))
    if not described:
        raise DataError(f"{path}: a folder without set.json, not a prepared set; `ecgkd data prepare {path}` makes one")
    document = read_json(path / "set.json", "description of a prepared set")
    if not isinstance(document, dict) or document.get("format") != FORMAT or not document.get("shards"):
        raise DataError(f"{path / 'set.json'}: not the description of a prepared set; prepare it again")
    if document.get("version") != FORMAT_VERSION:
        raise DataError(
            f"{path}: a prepared set of version {document.get('version')}; this ecgkd reads version {FORMAT_VERSION}"
        )
    arrays, info = read_index(path / "index.npz", ("shard", "start"))
    files = tuple(document["shards"])
    n = len(arrays["record"])
    held = np.array([int(one["samples"]) for one in files])
    if (
        arrays["shard"].shape != (n,)
        or arrays["start"].shape != (n,)
        or not ((arrays["shard"] >= 0) & (arrays["shard"] < len(files)) & (arrays["start"] >= 0)).all()
        or (arrays["start"] + np.diff(arrays["offset"]) > held[arrays["shard"]]).any()
    ):
        raise DataError(f"{path}: its index and its shards contradict each other; prepare the set again")
    return PreparedSet(path, arrays, info, files, str(document.get("sha256", "")))
