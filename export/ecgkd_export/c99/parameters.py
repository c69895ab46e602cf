"""What the parameters of all kernels have in common."""

from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Quant, Tensor
from ecgkd_export.simulate_linear import Rescale


def one_multiplier(to: Rescale) -> dict[str, int]:
    """Returns the fields of a rescaling with one multiplier."""
    return {"multiplier": int(to.multiplier.mantissa.reshape(())), "shift": int(to.multiplier.shift.reshape(()))}


def output_range(to: Rescale) -> dict[str, int]:
    """Returns the fields of the output's zero point and limits."""
    return {"out_zero_point": to.zero_point, "low": to.low, "high": to.high}


def quant(tensor: Tensor) -> Quant:
    """Returns the tensor's quantisation. Raises: GraphError where it has none."""
    if tensor.quant is None:
        raise GraphError(f"{tensor.name} has no scale")
    return tensor.quant
