"""A network as calls of kernels: each with its parameters, and what it reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ecgkd_export.c99.views import View

WINDOW, EMBEDDING, ACTIVITY = ":window", ":embedding", ":activity"
"""The caller's buffers; no part of the arena. No tensor has such a name."""
OUTPUTS = (EMBEDDING, ACTIVITY)
"""Where a graph's outputs go, in order."""


@dataclass(frozen=True, eq=False)
class Struct:
    """A struct of `ecgkd_nn.h`: a number, an array of its own, a struct inside, or a pointer (None: NULL) a field."""

    ctype: str
    fields: "Mapping[str, Value]"


@dataclass(frozen=True, eq=False)
class Pointer:
    """The address of a struct that stands before."""

    to: Struct


Value = int | tuple[int, ...] | NDArray[Any] | Struct | Pointer | None


@dataclass(frozen=True)
class Scratch:
    """Memory that a kernel wants for itself."""

    size: int = 0
    """Bytes."""
    expression: str = ""
    """The same as `ecgkd_nn.h` reckons it, C."""


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a kernel."""

    kernel: str
    """Of `ecgkd_<kernel>_s8`."""
    op: Struct
    inputs: tuple[View | None, ...]
    outputs: tuple[View | None, ...]
    scratch: Scratch
    note: str
    """Which operator of the graph it is, and its shapes."""
    in_place: tuple[tuple[int, int], ...] = ()
    """Inputs and outputs that may have the same address."""
    macs: int = 0
    """Multiply-accumulates."""


@dataclass(frozen=True, eq=False)
class Program:
    """A network."""

    steps: tuple[Step, ...]
    sizes: Mapping[str, int]
    """Bytes of every buffer, the caller's among them."""
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Buffers that are constants."""

    def needless(self) -> frozenset[int]:
        """Returns the steps that the embedding does not depend on: those of the activity alone."""
        wanted, found = {EMBEDDING}, set()
        for number in reversed(range(len(self.steps))):
            step = self.steps[number]
            if any(view.root in wanted for view in step.outputs if view):
                wanted |= {view.root for view in step.inputs if view}
            else:
                found.add(number)
        return frozenset(found)
