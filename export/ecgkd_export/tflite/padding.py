"""TFLite's two rules of padding, and what to do where neither gives what the graph says."""

from dataclasses import dataclass

from ecgkd_export.tflite.schema import SAME, VALID


@dataclass(frozen=True)
class Window:
    """A kernel of `taps` that moves by `stride` over `length` samples with `pad` (left, right) around them."""

    length: int
    taps: int
    stride: int
    pad: tuple[int, int]

    @property
    def steps(self) -> int:
        return (self.length + sum(self.pad) - self.taps) // self.stride + 1

    @property
    def reach(self) -> int:
        """Padding on the right that is really read; negative where samples at the end are not."""
        return (self.steps - 1) * self.stride + self.taps - self.length - self.pad[0]


@dataclass(frozen=True)
class Placed:
    """Padding of the operator itself, and (left, right) to add in front of it."""

    padding: int
    explicit: tuple[int, int] = (0, 0)


def place(window: Window) -> Placed:
    """Returns how TFLite comes to the same windows: VALID, SAME, or VALID after explicit padding."""
    left, right = window.pad[0], window.reach
    if left == 0 and right <= 0:
        return Placed(VALID)
    total = max((-(-window.length // window.stride) - 1) * window.stride + window.taps - window.length, 0)
    same = (total // 2, total - total // 2)
    if window.steps == -(-window.length // window.stride) and left == same[0]:
        return Placed(SAME)
    return Placed(VALID, (left, max(right, 0)))
