"""The end of a training: weights, contract and metrics; and the decision fitted to them."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Protocol as Shape

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import Contract, EnrolmentFloors, ScoreCalibration, Tensor, Threshold, embedding_space_id
from ecgkd.data.prepared import PreparedSet
from ecgkd.files import write_json
from ecgkd.models import EMBEDDING_SIZE, build_model, count_macs, count_parameters
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.trials import taking
from ecgkd.signal.chain import WINDOW_SAMPLES, definition, definition_sha256
from ecgkd.training.checkpoint import CHECKPOINT, WEIGHTS, load_weights, save_weights, weights_sha256
from ecgkd.training.embed import embed_windows
from ecgkd.training.run_directory import read_info, trained_on, versions
from ecgkd.training.setup import Training
from ecgkd.training.teachers import load_network, n_leads

Embed = Callable[[NDArray[np.int8]], NDArray[np.float32]]


class DecisionFit(Shape):
    """What is fitted to a finished network, on development people."""

    @property
    def threshold(self) -> Threshold | None: ...
    @property
    def calibration(self) -> ScoreCalibration | None: ...
    @property
    def enrolment(self) -> EnrolmentFloors | None: ...
    @property
    def cohort(self) -> NDArray[np.int8]: ...


Decide = Callable[[Embed, Protocol, Sequence[PreparedSet]], DecisionFit]


def finish(
    training: Training, protocol: Protocol, sets: Sequence[PreparedSet], folder: Path, decide: Decide | None
) -> None:
    """Writes weights, contract and metrics of the best epoch; then drops the checkpoint."""
    best = training.best
    weights = best.weights
    contract = make_contract(training, protocol, sets)
    write_json(folder / "metrics.json", metrics_of(training, protocol))
    write_json(folder / "contract.json", contract.to_dict())
    save_weights(folder / WEIGHTS, weights, contract)
    if decide is not None and protocol.calibrate:
        set_decision(folder, protocol, sets, decide)
    with contextlib.suppress(OSError):
        (folder / CHECKPOINT).unlink()


def make_contract(training: Training, protocol: Protocol, sets: Sequence[PreparedSet]) -> Contract:
    """Returns the contract of the best epoch's weights, as far as it is known before any decision is fitted."""
    by_name = {one.name: one for one in sets}
    sha256 = weights_sha256(training.best.weights)
    leads = training.recipe.data.leads
    return Contract(
        model=training.recipe.model.preset,
        precision="fp32",
        inputs=(Tensor("window", (1, len(leads) or 1, WINDOW_SAMPLES), "float32", "1"),),
        outputs=(Tensor("embedding", (1, EMBEDDING_SIZE), "float32", "1"),),
        embedding_size=EMBEDDING_SIZE,
        front_end=definition(),
        weights_sha256=sha256,
        embedding_space=embedding_space_id("torch", sha256, definition_sha256()),
        versions=versions(),
        protocol_sha256=protocol.sha256,
        data_sha256=dict(protocol.sets),
        leads=leads,
        trained_on=trained_on(protocol.train, by_name),
        synthetic=any(by_name[span.set].synthetic for span in protocol.train),
    ).telling(training.activities)


def metrics_of(training: Training, protocol: Protocol) -> dict[str, Any]:
    """Returns what metrics.json says."""
    recipe, best = training.recipe, training.best
    chosen = training.history[best.epoch - 1]
    plain = build_model(recipe.model.preset, n_leads=n_leads(recipe), n_activities=len(training.activities))
    return {
        "recipe": recipe.name,
        "role": str(recipe.role),
        "model": recipe.model.preset,
        "distilled": any(training.taught_by.values()),
        **training.taught_by,
        "people": len(training.loader.stretches.subjects),
        "windows": training.loader.stretches.n_windows,
        "parameters": count_parameters(plain),
        "macs": count_macs(plain),
        "epochs": training.epoch,
        "best_epoch": best.epoch,
        "development_eer": {key.removeprefix("eer."): value for key, value in chosen.items() if key.startswith("eer.")},
        **({"activities": list(training.activities)} if training.activities else {}),
        **({"development_activity_accuracy": chosen["activity_accuracy"]} if "activity_accuracy" in chosen else {}),
        "seconds": sum(entry["seconds"] for entry in training.history),
        "protocol": {"name": protocol.name, "kind": protocol.kind, "sha256": protocol.sha256},
        "finished": True,
    }


def set_decision(folder: Path, protocol: Protocol, sets: Sequence[PreparedSet], decide: Decide) -> Contract:
    """Fits threshold, calibration and cohort to a finished run, writes them into its contract and returns that."""
    info = read_info(folder)
    model = load_network(info)
    found = decide(lambda windows: embed_windows(model, windows), protocol, taking(sets, info.contract.leads))
    cohort = tuple(tuple(int(value) for value in row) for row in found.cohort)
    contract = replace(
        info.contract,
        threshold=found.threshold,
        calibration=found.calibration,
        enrolment=found.enrolment,
        cohort=cohort,
    )
    write_json(folder / "contract.json", contract.to_dict())
    save_weights(folder / WEIGHTS, load_weights(folder / WEIGHTS), contract)
    return contract
