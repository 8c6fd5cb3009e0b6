import io

import numpy as np
import pytest
from PIL import Image

from annotation_server.services.display import Display, MaskSource, display_png
from db.artifacts import Store
from db.domain.mask import canonical_grid_mask, pack


def shown(film):
    image = Image.open(io.BytesIO(display_png(film)))
    assert image.mode == "L"
    return np.asarray(image)


def test_an_8_bit_film_keeps_its_values():
    film = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64).astype(np.uint8)
    assert np.array_equal(shown(film), film)


def test_a_16_bit_film_is_windowed_without_its_outliers():
    film = np.linspace(1000, 3000, 200 * 300).reshape(200, 300).astype(np.uint16)
    film[0, 0], film[-1, -1] = 0, 65535
    grey = shown(film)
    assert (grey[0, 0], grey[-1, -1]) == (0, 255)
    assert abs(int(grey[100, 150]) - 127) <= 4  # percentiles of every fourth row


def test_a_16_bit_film_of_one_value_can_be_shown():
    assert shown(np.full((48, 64), 700, np.uint16)).shape == (48, 64)


@pytest.mark.parametrize(
    ("shape", "expected"), [((4096, 2048), (2048, 1024)), ((48, 64), (48, 64)), ((10, 3000), (7, 2048))]
)
def test_the_long_side_is_at_most_2048_pixels(shape, expected):
    assert shown(np.zeros(shape, np.uint8)).shape == expected


def test_the_picture_carries_no_metadata():
    image = Image.open(io.BytesIO(display_png(np.zeros((48, 64), np.uint8))))
    image.load()
    assert image.info == {}


def test_a_drawing_and_a_map_of_the_same_pixels_look_the_same(tmp_path):
    store = Store(tmp_path)
    mask = np.random.default_rng(0).random((48, 64)) > 0.5
    display = Display(store)
    drawn = display.bits(MaskSource(store.put_mask(mask), False, 48, 64))
    proposed = display.bits(MaskSource(store.put_map(mask.astype(np.float32)), True, 48, 64))
    assert drawn == proposed == pack(canonical_grid_mask(mask, 48, 64))


def test_what_was_shown_once_is_not_computed_again(tmp_path):
    store = Store(tmp_path)
    digest = store.put_film(np.zeros((48, 64), np.uint8))
    display = Display(store)
    first = display.film(digest)
    store.path(digest).unlink()
    assert display.film(digest) is first
