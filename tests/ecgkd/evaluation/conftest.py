import numpy as np
import pytest

from ecgkd.contract import Contract, Tensor
from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.evaluation.decision_fit import fit_decision
from ecgkd.evaluation.evaluate import Candidate
from ecgkd.evaluation.scores import Comparisons, cosine, unit
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.split import make
from ecgkd.signal.chain import definition


@pytest.fixture
def crowd():
    """Returns a function that makes comparisons of random people: n_people, n_probes each, how noisy, seed."""

    def make(n_people: int = 30, n_probes: int = 8, noise: float = 1.0, seed: int = 0, size: int = 16) -> Comparisons:
        rng = np.random.default_rng(seed)
        person = unit(rng.normal(size=(n_people, size)))
        spread = noise * rng.gamma(2, 0.5, (n_people, 1)) / np.sqrt(size)
        template = unit(person + 0.5 * spread * rng.normal(size=(n_people, size)))
        subject = np.repeat(np.arange(n_people), n_probes)
        probe = unit(person[subject] + spread[subject] * rng.normal(size=(len(subject), size)))
        return Comparisons(cosine(probe, template), subject, np.arange(n_people))

    return make


def random_network(windows: np.ndarray, size: int = 24) -> np.ndarray:
    """Returns random features of each window's amplitude spectrum: no training, yet better than chance."""
    spectrum = np.abs(np.fft.rfft(windows.astype(np.float64), axis=1))[:, 1:161].reshape(-1, 40, 4).mean(axis=2)
    spectrum /= np.maximum(np.linalg.norm(spectrum, axis=1, keepdims=True), 1e-9)
    return unit(np.cos(spectrum @ np.random.default_rng(3).normal(0, 3, (40, size))))


@pytest.fixture(scope="session")
def network():
    return random_network


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> PreparedSet:
    config = SynthConfig(people=64, sessions=2)
    path = tmp_path_factory.mktemp("evaluation") / "people.npz"
    write_set(path, synthesise(config), synthetic_info(config))
    return open_set(path)


@pytest.fixture(scope="session")
def protocol(people) -> Protocol:
    return make("cross-session", [people], include_locked=True, leaky=True)


@pytest.fixture(scope="session")
def candidate(people, protocol):
    """Returns a function that makes a candidate with a decision fitted to the protocol: its name, its embedding."""
    found = fit_decision(random_network, protocol, [people])
    contract = Contract(
        model="random",
        precision="fp32",
        inputs=(Tensor("window", (1, 1, 1000), "float32", "1"),),
        outputs=(Tensor("embedding", (1, 24), "float32", "1"),),
        embedding_size=24,
        front_end=definition(),
        weights_sha256="0" * 64,
        embedding_space="random",
        threshold=found.threshold,
        calibration=found.calibration,
        cohort=tuple(tuple(int(v) for v in row) for row in found.cohort),
        protocol_sha256=protocol.sha256,
        synthetic=True,
    )

    def make_candidate(name: str = "random", embed=random_network) -> Candidate:
        return Candidate(name, embed, contract)

    return make_candidate
