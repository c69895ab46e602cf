"""Embeddings of windows by a trained network."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgkd.signal.chain import INPUT_SCALE


def embed_windows(model: nn.Module, windows: NDArray[np.int8], batch: int = 256) -> NDArray[np.float32]:
    """Returns unit embeddings (n, 192) of what the front end made, (n, 1000). The model is left as it was."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    found = []
    with torch.inference_mode():
        for begin in range(0, len(windows), batch):
            x = torch.from_numpy(np.ascontiguousarray(windows[begin : begin + batch])).to(device).float()
            found.append(model(x[:, None] * INPUT_SCALE).embedding.float().cpu().numpy())
    model.train(was_training)
    if not found:
        return np.zeros((0, 192), np.float32)
    return np.concatenate(found)
