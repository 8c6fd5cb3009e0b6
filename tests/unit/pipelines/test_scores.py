"""Confusion matrices against the paper's Table III, and histograms of levels against scikit-learn."""

import csv
from itertools import product
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import fbeta_score, roc_auc_score

from db.domain.errors import InputError
from pipelines.scores import (
    METRICS,
    ConfusionCounts,
    CrossValidated,
    LevelHistogram,
    cluster_bootstrap,
    first_level,
    half_width,
    to_levels,
)

N_INFECTED, N_NORMAL = 2951, 12544
BEST = ConfusionCounts(tp=2903, fp=244, tn=12300, fn=48)
SECOND = ConfusionCounts(tp=2848, fp=105, tn=12439, fn=103)
LAST_DIGIT = 1e-4


def _percent(counts):
    return {metric: f"{100 * counts.value(metric):.2f}" for metric in METRICS}


def _published(row):
    return {metric: row[metric] for metric in METRICS}


def _half_width_error(counts, row):
    return {
        metric: abs(round(counts.half_width(metric), 4) - float(row[f"{metric}_ci95_halfwidth_fraction"]))
        for metric in METRICS
    }


def _fitting(row):
    """All whole-number counts over the paper's films that print as its row does."""
    positives = [n for n in range(N_INFECTED + 1) if f"{100 * n / N_INFECTED:.2f}" == row["sensitivity"]]
    negatives = [n for n in range(N_NORMAL + 1) if f"{100 * n / N_NORMAL:.2f}" == row["specificity"]]
    found = [
        ConfusionCounts(tp=tp, fp=N_NORMAL - tn, tn=tn, fn=N_INFECTED - tp) for tp, tn in product(positives, negatives)
    ]
    return [counts for counts in found if _percent(counts) == _published(row)]


@pytest.fixture(scope="module")
def table_iii(require):
    path = Path(__file__).parents[4] / "shared" / "paper" / "table3_detection.csv"
    if not path.exists():
        require("paper", "there is no ../shared/paper/table3_detection.csv beside the checkout")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_of_table_iii_comes_out_to_the_last_digit(table_iii):
    assert len(table_iii) == 24
    for row in table_iii:
        assert _fitting(row), row


def test_the_intervals_of_table_iii_come_out_but_for_a_few_misprints(table_iii):
    errors = []
    for row in table_iii:
        best = min((_half_width_error(counts, row) for counts in _fitting(row)), key=lambda error: sum(error.values()))
        errors += best.values()
    off = [error / LAST_DIGIT for error in errors if error > LAST_DIGIT / 2]
    assert len(errors) == 144
    assert sorted(off) == pytest.approx([1, 1, 1, 2])  # the last is DLA, Inception-v3, frozen, accuracy


def test_the_best_two_detectors_of_the_paper():
    assert list(_percent(BEST).values()) == ["98.37", "98.05", "92.25", "98.12", "95.21", "97.08"]
    assert list(_percent(SECOND).values()) == ["96.51", "99.16", "96.44", "98.66", "96.48", "96.50"]


def test_intervals_count_positives_for_sensitivity_and_negatives_for_specificity():
    assert BEST.half_width("sensitivity") == pytest.approx(1.96 * (2903 * 48) ** 0.5 / N_INFECTED**1.5)
    assert BEST.half_width("specificity") == pytest.approx(1.96 * (12300 * 244) ** 0.5 / N_NORMAL**1.5)
    assert BEST.half_width("precision", z=1.0) == pytest.approx((BEST.precision * (1 - BEST.precision) / 15495) ** 0.5)
    assert round(BEST.half_width("sensitivity"), 4) == 0.0046


def test_the_interval_of_an_auc_over_the_papers_pixels():
    assert half_width(0.9919, 15495 * 224 * 224) == pytest.approx(6.3e-6, abs=0.05e-6)
    assert isnan(half_width(0.5, 0))


def test_nothing_to_find_leaves_metrics_undefined():
    clean = ConfusionCounts(tp=0, fp=0, tn=9, fn=0)
    assert clean.specificity == clean.accuracy == 1.0
    assert all(isnan(value) for value in (clean.sensitivity, clean.precision, clean.f1, clean.f2))
    assert isnan(clean.half_width("sensitivity"))
    assert all(isnan(ConfusionCounts(0, 0, 0, 0).value(metric)) for metric in METRICS)


def test_finding_nothing_of_something_scores_zero():
    blind = ConfusionCounts(tp=0, fp=0, tn=5, fn=4)
    assert blind.f1 == blind.f2 == blind.sensitivity == 0.0
    assert isnan(blind.precision)


def test_f2_weighs_a_miss_more_than_a_false_alarm():
    assert ConfusionCounts(tp=8, fp=0, tn=0, fn=2).f2 < ConfusionCounts(tp=8, fp=2, tn=0, fn=0).f2


def test_counts_of_masks_and_their_sum():
    truth = np.array([[1, 1, 1, 0], [0, 0, 0, 0]], np.bool_)
    predicted = np.array([[1, 1, 0, 1], [0, 0, 0, 0]], np.bool_)
    counts = ConfusionCounts.from_masks(truth, predicted)
    assert counts == ConfusionCounts(tp=2, fp=1, tn=4, fn=1)
    assert counts + BEST == ConfusionCounts(tp=2905, fp=245, tn=12304, fn=49)
    assert ConfusionCounts.pooled([counts, counts, counts]).fn == 3
    flat = fbeta_score(truth.ravel(), predicted.ravel(), beta=2)
    assert counts.f2 == pytest.approx(flat)


def test_what_cannot_be_a_confusion_matrix_is_refused():
    with pytest.raises(InputError, match="0 or more"):
        ConfusionCounts(tp=1, fp=-1, tn=0, fn=0)
    with pytest.raises(InputError, match="predicted mask"):
        ConfusionCounts.from_masks(np.zeros((2, 3), np.bool_), np.zeros((3, 2), np.bool_))
    with pytest.raises(InputError, match="f3"):
        BEST.value("f3")


def test_one_half_is_called_positive_and_what_lies_below_is_not():
    probability = np.array([0.5, np.nextafter(np.float32(0.5), np.float32(0)), 0.0, 1.0], np.float32)
    histogram = LevelHistogram.of(np.array([True, True, False, False]), to_levels(probability))
    assert histogram.counts() == ConfusionCounts(tp=1, fp=1, tn=1, fn=1)


def test_levels_of_a_stored_map_are_recovered_exactly():
    levels = np.arange(65536, dtype=np.uint16)
    assert (to_levels(levels.astype(np.float32) / np.float32(65535)) == levels).all()


def test_a_threshold_read_from_a_map_is_reached_by_the_pixel_it_was_read_from():
    for level in range(65536):
        assert first_level(level / 65535) == level
        assert first_level(float(np.float32(level) / np.float32(65535))) == level


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    truth = rng.random(4000) < 0.2
    levels = to_levels(np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1), 2))  # with many ties
    assert LevelHistogram.of(truth, levels).auc == pytest.approx(roc_auc_score(truth, levels), abs=1e-12)


def test_the_area_is_undefined_with_one_class_only():
    assert isnan(LevelHistogram.of(np.zeros(5, np.bool_), np.arange(5, dtype=np.uint16)).auc)


def test_pooled_and_mean_over_folds_differ_where_folds_do():
    small = LevelHistogram.of(np.array([True]), to_levels([0.9]))
    large = LevelHistogram.of(np.array([True, True, True]), to_levels([0.9, 0.1, 0.1]))
    folds = CrossValidated({1: large, 0: small})
    assert folds.pooled.sensitivity == pytest.approx(2 / 4)
    assert folds.fold_mean("sensitivity") == pytest.approx((1 + 1 / 3) / 2)
    assert list(folds.fold_counts) == [0, 1]
    assert isnan(folds.fold_mean("specificity"))


def test_the_pooled_area_ranks_across_folds():
    low = LevelHistogram.of(np.array([True, False]), to_levels([0.2, 0.1]))
    high = LevelHistogram.of(np.array([True, False]), to_levels([0.9, 0.8]))
    folds = CrossValidated({0: low, 1: high})
    assert folds.fold_mean("auc") == 1.0
    assert folds.auc == 0.75


def test_resampling_patients_is_wider_than_resampling_their_films():
    rng = np.random.default_rng(5)
    above = np.repeat((rng.random(40) < 0.7).astype(float), 10)  # ten films a patient, all alike
    below = np.ones(400)
    by_patient = cluster_bootstrap(above, below, np.repeat(np.arange(40), 10).tolist())
    by_film = cluster_bootstrap(above, below, list(range(400)))
    assert by_patient[0] < above.mean() < by_patient[1]
    assert (by_patient[1] - by_patient[0]) / (by_film[1] - by_film[0]) == pytest.approx(10**0.5, rel=0.15)


def test_resampling_is_repeatable_and_undefined_without_a_second_patient():
    above, below = np.array([1.0, 0.0, 1.0]), np.ones(3)
    first = cluster_bootstrap(above, below, ["a", "b", "c"], seed=4)
    assert first == cluster_bootstrap(above, below, ["a", "b", "c"], seed=4)
    assert all(map(isnan, cluster_bootstrap(above, below, ["a", "a", "a"])))
