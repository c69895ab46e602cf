"""Task weights learned as the tasks' own uncertainties."""

import torch
from torch import Tensor


def uncertainty_loss(losses: Tensor, log_variances: Tensor) -> Tensor:
    """Returns Σ exp(−s_i) · losses[i] + s_i / 2 for losses (n,) and learned log variances s (n,).

    Source: Kendall et al. 2018, the form for classification (section 3.2). At its minimum over s_i the weight
    exp(−s_i) is 1 / (2 · losses[i]).
    """
    return (torch.exp(-log_variances) * losses + log_variances / 2).sum()
