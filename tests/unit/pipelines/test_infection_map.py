"""Infection maps, pixel by pixel against the standard library's colour arithmetic."""

import colorsys

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

from db.domain.errors import InputError
from pipelines.infection_map import render


def expected(grey, probability):
    """P39 for one pixel: jet gives hue and saturation, the film the value."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*colormaps["jet"](float(probability))[:3])
    return [round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, grey)]


def test_hue_and_saturation_come_from_the_map_and_value_from_the_film():
    rng = np.random.default_rng(0)
    film = rng.integers(0, 256, (40, 30)).astype(np.uint8)
    probability = rng.uniform(0.001, 1, (40, 30))
    picture = render(film, probability)
    assert picture.dtype == np.uint8
    for row, column in rng.integers(0, 30, (200, 2)):
        pixel = expected(film[row, column] / 255, probability[row, column])
        assert picture[row, column].tolist() == pytest.approx(pixel, abs=1)


def test_the_film_shows_where_the_probability_is_zero_or_under_the_floor():
    film = np.full((2, 3), 90, np.uint8)
    probability = np.array([[0, 0.02, 0.9]] * 2)
    assert (render(film, probability)[:, 0] == 90).all()
    assert (render(film, probability)[:, 1] != 90).any()
    assert (render(film, probability, floor=0.02)[:, 1] == 90).all()


def test_sixteen_bit_films_look_like_their_eight_bit_selves():
    film = np.arange(256, dtype=np.uint8).reshape(16, 16)
    probability = np.full((16, 16), 0.7)
    deep = film.astype(np.uint16) * 257
    assert (render(film, probability) == render(deep, probability)).all()


def test_a_smaller_map_covers_the_whole_film():
    film = np.full((64, 48), 200, np.uint8)
    picture = render(film, np.array([[0.0, 1.0]], np.float32))
    assert picture.shape == (64, 48, 3)
    assert (picture[:, 0] == 200).all()
    assert picture[10, -1].tolist() == expected(200 / 255, 1.0)


@pytest.mark.parametrize(
    ("film", "probability"),
    [
        (np.zeros((4, 4), np.uint8), np.full((4, 4), 1.5)),
        (np.zeros((4, 4), np.uint8), np.full((4, 4), np.nan)),
        (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4))),
        (np.zeros((4, 4), np.int32), np.zeros((4, 4))),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1))),
    ],
    ids=["over 1", "nan", "four channels", "int32", "three axes"],
)
def test_what_is_no_film_or_no_map_is_refused(film, probability):
    with pytest.raises(InputError):
        render(film, probability)


@pytest.mark.parametrize("probability", [1e-6, 0.05, 0.125, 0.3, 0.5, 0.62, 0.875, 0.99, 1.0])
@pytest.mark.parametrize("grey", [0, 1, 77, 200, 255])
def test_a_pixel_is_exactly_what_it_is_by_hand(grey, probability):
    picture = render(np.full((1, 1), grey, np.uint8), np.full((1, 1), probability))
    assert picture[0, 0].tolist() == expected(grey / 255, probability)


def test_every_pixel_is_exactly_what_matplotlibs_conversions_make_of_it():
    film, probability = np.meshgrid(np.arange(256, dtype=np.uint8), np.linspace(1e-3, 1, 500))
    hsv = rgb_to_hsv(colormaps["jet"](probability)[..., :3])
    hsv[..., 2] = film / 255
    np.testing.assert_array_equal(render(film, probability), np.rint(hsv_to_rgb(hsv) * 255))


def test_pixels_known_by_heart():
    picture = render(np.full((1, 3), 200, np.uint8), np.array([[0.0, 1e-9, 1.0]]))
    # Jet begins dark blue and ends dark red; with the film's value both are bright. At 0 the film shows.
    assert picture[0].tolist() == [[200, 200, 200], [0, 0, 200], [200, 0, 0]]


def test_whole_probabilities_are_not_taken_for_indices_of_colours():
    picture = render(np.full((1, 1), 255, np.uint8), np.ones((1, 1), np.float32))
    assert picture[0, 0].tolist() == [255, 0, 0]


def test_films_of_floats_and_of_three_equal_channels_look_like_grey_ones():
    film = np.array([[0, 51, 255]], np.uint8)
    probability = np.array([[0.0, 0.4, 0.9]])
    picture = render(film, probability)
    np.testing.assert_array_equal(render(film / 255, probability), picture)
    np.testing.assert_array_equal(render(np.stack([film] * 3, axis=-1), probability), picture)


def test_a_smaller_map_is_interpolated_linearly():
    film = np.full((4, 8), 255, np.uint8)
    between = np.clip((np.arange(8) + 0.5) / 4 - 0.5, 0, 1)
    np.testing.assert_array_equal(render(film, np.array([[0.0, 1.0]])), render(film, np.tile(between, (4, 1))))


def test_the_film_still_shows_where_an_enlarged_map_is_zero():
    probability = np.zeros((6, 6), np.float32)
    probability[:, 5] = 1
    picture = render(np.full((60, 60), 120, np.uint8), probability)
    assert (picture[:, :45] == 120).all()
    assert (picture[:, 46:] != 120).any(axis=-1).all()


def test_a_floor_that_is_no_probability_is_refused():
    with pytest.raises(InputError, match="floor was 5"):
        render(np.zeros((1, 1), np.uint8), np.zeros((1, 1)), floor=5)
