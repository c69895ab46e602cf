"""A small network, synthetic people, and what `ecgkd export` makes of them."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from ecgkd.bundle.artefacts import write_export
from ecgkd.bundle.make import Evidence, make
from ecgkd.contract import Contract, Threshold
from ecgkd.data.prepared import PreparedSet, open_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.data.write import write_set
from ecgkd.protocols.protocol import Protocol
from ecgkd.protocols.split import make as make_protocol
from ecgkd.signal.chain import definition


class Network(nn.Module):
    """A window to 24 unit-norm numbers, by random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.head = nn.Linear(40, 32), nn.Linear(32, 24)

    def forward(self, window: Tensor) -> Tensor:
        embedding = self.head(torch.relu(self.patch(window.reshape(25, 40))).mean(0, keepdim=True))
        return embedding / torch.linalg.vector_norm(embedding, dim=1, keepdim=True)


@pytest.fixture(scope="session")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="session")
def graph(network: nn.Module, contract: Contract) -> onnx.ModelProto:
    """The network's float graph, from which artefacts are made faster than from PyTorch."""
    return make(network, contract, None, int8=False)[0][0].model


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract(
        model="tiny",
        precision="fp32",
        inputs=(),
        outputs=(),
        embedding_size=24,
        front_end=definition(),
        weights_sha256="of the weights",
        embedding_space="torch's",
        threshold=Threshold("cosine", 0.99, 6, 3, 0.01, 0.02, 0.05, 10, 45, "synthetic"),
        synthetic=True,
    )


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    config = SynthConfig(people=50, sessions=2, records_per_session=1)
    path = tmp_path_factory.mktemp("people") / "people.npz"
    write_set(path, synthesise(config), synthetic_info(config))
    return open_set(path)


@pytest.fixture(scope="session")
def protocol(people: PreparedSet) -> Protocol:
    return make_protocol("cross-session", [people])


@pytest.fixture(scope="session")
def evidence(people: PreparedSet, protocol: Protocol) -> Evidence:
    return Evidence(protocol, (people,))


@pytest.fixture(scope="session")
def exported(
    network: nn.Module, contract: Contract, evidence: Evidence, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An export folder; copy it before changing anything in it."""
    folder = tmp_path_factory.mktemp("exported") / "artefacts"
    write_export(folder, make(network, contract, evidence), ["onnx", "ort"])
    return folder
