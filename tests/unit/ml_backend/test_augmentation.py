from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from ml_backend.augmentation import Motion, Sampler, augment, balance, expose


def move(image: npt.NDArray[Any], motion: Motion) -> npt.NDArray[Any]:
    sampler = Sampler(image.shape[-1])
    sampler.aim(motion)
    moved: npt.NDArray[Any] = np.empty(image.shape, np.bool_ if image.dtype == np.bool_ else np.float32)
    (sampler.nearest if image.dtype == np.bool_ else sampler.linear)(image, out=moved)
    return moved


def ramp(side: int = 20) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.tile(np.arange(side, dtype=np.uint8) * 10, (1, side, 1))


def test_a_shift_moves_the_film_and_its_mask_alike_and_repeats_the_edge() -> None:
    film = ramp()[0]
    shifted = Motion.of(0.0, (0.0, 2.0))
    np.testing.assert_allclose(move(film, shifted)[7, 2:], film[7, :-2], atol=1e-3)
    assert (move(film, shifted)[:, :2] == 0).all()
    np.testing.assert_array_equal(move(film == 50, shifted), np.roll(film == 50, 2, axis=1))


def test_a_rotation_turns_about_the_centre() -> None:
    film = np.zeros((21, 21), np.uint8)
    film[10, 10] = 200
    film[10, 18] = 100
    turned = move(film, Motion.of(10.0))
    assert turned[10, 10] == pytest.approx(200, abs=1)
    brightest = np.argmax(np.where(np.arange(21) > 13, turned, 0))
    assert divmod(int(brightest), 21) == (11, 18)


def test_a_moved_film_is_what_scipy_makes_of_it() -> None:
    rng = np.random.default_rng(4)
    for side in (33, 96):
        motion = Motion.random(side, rng, "wide")
        film = ndimage.gaussian_filter(rng.normal(128, 60, (side, side)), 1.5)
        centre = np.array([(side - 1) / 2] * 2)
        offset = centre - motion.turn @ (centre + motion.shift_px)
        expected = ndimage.affine_transform(film, motion.turn, offset, order=1, mode="nearest")
        np.testing.assert_allclose(move(film, motion), expected, atol=0.01)


def test_the_inverse_brings_a_film_back() -> None:
    film = ndimage.gaussian_filter(np.random.default_rng(5).normal(128, 200, (96, 96)), 4)
    motion = Motion.of(8.0, (5.0, -7.0), zoom=(1.1, -0.95))
    back = move(move(film, motion), motion.inverse)
    inner = (slice(24, -24), slice(24, -24))
    assert np.abs(back - film)[inner].max() < 1 < np.abs(move(film, motion) - film)[inner].max()


def test_random_augmentation_stays_within_its_bounds() -> None:
    """A dot is moved by at most the shift and what the rotation adds at its distance from the centre."""
    dots = np.zeros((200, 41, 41), np.uint8)
    dots[:, 19:22, 19:22] = 255
    moved, masks = augment(dots, dots > 0, np.random.default_rng(1))
    centres = np.array([np.argwhere(mask).mean(axis=0) for mask in masks]) - 20
    assert np.abs(centres).max() <= 4.1 + 0.5
    assert centres.min() < -3
    assert centres.max() > 3
    assert moved.dtype == np.float32
    assert moved.max() <= 255.01


def test_the_same_generator_gives_the_same_films() -> None:
    film = ramp()
    first, second = (augment(film, film > 50, np.random.default_rng(3), variation="wide")[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_mirrored_film_has_left_and_right_exchanged() -> None:
    film = ramp()[0]
    np.testing.assert_allclose(move(film, Motion.of(zoom=(1, -1))), film[:, ::-1], atol=1e-3)


def test_a_zoomed_film_shows_the_same_centre_larger() -> None:
    film = np.zeros((41, 41), np.uint8)
    film[18:23, 18:23] = 200
    larger = move(film, Motion.of(zoom=(2, 1))) > 100
    assert (np.ptp(np.argwhere(larger), axis=0) + 1).tolist() == [pytest.approx(10, abs=1), 5]


def test_another_exposure_keeps_the_order_of_grey_levels_and_changes_their_distances() -> None:
    film = np.arange(50, 210, dtype=np.uint8).reshape(10, 16)
    exposed = [expose(film, np.random.default_rng(seed)) for seed in range(20)]
    for one in exposed:
        assert (np.diff(one.ravel()) >= 0).all()
        assert one.min() == 0
        assert one.max() == pytest.approx(255)
    middles = [one[5, 0] for one in exposed]
    assert np.ptp(middles) > 50


def test_balancing_fills_the_smaller_class_evenly() -> None:
    is_infected = np.array([True] * 3 + [False] * 10)
    rows, is_repeat = balance(is_infected, np.random.default_rng(0))
    counts = np.bincount(rows, minlength=13)
    assert counts[:3].sum() == 10
    assert set(counts[:3]) == {3, 4}
    assert (counts[3:] == 1).all()
    assert sorted(rows[~is_repeat]) == list(range(13))
    assert set(rows[is_repeat]) <= {0, 1, 2}


def test_balancing_gives_the_papers_numbers() -> None:
    """Table II (P28): 2361 infected and 10,035 normal training films become 20,070."""
    is_infected = np.arange(2361 + 10_035) < 2361
    rows, is_repeat = balance(is_infected, np.random.default_rng(0))
    assert len(rows) == 20_070
    assert is_infected[rows].sum() == 10_035
    assert is_repeat.sum() == is_infected[rows[is_repeat]].sum() == 10_035 - 2361


def test_a_single_class_is_left_as_it_is() -> None:
    rows, is_repeat = balance(np.ones(5, np.bool_), np.random.default_rng(0))
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert not is_repeat.any()
