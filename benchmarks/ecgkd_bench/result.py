"""The benchmark record: what was measured, where, how, with every raw value. Versioned; JSON in and out."""

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ecgkd_bench.errors import RecordError
from ecgkd_bench.from_json import build

VERSION = 1


class Clock(StrEnum):
    """What a latency counts; only `wall` is time on the device that is named."""

    WALL = "wall"
    EMULATED = "emulated"
    INSTRUCTIONS = "instructions"


@dataclass(frozen=True)
class Model:
    """The file that was measured."""

    name: str
    format: str
    """`onnx`, `ort`, `tflite`, `pt2` or `c`."""
    precision: str
    """`fp32` or `int8`; empty where nobody said."""
    sha256: str
    """Of the file; for a `pt2`, which holds the time it was made, of what it was made from."""


@dataclass(frozen=True)
class State:
    """What the processor is doing; None is what this machine does not show."""

    governor: str | None
    frequency_mhz: float | None
    temperature_c: float | None
    held_back: tuple[str, ...] | None = None
    """What slows it down now, such as `under-voltage`; empty where it says that nothing does."""


@dataclass(frozen=True)
class Device:
    """Where it was measured."""

    name: str
    soc: str
    cores: int
    features: tuple[str, ...]
    """Instruction sets that matter to int8."""
    memory_bytes: int | None
    os: str
    abi: str
    reached: str
    """As `--device` names it: `local`, `ssh:…`, `adb:…`, `qemu:…`."""
    before: State
    after: State
    during: tuple[State, ...] = ()
    """At the beginning and the end of every few rounds."""


@dataclass(frozen=True)
class Backend:
    """The runtime that was asked for and the one that ran."""

    requested: str
    effective: str
    version: str


@dataclass(frozen=True)
class Threads:
    """Threads asked for, read back from the backend, and cores that the process may use."""

    requested: int
    effective: int | None
    cores_allowed: int | None
    cores_requested: tuple[int, ...] | None = None
    """Processor numbers asked for; None where the system was to choose."""
    cores: tuple[int, ...] | None = None
    """Those that the process was bound to, read back."""


@dataclass(frozen=True)
class WarmUp:
    """What ran before the first value was kept."""

    runs: int
    seconds: float
    stable: bool
    """Whether three blocks in a row agreed within 2 %."""


@dataclass(frozen=True)
class Latency:
    """One inference on one window. `raw` is in the order of measurement: `rounds` blocks of equal length.

    The rounds are spread evenly over `launches` processes, in order.
    """

    unit: str
    """`ms`, or `instructions`."""
    raw: tuple[float, ...]
    rounds: int
    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    stdev: float
    ci95: tuple[float, float]
    """Of p50, by bootstrap over launches and rounds."""
    launches: int = 1
    """Processes that measured, one after the other: where a process's memory lies moves its speed by a percent."""
    of: str = "inference"
    """What one raw value is: an `inference`, or the `block mean` where a runner prints no more."""
    held_back_rounds: tuple[int, ...] = ()
    """Rounds at whose beginning or end the device said that something held it back."""


@dataclass(frozen=True)
class Memory:
    """Peak resident memory of a process that does nothing but load and run the model."""

    file_bytes: int
    peak_rss_bytes: int | None
    empty_rss_bytes: int | None
    """The same process with the backend imported and no model."""
    model_bytes: int | None
    """The difference: the model alone."""
    arena_bytes: int | None
    """Where the runtime plans one; None elsewhere."""


@dataclass(frozen=True)
class Streaming:
    """What judging a stream costs, where the clock is time: one window after the other, as the signal comes in."""

    hop_seconds: float
    """From one window to the next; windows do not overlap."""
    core_share: float
    """Processor time of one window over the hop, in cores."""
    duty_cycle: float
    """Share of the time in which the model runs: p50 over the hop."""
    windows_to_accept: float | None = None
    """Expected for the right person with early acceptance (SPRT), an estimate; None where nobody said."""
    signal_seconds_to_accept: float | None = None
    compute_seconds_to_accept: float | None = None


@dataclass(frozen=True)
class Energy:
    """What the device's own meter shows."""

    source: str
    """The meter: `rapl`, `pmic`, `battery`."""
    seconds: float
    """That each of the two was measured for."""
    idle_watts: float
    busy_watts: float
    """With the model running without a pause."""
    joules_per_inference: float
    """Above idle."""


@dataclass(frozen=True)
class Evidence:
    """How well the model recognises, as its contract says."""

    eer: float
    """Share; on `people` development people."""
    people: int
    protocol_sha256: str
    """Only figures of one protocol stand beside each other."""
    synthetic: bool = False


@dataclass(frozen=True)
class Output:
    """One output of the model; all of them are computed in every inference that is measured."""

    name: str
    size: int | None
    """Values; None where the runner does not tell."""
    agreement: float | None
    """Cosine with what the file gives on the same noise in another implementation; None where nobody compared."""


@dataclass(frozen=True)
class Record:
    """One model on one device by one backend."""

    model: Model
    device: Device
    clock: Clock
    backend: Backend
    threads: Threads
    warm_up: WarmUp
    latency: Latency
    load_seconds: float
    memory: Memory
    operators: dict[str, float] | None
    """Per inference by kind of operator, in the latency's unit; None where the runtime does not offer it."""
    streaming: Streaming | None = None
    energy: Energy | None = None
    """None where the device shows none."""
    evidence: Evidence | None = None
    outputs: tuple[Output, ...] = ()
    """In the order of the file; () in records of before they were told."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What two records must share to be compared."""
        return (self.model.name, self.backend.requested, self.threads.requested)


@dataclass(frozen=True)
class Ratio:
    """p50 of one model divided by p50 of another, measured in turns."""

    model: str
    to: str
    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Session:
    """All models of one interleaved run."""

    created: str
    """UTC, ISO 8601."""
    records: tuple[Record, ...]
    ratios: tuple[Ratio, ...]
    reference: Record | None = None
    """The fixed network that is measured in turns with the others; None where nothing on the device runs it."""
    version: int = VERSION

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_dict(cls, document: Any, where: str = "benchmark record") -> "Session":
        """Returns the session that `document` holds. Raises: RecordError for another version or a broken one."""
        version = document.get("version") if isinstance(document, dict) else None
        if version != VERSION:
            raise RecordError(f"{where}: benchmark record version {version}; this ecgkd reads version {VERSION}")
        try:
            return build(cls, document)
        except (TypeError, KeyError, ValueError) as error:
            raise RecordError(f"{where}: broken benchmark record ({error!r}); measure again") from error

    @classmethod
    def load(cls, path: Path | str) -> "Session":
        """Returns the session saved at `path`. Raises: RecordError."""
        try:
            document = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise RecordError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise RecordError(f"{path}: not a benchmark record (broken JSON: {error})") from error
        return cls.from_dict(document, str(path))
