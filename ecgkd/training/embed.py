"""What a trained network says of windows: embeddings, and the activity's logits."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgkd.errors import UsageError
from ecgkd.models import EMBEDDING_SIZE, ModelOutput
from ecgkd.signal.chain import INPUT_SCALE


def as_input(windows: NDArray[np.int8]) -> Tensor:
    """Returns what the front end made, (n, 1000) or (n, n_leads, 1000), as a network takes it, (n, n_leads, 1000)."""
    by_lead = windows if windows.ndim == 3 else windows[:, None]
    return torch.from_numpy(np.ascontiguousarray(by_lead)).float() * INPUT_SCALE


def embed_windows(model: nn.Module, windows: NDArray[np.int8], batch: int = 256) -> NDArray[np.float32]:
    """Returns unit embeddings (n, 192) of what the front end made, (n, 1000) or (n, n_leads, 1000).

    The model is left as it was.
    """
    found = [output.embedding.float().cpu().numpy() for output in _outputs(model, windows, batch)]
    return np.concatenate(found) if found else np.zeros((0, EMBEDDING_SIZE), np.float32)


def activity_logits(model: nn.Module, windows: NDArray[np.int8], batch: int = 256) -> NDArray[np.float32]:
    """Returns the activity head's logits (n, n_activities) of what the front end made, as `embed_windows` takes it.

    Raises: UsageError for a network without that head.
    """
    found = []
    for output in _outputs(model, windows, batch):
        if output.activity is None:
            raise UsageError("this network has no activity head; train one with loss.activity above 0")
        found.append(output.activity.float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, 0), np.float32)


def _outputs(model: nn.Module, windows: NDArray[np.int8], batch: int) -> Iterator[ModelOutput]:
    """Gives what the network says of `windows`, batch by batch; it is left as it was."""
    takes, given = getattr(model, "n_leads", 1), windows.shape[1] if windows.ndim == 3 else 1
    if takes != given:
        raise UsageError(f"the network takes {takes} lead(s), these windows have {given}; name its leads in data.leads")
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        for begin in range(0, len(windows), batch):
            x = as_input(windows[begin : begin + batch]).to(device)
            with torch.inference_mode():
                output = model(x)
            yield output
    finally:
        model.train(was_training)
