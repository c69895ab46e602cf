"""Fine-tuning brings an int8 graph nearer to its float graph, the same way every time, on training people alone."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd.training.dataset import training_stretches
from ecgkd.training.qat import CHECKED, QatConfig, fine_tune, refiner, windows_of
from ecgkd_export.graph import Graph, Tensor
from ecgkd_export.graph_hash import graph_sha256
from ecgkd_export.quantise import quantise
from ecgkd_export.ranges import collect, estimate
from ecgkd_export.rewrite.draft import Draft

from .conftest import People

FEW = QatConfig(steps=40, batch=16, lr=1e-4, warmup=2)


def layers(width: int = 40) -> Graph:
    """Two layers on a window, each with one column of far larger weights: hard to round."""
    draw = np.random.default_rng(0)
    draft = Draft(Graph({"window": Tensor("window", (1, 1000))}, (), ("window",), ()))
    first, second = draw.normal(size=(width, 1000)) * 0.01, draw.normal(size=(16, width))
    first[:, 0] *= 300
    second[:, 0] *= 100
    hidden = draft.linear("hidden", "window", first, np.zeros(width), activation="relu")
    draft.outputs = (draft.linear("embedding", hidden, second, np.zeros(16)),)
    return draft.finish()


def batches(config: QatConfig) -> Iterator[NDArray[np.int8]]:
    draw = np.random.default_rng(1)
    for size in (CHECKED, *[config.batch] * config.steps):
        yield np.clip(draw.normal(size=(size, 1000)) * 20, -128, 127).astype(np.int8)


@pytest.fixture(scope="module")
def graphs() -> tuple[Graph, Graph]:
    graph = layers()
    return graph, quantise(graph, estimate(collect(graph, next(batches(FEW)).astype(np.float32) / 16)))


def test_the_loss_falls_and_the_record_says_so(graphs: tuple[Graph, Graph]) -> None:
    tuned, record = fine_tune(graphs[0], *graphs, batches(FEW), FEW)
    assert record["kept"]
    assert record["loss_after"] < record["loss_before"]
    assert [op.output for op in tuned.ops] == [op.output for op in graphs[0].ops]
    assert graph_sha256(tuned) != graph_sha256(graphs[0])


def test_the_same_seed_gives_the_same_constants(graphs: tuple[Graph, Graph]) -> None:
    config = replace(FEW, steps=5)
    (once, record), (again, other) = (fine_tune(graphs[0], *graphs, batches(config), config) for _ in range(2))
    assert graph_sha256(once) == graph_sha256(again)
    assert record == other


def test_what_does_not_help_is_not_kept(graphs: tuple[Graph, Graph]) -> None:
    config = replace(FEW, steps=3, lr=0.0)
    tuned, record = fine_tune(graphs[0], *graphs, batches(config), config)
    assert not record["kept"]
    assert tuned is graphs[0]


def test_windows_come_from_the_training_part_alone(people: People) -> None:
    config = QatConfig(steps=2, batch=8)
    stretches = training_stretches(people.protocol.train, {one.name: one for one in people.sets})
    given = list(windows_of(stretches, config))
    assert [one.shape for one in given] == [(CHECKED, 1000), (8, 1000), (8, 1000)]
    assert all(np.array_equal(a, b) for a, b in zip(given, windows_of(stretches, config), strict=True))


def test_the_record_names_people_and_protocol(people: People, graphs: tuple[Graph, Graph]) -> None:
    told: list[int] = []
    config = QatConfig(steps=2, batch=4)
    refine = refiner(people.protocol, people.sets, config, lambda done, total, what: told.append(done))
    _, record = refine(graphs[0], *graphs)
    assert record["protocol_sha256"] == people.protocol.sha256
    assert record["people"] == len(
        training_stretches(people.protocol.train, {people.sets[0].name: people.sets[0]}).subjects
    )
    assert told == [0, 1]


def two_outputs(off: float, width: int = 40) -> Graph:
    """An embedding and scores of four classes, with weights that are off by a share like `off`."""
    draw, wrong = np.random.default_rng(0), np.random.default_rng(1)
    draft = Draft(Graph({"window": Tensor("window", (1, 1000))}, (), ("window",), ()))
    hidden = draft.linear("hidden", "window", draw.normal(size=(width, 1000)) * 0.1, np.zeros(width), activation="relu")
    draft.outputs = tuple(
        draft.linear(name, hidden, draw.normal(size=(n, width)) * (1 + off * wrong.normal(size=(n, width))), np.ones(n))
        for name, n in (("embedding", 16), ("activity", 4))
    )
    return draft.finish()


def test_scores_of_classes_are_tuned_beside_the_embedding() -> None:
    config, network, graph = replace(FEW, lr=2e-3, steps=60), two_outputs(0), two_outputs(0.4)
    made = quantise(graph, estimate(collect(graph, next(batches(FEW)).astype(np.float32) / 16)))
    _, record = fine_tune(network, graph, made, batches(config), config)
    assert record["kept"]
    assert list(record["losses"]) == ["embedding", "activity"]
    assert all(after < 0.8 * before for before, after in record["losses"].values())
    assert record["loss_after"] == pytest.approx(sum(after for _, after in record["losses"].values()), abs=2e-6)


def test_a_network_with_one_output_keeps_its_record(graphs: tuple[Graph, Graph]) -> None:
    config = replace(FEW, steps=2)
    _, record = fine_tune(graphs[0], *graphs, batches(config), config)
    assert "losses" not in record
