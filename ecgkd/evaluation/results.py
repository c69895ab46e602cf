"""What an evaluation says, as plain data: `Evaluation.to_dict` is results.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ecgkd.evaluation.bootstrap import Measured

VERSION = 1


@dataclass(frozen=True)
class Cell:
    """Error rates at one number of enrolment and probe windows, for one kind of score."""

    enrol_windows: int
    probe_windows: int
    score: str
    """`cosine` or `as_norm`."""
    gated: bool
    """Whether the quality gate was on: who cannot be enrolled or has no usable window is a false rejection."""
    eer: Measured
    tar: dict[str, Measured | None]
    """By FMR; None where the people are too few to claim it."""
    refused: dict[str, str]
    """By FMR: why nothing is claimed, in words."""
    rank1: Measured
    """Among the enrolled people; replicates draw the probing people and keep the gallery."""
    n_people: int
    """With genuine comparisons."""
    n_enrolled: int
    n_genuine: int
    n_impostor: int
    n_pairs: int
    """Unordered pairs of people compared."""
    failed_enrolments: float = 0.0
    """Share of people whom the gate leaves too few windows (FTE)."""
    failed_probes: float = 0.0
    """Share of probes without a usable window (FTA), per person."""
    below_baseline: bool = False
    """Whether a baseline has a lower EER on the same windows with either score."""


@dataclass(frozen=True)
class Verification:
    """What the contract's own threshold and calibration, both fitted on other people, do on a row."""

    score: str
    enrol_windows: int
    probe_windows: int
    threshold: float
    fmr: Measured
    fnmr: Measured
    cllr: Measured
    """Bits, of single-window scores with the contract's calibration; 1 says nothing."""
    min_cllr: float
    """What the best monotone calibration of these scores would reach."""
    fused_cllr: float | None
    """Of `probe_windows` windows whose ratios are summed and shrunk by rho; None for one window."""
    fitted_here: bool
    """Whether threshold and calibration were fitted on people of this row: then this is no evidence."""


@dataclass(frozen=True)
class Identification:
    """How far the probabilities softmax(cosine / temperature) over the enrolled people can be believed."""

    ece: float
    nll: float
    """Nats."""
    brier: float
    temperature: float
    fitted_here: bool
    """Whether the temperature was fitted on people of this row: then this is no evidence."""
    reliability: list[tuple[float, float, int]]
    """Bins of equal numbers of probes: mean confidence, share correct, probes."""


@dataclass(frozen=True)
class Histogram:
    """Densities of scores, people counting the same."""

    edges: list[float]
    genuine: list[float]
    impostor: list[float]


@dataclass(frozen=True)
class Curves:
    """What is drawn, of the headline windows and score."""

    det: dict[str, list[float]]
    """`fmr` and `fnmr`."""
    cmc: list[float]
    scores: Histogram
    enrolment: list[tuple[int, float]]
    """Enrolment windows and EER."""
    rejection: list[tuple[float, float]]
    """Share of probe windows left out, worst quality first, and EER of single windows among the others."""
    per_person: list[float]
    """Share of each person's genuine comparisons below the threshold of equal errors, ascending."""


@dataclass(frozen=True)
class ByActivity:
    """Identity where the probe shows one activity; enrolment and gallery are the whole row's."""

    activity: str
    eer: Measured
    n_people: int
    """With genuine comparisons."""
    n_probes: int


@dataclass(frozen=True)
class ActivityCalibration:
    """How far the probabilities of activities can be believed."""

    ece: float
    nll: float
    """Nats."""
    brier: float
    temperature: float
    """1 where none was fitted."""
    fitted_on: str
    """Whose windows the temperature was fitted on; "" where nobody's."""
    fitted_here: bool
    """Whether they are among those who are tested: then this is no evidence."""
    reliability: list[tuple[float, float, int]]
    """Bins of equal numbers of windows: mean confidence, share correct, windows."""


@dataclass(frozen=True)
class Told:
    """What a network, or a baseline, makes of the labelled windows of one population; people count alike."""

    model: str
    baseline: bool
    population: str
    evidence: str
    """What the figures are worth."""
    activities: tuple[str, ...]
    n_people: int
    n_windows: int
    windows: tuple[int, ...]
    """By activity."""
    accuracy: Measured
    macro_f1: Measured
    """Mean over the activities that somebody shows."""
    recall: tuple[Measured | None, ...]
    """By activity; None where nobody shows it."""
    confusion: list[list[float]]
    """By true activity the share of its windows told as each; the mean over people."""
    calibration: ActivityCalibration | None
    """None for a baseline."""
    below_baseline: bool = False
    """Whether a baseline is right more often."""


@dataclass(frozen=True)
class ActivityDifference:
    """Accuracy of a network less that of another or of a baseline, on identical windows and draws of people."""

    population: str
    model: str
    other: str
    accuracy: Measured


@dataclass(frozen=True)
class Outcome:
    """One candidate on one row."""

    model: str
    baseline: bool
    row: str
    population: str
    kind: str
    evidence: str
    """What the row's figures are worth."""
    leaky: bool
    score: str
    """The score that decides for this candidate: its contract's, or the baseline's best."""
    cells: tuple[Cell, ...]
    verification: Verification | None
    identification: Identification | None
    curves: Curves
    by_activity: tuple[ByActivity, ...] = ()
    """Of the headline windows and score, where the row's probes show several activities."""

    @property
    def headline(self) -> Cell:
        """The ungated cell with the most windows and the score that decides."""
        plain = [cell for cell in self.cells if not cell.gated]
        return max(plain, key=lambda c: (c.enrol_windows * c.probe_windows, c.score == self.score))


@dataclass(frozen=True)
class Difference:
    """EER of a candidate less that of another, on identical comparisons and draws of people."""

    row: str
    model: str
    other: str
    eer: Measured


@dataclass(frozen=True)
class Disturbed:
    """EER when probes are disturbed and enrolment is not."""

    row: str
    model: str
    disturbance: str
    """`noise bw`, `noise em`, `noise ma`, `heart rate`."""
    source: str
    """Where the noise comes from; "" for the heart rate."""
    level: float
    """Signal-to-noise ratio in dB, or heart rate over the recorded one."""
    eer: float


@dataclass(frozen=True)
class Model:
    """What a candidate is."""

    name: str
    baseline: bool
    preset: str = ""
    precision: str = ""
    weights_sha256: str = ""
    embedding_space: str = ""
    synthetic: bool = False
    """Trained on synthetic people."""
    note: str = ""
    look: int = 0
    """Which network it was to be scored on the locked people, by the protocol's ledger; 0 where there were none."""


@dataclass(frozen=True)
class Evaluation:
    """All outcomes."""

    protocol: str
    protocol_sha256: str
    sets: dict[str, str]
    models: tuple[Model, ...]
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]
    replicates: int
    gate: Mapping[str, Mapping[str, float]]
    """By row: share of `enrol` and of `probe` windows that the quality gate refuses."""
    robustness: tuple[Disturbed, ...] = ()
    activity: tuple[Told, ...] = ()
    """Of the networks that tell activities, and their baselines."""
    activity_differences: tuple[ActivityDifference, ...] = ()
    notice: str = ""
    """Not empty where people are synthetic."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """The protocol's."""
    ecgkd: str = ""
    version: int = VERSION

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
