"""The networks that the package brings; see MODEL_CARD.md."""

DEFAULT = "resnet34_base24"
