"""A handful of synthetic people, a protocol over them, and recipes that take seconds."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from ecgkd.config import Recipe, load_recipe
from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.split import make
from ecgkd.training.fit import train

SMALL = (
    "optim.people=4",
    "optim.windows=2",
    "optim.epochs=2",
    "optim.threads=1",
    "data.visits=1.0",
    "loss.statistics_batches=2",
    "loss.triplet_from=0.5",
    "loss.ramp=0.5",
    "optim.precision=32-true",
)
TINY = (
    "optim.people=4",
    "optim.windows=2",
    "optim.epochs=1",
    "optim.threads=1",
    "optim.precision=32-true",
    "loss.triplet_from=0",
    "loss.balance_from=0",
    "data.max_visits=1",
)
"""For dt4ecg_cpu."""


@dataclass(frozen=True)
class People:
    """Paths of a set and its protocol, both opened."""

    set_path: Path
    protocol_path: Path
    sets: list[PreparedSet]
    protocol: Protocol


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    folder = tmp_path_factory.mktemp("people")
    config = SynthConfig(people=24, sessions=2, records_per_session=1, seconds=12)
    write_set(folder / "people.npz", synthesise(config), synthetic_info(config))
    sets = [open_set(folder / "people.npz")]
    protocol = make("cross-session", sets)
    protocol.save(folder / "protocol.json")
    return People(folder / "people.npz", folder / "protocol.json", sets, protocol)


def small(name: str, *overrides: str) -> Recipe:
    """Returns a shipped CI recipe made to take seconds."""
    return load_recipe(name, (*SMALL, *overrides))


@pytest.fixture(scope="session")
def teacher(people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a teacher that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("teacher")
    train(small("teacher_ci", "optim.epochs=1"), people.protocol, people.sets, folder)
    return folder


@pytest.fixture(scope="session")
def three_leads(tmp_path_factory: pytest.TempPathFactory) -> People:
    """People who rest and walk, with three leads."""
    folder = tmp_path_factory.mktemp("three")
    config = SynthConfig(
        people=24, sessions=2, records_per_session=1, seconds=12, activities=("rest", "walking"), leads=3
    )
    write_set(folder / "three.npz", synthesise(config), synthetic_info(config))
    sets = [open_set(folder / "three.npz")]
    protocol = make("cross-session", sets)
    protocol.save(folder / "protocol.json")
    return People(folder / "three.npz", folder / "protocol.json", sets, protocol)


@pytest.fixture(scope="session")
def three_run(three_leads: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a DT4ECG of three leads that has hardly learned anything."""
    folder = tmp_path_factory.mktemp("three-run")
    recipe = load_recipe("dt4ecg_cpu", (*TINY, 'data.leads=["I","II","III"]', "optim.epochs=2"))
    train(recipe, three_leads.protocol, three_leads.sets, folder)
    return folder
