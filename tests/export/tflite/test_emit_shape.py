"""Operators that move or gather values, float32, int8 and int16, in every runtime."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd_export.graph import DType, Kind

F, I8, I16 = DType.FLOAT32, DType.INT8, DType.INT16
STEPS = {F: 0.0, I8: 1 / 32, I16: 1 / 8192}
FEW = settings(derandomize=True, max_examples=6, deadline=None)
TYPES = pytest.mark.parametrize("dtype", [F, I8, I16])


@TYPES
@FEW
@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_transposes_reshapes_and_slices_move_values_untouched(
    bench: Any, dtype: DType, shape: list[int], data: st.DataObject
) -> None:
    source = bench.tensor("window", shape, dtype, STEPS[dtype], 5 if dtype == I8 else 0)
    output = bench.tensor("embedding", (int(np.prod(shape)),), dtype, STEPS[dtype], 5 if dtype == I8 else 0)
    permutation = data.draw(st.permutations(range(len(shape))))
    begin = [data.draw(st.integers(0, length - 1)) for length in shape]
    size = [data.draw(st.integers(1, length - first)) for length, first in zip(shape, begin, strict=True)]
    cases: tuple[tuple[Kind, dict[str, Any]], ...] = (
        (Kind.TRANSPOSE, {"permutation": tuple(permutation)}),
        (Kind.RESHAPE, {}),
        (Kind.SLICE, {"begin": tuple(begin), "size": tuple(size)}),
    )
    for kind, attributes in cases:
        graph = bench.graph(kind, (source,), output, attributes)
        bench.agree(graph, bench.windows(graph, 0), 0)


@TYPES
@FEW
@given(rows=st.integers(1, 5), more=st.integers(1, 4), axis=st.integers(0, 1))
def test_concatenation_puts_constants_beside_the_window(
    bench: Any, dtype: DType, rows: int, more: int, axis: int
) -> None:
    source = bench.tensor("window", (rows, 6), dtype, STEPS[dtype], 5 if dtype == I8 else 0)
    shape = (more, 6) if axis == 0 else (rows, more)
    constant = bench.constant(
        bench.tensor("other", shape, dtype, STEPS[dtype], 5 if dtype == I8 else 0),
        np.random.default_rng(rows).integers(-100, 100, shape),
    )
    output = bench.tensor("embedding", (1,), dtype, STEPS[dtype], 5 if dtype == I8 else 0)
    for inputs in ((constant, source), (source, constant, source)):
        graph = bench.graph(Kind.CONCAT, inputs, output, {"axis": axis})
        bench.agree(graph, bench.windows(graph, 0), 0)


@TYPES
@FEW
@given(
    length=st.integers(1, 30),
    channels=st.integers(1, 9),
    axes=st.sampled_from([(2,), (1, 2), (-2,), (3,)]),
    keep=st.booleans(),
    zero=st.integers(-128, 127),
)
def test_means_and_maxima_are_exact_arithmetic_to_one_step(
    bench: Any, dtype: DType, length: int, channels: int, axes: tuple[int, ...], keep: bool, zero: int
) -> None:
    zero = zero if dtype == I8 else 0
    source = bench.tensor("window", (1, 1, length, channels), dtype, STEPS[dtype], zero)
    attributes = {"axes": axes, "keep": keep}
    narrow = bench.tensor("embedding", (1,), dtype, STEPS[dtype] / 2, zero // 2)
    same = bench.tensor("embedding", (1,), dtype, STEPS[dtype], zero)
    graph = bench.graph(Kind.MEAN, (source,), narrow, attributes)
    bench.agree(graph, bench.windows(graph, 0), 1e-6 if dtype == F else 1)
    graph = bench.graph(Kind.REDUCE_MAX, (source,), same, attributes)
    bench.agree(graph, bench.windows(graph, 0), 0)
