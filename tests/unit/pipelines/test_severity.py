"""Shares of lungs and zones, and their grades."""

import csv
from math import isnan

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from db.domain.errors import InputError
from pipelines.severity import Grade, Side, assess, extent, split_lungs


@pytest.fixture
def lungs():
    """Two lungs of 30 x 10 in a film of 40 x 40; the patient's right lung is at the left."""
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:15] = mask[5:35, 25:35] = True
    return mask


def test_shares_are_told_by_lung_and_zone(lungs):
    infection = np.zeros_like(lungs)
    infection[25:35, 5:15] = True
    found = assess(infection, lungs)
    assert found.share == pytest.approx(1 / 6)
    assert found.by_lung == {Side.RIGHT: pytest.approx(1 / 3), Side.LEFT: 0}
    assert found.by_zone[Side.RIGHT, "lower"] == 1
    assert found.by_zone[Side.RIGHT, "middle"] == 0
    assert found.grade is Grade.MILD
    assert found.extent_score == 2


def test_infection_outside_the_lungs_is_reported_and_not_counted(lungs):
    infection = np.zeros_like(lungs)
    infection[5:35, 10:20] = True
    found = assess(infection, lungs)
    assert found.outside_share == pytest.approx(0.5)
    assert found.by_lung[Side.RIGHT] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("share", "grade", "score"),
    [(0, "none", 0), (0.001, "mild", 1), (0.25, "moderate", 2), (0.5, "severe", 3), (0.75, "critical", 4)],
)
def test_bounds_belong_to_the_higher_grade(share, grade, score):
    assert Grade.of(share) == grade
    assert extent(share) == score


def test_without_a_lung_mask_the_share_is_that_of_the_film_and_a_note_says_so():
    infection = np.zeros((10, 10), bool)
    infection[:2] = True
    found = assess(infection)
    assert found.share == pytest.approx(0.2)
    assert found.grade is Grade.SEVERE
    assert "No lung mask" in found.note
    assert found.extent_score is None


def test_one_lung_is_cut_at_the_middle_column():
    lung = np.zeros((20, 20), bool)
    lung[:, 12:18] = True
    parts = split_lungs(lung)
    assert not parts[Side.RIGHT].any()
    assert parts[Side.LEFT].sum() == lung.sum()
    assert isnan(assess(lung, lung).by_lung[Side.RIGHT])


def test_a_splinter_goes_with_its_own_side(lungs):
    lungs[2:4, 16:18] = True
    parts = split_lungs(lungs)
    assert parts[Side.RIGHT][2, 16]
    assert not (parts[Side.LEFT] & parts[Side.RIGHT]).any()


def test_a_lung_mask_of_another_size_or_an_empty_one_is_refused(lungs):
    with pytest.raises(InputError, match="lung mask"):
        assess(lungs, lungs[:20])
    with pytest.raises(InputError, match="0 pixels"):
        assess(lungs, np.zeros_like(lungs))


def test_each_lung_has_thirds_of_its_own_height(lungs):
    lungs = np.pad(lungs, ((0, 10), (0, 0)))
    lungs[:, 25:35] = np.roll(lungs[:, 25:35], 10, axis=0)
    infection = np.zeros_like(lungs)
    infection[15:25] = True  # the middle of the right lung is at the height of the upper left
    infected = {zone for zone, share in assess(infection, lungs).by_zone.items() if share > 0}
    assert infected == {(Side.RIGHT, "middle"), (Side.LEFT, "upper")}


def test_lungs_beside_the_middle_of_the_film_are_told_apart(lungs):
    parts = split_lungs(np.pad(lungs, ((0, 0), (80, 0))))
    assert parts[Side.RIGHT].sum() == parts[Side.LEFT].sum() == 300
    assert parts[Side.RIGHT][:, :100].sum() == 300


def test_lungs_that_touch_are_cut_at_the_middle():
    parts = split_lungs(np.ones((4, 10), bool))
    assert parts[Side.RIGHT].sum() == parts[Side.LEFT].sum() == 20


def test_a_splinter_is_not_a_second_lung(lungs):
    lungs[:, 20:] = False
    lungs[30, 18] = True
    severity = assess(np.zeros_like(lungs), lungs)
    assert isnan(severity.by_lung[Side.LEFT])
    assert severity.extent_score is None


@pytest.fixture(scope="module")
def graded(films_folder):
    """Severity of every film with both masks, and its row of published scores."""
    folder = films_folder / "cxr-cohen"
    found = []
    with (folder / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            paths = [folder / row["folder"] / kind / f"{row['id']}.png" for kind in ("infection", "lung")]
            if all(path.exists() for path in paths):
                infection, lung = (np.asarray(Image.open(path).convert("L")) > 127 for path in paths)
                found.append((assess(infection, lung), row))
    return found


@pytest.mark.films
def test_the_infected_share_of_the_lung_is_the_published_one(graded):
    assert graded
    for severity, row in graded:
        assert severity.share == pytest.approx(float(row["infected_lung_fraction"]), abs=1e-3)


@pytest.mark.films
def test_severity_of_radiologists_masks_follows_their_extent_scores(graded):
    scored = np.array([(severity.share, float(row["geographic"])) for severity, row in graded if row["geographic"]])
    assert spearmanr(scored[:, 0], scored[:, 1]).statistic > 0.8
