"""How far the student's embedding is from the teacher's."""

import torch.nn.functional as F
from torch import Tensor


def embedding_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """Returns 1 − cosine, mean over the batch, 0 … 2; both (B, D)."""
    return (1 - F.cosine_similarity(student.float(), teacher.detach().float(), dim=1)).mean()
