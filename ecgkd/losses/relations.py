"""Relations inside a batch as a graph: whom each window resembles, and how much."""

import torch
import torch.nn.functional as F
from torch import Tensor

LEVEL_TAU = 0.1
EMBEDDING_TAU = 0.07
MASKED = -1e9
"""Stands for −∞ on the diagonal: its softmax is exactly zero, and 0 · MASKED is no NaN."""


def relational_graph(
    student: Tensor,
    teacher: Tensor,
    tau: float = LEVEL_TAU,
    gathered_student: Tensor | None = None,
    gathered_teacher: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """Returns τ · KL(teacher's rows ‖ student's rows) of the affinity graphs, mean over rows.

    Nodes (B, D), or maps (B, channels, steps) that are averaged over time; widths may differ between the two. Edges
    are cosines; a row is the softmax of its edges / τ without its own node. Across processes, `gathered_…` (N, …)
    are the columns and row i is column offset + i. Needs no projector. Source: PKT (Passalis and Tefas 2018) with
    a softmax kernel; our reconstruction of the graph-like term.
    """
    with torch.autocast(student.device.type, enabled=False):
        log_student = _log_rows(student, gathered_student, tau, offset)
        with torch.no_grad():
            log_teacher = _log_rows(teacher, gathered_teacher, tau, offset)
        return tau * F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)


def _log_rows(features: Tensor, gathered: Tensor | None, tau: float, offset: int) -> Tensor:
    """Returns log probabilities (B, N) of the affinity rows."""
    rows = _nodes(features)
    columns = rows if gathered is None else _nodes(gathered)
    affinity = rows @ columns.T / tau
    own = torch.arange(len(rows), device=rows.device)
    mask = torch.zeros_like(affinity, dtype=torch.bool)
    mask[own, own + offset] = True
    return F.log_softmax(affinity.masked_fill(mask, MASKED), dim=1)


def _nodes(features: Tensor) -> Tensor:
    """Returns unit vectors (B, D), float32."""
    pooled = features.float().mean(2) if features.ndim == 3 else features.float()
    return F.normalize(pooled, dim=1)
