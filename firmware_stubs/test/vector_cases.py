"""The cases: fixed seeds, sizes that leave a rest in every vector width, saturation, ranges of zero."""

from collections.abc import Iterator

from vector_layers import convolutions, depthwise, fully_connected, matrix_products
from vector_text import Case
from vector_values import carries, copies, reductions, rows_of_cases, single_values, sums


def every_case() -> Iterator[Case]:
    """Yields all of them, in the order of the summary."""
    yield from convolutions()
    yield from depthwise()
    yield from fully_connected()
    yield from matrix_products()
    yield from rows_of_cases()
    yield from reductions()
    yield from single_values()
    yield from sums()
    yield from carries()
    yield from copies()
