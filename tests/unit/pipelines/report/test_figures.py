"""Curves behind the report's figures."""

import base64

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from db.domain.errors import InputError
from pipelines.report.estimates import Estimate
from pipelines.report.figures import draw_estimates, precision_recall
from pipelines.scores import LevelHistogram, to_levels


def test_precision_and_sensitivity_over_all_thresholds_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    truth, probability = rng.random(400) < 0.3, np.round(rng.random(400), 2)
    sensitivity, precision = precision_recall(LevelHistogram.of(truth, to_levels(probability)))
    expected_precision, expected_sensitivity, _ = precision_recall_curve(truth, probability)
    assert sensitivity[::-1] == pytest.approx(expected_sensitivity[:-1])
    assert precision[::-1] == pytest.approx(expected_precision[:-1])


def test_without_positives_there_is_no_curve():
    with pytest.raises(InputError, match="positive"):
        precision_recall(LevelHistogram.of(np.zeros(3, bool), to_levels([0.1, 0.2, 0.3])))


def test_a_figure_is_an_svg_that_is_the_same_each_time():
    rows = {"drawing": Estimate(0.7, 0.6, 0.8, 10, 10), "few": Estimate(0.5, float("nan"), float("nan"), 1, 1)}
    uri = draw_estimates(rows, "Dice")
    assert uri == draw_estimates(rows, "Dice")
    assert base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).startswith(b"<?xml")


def test_an_estimate_resamples_components():
    few = Estimate.of([0.2, 0.2, 0.8, 0.8], ["a", "a", "b", "b"])
    assert (few.n, few.n_components) == (4, 2)
    assert [few.value, few.low, few.high] == pytest.approx([0.5, 0.2, 0.8])
