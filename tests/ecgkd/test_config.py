import tomllib
from pathlib import Path

import pytest

from ecgkd.config import DataConfig, Recipe, load_recipe, recipe_of
from ecgkd.errors import DataError, UsageError
from ecgkd.names import Precision, Role

PLAIN = {"name": "mine", "role": "student"}


def refusal(document: dict, *overrides: str) -> str:
    with pytest.raises(UsageError) as caught:
        recipe_of(document, "mine.toml", overrides)
    return str(caught.value)


def test_what_a_recipe_does_not_say_keeps_its_default():
    recipe = recipe_of({**PLAIN, "optim": {"epochs": 3}}, "mine.toml")

    assert recipe.optim.epochs == 3
    assert recipe.data == DataConfig()
    assert recipe.role is Role.STUDENT


def test_a_recipe_written_and_read_again_is_the_same(tmp_path):
    document = {
        **PLAIN,
        "data": {"sets": ['a \\ "b".npz', "c.npz"], "protocol": "p.json"},
        "loss": {"levels": [1, 2, 3, 4], "kd_kind": "kd"},
        "optim": {"precision": "bf16-mixed", "lr": 1e-9},
    }
    recipe = recipe_of(document, "mine.toml")

    recipe.save(tmp_path / "again.toml")

    assert load_recipe(str(tmp_path / "again.toml")) == recipe


def test_an_unknown_key_is_refused_with_its_file_and_the_nearest_known_key():
    message = refusal({**PLAIN, "optim": {"epoch": 3}})

    assert message == "mine.toml: unknown key optim.epoch; the nearest known key is optim.epochs"


def test_an_unknown_section_is_refused_with_what_is_known():
    assert "unknown key zebra; known: name, role, data" in refusal({**PLAIN, "zebra": {}})


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("optim", "epochs", 2.5, "expected a whole number"),
        ("optim", "epochs", True, "expected a whole number"),
        ("optim", "lr", "fast", "expected a number"),
        ("optim", "lr", float("inf"), "expected a number"),
        ("optim", "precision", "fp8", "expected one of 32-true, bf16-mixed"),
        ("model", "preset", 3, "expected a text"),
        ("augment", "warp", [0.1], "expected a number"),
        ("augment", "adc_bits", [8], "expected a list of 2 values"),
        ("data", "sets", "a.npz", "expected a list of values"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(section, key, value, expected):
    message = refusal({**PLAIN, section: {key: value}})

    assert message.startswith(f"mine.toml: {section}.{key} is ")
    assert expected in message


@pytest.mark.parametrize(
    ("section", "values", "named"),
    [
        ("optim", {"epochs": 0}, "optim.epochs is 0"),
        ("optim", {"lr": 0.0}, "optim.lr is 0.0"),
        ("optim", {"ema": 1.0}, "optim.ema is 1.0"),
        ("optim", {"people": 6, "micro_batches": 4}, "optim.people is 6"),
        ("optim", {"people": 2, "micro_batches": 2}, "two people or more in each part"),
        ("loss", {"kd_temperature": 0.0}, "loss.kd_temperature"),
        ("loss", {"levels": [1.0, 1.0]}, "loss.levels"),
        ("loss", {"ce": 0.0, "triplet": 0.0}, "every term has weight 0"),
        ("loss", {"margin": 0.2}, 'needs model.head = "cosine"'),
        ("augment", {"warp_p": 1.5}, "augment.warp_p is 1.5"),
        ("augment", {"muscle_db": [24.0, 6.0]}, "augment.muscle_db"),
        ("data", {"max_visits": 0}, "data.max_visits is 0"),
    ],
)
def test_values_that_make_no_sense_are_refused(section, values, named):
    message = refusal({**PLAIN, section: values})

    assert message.startswith("mine.toml: ")
    assert named in message


def test_a_teacher_does_not_distil():
    assert "a student takes those" in refusal({"name": "t", "role": "teacher", "loss": {"embedding": 1.0}})


def test_a_recipe_needs_a_name_and_a_role():
    assert "needs name and role" in refusal({})
    assert "can name a folder" in refusal({"name": "../up", "role": "teacher"})


def test_overrides_are_typed_by_the_field():
    overrides = ("optim.lr=1", "model.preset=deit_nano", "optim.precision=bf16-mixed", "augment.warp=0", "name=other")

    recipe = recipe_of(PLAIN, "mine.toml", overrides)

    assert recipe.optim.lr == 1.0
    assert isinstance(recipe.optim.lr, float)
    assert recipe.model.preset == "deit_nano"
    assert recipe.optim.precision is Precision.BFLOAT16
    assert recipe.name == "other"


@pytest.mark.parametrize("text", ["optim.epochs", "=3", "a.b.c=1", "optim.=3"])
def test_an_override_of_another_form_is_refused(text):
    assert "expected section.key=value" in refusal(PLAIN, text)


def test_an_override_into_a_value_is_refused():
    assert "has no keys of its own" in refusal(PLAIN, "name.x=1")


def test_an_unknown_recipe_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(UsageError, match=r"no such recipe; expected a TOML file or one of .*teacher_ci"):
        load_recipe(str(tmp_path / "none.toml"))


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = Path(tmp_path / "broken.toml")
    path.write_text("name = ")

    with pytest.raises(DataError, match="not a recipe"):
        load_recipe(str(path))


def test_the_toml_of_a_recipe_spells_every_value_out():
    recipe = Recipe("mine", Role.TEACHER)

    document = tomllib.loads(recipe.to_toml())

    assert document["augment"]["wander_uv"] == [50.0, 400.0]
    assert document["optim"]["seed"] == 0
