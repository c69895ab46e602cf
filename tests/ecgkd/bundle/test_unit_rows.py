"""int8 embeddings of any length become the same integers in Python and in C."""

import numpy as np

from ecgkd.bundle.open_artefact import unit_rows
from ecgkd.enrolment.template import quantise_embedding


def test_rows_of_int8_become_exactly_rounded_steps_of_a_unit_row() -> None:
    draw = np.random.default_rng(0)
    rows = draw.integers(-128, 128, (50, 192)) // draw.integers(1, 40, (50, 1))
    given = quantise_embedding(unit_rows((rows / 128).astype(np.float32)))
    for row, steps in zip(rows.tolist(), given.tolist(), strict=True):
        square = sum(x * x for x in row)
        for x, q in zip(row, steps, strict=True):
            # |q| is the nearest integer to 2^15·|x| / √square: (2|q| − 1)²·square < (2^16·x)² < (2|q| + 1)²·square
            assert (x < 0) == (q < 0)
            assert (2 * abs(q) + 1) ** 2 * square > (2**16 * x) ** 2
            assert q == 0 or (2 * abs(q) - 1) ** 2 * square < (2**16 * x) ** 2


def test_length_means_nothing() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 24)).astype(np.float32)
    assert np.array_equal(unit_rows(rows), unit_rows(rows * 4))
    assert np.allclose(np.linalg.norm(unit_rows(rows), axis=1), 1, atol=1e-4)


def test_a_row_of_zeros_stays_zero() -> None:
    assert not unit_rows(np.zeros((1, 24), np.float32)).any()
