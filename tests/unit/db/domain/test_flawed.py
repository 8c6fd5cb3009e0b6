"""Flawed copies of right masks."""

from itertools import combinations

import numpy as np
import pytest

from db.domain.candidate import EQUAL_DICE
from db.domain.errors import InputError
from db.domain.flawed import (
    VISIBLE_DICE,
    add_mirrored,
    dilate,
    flawed_masks,
    miss_component,
    miss_half,
    px_per_mm,
    shift,
)
from db.domain.mask import dice


@pytest.fixture
def two_parts():
    """A film of 200 x 160: 2 mm a pixel. A large part on the left, a small one on the right."""
    mask = np.zeros((200, 160), np.bool_)
    mask[60:120, 20:60] = True
    mask[80:100, 110:130] = True
    return mask


def test_the_long_side_is_taken_for_400_mm():
    assert px_per_mm(200, 160) == 0.5
    assert px_per_mm(1024, 2048) == 5.12


@pytest.mark.parametrize(
    ("axis", "keep_first", "kept"),
    [
        (0, True, (slice(0, 90), slice(None))),
        (0, False, (slice(90, None), slice(None))),
        (1, True, (slice(None), slice(0, 75))),
        (1, False, (slice(None), slice(75, None))),
    ],
)
def test_a_missed_half_is_cut_at_the_middle_of_the_masks_extent(two_parts, axis, keep_first, kept):
    expected = np.zeros_like(two_parts)
    expected[kept] = two_parts[kept]
    np.testing.assert_array_equal(miss_half(two_parts, axis=axis, keep_first=keep_first), expected)


def test_the_largest_part_is_the_one_that_is_missed(two_parts):
    assert miss_component(two_parts).sum() == 20 * 20
    one = miss_component(two_parts)
    np.testing.assert_array_equal(miss_component(one), one)


def test_a_dilation_of_10_mm_is_5_pixels_here(two_parts):
    grown = dilate(two_parts)
    rows = np.flatnonzero(grown.any(axis=1))
    assert (rows[0], rows[-1]) == (60 - 5, 119 + 5)
    assert not grown[55, 15], "corners are round"


def test_a_shift_moves_and_loses_what_leaves_the_film(two_parts):
    moved = shift(two_parts, down_mm=20, right_mm=-20)
    np.testing.assert_array_equal(moved[70:130, 10:50], two_parts[60:120, 20:60])
    assert shift(two_parts, right_mm=-60).sum() == 60 * 30 + 20 * 20


def test_the_mirror_image_is_added_to_what_is_there(two_parts):
    added = add_mirrored(two_parts)
    assert (added & two_parts).sum() == two_parts.sum()
    assert added[70, 159 - 30]


@pytest.mark.parametrize("n", [1, 3, 4, 5])
def test_flawed_copies_differ_plainly_from_the_right_mask_and_from_each_other(two_parts, n):
    made = flawed_masks(two_parts, n, np.random.default_rng(0))
    assert len(made) == n
    assert all(mask.any() and dice(mask, two_parts) < VISIBLE_DICE for mask in made)
    assert all(dice(a, b) < EQUAL_DICE for a, b in combinations(made, 2))


def test_flaws_differ_from_case_to_case(two_parts):
    first, second = (flawed_masks(two_parts, 2, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(first[0], second[0])


def test_a_mask_on_which_no_flaw_shows_is_refused():
    with pytest.raises(InputError, match="allows 0 flawed copies, 3 are needed"):
        flawed_masks(np.zeros((20, 20), np.bool_), 3, np.random.default_rng(0))
