"""What a training is told: frozen dataclasses, one per section of a recipe.

A recipe is a TOML file: `name` and `role` at the top, then the tables `data`, `model`, `loss`, `optim` and `augment`.
"""

from ecgkd.config.recipe import Recipe, load_recipe, recipe_of, shipped_recipes
from ecgkd.config.sections import AugmentConfig, DataConfig, LossConfig, ModelConfig, OptimConfig, Pair

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "LossConfig",
    "ModelConfig",
    "OptimConfig",
    "Pair",
    "Recipe",
    "load_recipe",
    "recipe_of",
    "shipped_recipes",
]
