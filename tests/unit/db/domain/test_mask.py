"""The canonical mask and the packing of masks."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.draw import disk
from skimage.transform import resize_local_mean

from db.domain.errors import InputError
from db.domain.mask import (
    GRID_PX,
    canonical_grid_mask,
    canonical_mask,
    dice,
    grid_shape,
    pack,
    packed_length,
    resample,
    unpack,
)


@pytest.fixture
def noise():
    return np.random.default_rng(7).random((101, 67)).astype(np.float32)


def test_shrinking_is_the_area_average_of_scikit_image(noise):
    np.testing.assert_allclose(resample(noise, 40, 30), resize_local_mean(noise, (40, 30)), atol=1e-5)


def test_growing_is_the_bilinear_interpolation_of_pillow(noise):
    grown = np.asarray(Image.fromarray(noise).resize((160, 220), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(resample(noise, 220, 160), grown, atol=1e-5)


def test_a_single_row_can_grow():
    assert (resample(np.ones((1, 3), np.float32), 4, 6) == 1).all()


@pytest.mark.parametrize(("height", "width"), [(1000, 500), (500, 1000), (96, 96), (3000, 2048)])
def test_the_grid_keeps_the_aspect_and_has_448_on_its_long_side(height, width):
    grid = grid_shape(height, width)
    assert max(grid) == GRID_PX
    assert grid[0] / grid[1] == pytest.approx(height / width, rel=0.01)


def test_a_drawing_and_the_same_shape_at_network_size_become_nearly_one_mask():
    drawing = np.zeros((900, 700), np.bool_)
    drawing[disk((400, 350), 150)] = True
    as_map = resample(drawing.astype(np.float32), 224, 224)
    assert dice(canonical_mask(drawing, 900, 700), canonical_mask(as_map, 900, 700)) > 0.98


def test_what_the_reader_sees_is_what_becomes_final():
    blob = ndimage.gaussian_filter(np.random.default_rng(3).random((224, 224)), 6)
    probability = ((blob - blob.min()) / np.ptp(blob)).astype(np.float32)
    shown = canonical_grid_mask(probability, 2000, 1600)
    final = canonical_mask(probability, 2000, 1600)
    seen = resample(shown.astype(np.float32), 2000, 1600) >= 0.5
    assert dice(seen, final) > 0.99


@pytest.mark.parametrize(("diameter_mm", "kept"), [(3, 0.4), (4, 0.65), (5, 0.8), (6, 0.85), (8, 0.9), (10, 0.95)])
def test_the_budget_of_canonicalisation_holds_for_discs_on_a_400_mm_film(diameter_mm, kept):
    side_px = 2000
    rows, columns = np.mgrid[:side_px, :side_px] + 0.5
    disc = np.hypot(rows - 1000.3, columns - 999.1) <= diameter_mm / 2 * side_px / 400
    left = np.count_nonzero(canonical_mask(disc, side_px, side_px)) / np.count_nonzero(disc)
    assert kept <= left <= 1


def test_empty_masks_stay_empty_and_full_ones_full():
    assert not canonical_mask(np.zeros((50, 60), np.bool_), 50, 60).any()
    assert canonical_mask(np.ones((50, 60), np.bool_), 50, 60).all()


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (8, 8), (3, 17)])
def test_packed_bits_come_back_unchanged(shape):
    mask = np.random.default_rng(1).random(shape) > 0.5
    assert len(pack(mask)) == packed_length(*shape)
    np.testing.assert_array_equal(unpack(pack(mask), *shape), mask)


def test_the_first_pixel_is_the_highest_bit():
    mask = np.zeros((1, 10), np.bool_)
    mask[0, [0, 9]] = True
    assert pack(mask) == bytes([0b1000_0000, 0b0100_0000])


def test_bits_of_the_wrong_length_are_refused_with_both_lengths():
    with pytest.raises(InputError, match="7x5 mask takes 5 bytes, 4 were received"):
        unpack(b"0000", 5, 7)


def test_dice_of_two_empty_masks_is_one_and_of_disjoint_ones_zero():
    empty, half = np.zeros((2, 2), np.bool_), np.array([[True, True], [False, False]])
    assert dice(empty, empty) == 1
    assert dice(half, ~half) == 0
    assert dice(half, np.ones((2, 2), np.bool_)) == pytest.approx(2 * 2 / 6)
