"""The quantisation doctor: which tensors and layers of an int8 network cost recognition, each rounded alone.

Development people, each row of the protocol with few windows a person, so that it ends in minutes. A single tensor
moves an error rate by less than a few people's luck; where the paired interval of ΔEER holds zero, the change of the
scores ranks instead.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle.trials import Trials, choose
from ecgkd.bundle.windows import INPUT_RANGE, as_input
from ecgkd.contract import ACTIVITY, EMBEDDING, Contract
from ecgkd.data.prepared import PreparedSet
from ecgkd.errors import UsageError
from ecgkd.evaluation.bootstrap import Resampled, draw_people, interval, people_of, resample
from ecgkd.evaluation.scores import Comparisons
from ecgkd.protocols.protocol import Protocol
from ecgkd_export import doctor, tflite_artefacts
from ecgkd_export.graph import Graph
from ecgkd_export.ort_int8 import Settings
from ecgkd_export.rewrite import Profile
from ecgkd_export.rewrite.output import fill_output

if TYPE_CHECKING:
    import onnx

Progress = Callable[[int, int, str], None]
Floats = NDArray[np.float32]

REPLICATES = 200
SECONDS = 150.0
"""Of embedding, about, on this machine; it decides how many windows are taken."""
FEWEST, MOST = 300, 2000
"""Windows."""
TRIED = 32
"""Windows by which the time is estimated."""


@dataclass(frozen=True)
class Finding:
    """What it costs to round one part alone."""

    name: str
    kind: str
    """Operator, `weights`, `layer` or `all`."""
    delta_eer: float
    """Share, not points."""
    delta_eer_ci95: tuple[float, float] | None
    noise: bool
    """The interval holds zero: these people cannot tell."""
    score_rms: float
    """Root mean square change of the scores, genuine and impostor weighing the same."""
    genuine_shift: float
    impostor_shift: float
    """Mean change of the scores."""
    cosine_loss: float
    """One minus the mean cosine to the float embedding."""
    changed_answers: float | None = None
    """Share of windows whose activity is told otherwise; None of a network that tells none."""
    logit_rms: float | None = None
    """Root mean square change of the activities' scores, their mean taken out."""


@dataclass(frozen=True)
class Diagnosis:
    """All parts, the costliest first, and on whom that was measured."""

    model: str
    rows: tuple[str, ...]
    people: int
    windows: int
    genuine: int
    impostor: int
    eer_float: float
    score: str
    """`cosine` or `as_norm`."""
    everything: Finding
    layers: tuple[Finding, ...]
    tensors: tuple[Finding, ...]

    @property
    def layers_for_activity(self) -> tuple[Finding, ...]:
        """The layers in the order of what they cost the activity; () of a network that tells none."""
        telling = [one for one in self.layers if one.changed_answers is not None and one.logit_rms]
        return tuple(sorted(telling, key=lambda one: (-(one.changed_answers or 0), -(one.logit_rms or 0))))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Measured:
    """Of one row: its comparisons, what resampling says of them."""

    comparisons: Comparisons
    rates: Resampled
    people: int


def diagnose(
    model: "onnx.ModelProto",
    contract: Contract,
    protocol: Protocol,
    sets: Sequence[PreparedSet],
    progress: Progress | None = None,
) -> Diagnosis:
    """Returns what rounding costs, part by part; `contract` is of the int8 TFLite file, `model` its float graph.

    Raises: UsageError where the contract has no ranges of this graph, or the protocol no development people.
    """
    graph, quantised = _graphs(model, contract)
    tensors, layers = (of(graph, quantised, graph.outputs) for of in (doctor.tensors, doctor.layers))
    whole = doctor.Part("everything", "all", tuple(name for part in tensors for name in part.tensors))
    parts = [whole, *layers, *tensors]
    exact = doctor.rounded(graph, quantised, ())
    trials = choose(protocol, sets, contract, _affordable(exact, len(parts) + 1))
    windows = as_input(trials.windows)
    examiner = _Examiner(trials, contract, doctor.run(exact, windows))
    found = []
    for number, part in enumerate(parts):
        if progress is not None:
            progress(number, len(parts), part.name)
        outputs = doctor.run(doctor.rounded(graph, quantised, part.tensors), windows)
        found.append(examiner.finding(part, outputs))
    of_layers, of_tensors = found[1 : 1 + len(layers)], found[1 + len(layers) :]
    return Diagnosis(
        model=contract.model,
        rows=tuple(row.name for row in trials.rows),
        people=trials.n_people,
        windows=len(trials.windows),
        genuine=sum(int(one.comparisons.genuine.sum()) for one in examiner.reference),
        impostor=sum(int((~one.comparisons.genuine).sum()) for one in examiner.reference),
        eer_float=examiner.over_rows([one.rates.curve.eer() for one in examiner.reference]),
        score=contract.threshold.kind if contract.threshold else "cosine",
        everything=found[0],
        layers=tuple(sorted(of_layers, key=_cost)),
        tensors=tuple(sorted(of_tensors, key=_cost)),
    )


def _cost(one: Finding) -> tuple[float, float]:
    return (0.0 if one.noise else -one.delta_eer, -one.score_rms)


def _graphs(model: "onnx.ModelProto", contract: Contract) -> tuple[Graph, Graph]:
    """Returns the float graph and what rounding alone makes of it; fine-tuned integers are left aside."""
    step = Settings(INPUT_RANGE).input_step
    profile = Profile(contract.quantisation.get("profile", Profile.CPU))
    graph = tflite_artefacts.prepared(model, step, profile=profile)
    ranges = {name: (low, high) for name, (low, high) in contract.activation_ranges.items()}
    names = {tflite_artefacts.PREFIX + name for name in (*graph.inputs, *(op.output for op in graph.ops))}
    if not names <= set(ranges):
        raise UsageError("the int8 TFLite file's contract has no activation ranges of its float graph; export it again")
    quantised, _ = tflite_artefacts.int8_graph(graph, model, ranges, step, tflite_artefacts.Tuning())
    own = {name.removeprefix(tflite_artefacts.PREFIX): ranges[name] for name in names}
    return fill_output(graph, own)[0], quantised


def _affordable(graph: Graph, runs: int) -> int:
    """Returns how many windows `runs` runs of the network can take in `SECONDS`."""
    windows = np.zeros((TRIED, *graph.tensors[graph.inputs[0]].shape), np.float32)
    doctor.run(graph, windows[:1])
    start = time.process_time()  # what else runs here must not cost evidence
    doctor.run(graph, windows)
    each = (time.process_time() - start) / TRIED
    return int(np.clip(SECONDS / (runs * each), FEWEST, MOST))


class _Examiner:
    """Holds outputs of a changed network against those of the float one, on the same trials."""

    def __init__(self, trials: Trials, contract: Contract, outputs: Mapping[str, Floats]) -> None:
        self.trials, self.contract = trials, contract
        reference = outputs[EMBEDDING]
        self.embeddings = reference.astype(np.float64)
        self.logits = outputs.get(ACTIVITY)
        draws = draw_people(len(trials.subjects), REPLICATES)
        number = {name: i for i, name in enumerate(trials.subjects)}
        compared = trials.compare(reference, contract)
        self.draws = [
            draws[:, [number[row.subjects[i]] for i in people_of(comparisons)]]
            for row, comparisons in zip(trials.rows, compared, strict=True)
        ]
        self.reference = self._measure(compared)
        self.weight = np.array([one.people for one in self.reference], float)

    def _measure(self, compared: Sequence[Comparisons]) -> list[_Measured]:
        return [
            _Measured(one, resample(one, draws), len(np.intersect1d(one.probe_subject, one.template_subject)))
            for one, draws in zip(compared, self.draws, strict=True)
        ]

    def over_rows(self, values: Sequence[float]) -> float:
        return float(np.average(values, weights=self.weight))

    def finding(self, part: doctor.Part, outputs: Mapping[str, Floats]) -> Finding:
        embeddings = outputs[EMBEDDING]
        measured = self._measure(self.trials.compare(embeddings, self.contract))
        pairs = list(zip(self.reference, measured, strict=True))
        delta = self.over_rows([b.rates.curve.eer() - a.rates.curve.eer() for a, b in pairs])
        replicates = self.weight @ np.array([b.rates.eer - a.rates.eer for a, b in pairs]) / self.weight.sum()
        known = interval(delta, replicates, self.trials.n_people)
        bounds = None if known.low is None or known.high is None else (known.low, known.high)
        changes = [_changes(a.comparisons, b.comparisons) for a, b in pairs]
        rms, genuine, impostor = (self.over_rows([one[i] for one in changes]) for i in range(3))
        return Finding(
            name=part.name,
            kind=part.kind,
            delta_eer=delta,
            delta_eer_ci95=bounds,
            noise=bounds is None or bounds[0] <= 0 <= bounds[1],
            score_rms=rms,
            genuine_shift=genuine,
            impostor_shift=impostor,
            cosine_loss=_cosine_loss(self.embeddings, embeddings.astype(np.float64)),
            **self._of_activity(outputs),
        )

    def _of_activity(self, outputs: Mapping[str, Floats]) -> dict[str, float]:
        if self.logits is None:
            return {}
        before, after = self.logits.astype(np.float64), outputs[ACTIVITY].astype(np.float64)
        change = after - before
        change -= change.mean(1, keepdims=True)
        changed = float(np.mean(before.argmax(1) != after.argmax(1)))
        return {"changed_answers": changed, "logit_rms": float(np.sqrt(np.square(change).mean()))}


def _changes(before: Comparisons, after: Comparisons) -> tuple[float, float, float]:
    """Returns the RMS change of the scores, and the mean change of genuine and of impostor ones, by people."""
    change = after.scores.astype(np.float64) - before.scores
    weights = before.weights()
    kinds = before.genuine, ~before.genuine
    square = [float(np.average(np.square(change[kind]), weights=weights[kind])) for kind in kinds]
    mean = [float(np.average(change[kind], weights=weights[kind])) for kind in kinds]
    return float(np.sqrt(np.mean(square))), mean[0], mean[1]


def _cosine_loss(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(1 - np.mean((a * b).sum(1) / np.maximum(lengths, 1e-12)))
