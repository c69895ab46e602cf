"""Views of memory: each says what NumPy's says."""

import numpy as np
import pytest

from ecgkd_export.c99.views import View, packed, reshaped, sliced, together, transposed, whole


def gathered(view: View, memory: np.ndarray) -> np.ndarray:
    """Returns what the view shows."""
    return np.lib.stride_tricks.as_strided(memory[view.offset :], view.shape, view.strides)


MEMORY = np.arange(120, dtype=np.int8)


def test_a_slice_of_a_transpose_of_a_reshape_shows_what_numpy_shows() -> None:
    view = whole("x", (4, 30))
    expected = MEMORY.reshape(4, 30).reshape(4, 3, 10).transpose(1, 0, 2)[1:3, :, 2:7]

    grouped = reshaped(view, (4, 3, 10))
    assert grouped is not None
    found = sliced(transposed(grouped, (1, 0, 2)), (1, 0, 2), (2, 4, 5))

    assert np.array_equal(gathered(found, MEMORY), expected)
    assert not found.contiguous
    assert found.end == expected[-1, -1, -1] + 1


@pytest.mark.parametrize("shape", [(120,), (1, 4, 30), (2, 2, 3, 10), (4, 1, 30, 1), (40, 3)])
def test_contiguous_memory_takes_any_shape(shape: tuple[int, ...]) -> None:
    assert reshaped(whole("x", (4, 30)), shape) == whole("x", shape)


def test_a_reshape_that_must_move_elements_is_none() -> None:
    turned = transposed(whole("x", (2, 3, 4)), (1, 0, 2))

    assert reshaped(turned, (3, 8)) is None
    assert reshaped(turned, (6, 4)) is None
    assert reshaped(turned, (3, 2, 2, 2)) is not None


def test_rows_with_gaps_split_but_do_not_join() -> None:
    part = sliced(whole("x", (4, 30)), (0, 5), (4, 10))

    split = reshaped(part, (2, 2, 5, 2))

    assert split is not None
    assert np.array_equal(gathered(split, MEMORY), MEMORY.reshape(4, 30)[:, 5:15].reshape(2, 2, 5, 2))
    assert reshaped(part, (40,)) is None


def test_axes_of_one_do_not_matter() -> None:
    assert whole("x", (1, 5, 1)).contiguous
    assert View("x", 0, (1, 5, 1), (77, 1, 99)).contiguous


@pytest.mark.parametrize(
    ("a", "b", "runs"),
    [
        ((1, 1, 6, 4), (1, 1, 6, 4), [(24, 1, 1)]),
        ((1, 1, 6, 4), (1, 1, 1, 4), [(6, 4, 0), (4, 1, 1)]),
        ((1, 1, 6, 1), (1, 1, 6, 4), [(6, 1, 4), (4, 0, 1)]),
        ((6, 4), (4,), [(6, 4, 0), (4, 1, 1)]),
        ((6, 4), (1, 1), [(24, 1, 0)]),
        ((1, 1), (1, 1), [(1, 1, 1)]),
    ],
)
def test_broadcasting_walks_as_few_axes_as_it_can(a: tuple[int, ...], b: tuple[int, ...], runs: list) -> None:
    assert together(np.broadcast_shapes(a, b), whole("a", a), whole("b", b)) == runs


def test_packed_strides() -> None:
    assert packed((2, 3, 4)) == (12, 4, 1)
    assert packed(()) == ()
