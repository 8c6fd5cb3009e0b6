import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipelines.compile import duplicates
from pipelines.compile.duplicates import SIDE_PX, find_duplicates, fingerprint


def film(seed, side=200):
    """Structure at all scales, like a film."""
    rng = np.random.default_rng(seed)
    field = np.sum([ndimage.gaussian_filter(rng.standard_normal((side, side)), s) * s for s in (2, 6, 20)], axis=0)
    return ((field - field.min()) / np.ptp(field) * 255).astype(np.uint8)


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=30)
    return np.asarray(Image.open(buffer))


def equalised(pixels):
    share = np.searchsorted(np.sort(pixels, axis=None), pixels, side="right") / pixels.size
    return (share * 255).astype(np.uint8)


COPIES = {
    "jpeg": jpeg,
    "smaller": lambda pixels: np.asarray(Image.fromarray(pixels).resize((130, 131))),
    "equalised": equalised,
    "inverted": lambda pixels: 255 - pixels,
    "darker": lambda pixels: (255 * (pixels / 255) ** 2).astype(np.uint8),
    "16 bit": lambda pixels: pixels.astype(np.uint16) * 257,
    "faint": lambda pixels: pixels.astype(np.uint16) + 30_000,
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found(copy):
    known = [fingerprint(film(seed)) for seed in range(5)]
    assert find_duplicates([fingerprint(COPIES[copy](film(3)))], known) == [(0, 3)]


def test_films_that_share_their_slow_shades_are_not_one_film():
    chest = ndimage.gaussian_filter(film(0).astype(float), 15) * 8
    serial = [(chest + film(seed) * 0.5) for seed in (1, 2)]
    likeness = np.corrcoef(serial[0].ravel(), serial[1].ravel())[0, 1]
    assert likeness > 0.95
    prints = [fingerprint(one.astype(np.uint16)) for one in serial]
    assert find_duplicates(prints[:1], prints[1:]) == []


def test_pairs_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK_ROWS", 2)
    prints = [fingerprint(film(seed % 3)) for seed in range(7)]
    pairs = find_duplicates(prints, prints)
    assert pairs == [(i, j) for i in range(7) for j in range(7) if (i - j) % 3 == 0]


def test_a_fingerprint_is_small_and_a_flat_film_resembles_nothing():
    flat = fingerprint(np.full((50, 60), 7, np.uint8))
    assert len(flat) == SIDE_PX**2
    assert find_duplicates([flat], [flat, fingerprint(film(0))]) == []
    assert find_duplicates([], [flat]) == []
    assert find_duplicates([flat], []) == []
