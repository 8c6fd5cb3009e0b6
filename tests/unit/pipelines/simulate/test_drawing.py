from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from db.domain.errors import InputError
from db.domain.mask import Mask, dice
from pipelines.simulate import (
    COARSE,
    CONSPICUOUS,
    READERS,
    SUBTLE,
    TIGHT,
    WIDE,
    ReaderTraits,
    care_for,
    draw,
    imagine,
    make_phantom,
)


@cache
def _truths() -> tuple[Mask, ...]:
    presets = [SUBTLE, CONSPICUOUS] * 20
    films = (
        make_phantom(np.random.default_rng([9, i]), side_px=128, infected=True, preset=p) for i, p in enumerate(presets)
    )
    return tuple(phantom.infection for phantom in films)


def _disc(height: int, width: int, radius_px: float) -> Mask:
    y, x = np.ogrid[:height, :width]
    return np.asarray(np.hypot(y - height / 2, x - width / 2) <= radius_px)


def _mean_dice(care: float) -> float:
    scores = []
    for reader in READERS:
        traits = replace(reader, care=care)
        scores += [dice(draw(np.random.default_rng(i), truth, traits), truth) for i, truth in enumerate(_truths())]
    return float(np.mean(scores))


def test_equal_generators_draw_the_same_and_others_differ() -> None:
    truth = _truths()[0]
    first, again, other = (draw(np.random.default_rng(seed), truth, WIDE) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("care", "lowest", "highest"), [(1.0, 0.80, 0.87), (0.45, 0.92, 0.96), (1.35, 0.74, 0.82)])
def test_drawings_reach_the_dice_that_their_care_stands_for(care: float, lowest: float, highest: float) -> None:
    assert lowest < _mean_dice(care) < highest


def test_a_wide_reader_draws_too_much_and_a_tight_one_too_little() -> None:
    truth = _disc(300, 300, 60)
    areas = {
        reader: np.mean(
            [draw(np.random.default_rng(seed), truth, replace(reader, false_region=0)).sum() for seed in range(20)]
        )
        for reader in READERS
    }
    assert areas[WIDE] > 1.15 * truth.sum()
    assert areas[TIGHT] < 0.85 * truth.sum()
    assert areas[TIGHT] < areas[COARSE] < areas[WIDE]


@pytest.mark.parametrize("shape", [(1024, 850), (200, 600), (97, 61)])
def test_drawings_lie_where_the_truth_lies_at_any_shape(shape: tuple[int, int]) -> None:
    truth = _disc(*shape, min(shape) / 5)
    drawn = draw(np.random.default_rng(0), truth, replace(TIGHT, boundary_bias=0, care=0.2, false_region=0))
    assert drawn.shape == shape
    assert drawn.dtype == np.bool_
    assert dice(drawn, truth) > 0.93
    assert ndimage.center_of_mass(drawn) == pytest.approx(ndimage.center_of_mass(truth), abs=0.02 * max(shape))


@pytest.mark.parametrize("n_px", [1, 2, 9])
def test_a_speck_is_never_drawn_blank(n_px: int) -> None:
    truth = np.zeros((700, 900), np.bool_)
    truth[300 : 300 + n_px, 0:n_px] = True
    sloppy = ReaderTraits(boundary_bias=-0.5, miss=1.0, care=3.0, false_region=0.0)
    assert all(draw(np.random.default_rng(seed), truth, sloppy).any() for seed in range(20))


def test_the_largest_region_survives_a_reader_who_overlooks_everything() -> None:
    truth = _disc(400, 400, 30)
    truth[10:14, 10:14] = True
    blind = ReaderTraits(miss=100.0, false_region=0.0)
    drawn = [draw(np.random.default_rng(seed), truth, blind) for seed in range(10)]
    assert all(mask[150:250, 150:250].any() for mask in drawn)
    assert sum(bool(mask[:40, :40].any()) for mask in drawn) < 5


def test_small_regions_are_missed_more_often_than_large_ones() -> None:
    truth = _disc(400, 800, 100)
    truth[195:205, 60:70] = True
    traits = ReaderTraits(false_region=0.0)
    drawn = [draw(np.random.default_rng(seed), truth, traits) for seed in range(60)]
    small, large = (np.mean([mask[:, part].any() for mask in drawn]) for part in (slice(40, 90), slice(300, 500)))
    assert small < 0.7
    assert large > 0.9


def test_faint_regions_are_missed_more_often_than_clear_ones() -> None:
    truth = np.zeros((256, 512), np.bool_)
    truth[120:136, 60:76] = truth[120:136, 400:416] = True
    film = np.full(truth.shape, 100, np.uint8)
    film[:, 250:262] = 250  # something else to see, else the only contrast is the lesion's own
    film[120:136, 400:416] = 250
    traits = ReaderTraits(false_region=0.0)
    drawn = [draw(np.random.default_rng(seed), truth, traits, film=film) for seed in range(60)]
    faint, clear = (np.mean([mask[:, part].any() for mask in drawn]) for part in (slice(250), slice(262, 512)))
    assert faint + 0.15 < clear


def test_a_healthy_film_gets_only_false_regions_and_those_lie_in_the_lung() -> None:
    blank, lung = np.zeros((300, 300), np.bool_), np.zeros((300, 300), np.bool_)
    lung[100:220, 40:120] = True
    assert not draw(np.random.default_rng(0), blank, ReaderTraits(false_region=0.0)).any()
    for seed in range(10):
        drawn = draw(np.random.default_rng(seed), blank, ReaderTraits(false_region=1.0), lung=lung)
        row, column = ndimage.center_of_mass(drawn)
        assert lung[round(row), round(column)]


def test_false_regions_appear_in_a_tenth_of_films() -> None:
    blank = np.zeros((64, 64), np.bool_)
    shown = np.mean([draw(np.random.default_rng(seed), blank, ReaderTraits()).any() for seed in range(400)])
    assert 0.06 < shown < 0.14


def test_holes_are_filled() -> None:
    ring = _disc(256, 256, 60) & ~_disc(256, 256, 20)
    assert draw(np.random.default_rng(0), ring, replace(WIDE, care=0.3))[128, 128]


def test_the_mind_is_better_than_the_hand_but_not_perfect() -> None:
    minds = [dice(imagine(np.random.default_rng(i), truth, COARSE), truth) for i, truth in enumerate(_truths())]
    hands = [dice(draw(np.random.default_rng(i), truth, COARSE), truth) for i, truth in enumerate(_truths())]
    assert np.mean(hands) + 0.03 < np.mean(minds) < 0.97


@pytest.mark.parametrize("target", [0.75, 0.88])
def test_the_care_that_is_found_reaches_its_target(target: float) -> None:
    truths = _truths()[:6]
    traits = replace(WIDE, care=care_for(target, truths, WIDE, seed=4))
    again = [dice(draw(np.random.default_rng([4, i]), truth, traits), truth) for i, truth in enumerate(truths)]
    assert np.mean(again) == pytest.approx(target, abs=0.02)


def test_care_for_an_impossible_dice_names_what_is_possible() -> None:
    with pytest.raises(InputError, match=r"0\.05 is out of this reader's reach"):
        care_for(0.05, _truths()[:3], WIDE)


def test_care_for_healthy_films_is_refused() -> None:
    with pytest.raises(InputError, match="none of the 1 truths"):
        care_for(0.8, [np.zeros((64, 64), np.bool_)], WIDE)
