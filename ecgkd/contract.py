"""The model contract: one JSON document inside every artefact and beside it, saying what the artefact is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ecgkd.errors import DataError, UsageError
from ecgkd.files import canonical_json, sha256_of

CONTRACT_VERSION = 1
METADATA_KEY = "ecgkd.contract"
"""Where the document stands in ONNX metadata and in safetensors headers."""
EMBEDDING, ACTIVITY = "embedding", "activity"
"""Names of a network's outputs, in their order."""


@dataclass(frozen=True)
class Tensor:
    """One input or output of a network."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str


@dataclass(frozen=True)
class Threshold:
    """A decision threshold and the evidence that it was set on."""

    kind: str
    """`cosine` or `as_norm`: the score that it is compared with."""
    value: float
    enrol_windows: int
    probe_windows: int
    fmr: float
    """The false match rate that it was set for."""
    fmr_upper: float
    """Upper 95 % bound (Clopper-Pearson over subject pairs) of the false match rate at this threshold."""
    fnmr: float
    n_subjects: int
    n_pairs: int
    """Unordered pairs of subjects compared."""
    population: str
    """Whose comparisons: `development`, `synthetic`, …; never the test people."""


@dataclass(frozen=True)
class ScoreCalibration:
    """llr = slope · score + offset (natural logarithm); windows after the first count 1 / (1 + (n − 1)·rho)."""

    slope: float
    offset: float
    rho: float
    kind: str
    """The score that it takes: `cosine` or `as_norm`."""


@dataclass(frozen=True)
class EnrolmentFloors:
    """What an enrolment must satisfy, cosines, and whom that was fitted on."""

    floor: float
    """Least cosine of a window to the sum of the others."""
    min_consistency: float
    """Least mean cosine over all pairs of the windows that are kept."""
    mixed_refused: float
    """Share of enrolments mixed of two people, half and half, that were refused."""
    n_subjects: int
    population: str


@dataclass(frozen=True)
class Contract:
    """What an artefact is, what goes in and out, and what its decisions rest on."""

    model: str
    """Preset name, such as `deit_micro`."""
    precision: str
    """`fp32`, `int8` or `w8`."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    embedding_size: int
    front_end: dict[str, Any]
    """`ecgkd.signal.chain.definition()`."""
    weights_sha256: str
    embedding_space: str
    """Templates are bound to this id (docs/decision.md)."""
    versions: dict[str, str] = field(default_factory=dict)
    quantisation: dict[str, Any] = field(default_factory=dict)
    activation_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    threshold: Threshold | None = None
    calibration: ScoreCalibration | None = None
    enrolment: EnrolmentFloors | None = None
    cohort: tuple[tuple[int, ...], ...] = ()
    """AS-norm cohort centroids, each from at least five people, int8 (n, embedding_size)."""
    cohort_top: int = 40
    protocol_sha256: str = ""
    data_sha256: dict[str, str] = field(default_factory=dict)
    leads: tuple[str, ...] = ()
    """Names of the leads that the network takes, in its order; () for any one lead."""
    activities: tuple[str, ...] = ()
    """Names of the activities, in the order of the output `activity`; () for a network that tells none."""
    trained_on: str = ""
    """Whom, in words, with the licences of the recordings."""
    synthetic: bool = False
    gates: dict[str, Any] = field(default_factory=dict)
    """Results of the export gates; {} where none ran."""
    version: int = CONTRACT_VERSION

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self) -> str:
        return canonical_json(self.to_dict()).decode()

    @property
    def tells_activity(self) -> bool:
        """Whether there is an output `activity`; a network with such a head may have been exported without it."""
        return any(one.name == ACTIVITY for one in self.outputs)

    def telling(self, activities: Sequence[str]) -> "Contract":
        """Returns the contract of the same network with an output `activity` of these names, or of none for ()."""
        others = tuple(one for one in self.outputs if one.name != ACTIVITY)
        logits = (Tensor(ACTIVITY, (1, len(activities)), "float32", "logits"),) if activities else ()
        return replace(self, outputs=others + logits, activities=tuple(activities))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "contract") -> "Contract":
        """Returns the contract that `document` holds. Raises: UsageError for another version, DataError if broken."""
        if document.get("version") != CONTRACT_VERSION:
            raise UsageError(
                f"{where}: contract version {document.get('version')}; this ecgkd reads version {CONTRACT_VERSION}"
            )
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in document.items() if key in known}
        try:
            for key in ("inputs", "outputs"):
                values[key] = tuple(Tensor(**{**t, "shape": tuple(t["shape"])}) for t in values[key])
            if values.get("threshold") is not None:
                values["threshold"] = Threshold(**values["threshold"])
            if values.get("calibration") is not None:
                values["calibration"] = ScoreCalibration(**values["calibration"])
            if values.get("enrolment") is not None:
                values["enrolment"] = EnrolmentFloors(**values["enrolment"])
            values["cohort"] = tuple(tuple(row) for row in values.get("cohort", ()))
            values |= {key: tuple(values.get(key, ())) for key in ("leads", "activities")}
            return cls(**values)
        except (TypeError, KeyError) as error:
            raise DataError(f"{where}: broken contract ({error}); export the model again") from error

    @classmethod
    def from_json(cls, text: str, where: str = "contract") -> "Contract":
        try:
            document = json.loads(text)
        except ValueError as error:
            raise DataError(f"{where}: broken contract ({error})") from error
        return cls.from_dict(document, where)


def embedding_space_id(runtime: str, graph_sha256: str, front_end_sha256: str) -> str:
    """Returns the id that templates are bound to.

    `runtime` is `int8` for the graph that TFLite and C share, else the runtime's own name (`torch`, `onnx-fp32`,
    `ort-int8`): their embeddings differ by rounding and are not to be mixed.
    """
    return sha256_of({"runtime": runtime, "graph": graph_sha256, "front_end": front_end_sha256})[:32]
