"""The networks that the package brings; see MODEL_CARD.md."""

DEFAULT = "deit_micro"
