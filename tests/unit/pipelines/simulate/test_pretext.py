"""Phantom films that networks learn first."""

from itertools import pairwise

import numpy as np
import pytest

from pipelines.simulate.pretext import draw, make_pretext


@pytest.mark.slow
def test_every_second_film_is_infected_and_equal_arguments_give_equal_films():
    packed, again = make_pretext("phantoms", 64, n_films=6), make_pretext("phantoms", 64, n_films=8)
    assert packed.films.shape == packed.masks.shape == (6, 64, 64)
    assert packed.masks.any(axis=(1, 2)).tolist() == [True, False] * 3
    np.testing.assert_array_equal(packed.films, again.films[:6])
    np.testing.assert_array_equal(packed.masks, again.masks[:6])
    assert np.ptp(packed.films[1]) > 50


@pytest.mark.slow
def test_lungs_have_masks_of_lungs_on_the_same_films():
    infection, lungs = make_pretext("phantoms", 64, n_films=4), make_pretext("phantom_lungs", 64, n_films=4)
    np.testing.assert_array_equal(infection.films, lungs.films)
    assert (lungs.masks.mean(axis=(1, 2)) > 0.1).all()
    assert (infection.masks & ~lungs.masks).mean() < 0.01


def test_no_two_phantoms_are_alike():
    films = [draw(number, side_px=64).film for number in range(5)]
    assert all(np.abs(a.astype(int) - b).mean() > 1 for a, b in pairwise(films))
