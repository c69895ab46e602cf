"""Tensors as places in memory: a buffer, where in it, and how far apart neighbours lie. Moves that move nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ecgkd_export.graph import Shape


@dataclass(frozen=True)
class View:
    """Bytes of a buffer as a tensor of int8."""

    root: str
    """The buffer."""
    offset: int
    """Of the first element, bytes."""
    shape: Shape
    strides: Shape
    """Bytes from an element to the next, along each axis."""

    @property
    def contiguous(self) -> bool:
        return all(
            size == 1 or stride == expected
            for size, stride, expected in zip(self.shape, self.strides, packed(self.shape), strict=True)
        )

    @property
    def size(self) -> int:
        """Elements."""
        return prod(self.shape)

    @property
    def end(self) -> int:
        """The byte behind the last element."""
        return self.offset + 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))


def packed(shape: Shape) -> Shape:
    """Returns the strides of a contiguous tensor."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def whole(root: str, shape: Shape) -> View:
    """Returns the contiguous tensor at the start of `root`."""
    return View(root, 0, shape, packed(shape))


def transposed(view: View, permutation: Sequence[int]) -> View:
    """Returns the view whose axis i is axis permutation[i] of `view`."""
    shape, strides = (tuple(one[axis] for axis in permutation) for one in (view.shape, view.strides))
    return View(view.root, view.offset, shape, strides)


def sliced(view: View, begin: Sequence[int], size: Sequence[int]) -> View:
    """Returns `size` elements from `begin` on, along every axis."""
    offset = view.offset + sum(start * stride for start, stride in zip(begin, view.strides, strict=True))
    return View(view.root, offset, tuple(size), view.strides)


def reshaped(view: View, shape: Shape) -> View | None:
    """Returns the same elements in the same order as another shape; None where they would have to move."""
    runs = merged(view)
    size, step = runs.pop() if runs else (1, 1)
    strides = []
    for length in reversed(shape):
        if size == 1 and length > 1 and runs:
            size, step = runs.pop()
        if size % length:
            return None
        strides.append(step)
        size, step = size // length, step * length
    return View(view.root, view.offset, shape, tuple(reversed(strides)))


def merged(view: View) -> list[tuple[int, int]]:
    """Returns the axes as (size, stride), those that follow each other without a gap as one, none of size 1."""
    runs: list[tuple[int, int]] = []
    for size, step in zip(view.shape, view.strides, strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * step:
            runs[-1] = (runs[-1][0] * size, step)
        else:
            runs.append((size, step))
    return runs


def together(output: Shape, a: View, b: View) -> list[tuple[int, int, int]]:
    """Returns the axes of an output that a and b are broadcast to, as (size, stride of a, stride of b).

    Neighbouring axes that can be walked as one are one; there is at least one axis.
    """
    runs: list[tuple[int, int, int]] = []
    for size, of_a, of_b in zip(output, _spread(a, output), _spread(b, output), strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1:] == (size * of_a, size * of_b):
            runs[-1] = (runs[-1][0] * size, of_a, of_b)
        else:
            runs.append((size, of_a, of_b))
    return runs or [(1, 1, 1)]


def _spread(view: View, output: Shape) -> list[int]:
    """Returns a stride for every axis of `output`: 0 where the view has one element for all."""
    strides = [0 if size == 1 else step for size, step in zip(view.shape, view.strides, strict=True)]
    return [0] * (len(output) - len(strides)) + strides
