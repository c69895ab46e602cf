"""What the student's logits learn from the teacher's."""

import torch
import torch.nn.functional as F
from torch import Tensor

STANDARDISE_EPS = 1e-7


def standardised_kd(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """Returns the distillation loss of logits (B, n_classes) brought to mean 0 and deviation 1 in every row.

    Only the order and the relative distances of the classes are learned, not the teacher's scale; calibrate the
    student afterwards. Source: Sun et al. 2024 (logit standardisation).
    """
    return distillation(_standardise(student.float()), _standardise(teacher.float()), temperature)


def distillation(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """Returns T² · KL(softmax(teacher / T) ‖ softmax(student / T)), mean over the batch; logits (B, n_classes).

    Source: Hinton et al. 2015.
    """
    log_student = F.log_softmax(student.float() / temperature, dim=1)
    log_teacher = F.log_softmax(teacher.detach().float() / temperature, dim=1)
    return temperature**2 * F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)


def _standardise(logits: Tensor) -> Tensor:
    deviation, mean = torch.std_mean(logits, dim=1, keepdim=True)
    return (logits - mean) / (deviation + STANDARDISE_EPS)
