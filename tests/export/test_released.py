"""A fine-tuned graph is made again, to the bit, from the file that was released and the float network."""

from dataclasses import replace

import numpy as np
import pytest

from ecgkd_export.errors import ArtefactError, GraphError
from ecgkd_export.graph import Graph
from ecgkd_export.graph_hash import graph_sha256
from ecgkd_export.quantise import quantise
from ecgkd_export.ranges import Ranges, collect, estimate
from ecgkd_export.released import with_integers_of
from ecgkd_export.rewrite import prepare
from ecgkd_export.tflite.emit import emit

from .transformer import transformer, windows


@pytest.fixture(scope="module")
def prepared() -> tuple[Graph, Ranges]:
    graph = prepare(transformer())
    return graph, estimate(collect(graph, windows()))


def fine_tuned(graph: Graph) -> Graph:
    """The graph with other constants."""
    draw = np.random.default_rng(0)
    tensors = {
        name: tensor
        if tensor.data is None
        else replace(tensor, data=(tensor.data * draw.uniform(0.9, 1.1, tensor.shape)).astype(np.float32))
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)


def test_the_released_graph_comes_back_to_the_bit(prepared: tuple[Graph, Ranges]) -> None:
    graph, ranges = prepared
    released = quantise(fine_tuned(graph), ranges)
    content = emit(released, metadata={}, description="released")
    untuned = quantise(graph, ranges)
    again = with_integers_of(untuned, content)
    assert graph_sha256(again) == graph_sha256(released) != graph_sha256(untuned)
    assert emit(again, metadata={}, description="released") == content


def test_a_file_of_another_network_is_refused(prepared: tuple[Graph, Ranges]) -> None:
    other = prepare(transformer(blocks=1))
    content = emit(quantise(other, estimate(collect(other, windows()))), metadata={}, description="other")
    with pytest.raises(GraphError, match="calibrate anew"):
        with_integers_of(quantise(*prepared), content)


def test_a_broken_file_is_refused(prepared: tuple[Graph, Ranges]) -> None:
    with pytest.raises(ArtefactError, match="no TFLite file"):
        with_integers_of(quantise(*prepared), b"nothing of the kind")
