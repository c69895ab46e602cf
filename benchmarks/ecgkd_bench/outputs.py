"""What a model gives on the device, beside what its file gives in another implementation here.

A runtime that computes something else than its file says does so without an error. So every model runs once on the
same noise on both sides, and is not measured where any of its outputs differs.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ecgkd_bench.errors import OutputError
from ecgkd_bench.plan import Subject
from ecgkd_bench.result import Output

Values = Mapping[str, Sequence[float]]
LEAST = 0.98
"""Cosine of deviations from the mean: integer kernels of two makes differ by a step here and there, garbage by all."""


def outputs_of(subject: Subject, said: Sequence[Mapping[str, Any]], reached: str) -> tuple[Output, ...]:
    """Returns the outputs that a device gave, `said` in order: `name` ("" where nobody knows it) and `values`.

    Raises: OutputError where they are not those of the file, in number, name, size or value.
    """
    known = list(subject.expected or {}) or list(subject.outputs)
    names = [str(one["name"]) or (known[n] if n < len(known) else f"output {n}") for n, one in enumerate(said)]
    if known and names != known:
        raise OutputError(
            f"{subject.name}: gives {', '.join(names)} on {reached}; its file has {', '.join(known)}; not measured"
        )
    values = {name: [float(value) for value in one["values"]] for name, one in zip(names, said, strict=True)}
    return tuple(_output(subject, name, mine, reached) for name, mine in values.items())


def named_only(subject: Subject) -> tuple[Output, ...]:
    """Returns the outputs of a model whose runner does not print them."""
    expected = subject.expected or {}
    names = list(expected) or list(subject.outputs)
    return tuple(Output(name, len(expected[name]) if name in expected else None, None) for name in names)


def agreement(values: Sequence[float], expected: Sequence[float]) -> float:
    """Returns the cosine of both sides' deviations from their means: 1 is the same, 0 is garbage or not finite.

    So it does not matter whether a side gives integers or what they stand for.
    """
    if not values or len(values) != len(expected) or not all(map(math.isfinite, values)):
        return 0.0
    if list(values) == list(expected):
        return 1.0
    mine, other = _centred(values), _centred(expected)
    length = math.hypot(*mine) * math.hypot(*other)
    return sum(a * b for a, b in zip(mine, other, strict=True)) / length if length else 0.0


def _centred(values: Sequence[float]) -> list[float]:
    mean = math.fsum(values) / len(values)
    return [value - mean for value in values]


def _output(subject: Subject, name: str, values: Sequence[float], reached: str) -> Output:
    if subject.expected is None:
        return Output(name, len(values), None)
    expected = subject.expected[name]
    found = agreement(values, expected)
    if len(values) != len(expected) or found < LEAST:
        raise OutputError(
            f"{subject.name}: its output {name} on {reached} is not what the file gives here ({len(values)} values, "
            f"cosine {found:.3f}; expected {len(expected)} values, {LEAST} or more); not measured"
        )
    return Output(name, len(values), found)
