import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ecgkd.contract import METADATA_KEY, Contract
from ecgkd.errors import UsageError
from ecgkd.signal.chain import definition_sha256
from ecgkd.training.checkpoint import CHECKPOINT, load_weights
from ecgkd.training.fit import embed_windows, is_finished, load_run, train
from ecgkd.training.run_directory import read_info

from .conftest import small

KILLED = """
import sys
from pathlib import Path
from ecgkd.config import load_recipe
from ecgkd.data.prepared import open_set
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.fit import train

recipe, data, protocol, teacher, folder = sys.argv[1:]
step = lambda done, total, what: print(what, done, flush=True)
sets = [open_set(data)]
train(load_recipe(recipe), Protocol.load(protocol), sets, Path(folder), teacher=Path(teacher), progress=step)
"""


def same_weights(one: Path, other: Path) -> bool:
    first, second = load_weights(one / "weights.safetensors"), load_weights(other / "weights.safetensors")
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def distilled(people, teacher, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("distilled")
    train(small("thkd_ci"), people.protocol, people.sets, folder, teacher=teacher)
    return folder


def test_a_finished_run_holds_what_is_needed_to_use_and_to_judge_it(distilled):
    assert sorted(path.name for path in distilled.iterdir()) == [
        "classes.json",
        "contract.json",
        "environment.json",
        "history.csv",
        "metrics.json",
        "protocol.json",
        "recipe.toml",
        "weights.safetensors",
    ]
    assert is_finished(distilled)


def test_weights_carry_the_contract_that_stands_beside_them(distilled, people):
    with safe_open(distilled / "weights.safetensors", "pt") as file:
        inside = Contract.from_json(file.metadata()[METADATA_KEY])
    beside = Contract.from_dict(json.loads((distilled / "contract.json").read_text()))

    assert inside == beside
    assert beside.protocol_sha256 == people.protocol.sha256
    assert beside.synthetic
    assert beside.trained_on.startswith("people: 13 people, 26 recordings")


def test_history_has_a_line_for_each_epoch_with_every_term_and_its_pull(distilled):
    with (distilled / "history.csv").open() as file:
        lines = list(csv.DictReader(file))

    assert [line["epoch"] for line in lines] == ["1", "2"]
    for term in ("ce", "triplet", "kd", "embedding", "features", "relations", "relations_embedding"):
        assert float(lines[1][term]) >= 0
        assert float(lines[1][f"pull.{term}"]) >= 0
    assert 0 <= float(lines[1]["active"]) <= 1
    assert 0 <= float(lines[1]["eer.mean"]) <= 1


def test_metrics_say_whose_network_it_is_and_how_it_does(distilled, teacher):
    metrics = read_info(distilled).metrics

    assert metrics["role"] == "student"
    assert metrics["distilled"]
    assert metrics["teacher"] == str(teacher)
    assert set(metrics["development_eer"]) == {"people.s1-s2", "mean"}
    assert 1 <= metrics["best_epoch"] <= 2


def test_the_epoch_with_the_lowest_development_eer_is_kept(distilled):
    with (distilled / "history.csv").open() as file:
        rates = [float(line["eer.mean"]) for line in csv.DictReader(file)]

    best = read_info(distilled).metrics["best_epoch"]

    assert rates[best - 1] == min(rates)


def test_a_run_gives_unit_embeddings(distilled):
    model, info = load_run(distilled)
    windows = np.random.default_rng(0).integers(-127, 128, (5, 1000)).astype(np.int8)

    embeddings = embed_windows(model, windows, batch=2)

    assert embeddings.shape == (5, info.contract.embedding_size)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(embeddings, embed_windows(model, windows), atol=1e-5)
    assert embed_windows(model, windows[:0]).shape == (0, 192)


def test_a_run_is_bound_to_this_front_end(distilled):
    from ecgkd.files import sha256_of

    assert sha256_of(read_info(distilled).contract.front_end) == definition_sha256()


def test_training_again_gives_the_same_bits(people, teacher, distilled, tmp_path):
    train(small("thkd_ci"), people.protocol, people.sets, tmp_path, teacher=teacher)

    assert same_weights(tmp_path, distilled)


def test_a_run_that_was_interrupted_ends_with_the_same_bits(people, teacher, distilled, tmp_path):
    def stop(done: int, total: int, what: str) -> None:
        if what == "epoch 2 of 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small("thkd_ci"), people.protocol, people.sets, tmp_path, teacher=teacher, progress=stop)
    assert not is_finished(tmp_path)
    with pytest.raises(UsageError, match="an unfinished run; finish it with --resume"):
        read_info(tmp_path)

    train(small("thkd_ci"), people.protocol, people.sets, tmp_path, teacher=teacher)

    assert same_weights(tmp_path, distilled)


def test_a_run_that_was_killed_ends_with_the_same_bits(people, teacher, distilled, tmp_path):
    small("thkd_ci").save(tmp_path / "small.toml")
    folder = tmp_path / "run"
    arguments = (tmp_path / "small.toml", people.set_path, people.protocol_path, teacher, folder)
    child = subprocess.Popen([sys.executable, "-c", KILLED, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            if line.startswith("epoch 2"):
                break
        child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
    assert (folder / CHECKPOINT).is_file()
    assert not (folder / "weights.safetensors").exists()

    train(small("thkd_ci"), people.protocol, people.sets, folder, teacher=teacher)

    assert same_weights(folder, distilled)


def test_a_finished_run_is_left_alone(people, teacher, distilled):
    before = (distilled / "weights.safetensors").stat().st_mtime_ns

    metrics = train(small("thkd_ci"), people.protocol, people.sets, distilled, teacher=teacher)

    assert metrics["finished"]
    assert (distilled / "weights.safetensors").stat().st_mtime_ns == before


def test_a_checkpoint_of_another_recipe_is_refused(people, tmp_path):
    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small("student_ci"), people.protocol, people.sets, tmp_path, progress=stop)

    with pytest.raises(UsageError, match="made with another recipe; start a new run"):
        train(small("student_ci", "optim.lr=1e-4"), people.protocol, people.sets, tmp_path)


def test_distillation_without_a_teacher_is_refused(people, tmp_path):
    with pytest.raises(UsageError, match="name a teacher with --teacher RUN"):
        train(small("thkd_ci"), people.protocol, people.sets, tmp_path)


def test_a_folder_that_is_no_run_is_no_teacher(people, tmp_path):
    with pytest.raises(UsageError, match="not a run"):
        train(small("thkd_ci"), people.protocol, people.sets, tmp_path / "run", teacher=tmp_path)


def test_a_loss_that_is_no_longer_finite_ends_the_training_in_words(people, tmp_path):
    recipe = small("student_ci", "optim.lr=1e30", "optim.clip=0", "optim.warmup=0")

    with pytest.raises(UsageError, match=r"no longer finite in epoch \d; lower optim.lr"):
        train(recipe, people.protocol, people.sets, tmp_path)


def test_training_ends_when_patience_does(people, tmp_path):
    recipe = small("student_ci", "optim.lr=1e-12", "optim.epochs=9", "optim.patience=1", "optim.ema=0")

    began = time.monotonic()
    metrics = train(recipe, people.protocol, people.sets, tmp_path)

    assert metrics["epochs"] < 9
    assert time.monotonic() - began < 60


def test_bfloat16_trains_too(people, tmp_path):
    recipe = small("student_ci", "optim.precision=bf16-mixed", "optim.epochs=1")

    assert train(recipe, people.protocol, people.sets, tmp_path)["finished"]


def test_what_is_decided_with_goes_into_contract_and_weights(people, tmp_path):
    from types import SimpleNamespace

    from ecgkd.contract import EnrolmentFloors, ScoreCalibration, Threshold

    threshold = Threshold("cosine", 0.5, 6, 3, 0.01, 0.02, 0.05, 6, 15, "development")
    calibration = ScoreCalibration(10.0, -5.0, 0.5, "cosine")
    enrolment = EnrolmentFloors(0.3, 0.4, 0.9, 6, "development")
    cohort = np.ones((2, 192), np.int8)
    found = SimpleNamespace(threshold=threshold, calibration=calibration, enrolment=enrolment, cohort=cohort)
    recipe = small("student_ci", "optim.epochs=1")

    train(recipe, people.protocol, people.sets, tmp_path, decide=lambda embed, protocol, sets: found)

    contract = read_info(tmp_path).contract
    assert contract.threshold == threshold
    assert contract.calibration == calibration
    assert contract.enrolment == enrolment
    assert contract.cohort == ((1,) * 192,) * 2
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        assert Contract.from_json(file.metadata()[METADATA_KEY]) == contract
