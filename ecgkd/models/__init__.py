"""Networks: the ResNet teacher, the DeiT students, DT4ECG, and their export forms."""

from ecgkd.models.build import PRESETS, build_model, count_macs, count_parameters, without_classifier
from ecgkd.models.export_form import export_form
from ecgkd.models.head import COSINE_SCALE, EMBEDDING_SIZE
from ecgkd.models.outputs import ModelOutput

__all__ = [
    "COSINE_SCALE",
    "EMBEDDING_SIZE",
    "PRESETS",
    "ModelOutput",
    "build_model",
    "count_macs",
    "count_parameters",
    "export_form",
    "without_classifier",
]
