"""What the wearer does, told beside a decision by the windows that it took; the decision does not depend on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.contract import ACTIVITY
from ecgkd.enrolment.activity import MARGIN_Q, steps_of, tell, tell_floats
from ecgkd.enrolment.windows import Model
from ecgkd.errors import DataError


@dataclass(frozen=True)
class Told:
    """What windows tell together."""

    name: str
    windows: int
    log_odds: float
    """Natural logarithm of the odds of this activity to the second likeliest, a whole number of 2^-16."""

    def in_words(self) -> str:
        return f"activity: {self.name} by {self.windows} window(s)"


def told(model: Model, inputs: NDArray[np.int8]) -> Told | None:
    """Returns what network inputs (n, …) tell; None without a window, or of a network that tells nothing.

    The bits are those of C where the network gives integers. Raises: DataError for scores of another shape.
    """
    names, ask = model.contract.activities, getattr(model, "tell", None)
    if ask is None or not model.contract.tells_activity or not len(inputs):
        return None
    logits = np.asarray(ask(inputs))
    if logits.shape != (len(inputs), len(names)):
        raise DataError(
            f"the network scores activities of shape {logits.shape} where its contract says ({len(inputs)}, "
            f"{len(names)}); export it again"
        )
    quant = model.contract.quantisation.get(ACTIVITY)
    if quant is None:
        found = tell_floats(logits)
    else:
        zero_point, scale = int(quant["zero_point"]), float(quant["scale"])
        found = tell(steps_of(logits, zero_point, scale), zero_point, scale)
    return Told(names[found.index], found.windows, found.margin / 2**MARGIN_Q)
