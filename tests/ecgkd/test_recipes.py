import tomllib
from dataclasses import replace
from importlib import resources

import pytest

from ecgkd.config import load_recipe, recipe_of, shipped_recipes
from ecgkd.names import Role

EXPECTED = (
    "dt4ecg_ci",
    "dt4ecg_cpu",
    "dt4ecg_thkd",
    "student_ci",
    "student_cpu",
    "teacher_ci",
    "teacher_cpu",
    "teacher_gpu",
    "thkd_ci",
    "thkd_cpu",
    "thkd_gpu",
)


def test_the_shipped_recipes_are_these():
    assert shipped_recipes() == EXPECTED


@pytest.mark.parametrize("name", EXPECTED)
def test_every_shipped_recipe_parses_and_is_named_as_its_file(name):
    recipe = load_recipe(name)

    assert recipe.name == name
    assert recipe_of(tomllib.loads(recipe.to_toml()), name) == recipe


@pytest.mark.parametrize("name", EXPECTED)
def test_every_shipped_recipe_asks_for_a_known_network(name):
    from ecgkd.models import PRESETS

    assert load_recipe(name).model.preset in PRESETS


@pytest.mark.parametrize("name", EXPECTED)
def test_every_shipped_recipe_says_what_it_is_for(name):
    text = resources.files("ecgkd").joinpath("recipes", f"{name}.toml").read_text()

    assert text.startswith("# ")


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("thkd")])
def test_distilling_recipes_distil_into_students(name):
    recipe = load_recipe(name)

    assert recipe.loss.distils
    assert recipe.role is Role.STUDENT


@pytest.mark.parametrize("size", ["ci", "cpu"])
def test_the_student_alone_differs_from_the_distilled_one_by_what_it_learns_from_only(size):
    """On real people the distilled one has no task of its own; network, people, batches, steps and rates are alike."""
    alone, distilled = load_recipe(f"student_{size}"), load_recipe(f"thkd_{size}")
    task = ("ce", "triplet", "triplet_from", "margin", "margin_ramp") if size == "cpu" else ()
    terms = dict.fromkeys(("kd", "embedding", "features", "relations", "relations_embedding"), 0.0)
    kept = ("ramp", "statistics_batches", "kd_kind", "kd_temperature", "features_hold", "features_end", "levels")

    alike = {name: getattr(alone.loss, name) for name in (*kept, *task)}
    assert replace(distilled.loss, **terms, **alike) == alone.loss
    assert (distilled.loss.ce == 0) == bool(task)
    assert distilled.model == alone.model
    assert distilled.data == alone.data
    assert distilled.optim == alone.optim
    assert distilled.augment == alone.augment


def test_the_joint_recipe_teaches_both_tasks_and_keeps_room_and_quiet_for_labels():
    recipe = load_recipe("dt4ecg_thkd")

    assert recipe.loss.distils
    assert recipe.loss.activity > 0
    assert recipe.role is Role.STUDENT
    assert recipe.data.labelled_share * recipe.optim.people > 5
    assert recipe.augment.spare_labelled
