from typing import get_args

import numpy as np
import pytest
from scipy import ndimage

from db.domain.mask import ProbabilityMap
from db.domain.recipe import MAX_VIEWS, Variation
from ml_backend.data import Film
from ml_backend.views import viewed, views

FILMS = (ndimage.gaussian_filter(np.random.default_rng(1).normal(128, 300, (2, 64, 64)), (0, 4, 4))).astype(np.uint8)


def shade(films: Film) -> ProbabilityMap:
    return films.astype(np.float32) / np.float32(255)


def test_one_view_is_the_film_as_it_is() -> None:
    np.testing.assert_array_equal(viewed(shade, 1, "wide")(FILMS), shade(FILMS))


@pytest.mark.parametrize("variation", get_args(Variation))
def test_maps_are_moved_back_before_they_are_averaged(variation: Variation) -> None:
    averaged = viewed(shade, 7, variation)(FILMS)
    inner = np.abs(averaged - shade(FILMS))[:, 10:-10, 10:-10]
    assert inner.max() < 0.02


def test_each_view_is_asked_for_once_and_counts_alike() -> None:
    asked: list[Film] = []

    def count(films: Film) -> ProbabilityMap:
        asked.append(films)
        return np.full(films.shape, len(asked), np.float32)

    averaged = viewed(count, 3, "paper")(FILMS)
    assert len(asked) == 3
    np.testing.assert_array_equal(asked[0], FILMS)
    np.testing.assert_allclose(averaged, 2, rtol=1e-6)


@pytest.mark.parametrize("variation", get_args(Variation))
def test_there_are_as_many_views_as_a_recipe_may_ask_for(variation: Variation) -> None:
    assert len(views(64, variation)) == MAX_VIEWS


def test_only_who_learned_from_mirrored_films_is_asked_about_one() -> None:
    assert [np.linalg.det(view.turn) < 0 for view in views(64, "wide")][:3] == [False, True, False]
    assert all(np.linalg.det(view.turn) > 0 for view in views(64, "paper"))
