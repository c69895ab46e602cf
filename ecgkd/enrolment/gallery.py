"""The gallery file: who is enrolled, bound to one embedding space.

A JSON document, UTF-8:

    format           "ecgkd-gallery"
    version          1
    embedding_space  id of the embedding space (`ecgkd.contract.embedding_space_id`): templates fit no other
    embedding_size   components of a template
    model            preset name of the network, for people
    model_path       where the network lies; "" the one that ecgkd brings
    people           name -> {template: int16 values of norm 2^15, mean: Q20, sigma: Q24 (its side of the score
                     normalisation), cohort: hash of the centroids they belong to, windows, recordings, seconds,
                     consistency, enrolled: UTC time}
    sha256           of the canonical JSON (sorted keys, no spaces) of all of the above

No recording and no window's embedding is kept. The checksum finds damage, not forgery.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ecgkd.contract import Contract
from ecgkd.enrolment.decision import Cohort, Template, make_template
from ecgkd.enrolment.template import LIMIT
from ecgkd.errors import DataError, UsageError
from ecgkd.files import atomic_path, canonical_json, read_json, sha256_of, write_error

FORMAT = "ecgkd-gallery"
VERSION = 1
LOCK_SECONDS = 30.0
MAX_NAME = 100


@dataclass(frozen=True)
class Person:
    """What the gallery keeps of one person."""

    template: Template
    cohort: str
    """Name of the cohort that the template's statistics belong to; "" without one."""
    windows: int
    recordings: int
    seconds: float
    consistency: float
    """Mean cosine over all pairs of the enrolled windows."""
    enrolled: str
    """UTC, ISO 8601."""

    def template_for(self, cohort: Cohort | None) -> Template:
        """Returns the template with statistics of `cohort`: the kept ones, or computed where they are of another."""
        if cohort is None or cohort.name == self.cohort:
            return self.template
        return make_template(self.template.vector, cohort)

    def to_dict(self) -> dict[str, Any]:
        plain = {key: value for key, value in vars(self).items() if key != "template"}
        template = self.template
        return {"template": template.vector.tolist(), "mean": template.mean, "sigma": template.sigma} | plain

    @classmethod
    def from_dict(cls, document: dict[str, Any], size: int) -> "Person":
        """Returns the person that `document` holds. Raises: KeyError, TypeError or ValueError if it is broken."""
        values = dict(document)
        vector = np.array(values.pop("template"), np.int64)
        if vector.shape != (size,) or np.abs(vector).max() > LIMIT:
            raise ValueError(f"a template of shape {vector.shape}")
        mean, sigma = int(values.pop("mean")), int(values.pop("sigma"))
        if values["cohort"] and sigma < 1:
            raise ValueError("a standard deviation of 0")
        return cls(template=Template(vector.astype(np.int16), mean, sigma), **values)


@dataclass
class Gallery:
    """The enrolled people of one embedding space."""

    embedding_space: str
    embedding_size: int
    model: str
    model_path: str = ""
    people: dict[str, Person] = field(default_factory=dict)

    @classmethod
    def empty(cls, contract: Contract, model_path: str = "") -> "Gallery":
        """Returns a gallery without people for the network of `contract`."""
        return cls(contract.embedding_space, contract.embedding_size, contract.model, model_path)

    @classmethod
    def load(cls, path: Path | str) -> "Gallery":
        """Returns the gallery at `path`.

        Raises: DataError where it is absent, damaged or no gallery, UsageError for a newer version's.
        """
        if not Path(path).exists():
            raise DataError(f"{path}: no such gallery; `ecgkd enroll` makes one")
        document = read_json(path, "gallery")
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise DataError(f"{path}: not a gallery; expected a file that `ecgkd enroll` wrote")
        if document.get("version") != VERSION:
            raise UsageError(f"{path}: gallery version {document.get('version')}; this ecgkd reads version {VERSION}")
        claimed = document.pop("sha256", None)
        if claimed != sha256_of(document):
            raise DataError(
                f"{path}: changed or damaged since it was written (checksum); restore a copy or enrol again"
            )
        try:
            people = document.pop("people")
            size = document["embedding_size"]
            del document["format"], document["version"]
            return cls(**document, people={name: Person.from_dict(one, size) for name, one in people.items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: not what a gallery holds ({error}); enrol again") from error

    def save(self, path: Path | str) -> None:
        """Writes the gallery, whole or not at all, readable by its owner alone where it is new. Raises: DataError."""
        document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        document |= {key: value for key, value in vars(self).items() if key != "people"}
        document["people"] = {name: person.to_dict() for name, person in sorted(self.people.items())}
        document["sha256"] = sha256_of(document)
        path = Path(path)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with atomic_path(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(canonical_json(document) + b"\n")
            temporary.chmod(mode)

    def check_model(self, contract: Contract) -> None:
        """Raises: UsageError where the templates belong to another network than that of `contract`."""
        if contract.embedding_space != self.embedding_space or contract.embedding_size != self.embedding_size:
            raise UsageError(
                f"the gallery belongs to another model: its templates are of {self.model} in embedding space "
                f"{self.embedding_space}, the model given is {contract.model} in {contract.embedding_space}; "
                "name the gallery's model with --model, or enrol into a new gallery"
            )

    def person(self, name: str) -> Person:
        """Returns the person called `name`. Raises: UsageError listing who is known."""
        if name not in self.people:
            known = ", ".join(sorted(self.people)[:20]) + (", …" if len(self.people) > 20 else "")
            raise UsageError(f"nobody called {name!r} is enrolled; known: {known or 'nobody yet'}")
        return self.people[name]

    def check_name(self, name: str, replace: bool = False) -> None:
        """Raises: UsageError for a name that cannot be enrolled, or that is and shall not be replaced."""
        if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise UsageError(f"{name!r} is no name for a person; expected 1 to {MAX_NAME} printable characters")
        if name in self.people and not replace:
            raise UsageError(
                f"{name!r} is enrolled already (on {self.people[name].enrolled[:10]}); --replace takes the new template"
            )

    def add(self, name: str, person: Person, replace: bool = False) -> None:
        """Adds or replaces a person. Raises: UsageError as `check_name` does."""
        self.check_name(name, replace)
        self.people[name] = person


def store(
    path: Path, contract: Contract, model_path: str, name: str, person: Person, *, replace: bool = False
) -> Gallery:
    """Adds one person to the gallery at `path`, which may be new, against other writers; returns what was written.

    Raises: UsageError as `Gallery.add` and `check_model` do, DataError where the file cannot be read or written.
    """
    with locked(path):
        gallery = Gallery.load(path) if path.exists() else Gallery.empty(contract, model_path)
        gallery.check_model(contract)
        gallery.add(name, person, replace)
        gallery.save(path)
    return gallery


def forget(path: Path, name: str) -> Gallery:
    """Takes one person out of the gallery at `path`, against other writers; returns what was written.

    Raises: UsageError where nobody of that name is enrolled, DataError where the file cannot be read or written.
    """
    with locked(path):
        gallery = Gallery.load(path)
        gallery.person(name)
        del gallery.people[name]
        gallery.save(path)
    return gallery


def _open_locked(lock: Path) -> int | None:
    """Returns a descriptor of `lock` that holds its lock, None where another holds it or has just removed it."""
    import fcntl

    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(lock).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


@contextlib.contextmanager
def locked(path: Path | str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Holds the right to write `path`; waits up to `seconds` for another writer. Raises: DataError after that."""
    path = Path(path)
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + seconds
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while (descriptor := _open_locked(lock)) is None:
            if time.monotonic() > deadline:
                raise DataError(f"{path}: another process has been writing it for {seconds:.0f} s; try again later")
            time.sleep(0.02)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)
