"""Words that a user may type in a recipe or on the command line."""

from enum import StrEnum


class Role(StrEnum):
    """What a run makes."""

    TEACHER = "teacher"
    STUDENT = "student"


class Head(StrEnum):
    """The classifier on the embedding."""

    LINEAR = "linear"
    COSINE = "cosine"


class Margin(StrEnum):
    """Where a cosine head's margin acts."""

    ADDITIVE = "additive"
    """Off the true class's cosine (AM-softmax)."""
    ANGULAR = "angular"
    """On the angle to the true class (ArcFace)."""


class Distillation(StrEnum):
    """How logits are distilled."""

    LSKD = "lskd"
    """Logits standardised row by row (Sun et al. 2024)."""
    KD = "kd"
    """Plain temperature (Hinton et al. 2015)."""


class Balance(StrEnum):
    """How identity and activity share one network."""

    FIXED = "fixed"
    """By the weights of their terms."""
    GRADNORM = "gradnorm"
    """By weights that make their gradients alike in length (Chen et al. 2018)."""
    UNCERTAINTY = "uncertainty"
    """By learned uncertainties (Kendall et al. 2018)."""
    PCGRAD = "pcgrad"
    """By taking out of each gradient what works against the other (Yu et al. 2020)."""


class Precision(StrEnum):
    """Number format of a training's forward and backward pass."""

    FLOAT32 = "32-true"
    BFLOAT16 = "bf16-mixed"
