"""What is to be measured, and how."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecgkd_bench.errors import MismatchError
from ecgkd_bench.result import Clock, Evidence, Model

LAUNCHES = 8
"""Processes that a wall-clock run is spread over, where its rounds allow it."""


@dataclass(frozen=True)
class Subject:
    """A model to measure."""

    name: str
    path: Path
    precision: str = ""
    sha256: str = ""
    """Given where the file's own hash means nothing; computed otherwise."""
    windows_to_accept: float | None = None
    """That the right person needs, by estimate; None where nobody knows."""
    evidence: Evidence | None = None
    outputs: tuple[str, ...] = ()
    """Their names, in order; () where nobody says."""
    expected: Mapping[str, tuple[float, ...]] | None = None
    """What each output is on the noise that the backend feeds (`backends`), computed elsewhere; None: not checked."""

    def model(self) -> Model:
        digest = self.sha256 or hashlib.sha256(self.path.read_bytes()).hexdigest()
        return Model(self.name, self.path.suffix.lstrip("."), self.precision, digest)


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    threads: int = 1
    rounds: int = 40
    """Turns; ratios and intervals come from resampling them."""
    block_ms: float = 40.0
    """About how long one model's block of a round takes; at most 50 inferences."""
    seed: int = 0
    """Of the order inside the rounds."""
    cores: tuple[int, ...] | None = None
    """Processor numbers to stay on; None leaves the choice to the system."""
    hop_seconds: float = 4.0
    """Signal from one window to the next."""
    energy_seconds: float = 5.0
    """With nothing running, and again with the model, where the device has a meter."""

    def __post_init__(self) -> None:
        if self.threads < 1 or self.rounds < 2 or not self.block_ms > 0:
            raise MismatchError(
                f"{self.threads} thread(s), {self.rounds} round(s), blocks of {self.block_ms} ms cannot be measured; "
                "expected at least 1 thread and 2 rounds"
            )

    def launches(self, clock: Clock) -> int:
        """Returns over how many processes the rounds are spread: an emulated clock tells nothing more by it."""
        return LAUNCHES if clock is Clock.WALL and self.rounds >= 2 * LAUNCHES else 1
