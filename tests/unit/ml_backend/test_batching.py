from dataclasses import replace
from itertools import islice
from typing import get_args

import numpy as np
import pytest

from db.domain.recipe import Augmented, TrainingRecipe
from ml_backend.batching import Batches
from ml_backend.data import PackedSet

RECIPE = TrainingRecipe(input_size=32, batch_size=5, augment="all")


def batches(packed: PackedSet, recipe: TrainingRecipe) -> Batches:
    return Batches(packed.films, packed.masks, recipe, seed=3)


def test_an_epoch_without_a_number_of_steps_takes_every_film(packed: PackedSet) -> None:
    rows, is_repeat = batches(packed, replace(RECIPE, balance=False)).rows(1)
    assert rows.shape == is_repeat.shape == (3, 5)
    assert set(rows.ravel()) == set(range(12))
    assert not is_repeat.any()


def test_a_balanced_epoch_has_as_many_infected_films_as_others(packed: PackedSet) -> None:
    some = batches(packed, replace(RECIPE, batch_size=4))
    rows, is_repeat = some.rows(1)
    is_infected = np.any(packed.masks, axis=(1, 2))
    assert rows.size == 16
    assert is_infected[rows].sum() == 8
    assert is_repeat.sum() == 4
    assert not is_infected[rows[is_repeat]].any()


def test_epochs_differ_and_an_epoch_is_the_same_wherever_it_begins(packed: PackedSet) -> None:
    some = batches(packed, replace(RECIPE, steps_per_epoch=2))
    first, _, third = islice(some.generate(first_epoch=1), 3)
    again = next(some.generate(first_epoch=2))
    assert np.abs(first[0] - third[0]).max() > 0
    np.testing.assert_array_equal(again[0], third[0])
    np.testing.assert_array_equal(again[1], third[1])


@pytest.mark.parametrize("augmented", get_args(Augmented))
def test_what_is_augmented_is_what_the_recipe_says(packed: PackedSet, augmented: Augmented) -> None:
    some = batches(packed, replace(RECIPE, augment=augmented, batch_size=16))
    (rows, is_repeat), (films, masks) = some.rows(1), next(some.generate(first_epoch=1))
    assert films.shape == masks.shape == (16, 32, 32, 1)
    assert films.dtype == np.float32
    is_moved = np.any(films[..., 0] != packed.films[rows[0]], axis=(1, 2))
    expected = {"none": np.zeros(16, np.bool_), "repeats": is_repeat[0], "all": np.ones(16, np.bool_)}[augmented]
    np.testing.assert_array_equal(is_moved, expected)
