"""Terms of the training objectives, each one pure function of tensors; all compute in float32."""

from ecgkd.losses.activity import UNLABELLED, activity_distillation, activity_entropy
from ecgkd.losses.angular import additive_margin, angular_margin
from ecgkd.losses.embedding import embedding_alignment
from ecgkd.losses.features import (
    LEVEL_WEIGHTS,
    ChannelStatistics,
    FeatureProjectors,
    common_grids,
    feature_alignment,
    hierarchical_alignment,
    pool_time,
)
from ecgkd.losses.gradnorm import gradnorm_targets, gradnorm_weights
from ecgkd.losses.logits import distillation, standardised_kd
from ecgkd.losses.pcgrad import pcgrad
from ecgkd.losses.relations import EMBEDDING_TAU, LEVEL_TAU, relational_graph
from ecgkd.losses.triplet import TripletLoss, batch_hard_triplet
from ecgkd.losses.uncertainty import uncertainty_loss

__all__ = [
    "EMBEDDING_TAU",
    "LEVEL_TAU",
    "LEVEL_WEIGHTS",
    "UNLABELLED",
    "ChannelStatistics",
    "FeatureProjectors",
    "TripletLoss",
    "activity_distillation",
    "activity_entropy",
    "additive_margin",
    "angular_margin",
    "batch_hard_triplet",
    "common_grids",
    "distillation",
    "embedding_alignment",
    "feature_alignment",
    "gradnorm_targets",
    "gradnorm_weights",
    "hierarchical_alignment",
    "pcgrad",
    "pool_time",
    "relational_graph",
    "standardised_kd",
    "uncertainty_loss",
]
