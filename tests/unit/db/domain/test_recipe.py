"""How networks are trained."""

from dataclasses import asdict, replace

import pytest

from db.domain.errors import InputError
from db.domain.recipe import LossSpec, TrainingRecipe

RECIPE = TrainingRecipe()


def test_a_recipe_is_found_again_in_its_json():
    recipe = replace(
        RECIPE, loss=LossSpec(over="batch"), pretext="phantoms", pretext_epochs=2, validation_share=0.2, patience=3
    )
    assert TrainingRecipe.from_json(asdict(recipe)) == recipe


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'epochs'"):
        TrainingRecipe.from_json({"epoch": 3})


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"learning_rate": -1e-3},
        {"n_views": 8},
        {"schedule": "linear"},
        {"augment": "some"},
        {"variation": "narrow"},
        {"precision": "float16"},
        {"weights": "downloaded"},
        {"pretext": "phantoms"},
        {"pretext_epochs": 3},
        {"validation_share": 1.0},
        {"patience": 3},
        {"patience": 0, "validation_share": 0.1},
        {"warmup_epochs": -2},
        {"warmup_epochs": 50},
        {"pretext_epochs": -3},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_what_can(change):
    with pytest.raises(InputError, match=rf"(?i){next(iter(change))[:8]}"):
        replace(RECIPE, **change)


@pytest.mark.parametrize(("stored", "meant"), [(True, "all"), (False, "none")])
def test_recipes_stored_before_the_choice_keep_their_meaning(stored, meant):
    assert TrainingRecipe.from_json({"augment": stored}).augment == meant


def test_a_pretext_is_trained_alike_but_holds_nothing_out():
    recipe = replace(
        RECIPE, input_size=96, pretext="phantoms", pretext_epochs=4, epochs=9, validation_share=0.2, patience=2
    )
    assert recipe.pretext_recipe == replace(RECIPE, input_size=96, epochs=4)
