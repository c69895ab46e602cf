"""Two processes under torchrun against one process that takes the same two micro-batches."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ecgkd.training.checkpoint import load_weights
from ecgkd.training.fit import train
from ecgkd.training.run_directory import read_info

from .conftest import People, small

PROCESS = """
import sys
from pathlib import Path
from ecgkd.config import load_recipe
from ecgkd.data.prepared import open_set
from ecgkd.protocols.protocol import Protocol
from ecgkd.training.fit import train

recipe, data, protocol, teacher, folder = sys.argv[1:]
train(load_recipe(recipe), Protocol.load(protocol), [open_set(data)], Path(folder), teacher=Path(teacher))
"""


def two_processes(people: People, teacher: Path, recipe: Path, folder: Path) -> None:
    script = recipe.with_suffix(".py")
    script.write_text(PROCESS)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    arguments = (script, recipe, people.set_path, people.protocol_path, teacher, folder)
    done = subprocess.run(
        [sys.executable, *launcher, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.network
def test_two_processes_train_as_one_with_two_micro_batches(people, teacher, tmp_path):
    apart, together = small("thkd_ci"), small("thkd_ci", "optim.micro_batches=2")
    apart.save(tmp_path / "apart.toml")

    two_processes(people, teacher, tmp_path / "apart.toml", tmp_path / "two")
    train(together, people.protocol, people.sets, tmp_path / "one", teacher=teacher)

    one, two = (load_weights(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    # Sums over two processes are added in another order than in one, and AdamW enlarges the last bit where the true
    # gradient is zero (biases of attention keys).
    for name in one:
        assert torch.allclose(two[name], one[name], rtol=1e-3, atol=1e-3), name
    assert read_info(tmp_path / "one").metrics["best_epoch"] == read_info(tmp_path / "two").metrics["best_epoch"]


def test_micro_batches_change_what_batch_norm_sees(people, teacher, tmp_path):
    for name, parts in (("one", 1), ("two", 2)):
        recipe = small("thkd_ci", f"optim.micro_batches={parts}", "optim.epochs=1")
        train(recipe, people.protocol, people.sets, tmp_path / name, teacher=teacher)

    one, two = (load_weights(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    assert not torch.equal(one["head.project.weight"], two["head.project.weight"])
