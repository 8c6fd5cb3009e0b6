import numpy as np
import pytest

from ml_backend.augmentation import augment, balance


class FixedDraws(np.random.Generator):
    """Draws the given angle for every rotation and the given share of the side for every shift."""

    def __init__(self, angle_deg: float, shift: tuple[float, float]) -> None:
        super().__init__(np.random.PCG64(0))
        self._draws = iter([np.array([angle_deg]), np.array([shift])])

    def uniform(self, *_: object) -> np.ndarray:  # type: ignore[override]  # stands in for one use only
        return next(self._draws)


def ramp(side: int = 20) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.tile(np.arange(side, dtype=np.uint8) * 10, (1, side, 1))


def test_a_shift_moves_the_film_and_its_mask_alike_and_repeats_the_edge() -> None:
    film, mask = ramp(), ramp() == 50
    moved_film, moved_mask = augment(film, mask, FixedDraws(0.0, (0.0, 0.1)))
    np.testing.assert_allclose(moved_film[0, 7, 2:], film[0, 7, :-2], atol=1e-3)
    assert (moved_film[0, :, :2] == 0).all()
    np.testing.assert_array_equal(moved_mask[0], np.roll(mask[0], 2, axis=1))


def test_a_rotation_turns_about_the_centre() -> None:
    film = np.zeros((1, 21, 21), np.uint8)
    film[0, 10, 10] = 200
    film[0, 10, 18] = 100
    turned, _ = augment(film, film > 0, FixedDraws(10.0, (0.0, 0.0)))
    assert turned[0, 10, 10] == pytest.approx(200, abs=1)
    brightest = np.argmax(np.where(np.arange(21) > 13, turned[0], 0))
    assert divmod(int(brightest), 21) == (11, 18)


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
    first, second = (augment(film, film > 50, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_balancing_fills_the_smaller_class_evenly() -> None:
    is_infected = np.array([True] * 3 + [False] * 10)
    rows = balance(is_infected, np.random.default_rng(0))
    counts = np.bincount(rows, minlength=13)
    assert counts[:3].sum() == 10
    assert set(counts[:3]) == {3, 4}
    assert (counts[3:] == 1).all()


def test_balancing_gives_the_papers_numbers() -> None:
    """Table II (P28): 2361 infected and 10,035 normal training films become 20,070."""
    is_infected = np.arange(2361 + 10_035) < 2361
    rows = balance(is_infected, np.random.default_rng(0))
    assert len(rows) == 20_070
    assert is_infected[rows].sum() == 10_035


def test_a_single_class_is_left_as_it_is() -> None:
    assert sorted(balance(np.ones(5, np.bool_), np.random.default_rng(0))) == [0, 1, 2, 3, 4]
